/** What a session does when something happens to it. */
import { CoppiceError, normalizeError } from '../errors.ts';
import { LIMITS } from './limits.ts';
import { resolveAborts, takeAbort, takeChanged } from './session-asks.ts';
import {
  abortedOutput,
  closeDismissed,
  closeTurn,
  crashedOutput,
  failedOutput,
  finished,
} from './session-outcome.ts';
import {
  answerAbort,
  identity,
  queueDepth,
  sayBegin,
  sayCrash,
  sayDismissed,
  sayOutcome,
  sayQuestion,
  saySettleFailed,
} from './session-says.ts';
import type { Said } from './session-says.ts';
import { askOf, base } from './session-setup.ts';
import { changeTurn, later, takeAnswer, takeLoaded, takeNext, takeTicket } from './session-state.ts';
import type { Ask, SessionContext, VisibleState } from './session-state.ts';
import type { RunOutput } from './turn.ts';

type Enqueue = Parameters<Parameters<typeof base.enqueueActions>[0]>[0]['enqueue'];
const say = (enqueue: Enqueue, { facts, signals }: Said): void => {
  for (const fact of facts) enqueue.emit(fact);
  for (const signal of signals) enqueue({ type: 'signal', params: signal });
};
/** Runs have their outcome: the aborts that waited for them are answered. */
const resolve = (
  enqueue: Enqueue,
  context: SessionContext,
  runIds: readonly string[],
  aborted: boolean,
): void => {
  if (context.aborts.length === 0) return;
  const { open, answered } = resolveAborts(context.aborts, runIds, aborted);
  enqueue.assign({ aborts: open });
  for (const abort of answered) enqueue({ type: 'answer', params: answerAbort(abort) });
};
/** It is in this state from now on, with this change: one assignment, as each costs a copy of the snapshot. */
const show = (
  state: VisibleState,
  change: (context: SessionContext) => Partial<SessionContext> = () => ({}),
) =>
  base.enqueueActions(({ context, event, enqueue }) => {
    if (context.shown !== state) {
      const prev = context.shown === null ? {} : { prevState: context.shown };
      const reason = event.type.replace(/^xstate\.(\w+)\.actor\./, '$1.');
      enqueue.emit({
        type: 'session.state',
        ...identity(context),
        ...prev,
        state,
        reason,
        queueDepth: queueDepth(context),
      });
    }
    enqueue.assign({ ...change(context), shown: state });
  });
const endWith = (output: RunOutput) => base.assign(({ context }) => changeTurn(context, { output }));
const abort = (enqueue: Enqueue, context: SessionContext, ask: Ask): void => {
  const { change, found } = takeAbort(context, ask);
  enqueue.assign(change);
  if (!found)
    enqueue({
      type: 'answer',
      params: { requestId: ask.requestId, result: { kind: 'aborted', aborted: false, runIds: [] } },
    });
};

