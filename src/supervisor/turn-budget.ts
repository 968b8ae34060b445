import { CoppiceError } from '../errors.ts';
import type { Clock } from './clock.ts';

/**
 * Events that one actor may take in one turn of the event loop, as we recommend it. The largest honest bursts here
 * bring a thousand; ten thousand are 0.1 s in which no timer fires and no socket is read.
 */
export const TURN_BUDGET = 10_000;

/** What one life has spent. */
export interface Spender {
  turn: number;
  turnEvents: number;
}

/**
 * Two actors may send to each other for ever within one `send`: each event is a macrostep of its own, so
 * `maxIterations` does not see it. The one that passes the limit first fails, with TURN_BUDGET_EXCEEDED; its
 * restart comes through the clock, so the loop turns. The returned function throws that error.
 */
export function createTurnBudget(clock: Clock, limit: number): (spender: Spender, path: string) => void {
  let turn = 0;
  let armed = false;
  const arm = (): void => {
    armed = true;
    clock.defer(() => {
      armed = false;
      turn += 1;
    });
  };
  return (spender, path) => {
    if (!armed) arm();
    if (spender.turn !== turn) Object.assign(spender, { turn, turnEvents: 0 });
    spender.turnEvents += 1;
    if (spender.turnEvents > limit)
      throw new CoppiceError('TURN_BUDGET_EXCEEDED', { path, limit, events: spender.turnEvents });
  };
}
