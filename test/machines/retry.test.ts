import { describe, expect, it } from 'vitest';
import {
  adviceFor,
  afterFailure,
  candidateUntil,
  DEFAULT_RETRY,
  retryDelay,
  shouldRetry,
  shouldTryNext,
} from '../../src/machines/retry.ts';
import type { FailedAttempt, FailureClass } from '../../src/machines/retry.ts';

const rows: [FailureClass, retry: boolean, next: boolean][] = [
  ['timeout', true, true],
  ['overloaded', true, true],
  ['server', true, true],
  ['network', true, true],
  ['interrupted', true, true],
  ['rate_limit', true, true],
  ['unknown', false, true],
  ['format', false, true],
  ['auth', false, true],
  ['billing', false, true],
  ['not_found', false, true],
  ['context_overflow', false, true],
  ['aborted', false, false],
  ['content_policy', false, false],
];
const failed = (over: Partial<FailedAttempt>): FailedAttempt => ({
  class: 'server',
  random: 0,
  tries: 1,
  others: 1,
  nowMs: 0,
  untilAt: 600_000,
  policy: DEFAULT_RETRY,
  ...over,
});

describe('what follows a failed model call', () => {
  it.each(rows)('%s: the same candidate again %s, the next one %s', (failure, retry, next) => {
    expect(shouldRetry(failure)).toBe(retry);
    expect(shouldTryNext(failure)).toBe(next);
    expect(adviceFor(failure)).toMatch(/\.$/);
  });

  it('treats a class it has never heard of as unknown: the next candidate gets the question', () => {
    expect(afterFailure(failed({ class: 'from_the_future' as FailureClass }))).toEqual({ kind: 'next' });
  });

  it('only aborted and content_policy surface at once, with another candidate at hand', () => {
    expect(
      rows
        .filter(([failure]) => afterFailure(failed({ class: failure })).kind === 'end')
        .map(([failure]) => failure),
    ).toEqual(['aborted', 'content_policy']);
  });

  it.each([
    ['the first failure is repeated', {}, { kind: 'retry', delayMs: 300 }],
    ['the last try of a candidate hands on', { tries: 3 }, { kind: 'next' }],
    ['the last try of the last candidate ends it', { tries: 3, others: 0 }, { kind: 'end' }],
    ['a retry that would outlast the share of its candidate hands on', { untilAt: 300 }, { kind: 'next' }],
    ['a retry that would outlast the turn ends it', { untilAt: 300, others: 0 }, { kind: 'end' }],
    [
      'a short Retry-After is waited for',
      { class: 'rate_limit', retryAfterMs: 3_000 },
      { kind: 'retry', delayMs: 3_000 },
    ],
    ['a long Retry-After hands on', { class: 'rate_limit', retryAfterMs: 60_000 }, { kind: 'next' }],
    [
      'a long Retry-After of the last candidate is waited for',
      { class: 'rate_limit', retryAfterMs: 60_000, others: 0 },
      { kind: 'retry', delayMs: 60_000 },
    ],
    ['auth is never repeated', { class: 'auth' }, { kind: 'next' }],
    ['auth of the last candidate ends it', { class: 'auth', others: 0 }, { kind: 'end' }],
  ] as const)('%s', (_title, over, verdict) => {
    expect(afterFailure(failed(over))).toEqual(verdict);
  });
});

describe('the delay before a retry', () => {
  it.each([
    [1, 300],
    [2, 600],
    [3, 1_200],
    [7, 19_200],
    [8, 30_000],
    [60, 30_000],
  ])('after %i failures is %i ms without jitter', (n, ms) => {
    expect(retryDelay(n, 0, DEFAULT_RETRY)).toBe(ms);
  });

  it('is lengthened by jitter, up to a fifth, never beyond its longest', () => {
    expect(retryDelay(1, 0.5, DEFAULT_RETRY)).toBe(330);
    expect(retryDelay(1, 1, DEFAULT_RETRY)).toBe(360);
    expect(retryDelay(20, 1, DEFAULT_RETRY)).toBe(30_000);
  });

  it('never falls below what the server asks for, however long that is', () => {
    for (const random of [0, 0.3, 0.999])
      expect(retryDelay(1, random, DEFAULT_RETRY, 90_000)).toBeGreaterThanOrEqual(90_000);
    expect(retryDelay(4, 0, DEFAULT_RETRY, 10)).toBe(2_400);
  });
});

describe('the share of a candidate', () => {
  it('leaves time for those after it, and is all there is for the last', () => {
    expect(candidateUntil(1_000, 601_000, 3)).toBe(201_000);
    expect(candidateUntil(1_000, 601_000, 1)).toBe(601_000);
    expect(candidateUntil(700_000, 601_000, 2)).toBe(700_000);
  });
});
