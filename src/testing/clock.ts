import type { Clock } from '../supervisor/clock.ts';

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

export interface SimulatedClock extends Clock {
  /** Steps to every deadline on the way, in order, so chained timers fire and each sees its own time. */
  advance(ms: number): void;
  /** Like `advance`, but lets promises and real I/O callbacks run between the steps. */
  advanceAsync(ms: number): Promise<void>;
  /** Runs what was deferred, without moving time. */
  settle(): Promise<void>;
  readonly pending: number;
  /** Milliseconds to the next deadline; undefined when nothing is pending. */
  readonly nextInMs: number | undefined;
  /** Moves to the next deadline and runs the one function that is due first. False: nothing was pending. */
  next(): boolean;
}

/** A clock that moves only when told to. Deferred functions run at the current time, after the current turn. */
export function createSimulatedClock(startMs = 1_700_000_000_000): SimulatedClock {
  let now = startMs;
  let order = 0;
  const entries = new Map<number, Entry>();
  const next = (limit: number): [number, Entry] | undefined => {
    let best: [number, Entry] | undefined;
    for (const [id, entry] of entries) {
      if (entry.at > limit) continue;
      if (!best || entry.at < best[1].at || (entry.at === best[1].at && entry.order < best[1].order))
        best = [id, entry];
    }
    return best;
  };
  const step = (limit: number): boolean => {
    const due = next(limit);
    if (!due) return false;
    entries.delete(due[0]);
    now = Math.max(now, due[1].at);
    due[1].fn();
    return true;
  };
  const schedule = (fn: () => void, delayMs: number): number => {
    order += 1;
    entries.set(order, { at: now + Math.max(0, delayMs), order, fn });
    return order;
  };
  const breathe = (): Promise<void> => new Promise((resolve) => globalThis.setImmediate(resolve));
  return {
    now: () => now,
    setTimeout: schedule,
    clearTimeout: (timer) => void entries.delete(timer as number),
    defer: (fn) => void schedule(fn, 0),
    get pending() {
      return entries.size;
    },
    get nextInMs() {
      const due = next(Infinity);
      return due && Math.max(0, due[1].at - now);
    },
    next: () => step(Infinity),
    advance(ms) {
      const limit = now + ms;
      while (step(limit));
      now = limit;
    },
    async advanceAsync(ms) {
      const limit = now + ms;
      await breathe();
      while (step(limit)) await breathe();
      now = limit;
      await breathe();
    },
    async settle() {
      await breathe();
      while (step(now)) await breathe();
    },
  };
}
