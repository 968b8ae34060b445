/**
 * A repeated request with the same idempotency key gets the first outcome. This is for requests that leave no durable
 * record of their own (a reset, a kill): it lasts for minutes and for the life of the server.
 */
import type { Clock } from '../supervisor/clock.ts';
import type { Reply } from './protocol/method.ts';

const KEPT = 1_000;
const KEPT_MS = 300_000;

export interface Repeats {
  once(key: string, run: () => Reply | Promise<Reply>): Reply | Promise<Reply>;
}

export function createRepeats(clock: Clock): Repeats {
  const first = new Map<string, { readonly at: number; readonly outcome: Promise<Reply> }>();
  const prune = (): void => {
    for (const [key, { at }] of first) {
      if (first.size < KEPT && clock.now() - at < KEPT_MS) return;
      first.delete(key);
    }
  };
  return {
    once(key, run) {
      prune();
      const known = first.get(key);
      if (known) return known.outcome;
      const outcome = (async () => run())();
      first.set(key, { at: clock.now(), outcome });
      // A failure is no outcome: the next attempt may succeed.
      outcome.catch(() => first.delete(key));
      return outcome;
    },
  };
}
