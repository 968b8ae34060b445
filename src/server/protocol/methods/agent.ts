/** `agent` and `agent.wait`: start a turn and hear its end on the same request. */
import { z } from 'zod';
import type { RunRow } from '../../../store/contract.ts';
import type { Accepted } from '../../port.ts';
import { defineMethod, type Call, type Reply } from '../method.ts';
import {
  WEBSOCKET_ACCOUNT,
  WEBSOCKET_CHANNEL,
  attachments,
  given,
  idempotencyKey,
  key,
  message,
  provenance,
  refuseSilence,
  resolveSession,
  words,
} from './fields.ts';
import { runError } from './run-outcome.ts';

/** How long one look at a run lasts before the handler looks whether anybody still listens. */
const LOOK_MS = 60_000;
const LONGEST_WAIT_MS = 86_400_000;

export const agent = defineMethod({
  scope: 'operator.write',
  params: z.strictObject({
    message,
    idempotencyKey,
    agentId: words.word,
    sessionKey: key.optional(),
    sessionId: words.word,
    to: words.word,
    replyTo: words.word,
    thinking: words.word,
    deliver: words.flag,
    attachments,
    channel: words.word,
    replyChannel: words.word,
    accountId: words.word,
    replyAccountId: words.word,
    threadId: words.word,
    groupId: words.word,
    groupChannel: words.word,
    groupSpace: words.word,
    timeout: z.int().min(0).optional(),
    lane: words.word,
    extraSystemPrompt: z.string().optional(),
    inputProvenance: provenance,
    label: words.word,
    spawnedBy: words.word,
    model: words.word,
  }),
  async handle(params, call) {
    refuseSilence('agent', params);
    const offer = {
      ...resolveSession(call.port, params),
      ...envelope(params.idempotencyKey, call),
      text: params.message,
      options: given({
        thinking: params.thinking,
        lane: params.lane,
        model: params.model,
        extraSystemPrompt: params.extraSystemPrompt,
        deliver: params.deliver,
        replyTo: params.replyTo,
        label: params.label,
        spawnedBy: params.spawnedBy,
        timeoutMs: params.timeout ? params.timeout * 1_000 : undefined,
      }),
    };
    call.follow(offer.sessionKey);
    const accepted = await call.port.offer(offer, params.attachments);
    const settled = settledRun(accepted);
    if (settled) return finalReply(settled);
    call.early({ runId: accepted.runId, status: 'accepted', acceptedAt: acceptedAt(accepted) });
    return finalReply(await untilSettled(accepted.runId, call));
  },
});

/** What a message over this protocol is to the inbox: the idempotency key is its run and its identity. */
export function envelope(runId: string, call: Call) {
  return {
    runId,
    platformId: runId,
    channel: WEBSOCKET_CHANNEL,
    account: WEBSOCKET_ACCOUNT,
    source: 'user' as const,
    ...(call.trace ? { trace: call.trace } : {}),
  };
}

export function settledRun(accepted: Accepted): RunRow | undefined {
  return accepted.kind === 'known' && accepted.run.status !== 'accepted' ? accepted.run : undefined;
}

function acceptedAt(accepted: Accepted): number {
  return accepted.kind === 'accepted' ? accepted.at : accepted.run.acceptedAt;
}

/** Undefined when the connection went first: then nobody reads the answer. */
async function untilSettled(runId: string, call: Call): Promise<RunRow | undefined> {
  while (!call.signal.aborted) {
    const run = await call.port.waitRun(runId, LOOK_MS);
    if (run) return run;
  }
  return undefined;
}

function finalReply(run: RunRow | undefined): Reply {
  if (!run) return { payload: null };
  const text = typeof run.result?.['text'] === 'string' ? run.result['text'] : '';
  const result = {
    ...run.result,
    payloads: text ? [{ text, mediaUrl: null }] : [],
    meta: { durationMs: duration(run) },
  };
  if (run.status === 'ok')
    return { payload: { runId: run.runId, status: 'ok', summary: 'completed', result } };
  const error = runError(run);
  return {
    payload: {
      runId: run.runId,
      status: 'error',
      summary: error.message,
      error,
      ...(run.result ? { result } : {}),
    },
    error: {
      code: 'UNAVAILABLE',
      message: error.message,
      details: { code: error.code, runId: run.runId },
      retryable: false,
    },
  };
}

function whole(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms);
}

function duration(run: RunRow): number {
  return Math.max(0, Math.round((run.endedAt ?? run.acceptedAt) - run.acceptedAt));
}

export const agentWait = defineMethod({
  scope: 'operator.write',
  params: z.strictObject({ runId: z.string().min(1).max(256), timeoutMs: z.number().min(0).optional() }),
  async handle({ runId, timeoutMs = 30_000 }, call) {
    const run = await call.port.waitRun(runId, Math.min(timeoutMs, LONGEST_WAIT_MS));
    const times = given({ startedAt: whole(call.runStartedAt(runId)), endedAt: whole(run?.endedAt) });
    if (!run || run.status === 'accepted') return { payload: { runId, status: 'timeout', ...times } };
    if (run.status === 'ok') return { payload: { runId, status: 'ok', ...times } };
    return { payload: { runId, status: 'error', ...times, error: runError(run).message } };
  },
});
