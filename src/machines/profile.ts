import { assign, emit, setup } from 'xstate';
import type { Fact } from '../bus/events.ts';
import { endingOf } from './ending.ts';
import type { ClockTick, Ending, ShutdownEvent } from './ending.ts';
import { LIMITS } from './limits.ts';
import type { FailureClass } from './retry.ts';

/** What a provider is started with. */
export interface ProfileInput {
  readonly provider: string;
}

/** What a provider hears. */
export type ProfileEvent =
  | {
      readonly type: 'profile.failed';
      readonly class: FailureClass;
      readonly retryAfterMs?: number | undefined;
      readonly atMs: number;
    }
  | { readonly type: 'profile.succeeded'; readonly atMs: number }
  | ClockTick
  | ShutdownEvent;

/** What a provider knows. Plain JSON. */
export interface ProfileContext {
  readonly provider: string;
  /** Coolings since the last success. */
  readonly failures: number;
  readonly class: FailureClass | null;
  /** When it may be asked again. Epoch milliseconds; null when it is not cooling. */
  readonly untilAt: number | null;
  readonly nowMs: number;
}

/** It needs nothing from its host. */
export type ProfileEffects = Readonly<Record<never, never>>;

type Cause = Omit<Extract<ProfileEvent, { type: 'profile.failed' }>, 'type'>;

const COOLING: Partial<Readonly<Record<FailureClass, number>>> = {
  rate_limit: LIMITS.coolRateLimitMs,
  overloaded: LIMITS.coolOverloadedMs,
  auth: LIMITS.coolAuthMs,
  billing: LIMITS.coolBillingMs,
};

/**
 * How long a provider is left alone after its `failures`-th failure in a row (from 1); 0 for a class that does not
 * cool. What the server asks for is a floor; the cap holds for our own doubling only.
 */
export function coolingMs(failure: FailureClass, failures: number, retryAfterMs = 0): number {
  const base = COOLING[failure] ?? 0;
  if (base === 0) return 0;
  return Math.max(Math.min(LIMITS.coolMaxMs, base * 2 ** Math.min(failures - 1, 20)), retryAfterMs);
}

const left = (context: ProfileContext): number => Math.max(0, (context.untilAt ?? 0) - context.nowMs);

const profile = setup({
  types: {
    context: {} as ProfileContext,
    events: {} as ProfileEvent,
    input: {} as ProfileInput,
    output: {} as Ending,
    emitted: {} as Fact<'profile.cooled' | 'profile.recovered'>,
  },
  actions: {
    cool: assign(({ context }, cause: Cause) => {
      const failures = context.failures + 1;
      const forMs = coolingMs(cause.class, failures, cause.retryAfterMs);
      return { failures, class: cause.class, untilAt: cause.atMs + forMs, nowMs: cause.atMs };
    }),
    /** Calls already under way fail for the same reason: the window is not doubled, only what a server asks counts. */
    stretch: assign(({ context }, { atMs, retryAfterMs = 0 }: Cause) => ({
      untilAt: Math.max(context.untilAt ?? 0, atMs + retryAfterMs),
      nowMs: Math.max(context.nowMs, atMs),
    })),
    passStep: assign(({ context }) => ({
      nowMs: context.nowMs + Math.min(left(context), LIMITS.backoffStepMs),
    })),
    recover: assign({ failures: 0, class: null, untilAt: null }),
    reportCooled: emit(({ context }) => ({
      type: 'profile.cooled' as const,
      provider: context.provider,
      class: context.class ?? 'unknown',
      forMs: left(context),
    })),
    reportRecovered: emit(({ context }) => ({
      type: 'profile.recovered' as const,
      provider: context.provider,
    })),
  },
  guards: {
    cools: (_, cause: Cause) => coolingMs(cause.class, 1) > 0,
    over: ({ context }, { atMs }: { readonly atMs: number }) => atMs >= (context.untilAt ?? 0),
    moreLeft: ({ context }) => left(context) > LIMITS.backoffStepMs,
  },
  delays: { coolingStep: ({ context }) => Math.min(left(context), LIMITS.backoffStepMs) },
});

type Failed = { readonly event: Extract<ProfileEvent, { type: 'profile.failed' }> };
const cause = ({ event }: Failed): Cause => event;
const cools = { type: 'cools', params: cause } as const;
const cooling = [
  { guard: cools, target: 'cooling', actions: [{ type: 'cool', params: cause }, 'reportCooled'] },
  // Other failures pass by themselves; retry and failover of the run deal with them.
  {},
] as const;

/**
 * The health of one configured provider, shared by all sessions. A failure that time or people must heal cools it;
 * afterwards it is half open: the next call decides. No session remembers any of this, so recovery needs no edit.
 */
export const profileMachine = profile.createMachine({
  id: 'profile',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input }) => ({ provider: input.provider, failures: 0, class: null, untilAt: null, nowMs: 0 }),
  output: endingOf,
  on: { 'supervisor.shutdown': { target: '.stopped' } },
  initial: 'ready',
  states: {
    ready: {
      on: { 'profile.failed': [...cooling], 'profile.succeeded': {}, 'clock.tick': {} },
    },
    cooling: {
      after: {
        coolingStep: [
          { guard: 'moreLeft', target: 'cooling', reenter: true, actions: 'passStep' },
          { target: 'half_open', actions: 'passStep' },
        ],
      },
      on: {
        'clock.tick': [{ guard: { type: 'over', params: ({ event }) => event }, target: 'half_open' }, {}],
        'profile.failed': [
          { guard: cools, target: 'cooling', reenter: true, actions: { type: 'stretch', params: cause } },
          {},
        ],
        // Somebody had no other choice than to ask it, and it answered.
        'profile.succeeded': { target: 'ready', actions: ['recover', 'reportRecovered'] },
      },
    },
    half_open: {
      on: {
        'profile.failed': [...cooling],
        'profile.succeeded': { target: 'ready', actions: ['recover', 'reportRecovered'] },
        'clock.tick': {},
      },
    },
    stopped: { type: 'final', output: { exit: 'shutdown' } },
  },
});

/** The machine. There is nothing to hand in; the door is the same as everywhere. */
export const withEffects = (_effects: ProfileEffects = {}): typeof profileMachine => profileMachine;

/** One of each plain event, for generated tests. */
export const examples = {
  'profile.failed': { type: 'profile.failed', class: 'rate_limit', retryAfterMs: 120_000, atMs: 1_000 },
  'profile.failed passing': { type: 'profile.failed', class: 'network', atMs: 1_000 },
  'profile.succeeded': { type: 'profile.succeeded', atMs: 2_000 },
  'clock.tick': { type: 'clock.tick', atMs: 60_000 },
  'supervisor.shutdown': { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
} satisfies Record<string, ProfileEvent>;
