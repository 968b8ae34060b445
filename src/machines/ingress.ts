import { assign, emit, sendTo, setup } from 'xstate';
import type { Fact } from '../bus/events.ts';
import { normalizeError } from '../errors.ts';
import { complete, missingAction, missingCallback, missingPromise } from './effect-missing.ts';
import { endingOf } from './ending.ts';
import type { Ending } from './ending.ts';
import { depthOf, find, mayStand, mayWriteAgain, refusalOf, unavailable, without } from './inbox-write.ts';
import type { JournalWrite, Write } from './inbox-write.ts';
import type {
  Answer,
  IngressContext,
  IngressEffects,
  IngressEvent,
  IngressInput,
  Route,
  TakenUp,
} from './ingress-contract.ts';
import { LIMITS } from './limits.ts';
import { exampleMessage } from './offered.ts';
import type { OfferedMessage, Refusal } from './offered.ts';

export type * from './ingress-contract.ts';

type IngressFact = Fact<
  'message.queued' | 'message.duplicate' | 'message.refused' | 'ingress.commit_failed' | 'inbox.taken_up'
>;

const ingress = setup({
  types: {
    context: {} as IngressContext,
    events: {} as IngressEvent,
    input: {} as IngressInput,
    output: {} as Ending,
    emitted: {} as IngressFact,
  },
  actors: {
    takeUp: missingPromise<TakenUp, { readonly path: string }>('takeUp'),
    journal: missingCallback<JournalWrite, { readonly path: string }>('journal'),
  },
  actions: {
    answer: missingAction('answer') as (args: unknown, answer: Answer) => void,
    refuse: missingAction('refuse') as (args: unknown, refusal: Refusal) => void,
    route: missingAction('route') as (args: unknown, route: Route) => void,
    announce: missingAction('announce') as () => void,
    write: sendTo('journal', (_, { requestId, message, receivedAt, attempt }: Write): JournalWrite => ({
      type: 'journal.write',
      requestId,
      message,
      receivedAt,
      attempt,
    })),
    flag: assign({ unrouted: true }),
    remember: assign({ unrouted: ({ context }, { failed }: TakenUp) => context.unrouted || failed > 0 }),
    reportTakenUp: emit((_, { sessions, messages }: TakenUp) => ({
      type: 'inbox.taken_up' as const,
      sessions,
      messages,
    })),
    set: assign((_, change: Partial<IngressContext>) => change),
    say: emit((_, fact: IngressFact) => fact),
    blame: assign({ error: (_, params: { readonly error: unknown }) => normalizeError(params.error) }),
  },
  guards: {
    sweepDue: ({ context, event }) =>
      event.type === 'clock.tick' && context.unrouted && event.atMs - context.sweptAt >= LIMITS.sweepEveryMs,
    nothingUnderWay: ({ context }) => context.queue.length === 0,
  },
  delays: { lastWords: ({ context }) => context.stopWithinMs },
});

type Enqueue = Parameters<Parameters<typeof ingress.enqueueActions>[0]>[0]['enqueue'];

const turnAway = (
  enqueue: Enqueue,
  context: IngressContext,
  message: OfferedMessage,
  refusal: Refusal,
): void => {
  enqueue({
    type: 'set',
    params: { refused: context.refused + 1, queue: without(context.queue, refusal.requestId) },
  });
  enqueue({ type: 'refuse', params: refusal });
  const { channel, sessionKey, trace } = message;
  enqueue({
    type: 'say',
    params: { type: 'message.refused', code: refusal.code, channel, sessionKey, trace },
  });
};

/** Writes the message, or says why not. */
const consider = ingress.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'message.admitted') return;
  const { requestId, message, atMs } = event;
  const refusal = refusalOf(context.queue, event);
  if (refusal !== null) return turnAway(enqueue, context, message, refusal);
  const write: Write = {
    requestId,
    message,
    receivedAt: atMs,
    attempt: 1,
    depth: depthOf(context.queue, event),
  };
  enqueue({ type: 'set', params: { queue: [...context.queue, write] } });
  enqueue({ type: 'write', params: write });
});

