import { normalizeError, type NormalError } from '../errors.ts';
import type { Within } from './surround.ts';

/** What went wrong in the functions that a tree tells its news to. */
export interface SinkFaults {
  readonly count: number;
  readonly last: { readonly sink: string; readonly error: NormalError } | undefined;
}

/**
 * The functions that a tree tells its news to run in the middle of its steps: one that throws would take the
 * supervisor with it, or, as an inspector, leave an actor's mailbox wedged for ever. So they throw here. What they
 * start is not the work of whoever the news came from.
 */
export function createSinks(within: Within = (_owner, run) => run()): {
  guard<A extends unknown[]>(sink: string, call: ((...args: A) => void) | undefined): (...args: A) => void;
  faults(): SinkFaults;
} {
  let count = 0;
  let last: SinkFaults['last'];
  return {
    guard:
      (sink, call) =>
      (...args) => {
        try {
          if (call) within(undefined, () => call(...args));
        } catch (error) {
          count += 1;
          last = { sink, error: normalizeError(error) };
        }
      },
    faults: () => ({ count, last }),
  };
}
