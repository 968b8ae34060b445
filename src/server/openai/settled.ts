/** Waiting for the outcome of a run, so that nobody waits for ever: its record, its session held down, or our own end. */
import { CoppiceError } from '../../errors.ts';
import type { RunRow } from '../../store/contract.ts';
import type { ServerContext } from '../context.ts';
import { every } from '../throttle.ts';
import type { RunTaps } from './run-taps.ts';

/** Whoever asked has left: there is nobody to answer. */
export class Left extends Error {}

export interface Waiting {
  readonly runId: string;
  readonly sessionKey: string;
  /** Aborted when whoever asked has left. */
  readonly left: AbortSignal;
}

type Deps = Pick<ServerContext, 'port' | 'clock' | 'limits' | 'closing'> & { readonly taps: RunTaps };

/**
 * Resolves with the record once it has its outcome. Rejects with Left, ANSWER_INTERRUPTED when the server closes, and
 * SESSION_QUARANTINED when nobody works on it any more.
 */
export function settledRun(deps: Deps, { runId, sessionKey, left }: Waiting): Promise<RunRow> {
  const { port, clock, limits, closing, taps } = deps;
  return new Promise((resolve, reject) => {
    const ends: (() => void)[] = [];
    const settle = (end: () => void): void => {
      for (const off of ends.splice(0)) off();
      end();
    };
    const attempt = (look: () => void): void => {
      try {
        look();
      } catch (error) {
        settle(() => reject(error));
      }
    };
    const look = (): void => {
      const run = port.run(runId);
      if (run && run.status !== 'accepted') settle(() => resolve(run));
    };
    const lookAround = (): void => {
      look();
      if (isHeldDown(port, sessionKey))
        settle(() => reject(new CoppiceError('SESSION_QUARANTINED', { sessionKey })));
    };
    const leave = (): void => settle(() => reject(new Left()));
    const close = (): void =>
      settle(() => reject(new CoppiceError('ANSWER_INTERRUPTED', { retryAfterMs: RETURN_MS })));
    for (const [signal, fn] of [
      [left, leave],
      [closing, close],
    ] as const) {
      if (signal.aborted) return fn();
      signal.addEventListener('abort', fn);
      ends.push(() => signal.removeEventListener('abort', fn));
    }
    ends.push(taps.add(runId, ({ kind }) => (kind === 'ended' ? attempt(look) : undefined)));
    ends.push(every(clock, limits.completionLookMs, () => attempt(lookAround)));
    attempt(look);
  });
}

/** A planned restart takes about this long. */
const RETURN_MS = 2_000;

function isHeldDown(port: Deps['port'], sessionKey: string): boolean {
  try {
    return port.explain(sessionKey).node?.status === 'parked';
  } catch (error) {
    // It has ended, or has not begun: no sign of a session that is held down.
    if (error instanceof CoppiceError && error.code === 'ACTOR_NOT_FOUND') return false;
    throw error;
  }
}