const refuseNow = ingress.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'message.admitted') return;
  turnAway(enqueue, context, event.message, unavailable(event.requestId, 'it is starting or stopping'));
});

/** The row is on disk: now, and not before, the sender is answered and the session told. */
const acknowledge = ingress.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'journal.committed') return;
  const write = find(context.queue, event.requestId);
  if (write === undefined) return;
  const { requestId, message, receivedAt, depth } = write;
  const { sessionKey, channel, source, messageId, trace } = message;
  const { kind, runId } = event;
  enqueue({
    type: 'set',
    params: {
      queue: without(context.queue, requestId),
      accepted: context.accepted + (kind === 'accepted' ? 1 : 0),
    },
  });
  enqueue({ type: 'answer', params: { requestId, kind, runId, atMs: receivedAt } });
  if (kind === 'accepted') {
    enqueue({ type: 'route', params: { message, receivedAt } });
    enqueue({
      type: 'say',
      params: {
        type: 'message.queued',
        sessionKey,
        channel,
        source,
        queueDepth: depth,
        messageId,
        runId,
        trace,
      },
    });
  } else {
    if (event.first !== undefined) enqueue({ type: 'route', params: event.first });
    enqueue({ type: 'say', params: { type: 'message.duplicate', sessionKey, channel, messageId, trace } });
  }
});

const writeAgainOrRefuse = ingress.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'journal.failed') return;
  const { requestId, error } = event;
  const write = find(context.queue, requestId);
  if (write === undefined) return;
  if (mayWriteAgain(context.queue, event)) {
    const again = { ...write, attempt: write.attempt + 1 };
    enqueue({ type: 'set', params: { queue: [...without(context.queue, requestId), again] } });
    return enqueue({ type: 'write', params: again });
  }
  enqueue({
    type: 'say',
    params: { type: 'ingress.commit_failed', error, count: 1, trace: write.message.trace },
  });
  const refusal = mayStand(write, error)
    ? unavailable(requestId, `nobody knows whether it is on disk (${error.message})`)
    : unavailable(requestId, error.message);
  turnAway(enqueue, context, write.message, refusal);
  // If it is, it is answered: the sweep looks.
  if (mayStand(write, error)) enqueue('flag');
});

/** Whoever still waits for a commit hears that nobody knows. Their messages may be repeated: the inbox tells them apart. */
const refuseTheRest = ingress.enqueueActions(({ context, enqueue }) => {
  for (const write of context.queue) {
    enqueue({
      type: 'refuse',
      params: unavailable(write.requestId, 'it stopped before the commit was confirmed'),
    });
    const { channel, sessionKey, trace } = write.message;
    enqueue({
      type: 'say',
      params: { type: 'message.refused', code: 'UNAVAILABLE', channel, sessionKey, trace },
    });
  }
  enqueue({ type: 'set', params: { queue: [], refused: context.refused + context.queue.length } });
});

const settled = {
  'journal.committed': { actions: acknowledge },
  'journal.failed': { actions: writeAgainOrRefuse },
} as const;
const blame = {
  type: 'blame',
  params: ({ event }: { event: { readonly error: unknown } }) => ({ error: event.error }),
} as const;

/**
 * The way into the inbox. At the start it hands over what an earlier life accepted. Then every admitted message
 * is written, and only when the commit is on disk answered and routed to its session. Many writes are under way
 * at once, so that the store can group them; each request is answered exactly once.
 */
