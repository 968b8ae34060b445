import { assign, emit, setup } from 'xstate';
import type { Fact } from '../bus/events.ts';
import { normalizeError } from '../errors.ts';
import { isActive } from './active-hours.ts';
import { complete, missingAction, missingPromise } from './effect-missing.ts';
import { endingOf } from './ending.ts';
import type { Ending } from './ending.ts';
import type {
  Dispatched,
  HeartbeatContext,
  HeartbeatEffects,
  HeartbeatEvent,
  HeartbeatFacts,
  HeartbeatInput,
  Outcome,
  Settled,
  Slot,
} from './heartbeat-contract.ts';
import { classifyHeartbeatReply } from './heartbeat-reply.ts';
import { firstDue, missedSlots, nextSlot } from './heartbeat-slot.ts';
import { LIMITS } from './limits.ts';

export type * from './heartbeat-contract.ts';

type Ends = Omit<Settled, 'slot' | 'atMs'>;

const heartbeat = setup({
  types: {
    context: {} as HeartbeatContext,
    events: {} as HeartbeatEvent,
    input: {} as HeartbeatInput,
    output: {} as Ending,
    emitted: {} as Fact<'heartbeat.fired' | 'heartbeat.settled'>,
  },
  actors: {
    look: missingPromise<{ readonly localMinutes: number }, Slot>('look'),
    dispatch: missingPromise<Dispatched, Slot>('dispatch'),
    outcome: missingPromise<Outcome, { readonly path: string; readonly runId: string }>('outcome'),
  },
  actions: {
    save: missingAction('save') as (
      args: unknown,
      params: { readonly agentId: string; readonly facts: HeartbeatFacts },
    ) => void,
    see: assign({
      atMs: ({ context }, params: { readonly atMs: number }) => Math.max(context.atMs, params.atMs),
    }),
    take: assign({ slot: ({ context }) => context.dueAt }),
    fired: assign(({ context }, { runId, atMs }: Dispatched) => ({
      runId,
      firedAt: atMs,
      atMs: Math.max(context.atMs, atMs),
    })),
    reportFired: emit(({ context }) => ({
      type: 'heartbeat.fired' as const,
      agentId: context.agentId,
      reason: 'interval',
    })),
    settle: assign({
      last: ({ context }, ends: Ends) => ({
        ...ends,
        slot: context.slot ?? context.dueAt,
        atMs: context.atMs,
      }),
    }),
    count: assign(({ context }) => ({
      counts: {
        settled: context.counts.settled + (context.last?.status === 'skipped' ? 0 : 1),
        skipped: context.counts.skipped + (context.last?.status === 'skipped' ? 1 : 0),
        missed: context.counts.missed + missedSlots(context),
      },
      dueAt: nextSlot(context.dueAt, context.everyMs, context.atMs),
      slot: null,
      runId: '',
    })),
    reportSettled: emit(({ context }) => ({
      type: 'heartbeat.settled' as const,
      agentId: context.agentId,
      status: context.last?.status ?? 'failed',
      ...(context.last?.reason === undefined ? {} : { reason: context.last.reason }),
      ...(context.runId === '' ? {} : { durationMs: context.atMs - context.firedAt }),
    })),
    enable: assign({
      enabled: true,
      dueAt: ({ context }) => nextSlot(context.dueAt, context.everyMs, context.atMs),
    }),
    disable: assign({ enabled: false }),
  },
  guards: {
    off: ({ context }) => !context.enabled || context.everyMs <= 0,
    resumed: ({ context }) => context.slot !== null,
    due: ({ context, event }) => event.type === 'clock.tick' && event.atMs >= context.dueAt,
    enabling: ({ context, event }) => event.type === 'heartbeat.set' && event.enabled && context.everyMs > 0,
    disabling: ({ event }) => event.type === 'heartbeat.set' && !event.enabled,
    quiet: ({ context }, params: { readonly localMinutes: number }) =>
      !isActive(context.activeHours, params.localMinutes),
    patient: ({ context }) =>
      context.atMs < (context.slot ?? context.dueAt) + Math.min(LIMITS.heartbeatGraceMs, context.everyMs / 2),
    overdue: ({ context, event }) =>
      event.type === 'clock.tick' && event.atMs >= context.firedAt + LIMITS.heartbeatOutcomeMs,
    /** Not a repeat of a slot that was offered before a restart. */
    fresh: (_, params: Dispatched) => params.kind === 'accepted',
    open: (_, params: { readonly outcome: Outcome }) => params.outcome === null,
  },
});

function endsOf(outcome: Outcome, ackMaxChars: number): Ends {
  if (outcome === null) return { status: 'failed', reason: 'it has no outcome' };
  if (outcome.status === 'ok') return { status: classifyHeartbeatReply(outcome.text, ackMaxChars) };
  return { status: 'failed', reason: outcome.reason ?? outcome.status };
}

const slotOf = ({ context }: { readonly context: HeartbeatContext }): Slot => ({
  path: context.path,
  agentId: context.agentId,
  slot: context.slot ?? context.dueAt,
});
const seen = {
  type: 'see',
  params: ({ event }: { event: { readonly atMs: number } }) => ({ atMs: event.atMs }),
} as const;
const ends = (status: Settled['status'], reason: string) =>
  ({ type: 'settle', params: { status, reason } }) as const;
