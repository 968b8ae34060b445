/** Parameters that several methods share, and what a missing one means. */
import { z } from 'zod';
import { CoppiceError } from '../../../errors.ts';
import type { GatewayPort } from '../../port.ts';

/** The channel and account of everything that comes in over this protocol. Part of the dedupe key, so never change them. */
export const WEBSOCKET_CHANNEL = 'webchat';
export const WEBSOCKET_ACCOUNT = 'default';

export const key = z.string().min(1).max(512);
export const idempotencyKey = z.string().min(1).max(256);
/** May be empty beside a file. */
export const message = z.string();
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

/** What one message may bring along. How large, and of which kinds, the store of files says. */
export const MOST_FILES = 10;
export const attachments = z
  .array(
    z.strictObject({
      type: z.enum(['image', 'file']).optional(),
      mimeType: z.string().max(256).optional(),
      fileName: z.string().max(1_024).optional(),
      /** Base64. */
      content: z.string().min(1),
    }),
  )
  .max(MOST_FILES, `a message may bring ${MOST_FILES} files`)
  .optional();

/** A file may stand for itself; a message without either says nothing. */
export function refuseSilence(
  method: string,
  said: { readonly message: string; readonly attachments?: readonly unknown[] | undefined },
): void {
  if (said.message !== '' || (said.attachments ?? []).length > 0) return;
  throw new CoppiceError('PARAMS_INVALID', { method, reason: 'message: it is empty, and there is no file' });
}

/** Among this many, the most recently active ones, a session is looked for by its id. */
const LOOKED_THROUGH = 1_000;

/**
 * Which agent a session belongs to: the one asked for, else the one its key names, else the default. Without a key a
 * session id names the session that has it, or else one of its own: two ids never share a conversation.
 */
export function resolveSession(
  port: GatewayPort,
  asked: { sessionKey?: string | undefined; agentId?: string | undefined; sessionId?: string | undefined },
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
  if (asked.sessionKey !== undefined) return { agentId, sessionKey: asked.sessionKey };
  const sessionId = asked.sessionId?.trim();
  if (sessionId) return sessionById(port, agentId, sessionId);
  return { agentId, sessionKey: `agent:${asked.agentId ?? 'main'}:main` };
}

function sessionById(port: GatewayPort, agentId: string, sessionId: string) {
  const row = port
    .sessions({ limit: LOOKED_THROUGH, agentId })
    .find((session) => session.sessionId === sessionId);
  return { agentId, sessionKey: row?.sessionKey ?? `agent:${agentId}:explicit:${sessionId}` };
}

/** Only what was really given: options become JSON in the inbox. */
export function given(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
