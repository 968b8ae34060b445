/** Parameters that several methods share, and what a missing one means. */
import { z } from 'zod';
import { CoppiceError } from '../../../errors.ts';
import type { GatewayPort } from '../../port.ts';

/** The channel and account of everything that comes in over this protocol. Part of the dedupe key, so never change them. */
export const WEBSOCKET_CHANNEL = 'webchat';
export const WEBSOCKET_ACCOUNT = 'default';

export const key = z.string().min(1).max(512);
export const idempotencyKey = z.string().min(1).max(256);
export const message = z.string().min(1);
const word = z.string().max(512);
export const words = { word: word.optional(), flag: z.boolean().optional() } as const;

export const provenance = z
  .strictObject({
    kind: z.string().max(64),
    sourceSessionKey: word.optional(),
    sourceChannel: word.optional(),
    sourceTool: word.optional(),
  })
  .optional();

/** Attachments are part of the protocol and not of this gateway yet: an empty list is fine, a full one is refused by name. */
export const attachments = z
  .array(z.unknown())
  .max(0, 'attachments are not supported by this gateway; send text')
  .optional();

/** Which agent a session belongs to: the one asked for, else the one its key names, else the default. */
export function resolveSession(
  port: GatewayPort,
  asked: { sessionKey?: string | undefined; agentId?: string | undefined },
): { readonly sessionKey: string; readonly agentId: string } {
  const agents = port.agents();
  if (asked.agentId !== undefined && !agents.some((agent) => agent.id === asked.agentId)) {
    const known = agents.map((agent) => agent.id).join(', ');
    throw new CoppiceError('PARAMS_INVALID', {
      method: 'session',
      reason: `agentId: there is no agent "${asked.agentId}"; there is ${known}`,
    });
  }
  const named = /^agent:([^:]+):/.exec(asked.sessionKey ?? '')?.[1];
  const fallback = agents.find((agent) => agent.default)?.id ?? 'main';
  const agentId = asked.agentId ?? agents.find((agent) => agent.id === named)?.id ?? fallback;
  return { agentId, sessionKey: asked.sessionKey ?? `agent:${asked.agentId ?? 'main'}:main` };
}

/** Only what was really given: options become JSON in the inbox. */
export function given(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
