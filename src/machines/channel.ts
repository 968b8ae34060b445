import { assign, emit, setup } from 'xstate';
import type { AnyEventObject, CallbackActorLogic, PromiseActorLogic } from 'xstate';
import type { Fact } from '../bus/events.ts';
import { CoppiceError, normalizeError } from '../errors.ts';
import type { NormalError } from '../errors.ts';
import { complete, missingCallback, missingPromise } from './effect-missing.ts';
import { endingOf } from './ending.ts';
import type { ClockTick, Ending, ShutdownEvent } from './ending.ts';
import { LIMITS } from './limits.ts';

/** What a leg is started with. */
export interface ChannelInput {
  readonly path: string;
  readonly channel: string;
  readonly leg: string;
  /** Does the leg offer a probe? */
  readonly probes: boolean;
}

/** What a leg hears. */
export type ChannelEvent =
  | { readonly type: 'leg.started'; readonly attempt: number; readonly atMs: number }
  | { readonly type: 'leg.lost'; readonly attempt: number; readonly reason: string }
  | ClockTick
  | ShutdownEvent;

/** What a leg knows. Plain JSON. */
export interface ChannelContext {
  readonly path: string;
  readonly channel: string;
  readonly leg: string;
  readonly probes: boolean;
  /** Rises with every start; what carries another number is of the past. */
  readonly attempt: number;
  /** Ended attempts in a row. */
  readonly failures: number;
  readonly failedProbes: number;
  readonly connectedAt: number;
  readonly probeAt: number;
  /** Why the last attempt ended. */
  readonly reason: string;
  /** Events of old attempts, dropped. */
  readonly stale: number;
  readonly error: NormalError | null;
}

/** One attempt of a leg, by its number. */
export interface Attempt {
  readonly path: string;
  readonly attempt: number;
}

/** What a leg needs from its host. */
export interface ChannelEffects {
  /** One attempt: starts the leg, says `leg.started` and, later, `leg.lost`. It ends by being stopped. */
  readonly attempt: CallbackActorLogic<AnyEventObject, Attempt>;
  /** Resolves when this leg has shown that it works. */
  readonly probe: PromiseActorLogic<void, Attempt>;
}

const leg = setup({
  types: {
    context: {} as ChannelContext,
    events: {} as ChannelEvent,
    input: {} as ChannelInput,
    output: {} as Ending,
    emitted: {} as Fact<'channel.state'>,
  },
  actors: {
    attempt: missingCallback<AnyEventObject, Attempt>('attempt'),
    probe: missingPromise<void, Attempt>('probe'),
  },
  actions: {
    say: emit(({ context }, { state }: { readonly state: string }) => ({
      type: 'channel.state' as const,
      channel: context.channel,
      leg: context.leg,
      state,
      ...(context.reason === '' ? {} : { reason: context.reason }),
    })),
    beginAttempt: assign({ attempt: ({ context }) => context.attempt + 1, failedProbes: 0 }),
    because: assign({
      reason: (_, params: { readonly reason: string }) => params.reason,
      failures: ({ context }) => context.failures + 1,
    }),
    giveUp: assign({
      error: ({ context }) =>
        normalizeError(
          new CoppiceError('LEG_LOST', {
            channel: context.channel,
            leg: context.leg,
            attempts: context.failures,
            reason: context.reason,
          }),
        ),
    }),
    nextProbe: assign({
      probeAt: (_, params: { readonly atMs: number }) => params.atMs + LIMITS.legProbeEveryMs,
    }),
    countStale: assign({ stale: ({ context }) => context.stale + 1 }),
    failProbe: assign({ failedProbes: ({ context }) => context.failedProbes + 1 }),
    passProbe: assign({ failedProbes: 0 }),
    forgive: assign({
      failures: ({ context }, { atMs }: { readonly atMs: number }) =>
        atMs - context.connectedAt >= LIMITS.legStableMs ? 0 : context.failures,
    }),
  },
  guards: {
    current: ({ context, event }) => 'attempt' in event && event.attempt === context.attempt,
    probeDue: ({ context, event }) =>
      event.type === 'clock.tick' && context.probes && event.atMs >= context.probeAt,
    lastProbe: ({ context }) => context.failedProbes + 1 >= LIMITS.legProbeFailures,
    suspected: ({ context }) => context.failedProbes > 0,
    usedUp: ({ context }) => context.failures > LIMITS.legLadderMs.length,
  },
  delays: {
    startDeadline: LIMITS.legStartMs,
    probeDeadline: LIMITS.legProbeMs,
    rung: ({ context }) => LIMITS.legLadderMs[Math.min(context.failures, LIMITS.legLadderMs.length) - 1] ?? 0,
  },
});

