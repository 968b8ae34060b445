/** What there is of sessions: lists, one of them, news of their changes, and ending them. */
import { z } from 'zod';
import type { SessionRow } from '../../../store/contract.ts';
import type { GatewayPort } from '../../port.ts';
import { defineMethod } from '../method.ts';
import { idempotencyKey, key, words } from './fields.ts';

const DEFAULT_LIST = 200;
/** A look at the last message costs a read each. */
const LAST_MESSAGES = 100;

/** No session has a model of its own, so there is none to fall back from. */
const DEFAULTS = { modelProvider: null, model: null, contextTokens: null };

const listParams = z.strictObject({
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
});

export const sessionsList = defineMethod({
  scope: 'operator.read',
  params: listParams,
  handle: (params, { port }) => ({ payload: listed(params, port) }),
});

function listed(params: z.output<typeof listParams>, port: GatewayPort): object {
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
  const sessions = rows.map((row) => entryOf(row, port, last));
  return {
    ts: Math.round(port.now()),
    path: port.stateDir,
    count: sessions.length,
    defaults: DEFAULTS,
    sessions,
  };
}

/** `null` when there is no such session: asking is no mistake. */
export const sessionsDescribe = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({
    key,
    agentId: words.word,
    includeDerivedTitles: words.flag,
    includeLastMessage: words.flag,
  }),
  handle({ key: sessionKey, includeLastMessage = false }, { port }) {
    const row = port.session(sessionKey);
    return { payload: { session: row ? entryOf(row, port, includeLastMessage) : null } };
  },
});

/** From now on `sessions.changed` comes. With parameters of `sessions.list`, that list too. */
export const sessionsSubscribe = defineMethod({
  scope: 'operator.read',
  params: listParams,
  handle(params, { port, subscribeSessions }) {
    subscribeSessions(true);
    const list = Object.keys(params).length > 0 ? { list: listed(params, port) } : {};
    return { payload: { subscribed: true, ...list } };
  },
});

export const sessionsUnsubscribe = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({}),
  handle(_params, { subscribeSessions }) {
    subscribeSessions(false);
    return { payload: { subscribed: false } };
  },
});

function entryOf(row: SessionRow, port: GatewayPort, last: boolean): object {
  return { ...sessionEntry(row), ...(last ? { lastMessagePreview: preview(port, row) } : {}) };
}

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
  async handle({ key: sessionKey, reason = 'reset' }, { port, sessionChanged }) {
    const { sessionId } = await port.resetSession(sessionKey);
    sessionChanged(sessionKey, reason);
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
  async handle({ key: sessionKey }, { port, sessionChanged }) {
    const { deleted } = await port.deleteSession(sessionKey);
    if (deleted) sessionChanged(sessionKey, 'delete');
    return { payload: { ok: true, key: sessionKey, deleted, archived: [] } };
  },
});
