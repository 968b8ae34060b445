import type { Clock } from '../supervisor/clock.ts';

/** Node fires a longer timeout at once (32-bit overflow), so long waits are made of several. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

interface Handle {
  timer: NodeJS.Timeout;
}

/** The real clock. `now` never runs backwards: it is the monotonic clock, anchored to the epoch at process start. */
export function createClock(): Clock {
  const arm = (handle: Handle | undefined, fn: () => void, delayMs: number): Handle => {
    const rest = delayMs - LONGEST_TIMEOUT_MS;
    const timer =
      rest > 0
        ? setTimeout(() => arm(own, fn, rest), LONGEST_TIMEOUT_MS)
        : setTimeout(fn, Math.max(0, delayMs));
    const own = handle ?? { timer };
    own.timer = timer;
    return own;
  };
  return {
    now: () => performance.timeOrigin + performance.now(),
    setTimeout: (fn, delayMs) => arm(undefined, fn, delayMs),
    clearTimeout: (handle) => {
      if (handle) clearTimeout((handle as Handle).timer);
    },
    defer: (fn) => void setImmediate(fn),
  };
}