export const session = base.extend({
  actions: {
    note: base.assign({
      nowMs: ({ context, event }) => ('atMs' in event ? later(context, event.atMs) : context.nowMs),
    }),
    readAfresh: base.assign({ unread: false, deleted: false }),
    noteUnread: base.assign({ unread: true }),
    noteStopping: base.assign({ stopping: true }),
    noteStoreFailure: base.assign({ storeFailures: ({ context }) => context.storeFailures + 1 }),
    blame: base.assign({ error: ({ event }) => ('error' in event ? normalizeError(event.error) : null) }),
    reportLate: base.enqueueActions(({ event, enqueue }) => {
      if ('error' in event)
        enqueue.emit({ type: 'actor.fault', error: normalizeError(event.error), source: event.actorId });
    }),

    // -- messages
    enqueue: base.assign({
      nowMs: ({ context, event }) => ('atMs' in event ? later(context, event.atMs) : context.nowMs),
      queue: ({ context, event }) =>
        event.type === 'message.queued' ? [...context.queue, event.message] : context.queue,
    }),
    defer: base.enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'message.queued') return;
      enqueue.assign({ unread: true, nowMs: later(context, event.atMs) });
      const { messageId, trace } = event.message;
      enqueue.emit({
        type: 'message.deferred',
        ...identity(context),
        messageId,
        queueDepth: queueDepth(context),
        trace,
      });
    }),
    takeLoaded: base.enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'xstate.done.actor.load') return;
      enqueue.assign(takeLoaded(context, event.output));
      const { sessionId, pending } = event.output;
      enqueue.emit({
        type: 'session.resumed',
        sessionKey: context.input.sessionKey,
        sessionId,
        pending: pending.length,
      });
    }),

    // -- asks
    noteAsk: base.assign({
      nowMs: ({ context, event }) => ('atMs' in event ? later(context, event.atMs) : context.nowMs),
      asks: ({ context, event }) => [...context.asks, ...[askOf(event)].filter((ask) => ask !== undefined)],
    }),
    refuseAsk: base.enqueueActions(({ context, event, enqueue }) => {
      const ask = askOf(event);
      if (ask === undefined) return;
      const details = { where: `the session ${context.input.sessionKey}`, limit: context.input.maxAsks };
      enqueue({
        type: 'answer',
        params: { requestId: ask.requestId, result: { kind: 'failed', code: 'OVERLOADED', details } },
      });
    }),
    abortNext: base.enqueueActions(({ context, enqueue }) => {
      const [ask, ...asks] = context.asks;
      if (ask === undefined) return;
      abort(enqueue, context, ask);
      enqueue.assign({ asks });
    }),
    abortNow: base.enqueueActions(({ context, event, enqueue }) => {
      const ask = askOf(event);
      if (ask !== undefined) abort(enqueue, context, ask);
    }),
    takeChanged: base.enqueueActions(({ context, event, enqueue }) => {
      const ask = context.asks[0];
      if (event.type !== 'xstate.done.actor.change' || ask === undefined) return;
      enqueue.assign(takeChanged(context, event.output));
      const result =
        ask.kind === 'reset'
          ? ({ kind: 'reset', sessionId: ask.sessionId } as const)
          : ({ kind: 'deleted', deleted: event.output.existed } as const);
      enqueue({ type: 'answer', params: { requestId: ask.requestId, result } });
    }),
    failChange: base.enqueueActions(({ context, event, enqueue }) => {
      const [ask, ...asks] = context.asks;
      if (event.type !== 'xstate.error.actor.change' || ask === undefined) return;
      enqueue.assign({ asks });
      const known = event.error instanceof CoppiceError;
      const code = known ? (event.error as CoppiceError).code : 'UNAVAILABLE';
      const details = known
        ? (event.error as CoppiceError).details
        : {
            what: `the ${ask.kind} of ${context.input.sessionKey}`,
            reason: normalizeError(event.error).message,
          };
      enqueue({
        type: 'answer',
        params: { requestId: ask.requestId, result: { kind: 'failed', code, details, cause: event.error } },
      });
    }),

    // -- the turn
    showIdle: show('idle'),
    showWaiting: show('waiting'),
    takeNext: show('processing', takeNext),
    takeAnswer: show('processing', takeAnswer),
    takeTicket: base.assign(({ context, event }) =>
      event.type === 'ticket.granted' ? takeTicket(context, event.ticketId, event.atMs) : {},
    ),
    forgetTicket: base.assign({ ticketId: null }),
    begin: base.enqueueActions(({ context, enqueue }) => {
      if (context.turn === null) return;
      say(enqueue, sayBegin(context, context.turn));
      enqueue.assign({
        runStarts: context.runStarts + 1,
        ...changeTurn(context, { announced: context.turn.messages.length }),
      });
    }),
    noteProgress: base.assign(({ context, event }) =>
      event.type === 'run.progress'
        ? {
            nowMs: later(context, event.atMs),
            quietSince: later(context, event.atMs),
            ...changeTurn(context, { stuckAfterMs: LIMITS.stuckMs }),
          }
        : {},
    ),
    reportStuck: base.enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'clock.tick') return;
      const ageMs = event.atMs - context.quietSince;
      enqueue.emit({
        type: 'session.stuck',
        ...identity(context),
        state: 'processing',
        ageMs,
        queueDepth: queueDepth(context),
      });
      enqueue.assign(changeTurn(context, { stuckAfterMs: 2 * ageMs }));
    }),
    askRunToEnd: base.enqueueActions(({ context, event, enqueue }) => {
      const ending = event.type === 'clock.tick' ? 'overdue' : 'asked';
      enqueue.assign(changeTurn(context, { ending }));
      enqueue.sendTo('run', { type: 'run.abort', reason: ending === 'overdue' ? 'deadline' : 'aborted' });
    }),
    takeOutput: base.assign(({ context, event }) =>
      event.type === 'xstate.done.actor.run'
        ? changeTurn(context, { output: finished(context, event.output) })
        : {},
    ),
    handOn: base.enqueueActions(({ event, enqueue }) => enqueue.sendTo('ticket', event)),
    noteCrash: base.enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'xstate.error.actor.run' || context.turn === null) return;
      enqueue.emit(sayCrash(context, context.turn, event.error));
      enqueue.assign(changeTurn(context, { crashes: context.turn.crashes + 1, decision: null }));
    }),
    endCrashed: base.assign(({ context, event }) =>
      'error' in event
        ? changeTurn(context, { output: crashedOutput(context.turn?.crashes ?? 0, event.error) })
        : {},
    ),
    endAborted: endWith(abortedOutput),
    endByForce: base.assign(({ context }) =>
      changeTurn(context, {
        output:
          context.turn?.ending === 'overdue'
            ? failedOutput('RUN_DEADLINE', { doing: 'not answering its session' })
            : abortedOutput,
      }),
    ),
    endRefused: base.assign(({ context, event }) => {
      const [what, limit] = event.type === 'ticket.refused' ? [event.reason, event.limit] : ['full', 0];
      const output =
        what === 'full'
          ? failedOutput('OVERLOADED', { where: `the lane ${context.input.lane}`, limit })
          : failedOutput('UNAVAILABLE', {
              what: `the lane ${context.input.lane}`,
              reason: `its queue was ${what}`,
            });
      return changeTurn(context, { output });
    }),
    endUnavailable: base.assign(({ context, event }) => {
      const reason = 'error' in event ? normalizeError(event.error).message : 'no ticket could be had';
      return changeTurn(context, {
        output: failedOutput('UNAVAILABLE', { what: `the lane ${context.input.lane}`, reason }),
      });
    }),
    closeTurn: base.enqueueActions(({ context, event, enqueue }) => {
      const { turn } = context;
      if (event.type !== 'xstate.done.actor.settle' || turn?.output == null) return;
      enqueue.assign(closeTurn(context, event.output));
      if (turn.output.status === 'undecided') return say(enqueue, sayQuestion(context, turn));
      say(enqueue, sayOutcome(context, turn, turn.output, event.output.atMs));
      resolve(
        enqueue,
        context,
        turn.messages.map(({ runId }) => runId),
        turn.output.status === 'aborted',
      );
    }),
    closeDismissed: base.enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'xstate.done.actor.dismiss') return;
      const { messageIds, atMs } = event.output;
      const closed = context.dismissed.filter(({ message }) => messageIds.includes(message.messageId));
      enqueue.assign(closeDismissed(context, event.output));
      say(enqueue, sayDismissed(context, closed, abortedOutput, atMs));
      resolve(
        enqueue,
        context,
        closed.map(({ message }) => message.runId),
        true,
      );
    }),
    reportSettleFailed: base.enqueueActions(({ context, event, enqueue }) => {
      if (!('error' in event)) return;
      const message = event.actorId === 'dismiss' ? context.dismissed[0]?.message : context.turn?.messages[0];
      enqueue.emit(saySettleFailed(context, message, context.storeFailures + 1, event.error));
    }),
    reportPassivated: base.enqueueActions(({ context, event, enqueue }) => {
      if (event.type === 'clock.tick')
        enqueue.emit({
          type: 'session.passivated',
          ...identity(context),
          idleMs: event.atMs - context.quietSince,
        });
    }),
  },
});
