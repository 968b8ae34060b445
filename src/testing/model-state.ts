import type { AnyMachineSnapshot } from 'xstate';
import type { Asked, Timer } from './timers.ts';
/** Where a machine is, with what its snapshot does not show: running timers, actors that have ended. */
export interface ModelState {
  readonly status: AnyMachineSnapshot['status'];
  readonly snapshot: AnyMachineSnapshot;
  readonly timers: readonly Timer[];
  /** Ids of actors that ended and are still listed. */
  readonly ended: readonly string[];
  /** How it came here: actions asked for, outcomes of transitions (as named by the watch), whether any was taken. */
  readonly effects: readonly Asked[];
  readonly outcomes: readonly string[];
  readonly heard: boolean;
  /** In one line: what the machine died of. */
  readonly failure: string | undefined;
}
