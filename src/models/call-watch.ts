import type { Clock, TimerHandle } from '../supervisor/clock.ts';
import { ModelFailure } from './contract.ts';

/** Why the signal of a call is aborted at its end. One for all: without a reason each abort makes an exception with a stack. */
const OVER = new DOMException('the call is over', 'AbortError');

export interface CallWatchInit {
  readonly clock: Clock;
  /** The caller's signal: its abort ends the call as `aborted`. */
  readonly signal: AbortSignal;
  readonly firstByteMs: number;
  readonly idleMs: number;
  /** Provider and host, for the message. */
  readonly where: string;
}

/**
 * Watches one model call. It has three ways to end it: the caller's abort, no first chunk in time, and silence
 * between two chunks. Whichever comes first is the verdict; the request is aborted with it, and so is the wait.
 * Silence counts only while the call is waited for: a slow consumer is not a slow model.
 */
export interface CallWatch {
  /** Hand this to the request: aborted with the verdict, and at `close`. */
  readonly signal: AbortSignal;
  readonly verdict: ModelFailure | undefined;
  /** A chunk came in: from now on `idleMs` holds. */
  heard(): void;
  /** Waits for `promise`, but rejects with the verdict even if the promise never settles. */
  wait<T>(promise: PromiseLike<T>): Promise<T>;
  /** Ends the watch on every path: timers cleared, listener removed, request aborted if it still runs. */
  close(): void;
}

export function createCallWatch({ clock, signal, firstByteMs, idleMs, where }: CallWatchInit): CallWatch {
  const controller = new AbortController();
  let verdict: ModelFailure | undefined;
  let rejectWait: ((failure: ModelFailure) => void) | undefined;
  let heard = false;
  let idle: TimerHandle | undefined;
  /** Since when the next chunk is waited for. */
  let waitingFrom: number | undefined;

  const end = (failure: ModelFailure): void => {
    if (verdict || controller.signal.aborted) return;
    verdict = failure;
    rejectWait?.(failure);
    controller.abort(failure);
  };
  const late = (what: string, ms: number) => (): void =>
    end(new ModelFailure({ class: 'timeout', message: `${where}: ${what} for ${ms} ms`, where }));
  const onAbort = (): void =>
    end(new ModelFailure({ class: 'aborted', message: `${where}: the call was aborted`, where }));

  /** One timer for all chunks, looking again where there was one meanwhile: they come by the dozen a second. */
  const watchIdle = (ms: number): void => {
    idle = clock.setTimeout(() => {
      idle = undefined;
      if (waitingFrom === undefined) return;
      const leftMs = waitingFrom + idleMs - clock.now();
      if (leftMs > 0) watchIdle(leftMs);
      else late('silence between two chunks', idleMs)();
    }, ms);
  };

  const firstByte = clock.setTimeout(late('no first chunk', firstByteMs), firstByteMs);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();

  return {
    signal: controller.signal,
    get verdict() {
      return verdict;
    },
    heard() {
      heard = true;
      clock.clearTimeout(firstByte);
    },
    async wait(promise) {
      if (heard) {
        waitingFrom = clock.now();
        if (idle === undefined) watchIdle(idleMs);
      }
      try {
        return await new Promise((resolve, reject) => {
          rejectWait = reject;
          promise.then(resolve, reject);
          if (verdict) reject(verdict);
        });
      } finally {
        rejectWait = undefined;
        waitingFrom = undefined;
      }
    },
    close() {
      clock.clearTimeout(firstByte);
      clock.clearTimeout(idle);
      signal.removeEventListener('abort', onAbort);
      controller.abort(OVER);
    },
  };
}
