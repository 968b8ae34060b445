/** `sessions.list`, `sessions.reset` and `sessions.delete`. */
import { z } from 'zod';
import type { SessionRow } from '../../../store/contract.ts';
import type { GatewayPort } from '../../port.ts';
import { defineMethod } from '../method.ts';
import { idempotencyKey, key, words } from './fields.ts';

const DEFAULT_LIST = 200;
/** A look at the last message costs a read each. */
const LAST_MESSAGES = 100;

export const sessionsList = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({
    limit: z.int().min(1).max(10_000).optional(),
    activeMinutes: z.number().min(1).optional(),
    includeGlobal: words.flag,
    includeUnknown: words.flag,
    includeDerivedTitles: words.flag,
    includeLastMessage: words.flag,
    label: words.word,
    spawnedBy: words.word,
    agentId: words.word,
    search: words.word,
  }),
  handle(params, { port }) {
    const { limit = DEFAULT_LIST, activeMinutes, agentId, search } = params;
    // No session of this gateway carries a label or a spawner yet, so these filters match nothing.
    const none = params.label !== undefined || params.spawnedBy !== undefined;
    const rows = none
      ? []
      : port.sessions({
          limit,
          ...(agentId === undefined ? {} : { agentId }),
          ...(search === undefined ? {} : { search }),
          ...(activeMinutes === undefined ? {} : { activeSince: port.now() - activeMinutes * 60_000 }),
        });
    const last = params.includeLastMessage === true && rows.length <= LAST_MESSAGES;
    const sessions = rows.map((row) => ({
      ...sessionEntry(row),
      ...(last ? { lastMessagePreview: preview(port, row) } : {}),
    }));
    return { payload: { ts: Math.round(port.now()), path: port.stateDir, count: sessions.length, sessions } };
  },
});

function sessionEntry(row: SessionRow) {
  const { sessionKey, sessionId, agentId, createdAt, updatedAt, messageCount } = row;
  return { key: sessionKey, kind: 'direct', sessionId, agentId, createdAt, updatedAt, messageCount };
}

function preview(port: GatewayPort, row: SessionRow): string | null {
  const content = port.history(row.sessionKey, 1).rows.at(-1)?.content ?? [];
  const text = content.find((part) => part.type === 'text');
  return text ? text.text.slice(0, 200) : null;
}

export const sessionsReset = defineMethod({
  scope: 'operator.admin',
  params: z.strictObject({
    key,
    agentId: words.word,
    reason: z.enum(['new', 'reset']).optional(),
    idempotencyKey: idempotencyKey.optional(),
  }),
  async handle({ key: sessionKey }, { port }) {
    const { sessionId } = await port.resetSession(sessionKey);
    return {
      payload: {
        ok: true,
        key: sessionKey,
        sessionId,
        entry: { sessionId, updatedAt: Math.round(port.now()) },
      },
    };
  },
});

export const sessionsDelete = defineMethod({
  scope: 'operator.admin',
  params: z.strictObject({
    key,
    agentId: words.word,
    deleteTranscript: z.literal(true, 'a session is always deleted with its transcript').optional(),
    idempotencyKey: idempotencyKey.optional(),
  }),
  async handle({ key: sessionKey }, { port }) {
    const { deleted } = await port.deleteSession(sessionKey);
    return { payload: { ok: true, key: sessionKey, deleted, archived: [] } };
  },
});
