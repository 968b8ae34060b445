import { describe, expect, it } from 'vitest';
import { fromCallback, fromPromise, type AnyMachineSnapshot } from 'xstate';
import { examples, sessionMachine, withEffects, type SessionInput } from '../../src/machines/session.ts';
import type { SessionContext } from '../../src/machines/session-state.ts';
import type { RunOutput, TurnMessage } from '../../src/machines/turn.ts';
import { explore, replay, stateName, type AskedEffect } from '../../src/testing/index.ts';

const LATE = 1_000_000_000;
const input: SessionInput = {
  sessionKey: 'k',
  path: 'sessions/k',
  incarnation: 1,
  agentId: 'main',
  lane: 'main',
  maxQueue: 1,
  idleMs: 60_000,
  turnTimeoutMs: 600_000,
  maxAsks: 1,
  atMs: 0,
};
const message = (n: number): TurnMessage => ({
  ...examples['message.queued'].message,
  messageId: `m${n}`,
  runId: `r${n}`,
  receivedAt: n * 1_000,
});
const [m1, m2] = [message(1), message(2)];
const said = { messages: [], text: 'done', usage: null, attempts: 1, toolCalls: 0 };
const ok: RunOutput = { ...said, status: 'ok', stopReason: 'stop' };
const undecided: RunOutput = {
  ...said,
  status: 'undecided',
  question: 'again?',
  toolCallId: 'c',
  toolName: 't',
};

const contextOf = (snapshot: AnyMachineSnapshot): SessionContext => snapshot.context as SessionContext;
const ids = (messages: readonly TurnMessage[] | undefined): string[] =>
  (messages ?? []).map(({ messageId }) => messageId);
const placed = (context: SessionContext): string[] => [
  ...ids(context.queue),
  ...ids(context.turn?.messages),
  ...ids(context.question?.messages),
  ...context.dismissed.map((one) => one.message.messageId),
];

const { 'run.abort': abort, 'session.reset': reset, 'session.delete': remove, ...plain } = examples;
const queued = { type: 'message.queued', message: m1, atMs: 1_000 };
const queuedToo = { type: 'message.queued', message: m2, atMs: 2_000 };
const abortToo = { ...abort, runId: 'r2' };
const children = ['load', 'settle', 'dismiss', 'change', 'ticket', 'run'];
const lateErrors = children.map((actorId) => ({
  type: `xstate.error.actor.${actorId}`,
  error: new Error('late'),
  actorId,
}));

/** Two messages, every ask, a store that works. */
const busy = [
  queued,
  queuedToo,
  abort,
  abortToo,
  reset,
  remove,
  plain['ticket.granted'],
  plain['supervisor.shutdown'],
  { type: 'clock.tick', atMs: LATE },
];
/** One message, and everything that can fail fails at any time. */
const failing = [queued, abort, remove, plain['ticket.granted'], plain['supervisor.shutdown']];
/** One message, and everything that can be heard is heard at any time. */
const hearing = [
  ...Object.values(plain),
  queued,
  abort,
  { type: 'run.progress', runId: 'r2', atMs: 2_000 },
  { type: 'clock.tick', atMs: 200_000 },
  { type: 'clock.tick', atMs: LATE },
];
/** Aborts of what waits, beside a turn, with a store that fails. */
const desk = [queued, queuedToo, abortToo, plain['ticket.granted'], plain['supervisor.shutdown']];

/** Where each message is and what is wanted; exact times and what is long settled make no other state. */
function key(snapshot: AnyMachineSnapshot): string {
  const c = contextOf(snapshot);
  const turn = c.turn && [
    ids(c.turn.messages),
    c.turn.decision,
    c.turn.crashes,
    c.turn.ending,
    c.turn.output?.status,
  ];
  return JSON.stringify([
    snapshot.value,
    ids(c.queue),
    c.unread,
    turn,
    ids(c.question?.messages),
    c.dismissed.map((one) => one.message.messageId).toSorted(),
    c.asks.map((ask) => ask.kind),
    c.aborts.length,
    c.storeFailures,
    c.ticketId !== null,
    c.stopping,
    c.deleted,
    snapshot.value === 'idle' && c.recent.includes('m1'),
  ]);
}

