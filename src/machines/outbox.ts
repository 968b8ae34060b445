import { assign, emit, sendTo, setup } from 'xstate';
import type { Fact } from '../bus/events.ts';
import { normalizeError } from '../errors.ts';
import { answered, taken } from './delivery.ts';
import type { DeliveryItem } from './delivery.ts';
import { complete, missingCallback } from './effect-missing.ts';
import { endingOf } from './ending.ts';
import type { Ending } from './ending.ts';
import { LIMITS } from './limits.ts';
import type {
  DeliverBegin,
  InHand,
  OutboxContext,
  OutboxEffects,
  OutboxEvent,
  OutboxInput,
  Place,
  RecordWrite,
  TakeRun,
} from './outbox-contract.ts';
import { counted, earlier, held, mayBegin, nextOf, replace, takeRun } from './outbox-hands.ts';

export type * from './outbox-contract.ts';

type OutboxFact = Fact<'outbox.delivered' | 'outbox.delivery_failed'>;

const outbox = setup({
  types: {
    context: {} as OutboxContext,
    events: {} as OutboxEvent,
    input: {} as OutboxInput,
    output: {} as Ending,
    emitted: {} as OutboxFact,
  },
  actors: {
    take: missingCallback<TakeRun, Place>('take'),
    record: missingCallback<RecordWrite, Place>('record'),
    deliver: missingCallback<DeliverBegin, Place>('deliver'),
  },
  actions: {
    take: sendTo('take', (_, run: TakeRun) => run),
    record: sendTo('record', (_, { item, change }: InHand): RecordWrite => ({
      type: 'record.write',
      deliveryId: item.deliveryId,
      change,
    })),
    deliver: sendTo('deliver', (_, { item }: InHand): DeliverBegin => ({ type: 'deliver.begin', item })),
    set: assign((_, change: Partial<OutboxContext>) => change),
    say: emit((_, fact: OutboxFact) => fact),
    blame: assign({ error: (_, params: { readonly error: unknown }) => normalizeError(params.error) }),
  },
  guards: {
    busy: ({ context }) => context.queue.length > 0,
    free: ({ context }) => context.queue.length === 0,
    scheduled: ({ context }) => context.wakeAt !== null,
  },
  delays: {
    wake: ({ context }) => Math.min(Math.max((context.wakeAt ?? 0) - context.atMs, 250), LIMITS.outboxLookMs),
    look: LIMITS.outboxLookMs,
    lastWords: ({ context }) => context.stopWithinMs,
  },
});
type Enqueue = Parameters<Parameters<typeof outbox.enqueueActions>[0]>[0]['enqueue'];

const askStore = (enqueue: Enqueue, context: Pick<OutboxContext, 'looking' | 'queue'>): void => {
  if (context.looking !== 'no') return enqueue({ type: 'set', params: { looking: 'and-again' } });
  enqueue({ type: 'set', params: { looking: 'yes' } });
  enqueue({ type: 'take', params: takeRun(context.queue) });
};

const look = outbox.enqueueActions(({ context, enqueue }) => askStore(enqueue, context));

const begin = outbox.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'take.done') return;
  const queue = [...context.queue];
  const fresh = event.items.filter((item) => !queue.some((hand) => hand.item.deliveryId === item.deliveryId));
  let more = false;
  for (const item of fresh) {
    if (!mayBegin(queue, item)) {
      more = true;
      continue;
    }
    const change = taken(item, event.atMs);
    const hand: InHand = {
      item,
      change,
      phase: change.status === 'sending' ? 'marking' : 'recording',
      stalled: false,
    };
    queue.push(hand);
    enqueue({ type: 'record', params: hand });
  }
  enqueue({ type: 'set', params: { queue, more, wakeAt: event.nextAt, atMs: event.atMs, looking: 'no' } });
  // Rows that found no place may hide others that would: look behind them, as long as that gets something going.
  const behind = more && queue.length > context.queue.length && queue.length < LIMITS.deliveriesInFlight;
  if (behind || context.looking === 'and-again') askStore(enqueue, { queue, looking: 'no' });
});

