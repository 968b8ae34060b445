/** What a session says: answers to whoever asked, signals to whoever listens, facts for the record. Pure. */
import type { Fact } from '../bus/events.ts';
import { normalizeError } from '../errors.ts';
import type { SessionAnswer, SessionSignal, TurnOutcome } from './session-contract.ts';
import type { Dismissed, PendingAbort, SessionContext, Turn } from './session-state.ts';
import type { TurnMessage } from './turn.ts';

/** The facts a session emits. */
export type SessionFact = Fact<
  | 'session.state'
  | 'session.resumed'
  | 'session.passivated'
  | 'session.stuck'
  | 'session.settle_failed'
  | 'message.deferred'
  | 'message.processed'
  | 'run.started'
  | 'run.completed'
  | 'run.crashed'
>;

export interface Said {
  readonly facts: readonly SessionFact[];
  readonly signals: readonly SessionSignal[];
}

export const identity = ({ input: { sessionKey }, sessionId }: SessionContext) =>
  sessionId === '' ? { sessionKey } : { sessionKey, sessionId };
export const queueDepth = (context: SessionContext): number =>
  context.queue.length + (context.turn === null ? 0 : 1);
export const answerAbort = ({ requestId, aborted }: PendingAbort): SessionAnswer => ({
  requestId,
  result: { kind: 'aborted', aborted: aborted.length > 0, runIds: aborted },
});

/** To those of the turn's messages that do not know yet; after a crash, that the text so far is void. */
export function sayBegin(context: SessionContext, turn: Turn): Said {
  const { sessionKey } = context.input;
  const fresh = turn.messages.slice(turn.announced);
  const first = turn.messages[0];
  const again = turn.announced > 0 && first !== undefined;
  const reason = turn.crashes > 0 ? 'the turn crashed and begins again' : 'its question was answered';
  return {
    facts: fresh.map(({ runId, source, trace }) => ({
      type: 'run.started',
      ...identity(context),
      runId,
      trigger: source,
      trace,
    })),
    signals: [
      ...(again ? [{ kind: 'restarted', runId: first.runId, sessionKey, reason } as const] : []),
      ...fresh.map(
        ({ runId }) => ({ kind: 'started', runId, sessionKey, startedAt: turn.startedAt }) as const,
      ),
    ],
  };
}

/** The question, as text of the run: whoever watches it sees why it waits. */
export function sayQuestion(context: SessionContext, turn: Turn): Said {
  const runId = turn.messages[0]?.runId;
  if (runId === undefined || turn.output?.status !== 'undecided') return { facts: [], signals: [] };
  const delta = `${turn.output.text === '' ? '' : '\n\n'}${turn.output.question}`;
  return {
    facts: [],
    signals: [
      { kind: 'text', runId, sessionKey: context.input.sessionKey, text: turn.output.text + delta, delta },
    ],
  };
}

export function sayOutcome(context: SessionContext, turn: Turn, outcome: TurnOutcome, atMs: number): Said {
  return join(turn.messages.map((message) => sayEnd(context, message, turn.startedAt, outcome, atMs)));
}

export function sayDismissed(
  context: SessionContext,
  dismissed: readonly Dismissed[],
  outcome: TurnOutcome,
  atMs: number,
): Said {
  return join(dismissed.map(({ message, startedAt }) => sayEnd(context, message, startedAt, outcome, atMs)));
}

/** A run that never started has no `run.completed`. */
function sayEnd(
  context: SessionContext,
  message: TurnMessage,
  startedAt: number,
  outcome: TurnOutcome,
  endedAt: number,
): Said {
  const { runId, trace } = message;
  const error = outcome.status === 'error' ? outcome.error : undefined;
  const completed: SessionFact = {
    type: 'run.completed',
    ...identity(context),
    runId,
    outcome: outcome.status,
    durationMs: Math.max(0, endedAt - startedAt),
    toolCalls: outcome.toolCalls,
    attempts: outcome.attempts,
    ...(error ? { error: error.message } : {}),
    trace,
  };
  return {
    facts: [...(startedAt > 0 ? [completed] : []), processed(context, message, outcome, endedAt)],
    signals: [
      {
        kind: 'ended',
        runId,
        sessionKey: context.input.sessionKey,
        status: outcome.status,
        text: outcome.text,
        endedAt,
        ...(outcome.usage ? { usage: outcome.usage } : {}),
        ...('stopReason' in outcome ? { stopReason: outcome.stopReason } : {}),
        ...(error ? { error } : {}),
      },
    ],
  };
}

function processed(
  context: SessionContext,
  message: TurnMessage,
  outcome: TurnOutcome,
  endedAt: number,
): SessionFact {
  return {
    type: 'message.processed',
    ...identity(context),
    channel: message.channel,
    messageId: message.messageId,
    durationMs: Math.max(0, endedAt - message.receivedAt),
    outcome: ({ ok: 'completed', aborted: 'skipped', error: 'error' } as const)[outcome.status],
    ...(outcome.status === 'aborted' ? { reason: outcome.stopReason } : {}),
    ...(outcome.status === 'error' ? { reason: outcome.error.code, error: outcome.error.message } : {}),
    trace: message.trace,
  };
}

export function sayCrash(context: SessionContext, turn: Turn, thrown: unknown): SessionFact {
  const { runId = '', trace } = turn.messages[0] ?? {};
  return {
    type: 'run.crashed',
    ...identity(context),
    runId,
    crashes: turn.crashes + 1,
    error: normalizeError(thrown),
    trace,
  };
}

export function saySettleFailed(
  context: SessionContext,
  message: TurnMessage | undefined,
  attempt: number,
  thrown: unknown,
): SessionFact {
  return {
    type: 'session.settle_failed',
    ...identity(context),
    runId: message?.runId ?? '',
    attempt,
    error: normalizeError(thrown),
    trace: message?.trace,
  };
}

const join = (said: readonly Said[]): Said => ({
  facts: said.flatMap(({ facts }) => facts),
  signals: said.flatMap(({ signals }) => signals),
});