function invariant(
  snapshot: AnyMachineSnapshot,
  event: { type: string },
  previous: AnyMachineSnapshot,
  effects: readonly AskedEffect[],
): string | undefined {
  const [before, after] = [contextOf(previous), contextOf(snapshot)];
  const places = placed(after);
  const state = stateName(snapshot);
  const over = snapshot.status === 'done';
  if (new Set(places).size !== places.length) return `a message is in two places: ${places.join()}`;
  if (after.queue.length > after.input.maxQueue + 1) return 'the queue is longer than its bound';
  if (state === 'idle' && (places.length > 0 || after.asks.length + after.aborts.length > 0 || after.unread))
    return 'it idles with work to do';
  if (state.includes('running') !== 'run' in snapshot.children && !over) return 'run and state disagree';
  if (state.startsWith('processing') !== 'ticket' in snapshot.children && !over)
    return 'ticket and state disagree';
  const lost = placed(before).filter(
    (id) => !places.includes(id) && !after.recent.includes(id) && !after.unread,
  );
  if (lost.length > 0) return `it lost ${lost.join()}`;
  // Behind a question messages wait in the inbox; everything else is done before a session goes.
  if (
    (state === 'deleted' || state === 'passivated') &&
    [...(after.question ? [] : after.queue), ...after.dismissed].length > 0
  )
    return 'it ended with work to do';
  const ended = effects.some(
    ({ type, params }) => type === 'signal' && (params as { kind: string }).kind === 'ended',
  );
  if (ended && !/^xstate\.done\.actor\.(settle|dismiss)$/.test(event.type))
    return 'it told an end before it was committed';
  const asked = /^(run\.abort|session\.)/.test(event.type) ? 1 : 0;
  const answered = effects.filter(({ type }) => type === 'answer').length;
  const open = ({ asks, aborts }: SessionContext): number => asks.length + aborts.length;
  if (!over && open(before) + asked - answered !== open(after)) return 'an ask was answered twice, or never';
  return undefined;
}

const outputs = {
  load: [
    { sessionId: 's1', pending: [], more: false, atMs: 0 },
    { sessionId: 's1', pending: [m1], more: true, atMs: 0 },
  ],
  settle: (snapshot: AnyMachineSnapshot) => [
    { atMs: 1_500, messageIds: ids(contextOf(snapshot).turn?.messages), askedAt: 1_500 },
  ],
  dismiss: (snapshot: AnyMachineSnapshot) => [
    { atMs: 1_500, messageIds: contextOf(snapshot).dismissed.map((one) => one.message.messageId) },
  ],
  change: [{ atMs: 1_500, existed: true, dropped: [] }],
  run: [ok, undecided],
};
const works = { load: [], settle: [], dismiss: [] };
const explored = (events: readonly object[], errors: Record<string, never[]>) =>
  explore(sessionMachine, {
    input,
    serialize: key,
    invariant,
    outputs,
    errors,
    events: (snapshot) => [...events, ...(snapshot.value === 'idle' ? lateErrors : [])] as never[],
  });
const runs = {
  busy: explored(busy, works),
  failing: explored(failing, {}),
  hearing: explored(hearing, works),
  desk: explored(desk, { load: [], settle: [] }),
};

const never = <O, I extends object>() => fromPromise<O, I>(() => new Promise(() => undefined));
const quiet = withEffects({
  load: never(),
  settle: never(),
  change: never(),
  run: never() as never,
  ticket: fromCallback(() => undefined) as never,
  answer: () => undefined,
  signal: () => undefined,
});

describe('every path of the session', () => {
  it('takes every transition, both ways of each guard', () => {
    const taken = new Set(Object.values(runs).flatMap(({ transitions }) => transitions.taken));
    expect(runs.busy.transitions.all.filter((name) => !taken.has(name))).toEqual([]);
  });

  for (const [name, found] of Object.entries(runs)) {
    it(`${name}: has an answer to every event in every state`, () => {
      expect(found.unhandled).toEqual([]);
    });

    it(`${name}: loses no message, tells no end before its commit, answers every ask once, idles only without work`, () => {
      expect(found.violations).toEqual([]);
      expect(found.states.length).toBeGreaterThan(100);
    });

    it(`${name}: walked by a live session, ends where the model says`, () => {
      const some = found.paths.filter((_, index) => index % Math.ceil(found.paths.length / 200) === 0);
      for (const path of some) expect(key(replay(quiet, path, input))).toBe(path.key);
    });
  }
});
