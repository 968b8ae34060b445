/** Abort, reset and delete: what they take out of a session, and when they are answered. Pure. */
import type { Changed } from './session-contract.ts';
import { knows, later } from './session-state.ts';
import type { Dismissed, PendingAbort, SessionContext } from './session-state.ts';
import type { TurnMessage } from './turn.ts';

const meant =
  (runId: string | undefined) =>
  (message: TurnMessage): boolean =>
    runId === undefined || message.runId === runId;
export const abortsTurn = (context: SessionContext, runId: string | undefined): boolean =>
  context.turn?.messages.some(meant(runId)) === true;

/** Takes what is meant out of queue and question. Of the running turn it only notes that somebody waits for its end. */
export function takeAbort(
  context: SessionContext,
  ask: { readonly requestId: string; readonly runId?: string | undefined },
) {
  const { question, turn } = context;
  const ends = question?.messages.some(meant(ask.runId)) === true ? question : null;
  const queued = context.queue
    .filter(meant(ask.runId))
    .map((message): Dismissed => ({ message, startedAt: 0 }));
  const asked = (ends?.messages ?? []).map((message): Dismissed => ({
    message,
    startedAt: ends?.startedAt ?? 0,
  }));
  const dismissed = [...asked, ...queued];
  const running = abortsTurn(context, ask.runId) ? (turn?.messages ?? []) : [];
  const waitsFor = [...running, ...dismissed.map(({ message }) => message)].map(({ runId }) => runId);
  const change: Partial<SessionContext> = {
    queue: context.queue.filter((message) => !meant(ask.runId)(message)),
    question: ends === null ? question : null,
    dismissed: [...context.dismissed, ...dismissed],
    aborts:
      waitsFor.length === 0
        ? context.aborts
        : [...context.aborts, { requestId: ask.requestId, waitsFor, aborted: [] }],
  };
  return { change, found: waitsFor.length > 0 };
}

/** Runs have their outcome: which aborts are answered by it, and which go on waiting. */
export function resolveAborts(aborts: readonly PendingAbort[], runIds: readonly string[], aborted: boolean) {
  const seen = aborts.map((abort): PendingAbort => ({
    ...abort,
    waitsFor: abort.waitsFor.filter((runId) => !runIds.includes(runId)),
    aborted: aborted
      ? [...abort.aborted, ...abort.waitsFor.filter((runId) => runIds.includes(runId))]
      : abort.aborted,
  }));
  return {
    open: seen.filter(({ waitsFor }) => waitsFor.length > 0),
    answered: seen.filter(({ waitsFor }) => waitsFor.length === 0),
  };
}

/** The first ask is done; reset and delete end a question, a delete everything that waited. */
export function takeChanged(context: SessionContext, changed: Changed): Partial<SessionContext> {
  const [ask, ...asks] = context.asks;
  const asked = (context.question?.messages ?? []).map((message): Dismissed => ({
    message,
    startedAt: context.question?.startedAt ?? 0,
  }));
  const common = { asks, question: null, nowMs: later(context, changed.atMs), storeFailures: 0 };
  if (ask?.kind !== 'delete')
    return {
      ...common,
      sessionId: ask?.kind === 'reset' ? ask.sessionId : context.sessionId,
      dismissed: [...context.dismissed, ...asked],
    };
  const dropped = changed.dropped.filter((message) => !knows(context, message.messageId));
  const waiting = [...context.queue, ...dropped].map((message): Dismissed => ({ message, startedAt: 0 }));
  return {
    ...common,
    queue: [],
    unread: false,
    deleted: true,
    dismissed: [...context.dismissed, ...asked, ...waiting],
  };
}
