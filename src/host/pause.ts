import type { Clock } from '../supervisor/clock.ts';

/** A wait on the clock port. */
export const pause = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.setTimeout(resolve, ms));

/** What `work` resolves with, or undefined when that takes longer than `limitMs`. */
export function within<T>(clock: Clock, limitMs: number, work: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = clock.setTimeout(() => late.resolve(undefined), limitMs);
  return Promise.race([work, late.promise]).finally(() => clock.clearTimeout(timer));
}
