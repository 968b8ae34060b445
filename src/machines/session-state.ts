/** What a session knows, as plain JSON, and how messages pass through it. Pure; the statechart in `session.ts` says when. */
import type { NormalError } from '../errors.ts';
import { LIMITS } from './limits.ts';
import type { Loaded, SessionInput } from './session-contract.ts';
import type { RunInput, RunOutput, ToolDecision, TurnMessage } from './turn.ts';

/** What somebody wants of the session. `sessionId` is the new one. */
export type Ask =
  | { readonly kind: 'abort'; readonly requestId: string; readonly runId?: string | undefined }
  | { readonly kind: 'reset'; readonly requestId: string; readonly sessionId: string }
  | { readonly kind: 'delete'; readonly requestId: string };

/** An abort is answered when every run it meant has its outcome. */
export interface PendingAbort {
  readonly requestId: string;
  readonly waitsFor: readonly string[];
  readonly aborted: readonly string[];
}

export interface Turn {
  /** The message that began it, then those that decided a question of it. All share its outcome. */
  readonly messages: readonly TurnMessage[];
  readonly decision: ToolDecision | null;
  /** How many of `messages` were told that they are being worked on. */
  readonly announced: number;
  /** When the ticket came; 0 before. Epoch milliseconds. */
  readonly startedAt: number;
  readonly deadlineAt: number;
  readonly crashes: number;
  /** Somebody wants it to end. `overdue`: its own deadline does. */
  readonly ending: 'no' | 'asked' | 'overdue';
  /** After so much silence it is told to be stuck; twice as long after each time it was. */
  readonly stuckAfterMs: number;
  /** What the next commit says of it. */
  readonly output: RunOutput | null;
}

/** A turn that asked and waits for its user. */
export interface Question {
  readonly messages: readonly TurnMessage[];
  readonly startedAt: number;
  readonly askedAt: number;
}

/** A message that ends as aborted without being run (further). */
export interface Dismissed {
  readonly message: TurnMessage;
  readonly startedAt: number;
}

/** Kept under 20 fields: beyond that every copy of an object costs a hundred times as much, and each event makes some. */
export interface SessionContext {
  readonly input: Required<SessionInput>;
  readonly sessionId: string;
  /** The latest time any event told. */
  readonly nowMs: number;
  /** Accepted, waiting for their turn, in order. */
  readonly queue: readonly TurnMessage[];
  /** More is pending in the inbox than was read, or fitted. It is read when the queue is empty. */
  readonly unread: boolean;
  readonly turn: Turn | null;
  readonly question: Question | null;
  readonly dismissed: readonly Dismissed[];
  readonly asks: readonly Ask[];
  readonly aborts: readonly PendingAbort[];
  /** Message ids with an outcome, newest last. */
  readonly recent: readonly string[];
  readonly storeFailures: number;
  /** Starts of a run in this life of the session: the incarnation of the next one. */
  readonly runStarts: number;
  readonly ticketId: string | null;
  readonly quietSince: number;
  readonly shown: VisibleState | null;
  readonly stopping: boolean;
  readonly deleted: boolean;
  readonly error: NormalError | null;
}
export type VisibleState = 'idle' | 'processing' | 'waiting';

const DEFAULTS = {
  agentId: 'main',
  lane: 'main',
  maxQueue: LIMITS.queuePerSession,
  idleMs: LIMITS.sessionIdleMs,
  turnTimeoutMs: LIMITS.turnMs,
  maxAsks: LIMITS.asksPerSession,
};

export function initialSession(input: SessionInput): SessionContext {
  return {
    input: { ...DEFAULTS, ...input },
    sessionId: '',
    nowMs: input.atMs,
    queue: [],
    unread: false,
    turn: null,
    question: null,
    dismissed: [],
    asks: [],
    aborts: [],
    recent: [],
    storeFailures: 0,
    runStarts: 0,
    ticketId: null,
    quietSince: input.atMs,
    shown: null,
    stopping: false,
    deleted: false,
    error: null,
  };
}

export const later = (context: SessionContext, atMs: number): number => Math.max(context.nowMs, atMs);

