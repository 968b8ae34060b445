/**
 * What follows when a model call fails: the same candidate again, the next one, or the end. Pure; the random
 * number and the time are handed in.
 */

/** As `FailureClass` of the models room, which a machine may not import; the compiler compares them where `actors` hands one on. */
export type FailureClass =
  | 'billing'
  | 'rate_limit'
  | 'auth'
  | 'timeout'
  | 'format'
  | 'overloaded'
  | 'server'
  | 'network'
  | 'not_found'
  | 'interrupted'
  | 'aborted'
  | 'content_policy'
  | 'context_overflow'
  | 'unknown';

/** `attempts` counts the first one. Delays in milliseconds; `jitter` is a share of the delay. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  readonly factor: number;
  readonly jitter: number;
}

export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 3,
  minDelayMs: 300,
  maxDelayMs: 30_000,
  factor: 2,
  jitter: 0.2,
};

interface Row {
  readonly retry: boolean;
  readonly next: boolean;
  /** What the operator or user can do when nobody answered. */
  readonly advice: string;
}

/**
 * One row a class. An unlisted or unknown failure goes to the next candidate; only `aborted` and `content_policy`
 * surface at once. The same request is repeated only where time may heal.
 */
const ROWS: Readonly<Record<FailureClass, Row>> = {
  timeout: { retry: true, next: true, advice: 'Check that the provider answers, or raise its timeouts.' },
  overloaded: { retry: true, next: true, advice: 'Try again after a moment, or add a fallback model.' },
  server: { retry: true, next: true, advice: 'Try again after a moment, or add a fallback model.' },
  network: { retry: true, next: true, advice: 'Check the baseUrl of the provider and the network between.' },
  interrupted: { retry: true, next: true, advice: 'Try again; the answer broke off before its end.' },
  rate_limit: { retry: true, next: true, advice: 'Wait for the limit to pass, or add a fallback model.' },
  unknown: {
    retry: false,
    next: true,
    advice: 'Read the message; run `coppice models probe` to see it again.',
  },
  format: {
    retry: false,
    next: true,
    advice: 'The provider refused the request; check its api and model settings.',
  },
  auth: { retry: false, next: true, advice: 'Check the apiKey of the provider.' },
  billing: { retry: false, next: true, advice: 'Check the credit of the account at the provider.' },
  not_found: { retry: false, next: true, advice: 'Check the name of the model and of its provider.' },
  context_overflow: {
    retry: false,
    next: true,
    advice: 'Reset or compact the session, or use a larger model.',
  },
  aborted: {
    retry: false,
    next: false,
    advice: 'Nothing: it was stopped on purpose. Send the message again.',
  },
  content_policy: {
    retry: false,
    next: false,
    advice: 'Word the message differently; the provider declined it.',
  },
};

const row = (failure: FailureClass): Row => ROWS[failure] ?? ROWS.unknown;

/** May the same candidate be asked again? */
export const shouldRetry = (failure: FailureClass): boolean => row(failure).retry;
/** May another candidate be asked? */
export const shouldTryNext = (failure: FailureClass): boolean => row(failure).next;
export const adviceFor = (failure: FailureClass): string => row(failure).advice;

/**
 * Milliseconds before attempt `failed + 1`, after `failed` failures (from 1). `random` is in [0, 1). What the server
 * asks for is a floor that is never cut short; jitter only ever lengthens, so that many runs do not return together.
 */
export function retryDelay(failed: number, random: number, policy: RetryPolicy, retryAfterMs = 0): number {
  const base = policy.minDelayMs * policy.factor ** (Math.max(1, failed) - 1);
  const stretch = 1 + policy.jitter * random;
  const own = Math.min(policy.maxDelayMs, base * stretch);
  return Math.round(Math.max(own, retryAfterMs * stretch));
}

export interface FailedAttempt {
  readonly class: FailureClass;
  readonly retryAfterMs?: number | undefined;
  readonly random: number;
  /** Attempts this candidate had for this one answer, the failed one included. */
  readonly tries: number;
  /** Candidates after this one. */
  readonly others: number;
  readonly nowMs: number;
  /** When this candidate's share of the turn is used up. */
  readonly untilAt: number;
  readonly policy: RetryPolicy;
}

export type Verdict =
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'next' }
  | { readonly kind: 'end' };

/**
 * With another candidate at hand nobody waits longer than the policy's longest delay; the last candidate is waited
 * for as long as the turn lasts.
 */
export function afterFailure(failed: FailedAttempt): Verdict {
  const otherwise: Verdict =
    shouldTryNext(failed.class) && failed.others > 0 ? { kind: 'next' } : { kind: 'end' };
  if (!shouldRetry(failed.class) || failed.tries >= failed.policy.attempts) return otherwise;
  const tooLong = failed.others > 0 && (failed.retryAfterMs ?? 0) > failed.policy.maxDelayMs;
  const delayMs = retryDelay(failed.tries, failed.random, failed.policy, failed.retryAfterMs);
  return tooLong || failed.nowMs + delayMs >= failed.untilAt ? otherwise : { kind: 'retry', delayMs };
}

/** When a candidate that begins now must have answered: its even share of what is left, so that the last one gets its turn. */
export function candidateUntil(nowMs: number, deadlineAt: number, candidatesLeft: number): number {
  return nowMs + Math.max(0, deadlineAt - nowMs) / Math.max(1, candidatesLeft);
}
