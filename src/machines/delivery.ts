import { LIMITS } from './limits.ts';

/**
 * One delivery: prepared, sending, then sent, unknown, failed_permanent or expired. `unknown` means it may have
 * arrived; it is repeated only where the platform takes idempotency keys. Nothing is sent after `expiresAt`.
 */
export type DeliveryStatus = 'prepared' | 'sending' | 'sent' | 'unknown' | 'failed_permanent' | 'expired';

/** A row of the outbox, with what must be known of its channel. Plain JSON; times are epoch milliseconds. */
export interface DeliveryItem {
  readonly deliveryId: string;
  readonly channel: string;
  readonly account: string;
  readonly target: string;
  readonly payload: unknown;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly nextAt: number;
  readonly expiresAt: number;
  /** Does its `deliveryId` make a repeated delivery harmless? */
  readonly idempotent: boolean;
}

/** What the channel said. */
export type DeliveryAnswer =
  | { readonly kind: 'sent'; readonly platformId?: string }
  | { readonly kind: 'unknown'; readonly reason: string }
  | {
      readonly kind: 'failed';
      readonly permanent: boolean;
      readonly reason: string;
      readonly retryAfterMs?: number;
    };

/** What is written to its row. */
export interface DeliveryChange {
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly nextAt: number;
  readonly platformId?: string;
  readonly error?: string;
}

/** A due row as the store has it. `sending` is what a dead life left: nobody knows whether it arrived. */
export function taken(item: DeliveryItem, atMs: number): DeliveryChange {
  const same = { attempts: item.attempts, nextAt: item.nextAt };
  if (item.status === 'sending' && !item.idempotent) {
    return { ...same, status: 'unknown', error: 'the gateway ended while this was being sent' };
  }
  if (atMs >= item.expiresAt) return { ...same, status: 'expired', error: 'it was not delivered in time' };
  return { status: 'sending', attempts: item.attempts + 1, nextAt: item.nextAt };
}

/** After the answer to an attempt. `roll` in [0, 1) spreads the repetitions. */
export function answered(
  item: DeliveryItem,
  answer: DeliveryAnswer,
  atMs: number,
  roll: number,
): DeliveryChange {
  const { attempts, nextAt } = item;
  if (answer.kind === 'sent') {
    return {
      status: 'sent',
      attempts,
      nextAt,
      ...(answer.platformId === undefined ? {} : { platformId: answer.platformId }),
    };
  }
  const error = answer.reason;
  if (answer.kind === 'unknown' && !item.idempotent) return { status: 'unknown', attempts, nextAt, error };
  if (answer.kind === 'failed' && answer.permanent)
    return { status: 'failed_permanent', attempts, nextAt, error };
  return again(item, error, atMs + pause(item, answer, roll), answer.kind);
}

function again(item: DeliveryItem, error: string, at: number, kind: 'unknown' | 'failed'): DeliveryChange {
  const { attempts, nextAt } = item;
  const givenUp = kind === 'unknown' ? 'unknown' : 'failed_permanent';
  if (attempts >= LIMITS.deliveryAttempts) return { status: givenUp, attempts, nextAt, error };
  if (at >= item.expiresAt)
    return { status: kind === 'unknown' ? 'unknown' : 'expired', attempts, nextAt, error };
  return { status: 'prepared', attempts, nextAt: at, error };
}

/** Milliseconds before the next attempt: what the platform asks for, at least our own doubling delay. */
function pause(item: DeliveryItem, answer: DeliveryAnswer, roll: number): number {
  const doubled = Math.min(
    LIMITS.deliveryMinDelayMs * 2 ** Math.max(0, item.attempts - 1),
    LIMITS.deliveryMaxDelayMs,
  );
  const asked = answer.kind === 'failed' ? (answer.retryAfterMs ?? 0) : 0;
  return Math.max(asked, Math.round(doubled * (1 + 0.2 * roll)));
}

export const isOver = (status: DeliveryStatus): boolean => status !== 'prepared' && status !== 'sending';