export const ingressMachine = ingress.createMachine({
  id: 'ingress',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input }) => ({
    path: input.path,
    queue: [],
    unrouted: false,
    sweptAt: 0,
    accepted: 0,
    refused: 0,
    stopWithinMs: LIMITS.lastWordsMs,
    error: null,
  }),
  invoke: {
    id: 'journal',
    src: 'journal',
    input: ({ context }) => ({ path: context.path }),
    onError: { target: '.failed', actions: blame },
  },
  on: {
    ...settled,
    'message.admitted': { actions: refuseNow },
    'route.failed': { actions: 'flag' },
    'ingress.ask': {},
    'clock.tick': {},
    'supervisor.shutdown': {
      target: '.stopping',
      actions: assign({ stopWithinMs: ({ event }) => Math.min(event.deadlineMs * 0.8, LIMITS.lastWordsMs) }),
    },
  },
  initial: 'starting',
  states: {
    starting: {
      invoke: {
        id: 'takeUp',
        src: 'takeUp',
        input: ({ context }) => ({ path: context.path }),
        onDone: {
          target: 'open',
          actions: [
            { type: 'remember', params: ({ event }) => event.output },
            { type: 'reportTakenUp', params: ({ event }) => event.output },
          ],
        },
        onError: { target: 'failed', actions: blame },
      },
    },
    open: {
      entry: 'announce',
      on: { 'message.admitted': { actions: consider }, 'ingress.ask': { actions: 'announce' } },
      initial: 'steady',
      states: {
        steady: {
          on: {
            'clock.tick': {
              guard: 'sweepDue',
              target: 'sweeping',
              actions: assign({ unrouted: false, sweptAt: ({ event }) => event.atMs }),
            },
          },
        },
        sweeping: {
          invoke: {
            id: 'sweep',
            src: 'takeUp',
            input: ({ context }) => ({ path: context.path }),
            onDone: {
              target: 'steady',
              actions: { type: 'remember', params: ({ event }) => event.output },
            },
            onError: { target: 'steady', actions: 'flag' },
          },
        },
      },
    },
    stopping: {
      always: { guard: 'nothingUnderWay', target: 'stopped' },
      after: { lastWords: { target: 'stopped' } },
    },
    stopped: { type: 'final', entry: refuseTheRest, output: { exit: 'shutdown' } },
    failed: {
      type: 'final',
      entry: refuseTheRest,
      output: ({ context }) => ({ exit: 'error', error: context.error }),
    },
  },
  output: endingOf,
});

/**
 * The machine with its effects in place.
 *
 * @throws CoppiceError EFFECT_MISSING with its name for one that is not there
 */
export const withEffects = (effects: IngressEffects): typeof ingressMachine =>
  complete(ingressMachine, effects).provide({
    actors: { takeUp: effects.takeUp, journal: effects.journal },
    actions: {
      answer: (_, answer) => effects.answer(answer),
      refuse: (_, refusal) => effects.refuse(refusal),
      route: (_, route) => effects.route(route),
      announce: () => effects.announce(),
    },
  });

const session = {
  path: 'gateway/core/work/sessions/agent:main:main',
  pending: 0,
  limit: 100,
  quarantined: false,
};

/** One plain event of every type, for generated tests. */
export const examples: readonly IngressEvent[] = [
  { type: 'message.admitted', requestId: 'q1', message: exampleMessage, session, atMs: 1_000 },
  {
    type: 'message.admitted',
    requestId: 'q2',
    message: exampleMessage,
    session: { ...session, quarantined: true },
    atMs: 1_000,
  },
  { type: 'journal.committed', requestId: 'q1', kind: 'accepted', runId: 'r1' },
  {
    type: 'journal.committed',
    requestId: 'q1',
    kind: 'known',
    runId: 'r0',
    first: { message: exampleMessage, receivedAt: 900 },
  },
  { type: 'journal.committed', requestId: 'q1', kind: 'known', runId: 'r0' },
  {
    type: 'journal.failed',
    requestId: 'q1',
    error: { name: 'CoppiceError', code: 'STORE_UNKNOWN', message: 'the writer died' },
  },
  {
    type: 'journal.failed',
    requestId: 'q1',
    error: { name: 'CoppiceError', code: 'STORE_FULL', message: 'the disk is full' },
  },
  { type: 'route.failed', sessionKey: 'agent:main:main' },
  { type: 'ingress.ask' },
  { type: 'clock.tick', atMs: 40_000 },
  { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
];
