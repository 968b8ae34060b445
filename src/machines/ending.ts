import type { NormalError } from '../errors.ts';

/** How a supervisor asks a child to stop: reach a final state within `deadlineMs` from now. */
export interface ShutdownEvent {
  readonly type: 'supervisor.shutdown';
  readonly reason: string;
  readonly deadlineMs: number;
}

/** The output of every supervised machine. */
export interface Ending {
  readonly exit: 'normal' | 'shutdown' | 'error';
  readonly error?: NormalError;
}

/** For a machine's `output`: what the final state it reached says. */
export const endingOf = ({ event }: { readonly event: { readonly output?: unknown } }): Ending =>
  event.output as Ending;

/** The regular tick of the schedule actor, to everything that keeps absolute due times. */
export interface ClockTick {
  readonly type: 'clock.tick';
  readonly atMs: number;
}
