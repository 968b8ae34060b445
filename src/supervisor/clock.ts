/**
 * The clock port. Restarts, backoff and deadlines go through it and nothing else, so a simulated clock can
 * stand behind the whole gateway. Structurally an XState clock, so one object serves both.
 */
export interface Clock {
  /** Milliseconds that never run backwards. On Node they are anchored to the epoch at process start. */
  now(): number;
  setTimeout(fn: () => void, delayMs: number): TimerHandle;
  clearTimeout(timer: TimerHandle | undefined): void;
  /** Runs `fn` in the next macrotask, never in this turn. */
  defer(fn: () => void): void;
}

/** Opaque: a number in browsers, an object on Node, a ticket on the simulated clock. */
export type TimerHandle = unknown;

/** What `clockOf` takes of a host: `globalThis` of Node, of a browser and of an edge worker has it. */
export interface Timers {
  readonly performance: { readonly timeOrigin: number; now(): number };
  setTimeout(fn: () => void, delayMs: number): unknown;
  clearTimeout(timer: never): void;
  setImmediate?(fn: () => void): unknown;
}

/** Hosts fire a longer timeout at once (32-bit overflow), so long waits are made of several. */
const LONGEST_MS = 2 ** 31 - 1;

/** The clock of any host: `clockOf(globalThis)`. Its `now` is the monotonic clock, anchored to the epoch. */
export function clockOf(host: Timers): Clock {
  const arm = (handle: { timer?: unknown }, fn: () => void, delayMs: number): TimerHandle => {
    const rest = delayMs - LONGEST_MS;
    const due = rest > 0 ? () => arm(handle, fn, rest) : fn;
    handle.timer = host.setTimeout(() => void due(), Math.min(Math.max(0, delayMs), LONGEST_MS));
    return handle;
  };
  return {
    now: () => host.performance.timeOrigin + host.performance.now(),
    setTimeout: (fn, delayMs) => arm({}, fn, delayMs),
    clearTimeout: (handle) => host.clearTimeout((handle as { timer?: never } | undefined)?.timer as never),
    defer: (fn) => void (host.setImmediate ? host.setImmediate(fn) : host.setTimeout(fn, 0)),
  };
}
