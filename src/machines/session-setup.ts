/** The session's vocabulary: its effects, guards and delays. Its moves are in `session-moves.ts`, the chart in `session.ts`. */
import { setup } from 'xstate';
import type { Fact } from '../bus/events.ts';
import { missing, missingAction, missingCallback, missingPromise } from './effect-missing.ts';
import type { Ending } from './ending.ts';
import { LIMITS } from './limits.ts';
import { abortsTurn } from './session-asks.ts';
import type {
  Change,
  Changed,
  Heard,
  LaneAnswer,
  Loaded,
  LoadInput,
  RunAbort,
  SessionAnswer,
  SessionInput,
  SessionSignal,
  Settled,
  Settlement,
  TicketInput,
} from './session-contract.ts';
import type { SessionFact } from './session-says.ts';
import { answerTo, answers, knows } from './session-state.ts';
import type { Ask, SessionContext } from './session-state.ts';
import type { RunInput, RunOutput } from './turn.ts';

export const askOf = (event: Heard): Ask | undefined => {
  if (event.type === 'run.abort') return { kind: 'abort', requestId: event.requestId, runId: event.runId };
  if (event.type === 'session.reset')
    return { kind: 'reset', requestId: event.requestId, sessionId: event.sessionId };
  return event.type === 'session.delete' ? { kind: 'delete', requestId: event.requestId } : undefined;
};
const doubled = (base: number, failures: number): number => base * 2 ** Math.max(0, failures - 1);

export const base = setup({
  types: {
    context: {} as SessionContext,
    events: {} as Heard,
    input: {} as SessionInput,
    output: {} as Ending,
    emitted: {} as SessionFact | Fact<'actor.fault'>,
  },
  actors: {
    load: missingPromise<Loaded, LoadInput>('load'),
    settle: missingPromise<Settled, Settlement>('settle'),
    change: missingPromise<Changed, Change>('change'),
    ticket: missingCallback<LaneAnswer, TicketInput>('ticket'),
    run: missing<RunOutput, RunAbort, RunInput>('run'),
  },
  actions: {
    answer: missingAction('answer') as (args: unknown, answer: SessionAnswer) => void,
    signal: missingAction('signal') as (args: unknown, signal: SessionSignal) => void,
  },
  guards: {
    isKnown: ({ context, event }) =>
      event.type === 'message.queued' && knows(context, event.message.messageId),
    mustDefer: ({ context }) => context.unread || context.queue.length >= context.input.maxQueue,
    asksFull: ({ context }) => context.asks.length + context.aborts.length >= context.input.maxAsks,
    abortsTurn: ({ context, event }) => event.type === 'run.abort' && abortsTurn(context, event.runId),
    abortIsNext: ({ context }) => context.asks[0]?.kind === 'abort',
    changeIsNext: ({ context }) => context.asks[0] !== undefined && context.asks[0].kind !== 'abort',
    hasDismissed: ({ context }) => context.dismissed.length > 0,
    isDeleted: ({ context }) => context.deleted,
    /** Deleted, and nothing came since; else a new life begins. */
    isGone: ({ context }) =>
      context.deleted && !context.unread && context.queue.length === 0 && context.asks.length === 0,
    bringsAnswer: ({ context, event }) =>
      event.type === 'message.queued' && answers(context.question, event.message),
    isAnswered: ({ context }) => answerTo(context) !== undefined,
    hasQuestion: ({ context }) => context.question !== null,
    hasWork: ({ context }) => context.queue.length > 0,
    isUnread: ({ context }) => context.unread,
    isStopping: ({ context }) => context.stopping,
    storeMayRecover: ({ context }) => context.storeFailures + 1 < LIMITS.storeTries,
    runMayRecover: ({ context }) =>
      context.turn?.ending === 'no' && context.turn.crashes + 1 < LIMITS.crashesPerTurn,
    isEnding: ({ context }) => context.turn !== null && context.turn.ending !== 'no',
    awaitsTicket: ({ context }) => context.ticketId === null && context.turn?.output === null,
    isOverdue: ({ context, event }) =>
      event.type === 'clock.tick' &&
      context.turn !== null &&
      event.atMs > context.turn.deadlineAt + LIMITS.abortGraceMs,
    isStuck: ({ context, event }) =>
      event.type === 'clock.tick' &&
      context.turn !== null &&
      event.atMs - context.quietSince >= context.turn.stuckAfterMs,
    isOurRun: ({ context, event }) =>
      event.type === 'run.progress' && context.turn?.messages[0]?.runId === event.runId,
    idleLongEnough: ({ context, event }) =>
      event.type === 'clock.tick' && event.atMs - context.quietSince >= context.input.idleMs,
  },
  delays: {
    runBackoff: ({ context }) => doubled(LIMITS.runBackoffMs, context.turn?.crashes ?? 0),
    storeBackoff: ({ context }) => doubled(LIMITS.storeBackoffMs, context.storeFailures),
    dismissBackoff: 4 * LIMITS.storeBackoffMs,
    abortGrace: LIMITS.abortGraceMs,
    lastCommit: LIMITS.lastCommitMs,
  },
});
