import { assign, setup } from 'xstate';
import type { AnyEventObject, CallbackActorLogic } from 'xstate';
import { CoppiceError, normalizeError } from '../errors.ts';
import type { NormalError } from '../errors.ts';
import { complete, missingCallback } from './effect-missing.ts';
import { endingOf } from './ending.ts';
import type { Ending, ShutdownEvent } from './ending.ts';
import { LIMITS } from './limits.ts';

/** What the schedule is started with. */
export interface ScheduleInput {
  readonly path: string;
  readonly tickMs: number;
}

/** What the schedule hears. */
export type ScheduleEvent =
  /** A round of ticks went out. `overrun`: the round before had not ended, so this one was left out. */
  | {
      readonly type: 'pulse.beaten';
      readonly atMs: number;
      readonly receivers: number;
      readonly overrun: boolean;
    }
  | ShutdownEvent;

/** What the schedule knows. Plain JSON. */
export interface ScheduleContext extends ScheduleInput {
  readonly rounds: number;
  readonly overruns: number;
  readonly receivers: number;
  readonly beatenAt: number;
  readonly error: NormalError | null;
}

/** What the schedule needs from its host. */
export interface ScheduleEffects {
  /** Every `tickMs`: tells all receivers, in slices, and says `pulse.beaten`. */
  readonly pulse: CallbackActorLogic<AnyEventObject, ScheduleInput>;
}

const schedule = setup({
  types: {
    context: {} as ScheduleContext,
    events: {} as ScheduleEvent,
    input: {} as ScheduleInput,
    output: {} as Ending,
  },
  actors: { pulse: missingCallback<AnyEventObject, ScheduleInput>('pulse') },
  actions: {
    blame: assign({ error: (_, params: { readonly error: unknown }) => normalizeError(params.error) }),
    blameSilence: assign({
      error: ({ context }) =>
        normalizeError(new CoppiceError('SCHEDULE_SILENT', { silenceMs: silenceMs(context) })),
    }),
  },
  delays: { silence: ({ context }) => silenceMs(context) },
});

/** Three ticks and a second: one late tick is a busy loop, three are a lost timer. */
const silenceMs = ({ tickMs }: ScheduleInput): number => tickMs * 3 + 1_000;

/**
 * The one regular timer of the house: everything with an absolute due time hears `clock.tick` from here. It also
 * watches the timer: a schedule that falls silent ends with an error, so that its supervisor starts a new one.
 */
export const scheduleMachine = schedule.createMachine({
  id: 'schedule',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input }) => ({ ...input, rounds: 0, overruns: 0, receivers: 0, beatenAt: 0, error: null }),
  invoke: {
    id: 'pulse',
    src: 'pulse',
    input: ({ context: { path, tickMs } }) => ({ path, tickMs }),
    onError: {
      target: '.failed',
      actions: { type: 'blame', params: ({ event }) => ({ error: event.error }) },
    },
  },
  on: { 'supervisor.shutdown': { target: '.stopped' } },
  initial: 'ticking',
  states: {
    ticking: {
      on: {
        'pulse.beaten': {
          target: 'ticking',
          reenter: true,
          actions: assign(({ context, event }) => ({
            rounds: context.rounds + (event.overrun ? 0 : 1),
            overruns: context.overruns + (event.overrun ? 1 : 0),
            receivers: event.overrun ? context.receivers : event.receivers,
            beatenAt: event.atMs,
          })),
        },
      },
      after: { silence: { target: 'failed', actions: 'blameSilence' } },
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
export const withEffects = (effects: ScheduleEffects): typeof scheduleMachine =>
  complete(scheduleMachine, effects).provide({ actors: { pulse: effects.pulse } });

/** One plain event of every type, for generated tests. */
export const examples: readonly ScheduleEvent[] = [
  { type: 'pulse.beaten', atMs: 5_000, receivers: 3, overrun: false },
  { type: 'pulse.beaten', atMs: 10_000, receivers: 3, overrun: true },
  { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
];
