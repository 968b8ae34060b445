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
