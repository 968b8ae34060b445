/** The timers of this room. Whatever starts one is handed its end. */
import type { Clock, TimerHandle } from '../supervisor/clock.ts';

/** Runs `fn` after a poke, at most once in `everyMs`, and never misses the last poke. */
export interface Throttle {
  poke(): void;
  /** Forgets a pending run. */
  stop(): void;
}

/** `atOnce`: the first poke after a pause runs `fn` in its own turn; else soon after it, with what follows at once. */
export function createThrottle(
  clock: Clock,
  everyMs: number,
  fn: () => void,
  { atOnce = false }: { readonly atOnce?: boolean } = {},
): Throttle {
  let timer: TimerHandle | undefined;
  let lastAt = -Infinity;
  const run = (): void => {
    timer = undefined;
    lastAt = clock.now();
    fn();
  };
  return {
    poke() {
      if (timer !== undefined) return;
      const waitMs = Math.max(0, lastAt + everyMs - clock.now());
      if (atOnce && waitMs === 0) run();
      else timer = clock.setTimeout(run, waitMs);
    },
    stop() {
      clock.clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** Calls `fn` every `everyMs` until the returned function is called. */
export function every(clock: Clock, everyMs: number, fn: () => void): () => void {
  let timer: TimerHandle | undefined;
  const arm = (): void => {
    timer = clock.setTimeout(() => {
      arm();
      fn();
    }, everyMs);
  };
  arm();
  return () => clock.clearTimeout(timer);
}

export interface Waits {
  wait(ms: number): Promise<void>;
  /** Ends every wait now. */
  stop(): void;
}

export function createWaits(clock: Clock): Waits {
  const pending = new Map<() => void, TimerHandle>();
  return {
    wait: (ms) =>
      new Promise((resolve) => {
        const done = (): void => {
          clock.clearTimeout(pending.get(done));
          pending.delete(done);
          resolve();
        };
        pending.set(done, clock.setTimeout(done, ms));
      }),
    stop() {
      for (const done of [...pending.keys()]) done();
    },
  };
}

export type Fault = (error: unknown, source: string) => void;

/** `fn` for a timer or a foreign listener: what it throws is reported here and goes no further. */
export function guarded<A extends unknown[]>(
  fault: Fault,
  source: string,
  fn: (...args: A) => void,
): (...args: A) => void {
  return (...args) => {
    try {
      fn(...args);
    } catch (error) {
      fault(error, source);
    }
  };
}
