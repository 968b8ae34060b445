/** `chat.send`, `chat.history` and `chat.abort`: what a chat window needs. */
import { z } from 'zod';
import type { InboxRow, StoredTranscriptRow } from '../../../store/contract.ts';
import { fitNewest } from '../fit.ts';
import { defineMethod, type Reply } from '../method.ts';
import { envelope } from './agent.ts';
import {
  attachments,
  given,
  idempotencyKey,
  key,
  message,
  refuseSilence,
  resolveSession,
  words,
} from './fields.ts';
import { runError } from './run-outcome.ts';
import type { Accepted, TurnOptions } from '../../port.ts';

const DEFAULT_HISTORY = 200;

export const chatSend = defineMethod({
  scope: 'operator.write',
  params: z.strictObject({
    sessionKey: key.optional(),
    /** The session the sender last saw. The key alone says where the message goes. */
    sessionId: words.word,
    agentId: words.word,
    message,
    idempotencyKey,
    thinking: words.word,
    deliver: words.flag,
    attachments,
    timeoutMs: z.number().min(0).optional(),
  }),
  async handle({ sessionId: _seen, ...params }, call) {
    const { thinking, deliver, timeoutMs } = params;
    refuseSilence('chat.send', params);
    const offer = {
      ...resolveSession(call.port, params),
      ...envelope(params.idempotencyKey, call),
      text: params.message,
      options: given({ thinking, deliver, timeoutMs: timeoutMs || undefined }),
    };
    call.follow(offer.sessionKey);
    const accepted = await call.port.offer(offer, params.attachments);
    return startedReply(accepted);
  },
});

/** A repeat answers from the record of the first. */
function startedReply(accepted: Accepted): Reply {
  const { runId } = accepted;
  if (accepted.kind === 'accepted') return { payload: { runId, status: 'started' } };
  if (accepted.run.status === 'accepted') return { payload: { runId, status: 'in_flight' } };
  if (accepted.run.status === 'ok') return { payload: { runId, status: 'ok' } };
  const error = runError(accepted.run);
  return { payload: { runId, status: 'error', summary: error.message, error } };
}

export const chatHistory = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({
    sessionKey: key.optional(),
    agentId: words.word,
    limit: z.int().min(1).max(1_000).optional(),
  }),
  handle({ limit = DEFAULT_HISTORY, ...asked }, { port, limits, follow }) {
    const { sessionKey } = resolveSession(port, asked);
    follow(sessionKey);
    const { sessionId, rows, pending } = port.history(sessionKey, limit);
    const all = [...rows.map(transcriptMessage), ...pending.map(pendingMessage)].slice(-limit);
    const fitted = fitNewest(all, limits.replyBytes - 4_096);
    return { payload: { sessionKey, sessionId, ...fitted } };
  },
});

function transcriptMessage(row: StoredTranscriptRow) {
  return { role: row.role, content: row.content, timestamp: row.at, runId: row.runId };
}

/** Accepted and on disk, not yet answered. */
function pendingMessage(row: InboxRow) {
  const { attachments: files = [] } = row.options as TurnOptions;
  const words = row.text === '' ? [] : [{ type: 'text' as const, text: row.text }];
  const content = [...words, ...files];
  return { role: 'user' as const, content, timestamp: row.receivedAt, runId: row.runId, pending: true };
}

export const chatAbort = defineMethod({
  scope: 'operator.write',
  params: z.strictObject({
    sessionKey: key.optional(),
    agentId: words.word,
    runId: z.string().min(1).max(256).optional(),
    /** There are no side runs here, so they are always spared. */
    preserveSideRuns: words.flag,
    idempotencyKey: idempotencyKey.optional(),
  }),
  async handle({ runId, idempotencyKey: _repeat, preserveSideRuns: _spared, ...asked }, { port }) {
    const { sessionKey } = resolveSession(port, asked);
    const { aborted, runIds } = await port.abort({ sessionKey, ...(runId === undefined ? {} : { runId }) });
    return { payload: { ok: true, aborted, runIds } };
  },
});
