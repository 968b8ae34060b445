import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answered, isOver, taken } from '../../src/machines/delivery.ts';
import type { DeliveryAnswer, DeliveryItem } from '../../src/machines/delivery.ts';
import { LIMITS } from '../../src/machines/limits.ts';

const item: DeliveryItem = {
  deliveryId: 'd1',
  channel: 'chat',
  account: 'default',
  target: 'room',
  payload: null,
  status: 'prepared',
  attempts: 1,
  nextAt: 1_000,
  expiresAt: 1_000_000,
  idempotent: false,
};
const failed = { kind: 'failed', permanent: false, reason: 'busy' } as const;

const anyItem: fc.Arbitrary<DeliveryItem> = fc
  .record({
    status: fc.constantFrom('prepared' as const, 'sending' as const),
    attempts: fc.nat(20),
    nextAt: fc.nat(2_000_000),
    expiresAt: fc.nat(2_000_000),
    idempotent: fc.boolean(),
  })
  .map((some) => ({ ...item, ...some }));
const anyAnswer: fc.Arbitrary<DeliveryAnswer> = fc.oneof(
  fc.constant({ kind: 'sent' } as const),
  fc.constant({ kind: 'unknown', reason: 'late' } as const),
  fc.record({
    kind: fc.constant('failed' as const),
    permanent: fc.boolean(),
    reason: fc.constant('no'),
    retryAfterMs: fc.nat(100_000),
  }),
);

describe('a delivery', () => {
  it('that a dead life left in sending becomes unknown, unless a repeat is harmless', () => {
    expect(taken({ ...item, status: 'sending' }, 2_000).status).toBe('unknown');
    expect(taken({ ...item, status: 'sending', idempotent: true }, 2_000)).toMatchObject({
      status: 'sending',
      attempts: 2,
    });
  });

  it('is never sent after it has expired, and never put off beyond that time', () => {
    fc.assert(
      fc.property(
        anyItem,
        anyAnswer,
        fc.nat(2_000_000),
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        (some, answer, atMs, roll) => {
          if (atMs >= some.expiresAt) expect(taken(some, atMs).status).not.toBe('sending');
          const change = answered(some, answer, atMs, roll);
          if (!isOver(change.status)) {
            expect(change.nextAt).toBeGreaterThan(atMs);
            expect(change.nextAt).toBeLessThan(some.expiresAt);
          }
        },
      ),
    );
  });

  it('that may have arrived is not sent again without an idempotency key, whatever comes', () => {
    fc.assert(
      fc.property(anyItem, fc.nat(2_000_000), (some, atMs) => {
        const change = answered({ ...some, idempotent: false }, { kind: 'unknown', reason: 'late' }, atMs, 0);
        expect(change.status).toBe('unknown');
      }),
    );
  });

  it('is repeated later and later, at least as late as the platform asks, and fails for good in the end', () => {
    const wait = (attempts: number, retryAfterMs = 0): number =>
      answered({ ...item, attempts, expiresAt: 1e12 }, { ...failed, retryAfterMs }, 0, 0).nextAt;
    expect([1, 2, 3].map((attempts) => wait(attempts))).toEqual([1_000, 2_000, 4_000]);
    expect(wait(12)).toBe(LIMITS.deliveryMaxDelayMs);
    expect(wait(1, 90_000)).toBe(90_000);
    expect(answered({ ...item, attempts: LIMITS.deliveryAttempts }, failed, 0, 0).status).toBe(
      'failed_permanent',
    );
  });

  it('that would be repeated too late is expired at once', () => {
    expect(answered(item, { ...failed, retryAfterMs: 2_000_000 }, 2_000, 0).status).toBe('expired');
  });
});
