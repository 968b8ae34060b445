/** The first request of every connection. Keys it does not know are ignored, so that newer clients can greet us. */
import { z } from 'zod';
import { shown } from '../request-guard.ts';

export const PROTOCOLS = [3, 4] as const;
export type Protocol = (typeof PROTOCOLS)[number];

const word = z.string().max(256).transform(shown);

export const connectParams = z.object({
  minProtocol: z.int().min(0),
  maxProtocol: z.int().min(0),
  client: z.object({
    id: word.pipe(z.string().min(1)),
    displayName: word.optional(),
    version: word.prefault('unknown'),
    platform: word.prefault('unknown'),
    deviceFamily: word.optional(),
    modelIdentifier: word.optional(),
    mode: word.prefault('unknown'),
    instanceId: word.optional(),
  }),
  role: z.string().max(64).prefault('operator'),
  scopes: z.array(z.string().max(64)).max(64).prefault([]),
  device: z
    .object({
      id: z.string().min(1).max(256),
      publicKey: z.string().min(1).max(1_024),
      signature: z.string().min(1).max(1_024),
      signedAt: z.number(),
      nonce: z.string().max(256).optional(),
    })
    .optional(),
  auth: z
    .object({
      token: z.string().max(4_096).optional(),
      deviceToken: z.string().max(4_096).optional(),
      password: z.string().max(4_096).optional(),
    })
    .optional(),
});

export type ConnectParams = z.output<typeof connectParams>;

/** The highest protocol both sides know. */
export function commonProtocol(
  params: Pick<ConnectParams, 'minProtocol' | 'maxProtocol'>,
): Protocol | undefined {
  return PROTOCOLS.findLast((version) => params.minProtocol <= version && version <= params.maxProtocol);
}
