import { z } from 'zod';
import { choice, count, flag, group, secret, text } from './schema-words.ts';

/** The channels that are set up by configuration alone: a row per type in `channel`, each strict about its own keys. */

const MIB = 1_048_576;

const address = z
  .string()
  .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
    error: 'expected an http or https address',
  });

const webhook = group(
  {
    type: z.literal('webhook').meta({ description: 'Signed requests to /hooks/NAME, signed replies out.' }),
    enabled: flag('Bring it up.').prefault(true),
    secret: secret('What requests and replies are signed with. Long and random.'),
    scheme: choice(
      ['hmac-sha256', 'github'],
      'How requests are signed: hmac-sha256 over timestamp and body, github over the body alone, which anybody who sees a request can repeat. Default: either, and replies with hmac-sha256.',
    ).optional(),
    signatureHeader: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,64}$/, { error: 'a header name: letters, digits and dashes' })
      .meta({
        description: 'Where the signature stands. Default: x-coppice-signature or x-hub-signature-256.',
      })
      .optional(),
    replayWindowMs: z
      .int()
      .min(1_000)
      .max(86_400_000)
      .meta({ description: 'How far a signed timestamp may be off, both ways.' })
      .prefault(300_000),
    callbackUrl: address
      .meta({ description: 'Where replies are posted to. Without one they stay in the transcript.' })
      .optional(),
    agentId: text('Whose sessions it reaches. Default: whom the session key names, else main.').optional(),
    sessionKey: z
      .string()
      .min(1)
      .max(256)
      .meta({
        description:
          'The session of a message that names none. {channel}, {target} and {agentId} are filled in. Default: agent:{agentId}:{channel}:{target}.',
      })
      .optional(),
    maxBodyBytes: count('Largest body.', 1)
      .max(16 * MIB)
      .prefault(MIB),
  },
  'A webhook.',
);

/** Names stand in addresses and in paths of the tree. */
const name = z.string().regex(/^[A-Za-z0-9][\w-]{0,63}$/, {
  error: 'letters, digits, dash and underscore only, 64 at most',
});

export const channels = z
  .record(name, z.discriminatedUnion('type', [webhook]))
  .meta({ description: 'Channels by name. `type` says which keys one has.' });