/** Here already, in whatever part of its way. */
export function knows(context: SessionContext, messageId: string): boolean {
  const has = (messages: readonly TurnMessage[]): boolean =>
    messages.some((message) => message.messageId === messageId);
  return (
    has(context.queue) ||
    has(context.turn?.messages ?? []) ||
    has(context.question?.messages ?? []) ||
    context.dismissed.some(({ message }) => message.messageId === messageId) ||
    context.recent.includes(messageId)
  );
}

/** Pending rows come first, in their order; what arrived while they were read was accepted after them. */
export function takeLoaded(context: SessionContext, loaded: Loaded): Partial<SessionContext> {
  const listed = new Set(loaded.pending.map((message) => message.messageId));
  const arrived = context.queue.filter((message) => !listed.has(message.messageId));
  const fresh = loaded.pending.filter((message) => !knows({ ...context, queue: [] }, message.messageId));
  const room = Math.max(0, context.input.maxQueue - fresh.length);
  const kept = loaded.more ? [] : arrived.slice(0, room);
  return {
    sessionId: loaded.sessionId,
    nowMs: later(context, loaded.atMs),
    storeFailures: 0,
    queue: [...fresh, ...kept],
    // Set by now only if something came while we read and did not fit.
    unread: context.unread || loaded.more || kept.length < arrived.length,
  };
}

const newTurn: Omit<Turn, 'messages'> = {
  decision: null,
  announced: 0,
  startedAt: 0,
  deadlineAt: 0,
  crashes: 0,
  ending: 'no',
  stuckAfterMs: LIMITS.stuckMs,
  output: null,
};

export function takeNext(context: SessionContext): Partial<SessionContext> {
  const [message, ...queue] = context.queue;
  // From the beginning of a turn on, silence counts.
  return message ? { queue, turn: { ...newTurn, messages: [message] }, quietSince: context.nowMs } : {};
}

/** A user's word after the question. What was said before it is no answer to it. */
export const answers = (question: Question | null, { source, receivedAt }: TurnMessage): boolean =>
  question !== null && source === 'user' && receivedAt >= question.askedAt;
export const answerTo = ({ question, queue }: SessionContext): TurnMessage | undefined =>
  queue.find((message) => answers(question, message));

export const decisionOf = (text: string): ToolDecision =>
  /^\s*(retry|repeat|yes|again)\b/i.test(text) ? 'retry' : 'skip';

export function takeAnswer(context: SessionContext): Partial<SessionContext> {
  const answer = answerTo(context);
  if (context.question === null || answer === undefined) return {};
  const { messages, startedAt } = context.question;
  return {
    queue: context.queue.filter((message) => message !== answer),
    question: null,
    turn: {
      ...newTurn,
      messages: [...messages, answer],
      decision: decisionOf(answer.text),
      announced: messages.length,
      startedAt,
    },
    quietSince: context.nowMs,
  };
}

export function takeTicket(context: SessionContext, ticketId: string, atMs: number): Partial<SessionContext> {
  const nowMs = later(context, atMs);
  const { turn } = context;
  if (turn === null) return { nowMs };
  const timed: Turn = { ...turn, startedAt: turn.startedAt || nowMs, deadlineAt: nowMs + timeoutOf(context) };
  return { ticketId, nowMs, quietSince: nowMs, turn: timed };
}

/** A message may ask for less time than the session gives, or for more. */
export function timeoutOf({ turn, input }: SessionContext): number {
  const wanted = turn?.messages[0]?.options['timeoutMs'];
  return typeof wanted === 'number' && wanted > 0 ? wanted : input.turnTimeoutMs;
}

/** Total: without a turn there is nothing to run, and the machine never asks then. */
export function runInput(context: SessionContext): RunInput {
  const { runStarts, sessionId, turn, quietSince } = context;
  const { path, sessionKey, agentId } = context.input;
  const message = turn?.messages[0] ?? nobody;
  const { decision, deadlineAt } = turn ?? newTurn;
  return {
    path: `${path}/run`,
    incarnation: runStarts,
    sessionKey,
    sessionId,
    agentId,
    message,
    decision,
    deadlineAt,
    heardAt: quietSince,
  };
}
const nobody: TurnMessage = {
  messageId: '',
  runId: '',
  text: '',
  source: 'system',
  channel: '',
  options: {},
  trace: { traceId: '', spanId: '' },
  receivedAt: 0,
};

export const changeTurn = (context: SessionContext, change: Partial<Turn>): Partial<SessionContext> =>
  context.turn === null ? {} : { turn: { ...context.turn, ...change } };
