import type { Bus } from './bus.ts';
import type { Trace } from './trace.ts';

/** An event that nobody took. */
export interface DeadLetter {
  /** The path, or the id of an actor that never had one. */
  readonly to: string;
  readonly eventType: string;
  /** noproc, stopped, done, error, ... */
  readonly reason: string;
  readonly trace?: Trace | undefined;
}

/** Keeps the newest dead letters, and counts all. */
export interface DeadLetterOffice {
  record(letter: DeadLetter): void;
  /** The newest letters, oldest first. */
  recent(): readonly (DeadLetter & { readonly at: number })[];
  stats(): { readonly total: number; readonly distinct: number };
}

const MAX_RECENT = 100;
const MAX_DISTINCT = 1_000;

/**
 * Counts what nobody received. A `letter.died` is published for the 1st, 10th, 100th, ... of the same receiver,
 * event type and reason, so that a sender in a loop is seen without becoming a flood.
 */
export function createDeadLetterOffice(options: {
  bus: Pick<Bus, 'publish'>;
  now(): number;
}): DeadLetterOffice {
  const recent: (DeadLetter & { at: number })[] = [];
  const tally = createTally(MAX_DISTINCT);
  let total = 0;
  return {
    record(letter) {
      total += 1;
      recent.push({ ...letter, at: options.now() });
      if (recent.length > MAX_RECENT) recent.shift();
      const count = tally.add(`${letter.to}\n${letter.eventType}\n${letter.reason}`);
      if (isPowerOfTen(count)) options.bus.publish({ type: 'letter.died', ...letter });
    },
    recent: () => [...recent],
    stats: () => ({ total, distinct: tally.size }),
  };
}

export interface Tally {
  /** How often this key came, this time included. */
  add(key: string): number;
  readonly size: number;
}

/** Counts by key. Beyond `limit` keys the one that has been quiet longest is forgotten (it then counts from 1 again). */
export function createTally(limit: number): Tally {
  const counts = new Map<string, number>();
  return {
    add(key) {
      const count = (counts.get(key) ?? 0) + 1;
      counts.delete(key);
      counts.set(key, count);
      const oldest = counts.keys().next();
      if (counts.size > limit && !oldest.done) counts.delete(oldest.value);
      return count;
    },
    get size() {
      return counts.size;
    },
  };
}

export const isPowerOfTen = (count: number): boolean => /^10*$/.test(String(count));