const save = {
  type: 'save',
  params: ({ context }: { context: HeartbeatContext }) => ({
    agentId: context.agentId,
    facts: { dueAt: context.dueAt, slot: context.slot },
  }),
} as const;

/**
 * The scheduled agent prompt. Slots are absolute times, saved whenever one is armed or dispatched. Every slot ends
 * in an outcome, a skip with its reason, or, when the gateway slept through it, a count; arming the next slot is
 * the entry action of `armed`, so no path leaves without it. After a long sleep one slot is caught up, not all.
 */
export const heartbeatMachine = heartbeat.createMachine({
  id: 'heartbeat',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input: { checkpoint, ...input } }) => ({
    ...input,
    enabled: input.everyMs > 0,
    dueAt: firstDue({ ...input, checkpoint }),
    slot: checkpoint?.slot ?? null,
    runId: '',
    firedAt: input.atMs,
    counts: { settled: 0, skipped: 0, missed: 0 },
    last: null,
  }),
  on: {
    'clock.tick': { actions: seen },
    'heartbeat.set': [
      { guard: 'disabling', actions: ['disable', seen] },
      { actions: [seen, assign({ enabled: true })] },
    ],
    'supervisor.shutdown': { target: '.stopped' },
  },
  initial: 'resuming',
  states: {
    resuming: {
      always: [
        { guard: 'off', target: 'disabled' },
        { guard: 'resumed', target: 'dispatching' },
        { target: 'armed' },
      ],
    },
    disabled: {
      on: {
        'heartbeat.set': [
          { guard: 'enabling', target: 'armed', actions: [seen, 'enable'] },
          { actions: seen },
        ],
      },
    },
    armed: {
      entry: save,
      on: {
        'clock.tick': { guard: 'due', target: 'due', actions: seen },
        'heartbeat.set': [
          { guard: 'disabling', target: 'disabled', actions: ['disable', seen] },
          { actions: seen },
        ],
      },
    },
    due: {
      entry: 'take',
      invoke: {
        id: 'look',
        src: 'look',
        input: slotOf,
        onDone: [
          {
            guard: { type: 'quiet', params: ({ event }) => event.output },
            target: 'settled',
            actions: ends('skipped', 'quiet-hours'),
          },
          { target: 'dispatching' },
        ],
        onError: {
          target: 'settled',
          actions: {
            type: 'settle',
            params: ({ event }) => ({ status: 'skipped', reason: codeOf(event.error) }),
          },
        },
      },
    },
    dispatching: {
      entry: save,
      invoke: {
        id: 'dispatch',
        src: 'dispatch',
        input: slotOf,
        onDone: [
          {
            guard: { type: 'fresh', params: ({ event }) => event.output },
            target: 'dispatched',
            actions: [{ type: 'fired', params: ({ event }) => event.output }, 'reportFired'],
          },
          { target: 'dispatched', actions: { type: 'fired', params: ({ event }) => event.output } },
        ],
        onError: [
          // A busy moment costs the moment, not the slot.
          { guard: 'patient', target: 'armed', actions: assign({ slot: null }) },
          {
            target: 'settled',
            actions: {
              type: 'settle',
              params: ({ event }) => ({ status: 'skipped', reason: codeOf(event.error) }),
            },
          },
        ],
      },
    },
    dispatched: {
      initial: 'waiting',
      states: {
        waiting: {
          on: {
            'clock.tick': [
              { guard: 'overdue', target: '#settled', actions: [seen, ends('failed', 'no outcome in time')] },
              { target: 'looking', actions: seen },
            ],
          },
        },
        looking: {
          invoke: {
            id: 'outcome',
            src: 'outcome',
            input: ({ context }) => ({ path: context.path, runId: context.runId }),
            onDone: [
              {
                guard: { type: 'open', params: ({ event }) => ({ outcome: event.output }) },
                target: 'waiting',
              },
              {
                target: '#settled',
                actions: {
                  type: 'settle',
                  params: ({ context, event }) => endsOf(event.output, context.ackMaxChars),
                },
              },
            ],
            onError: { target: 'waiting' },
          },
        },
      },
    },
    settled: {
      id: 'settled',
      entry: ['reportSettled', 'count'],
      always: [{ guard: 'off', target: 'disabled' }, { target: 'armed' }],
    },
    stopped: { type: 'final', output: { exit: 'shutdown' } },
  },
  output: endingOf,
});

function codeOf(error: unknown): string {
  const normal = normalizeError(error);
  return normal.code ?? normal.message;
}

/**
 * The machine with its effects in place.
 *
 * @throws CoppiceError EFFECT_MISSING with its name for one that is not there
 */
export const withEffects = (effects: HeartbeatEffects): typeof heartbeatMachine =>
  complete(heartbeatMachine, effects).provide({
    actors: { look: effects.look, dispatch: effects.dispatch, outcome: effects.outcome },
    actions: { save: (_, params) => effects.save(params) },
  });

/** One plain event of every type, for generated tests. */
export const examples: readonly HeartbeatEvent[] = [
  { type: 'clock.tick', atMs: 1_000 },
  { type: 'clock.tick', atMs: 1_801_000 },
  { type: 'clock.tick', atMs: 9_001_000 },
  { type: 'heartbeat.set', enabled: false, atMs: 2_000 },
  { type: 'heartbeat.set', enabled: true, atMs: 2_000 },
  { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
];