/** Its row says `sending`: now it may be sent. Or its outcome is on disk: now it may be told. */
const recorded = outbox.enqueueActions(({ context, event, enqueue }) => {
  const hand = held(context, event);
  if (hand === undefined || hand.phase === 'sending') return;
  if (hand.phase === 'marking') {
    const { status, attempts } = hand.change;
    const sending: InHand = {
      ...hand,
      phase: 'sending',
      item: { ...hand.item, status, attempts },
      stalled: false,
    };
    enqueue({ type: 'set', params: { queue: replace(context.queue, sending) } });
    return enqueue({ type: 'deliver', params: sending });
  }
  const queue = context.queue.filter((other) => other !== hand);
  enqueue({
    type: 'set',
    params: {
      queue,
      counts: counted(context.counts, hand.change),
      wakeAt: earlier(context.wakeAt, hand.change),
    },
  });
  tell(enqueue, hand);
  if (context.more || queue.length === 0) askStore(enqueue, { queue, looking: context.looking });
});

function tell(enqueue: Enqueue, { item, change }: InHand): void {
  const { channel, deliveryId } = item;
  if (change.status === 'sent') {
    enqueue({
      type: 'say',
      params: { type: 'outbox.delivered', channel, deliveryId, attempts: change.attempts },
    });
  } else {
    const error = { message: change.error ?? '' };
    enqueue({
      type: 'say',
      params: {
        type: 'outbox.delivery_failed',
        channel,
        deliveryId,
        attempt: change.attempts,
        next: nextOf(change),
        error,
      },
    });
  }
}

const conclude = outbox.enqueueActions(({ context, event, enqueue }) => {
  const hand = held(context, event, 'sending');
  if (hand === undefined || event.type !== 'deliver.settled') return;
  const done: InHand = {
    ...hand,
    phase: 'recording',
    change: answered(hand.item, event.answer, event.atMs, event.roll),
    stalled: false,
  };
  enqueue({ type: 'set', params: { queue: replace(context.queue, done), atMs: event.atMs } });
  enqueue({ type: 'record', params: done });
});

/** Nothing is forgotten when the store does not take it: what happened stays in hand until it does. */
const stall = outbox.enqueueActions(({ context, event, enqueue }) => {
  const hand = held(context, event);
  if (hand !== undefined && hand.phase !== 'sending')
    enqueue({ type: 'set', params: { queue: replace(context.queue, { ...hand, stalled: true }) } });
});

const tick = outbox.enqueueActions(({ context, event, enqueue }) => {
  if (event.type !== 'clock.tick') return;
  for (const hand of context.queue) if (hand.stalled) enqueue({ type: 'record', params: hand });
  enqueue({
    type: 'set',
    params: {
      atMs: event.atMs,
      queue: context.queue.map((hand) => (hand.stalled ? { ...hand, stalled: false } : hand)),
    },
  });
});
const tickAndLook = outbox.enqueueActions(({ context, event, enqueue }) => {
  if (event.type === 'clock.tick' && context.wakeAt !== null && event.atMs >= context.wakeAt)
    askStore(enqueue, context);
});

const blame = {
  type: 'blame',
  params: ({ event }: { event: { readonly error: unknown } }) => ({ error: event.error }),
} as const;
const effect = <K extends 'take' | 'record' | 'deliver'>(src: K) =>
  ({
    id: src,
    src,
    input: ({ context }: { context: OutboxContext }) => ({ path: context.path }),
    onError: { target: '.failed', actions: blame },
  }) as const;

/**
 * The way out. Due rows are taken from the store; each is marked `sending` on disk, only then given to its
 * channel, and its outcome recorded before anything is reported. One delivery per target at a time, so replies
 * keep their order; a bounded number per channel, so that one hanging channel does not hold up the others.
 */