const say = (state: string) => ({ type: 'say', params: { state } }) as const;
const because = (reason: string) => ({ type: 'because', params: { reason } }) as const;
const messageOf = (error: unknown): string => normalizeError(error).message;
const attemptOf = ({ context }: { readonly context: ChannelContext }): Attempt => ({
  path: context.path,
  attempt: context.attempt,
});
const atMs = ({ event }: { readonly event: { readonly atMs: number } }): { readonly atMs: number } => ({
  atMs: event.atMs,
});
/** Two failed probes in a row are a dead leg; one is a suspicion. */
const probeFailed = [
  { guard: 'lastProbe', target: '#reconnecting', actions: because('it failed its probes') },
  { target: 'suspect', actions: 'failProbe' },
] as const;

/**
 * One leg of a channel. It says connected only while there is evidence from this very leg: one failed probe makes
 * it suspect, two end the attempt. Nobody waits for an old attempt to stop: its signal is aborted, what still
 * comes from it is fenced by its number, and a new attempt begins. When the ladder is used up the leg ends, so
 * that its supervisor counts it.
 */
export const channelMachine = leg.createMachine({
  id: 'channel',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input }) => ({
    ...input,
    attempt: 0,
    failures: 0,
    failedProbes: 0,
    connectedAt: 0,
    probeAt: 0,
    reason: '',
    stale: 0,
    error: null,
  }),
  on: {
    'supervisor.shutdown': { target: '.stopped' },
    'clock.tick': {},
    'leg.started': { actions: 'countStale' },
    'leg.lost': { actions: 'countStale' },
  },
  initial: 'attempting',
  states: {
    attempting: {
      entry: 'beginAttempt',
      invoke: {
        id: 'attempt',
        src: 'attempt',
        input: attemptOf,
        onError: {
          target: 'reconnecting',
          actions: { type: 'because', params: ({ event }) => ({ reason: messageOf(event.error) }) },
        },
      },
      on: {
        'leg.lost': {
          guard: 'current',
          target: 'reconnecting',
          actions: { type: 'because', params: ({ event }) => ({ reason: event.reason }) },
        },
      },
      initial: 'starting',
      states: {
        starting: {
          entry: say('starting'),
          on: {
            'leg.started': {
              guard: 'current',
              target: 'connected',
              actions: [
                assign({ connectedAt: ({ event }) => event.atMs, reason: '' }),
                { type: 'nextProbe', params: atMs },
                say('connected'),
              ],
            },
          },
          after: {
            startDeadline: {
              target: '#reconnecting',
              actions: because(`it did not start within ${LIMITS.legStartMs} ms`),
            },
          },
        },
        connected: {
          on: {
            'clock.tick': [
              {
                guard: 'probeDue',
                target: 'probing',
                actions: [
                  { type: 'forgive', params: atMs },
                  { type: 'nextProbe', params: atMs },
                ],
              },
              { actions: { type: 'forgive', params: atMs } },
            ],
          },
        },
        probing: {
          invoke: {
            id: 'probe',
            src: 'probe',
            input: attemptOf,
            onDone: [
              { guard: 'suspected', target: 'connected', actions: ['passProbe', say('connected')] },
              { target: 'connected' },
            ],
            onError: probeFailed,
          },
          after: { probeDeadline: probeFailed },
        },
        /** It may be dead: it is asked again at once when the next tick comes, or without one. */
        suspect: {
          entry: say('suspect'),
          on: { 'clock.tick': { target: 'probing' } },
          after: { probeDeadline: { target: 'probing' } },
        },
      },
    },
    reconnecting: {
      id: 'reconnecting',
      entry: say('reconnecting'),
      always: { guard: 'usedUp', target: 'failed' },
      after: { rung: { target: 'attempting' } },
    },
    stopped: { type: 'final', entry: say('stopped'), output: { exit: 'shutdown' } },
    failed: {
      type: 'final',
      entry: ['giveUp', say('failed')],
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
export const withEffects = (effects: ChannelEffects): typeof channelMachine =>
  complete(channelMachine, effects).provide({ actors: { attempt: effects.attempt, probe: effects.probe } });

/** One plain event of every type, for generated tests. */
export const examples: readonly ChannelEvent[] = [
  { type: 'leg.started', attempt: 1, atMs: 1_000 },
  { type: 'leg.lost', attempt: 1, reason: 'the socket closed' },
  { type: 'clock.tick', atMs: 6_000 },
  { type: 'clock.tick', atMs: 100_000 },
  { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
];