export const outboxMachine = outbox.createMachine({
  id: 'outbox',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input }) => ({
    path: input.path,
    queue: [],
    looking: 'no',
    more: false,
    wakeAt: null,
    atMs: 0,
    counts: { sent: 0, retried: 0, unknown: 0, failed_permanent: 0, expired: 0 },
    stopWithinMs: LIMITS.lastWordsMs,
    error: null,
  }),
  invoke: [effect('take'), effect('record'), effect('deliver')],
  on: {
    'outbox.added': { actions: look },
    'clock.tick': { actions: [tick, tickAndLook] },
    'take.done': { actions: begin },
    'take.failed': { actions: assign({ looking: 'no', atMs: ({ event }) => event.atMs }) },
    'record.done': { actions: recorded },
    'record.failed': { actions: stall },
    'deliver.settled': { actions: conclude },
    'supervisor.shutdown': {
      target: '.stopping',
      actions: assign({ stopWithinMs: ({ event }) => Math.min(event.deadlineMs * 0.8, LIMITS.lastWordsMs) }),
    },
  },
  initial: 'starting',
  states: {
    starting: { entry: look, always: { target: 'idle' } },
    idle: {
      always: [
        { guard: 'busy', target: 'delivering' },
        { guard: 'scheduled', target: 'waiting' },
      ],
      after: { look: { target: 'idle', reenter: true, actions: look } },
    },
    waiting: {
      on: { 'take.done': { target: 'idle', actions: begin } },
      after: { wake: { target: 'waiting', reenter: true, actions: look } },
    },
    delivering: {
      always: { guard: 'free', target: 'idle' },
      after: { look: { target: 'delivering', reenter: true, actions: look } },
    },
    stopping: {
      always: { guard: 'free', target: 'stopped' },
      on: { 'outbox.added': {}, 'clock.tick': { actions: tick }, 'take.done': {}, 'supervisor.shutdown': {} },
      after: { lastWords: { target: 'stopped' } },
    },
    stopped: { type: 'final', output: { exit: 'shutdown' } },
    failed: { type: 'final', output: ({ context }) => ({ exit: 'error', error: context.error }) },
  },
  output: endingOf,
});

/**
 * The machine with its effects in place.
 *
 * @throws CoppiceError EFFECT_MISSING with its name for one that is not there
 */
export const withEffects = (effects: OutboxEffects): typeof outboxMachine =>
  complete(outboxMachine, effects).provide({
    actors: { take: effects.take, record: effects.record, deliver: effects.deliver },
  });

const item: DeliveryItem = {
  deliveryId: 'd1',
  channel: 'loopback',
  account: 'default',
  target: 'room',
  payload: { text: 'hello' },
  status: 'prepared',
  attempts: 0,
  nextAt: 1_000,
  expiresAt: 3_601_000,
  idempotent: false,
};
const settled = { type: 'deliver.settled', deliveryId: 'd1', atMs: 2_000, roll: 0 } as const;
const error = { name: 'CoppiceError', code: 'STORE_FAILED', message: 'the store failed' };

/** One plain event of every type, for generated tests. */
export const examples: readonly OutboxEvent[] = [
  { type: 'outbox.added' },
  { type: 'clock.tick', atMs: 5_000 },
  { type: 'take.done', items: [], nextAt: null, atMs: 1_000 },
  { type: 'take.done', items: [], nextAt: 9_000, atMs: 1_000 },
  { type: 'take.done', items: [item], nextAt: 1_000, atMs: 1_000 },
  { type: 'take.done', items: [{ ...item, status: 'sending', attempts: 1 }], nextAt: 1_000, atMs: 1_000 },
  { type: 'take.done', items: [{ ...item, expiresAt: 500 }], nextAt: 1_000, atMs: 1_000 },
  { type: 'take.failed', error, atMs: 1_000 },
  { type: 'record.done', deliveryId: 'd1' },
  { type: 'record.failed', deliveryId: 'd1', error },
  { ...settled, answer: { kind: 'sent', platformId: 'p1' } },
  { ...settled, answer: { kind: 'unknown', reason: 'no answer' } },
  { ...settled, answer: { kind: 'failed', permanent: false, reason: 'busy', retryAfterMs: 3_000 } },
  { ...settled, answer: { kind: 'failed', permanent: true, reason: 'the room is gone' } },
  { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
];
