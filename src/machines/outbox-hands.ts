import { isOver } from './delivery.ts';
import type { DeliveryChange, DeliveryItem } from './delivery.ts';
import { LIMITS } from './limits.ts';
import type { InHand, OutboxContext, OutboxEvent, TakeRun } from './outbox-contract.ts';

/** Asks for what could begin beside what is in hand. */
export function takeRun(queue: readonly InHand[]): TakeRun {
  const names = queue.map((hand) => hand.item.channel);
  const channels = [...new Set(names)].filter(
    (name) => names.filter((other) => other === name).length >= LIMITS.deliveriesPerChannel,
  );
  const targets = queue.map(({ item: { channel, account, target } }) => ({ channel, account, target }));
  return { type: 'take.run', limit: LIMITS.deliveriesInFlight, except: { channels, targets } };
}

/** Is there a place for `item` beside what is in hand? */
export function mayBegin(queue: readonly InHand[], item: DeliveryItem): boolean {
  if (queue.length >= LIMITS.deliveriesInFlight) return false;
  const channel = queue.filter((hand) => hand.item.channel === item.channel);
  if (channel.length >= LIMITS.deliveriesPerChannel) return false;
  return !channel.some((hand) => hand.item.account === item.account && hand.item.target === item.target);
}

export const replace = (queue: readonly InHand[], hand: InHand): readonly InHand[] =>
  queue.map((other) => (other.item.deliveryId === hand.item.deliveryId ? hand : other));

export const held = (
  context: OutboxContext,
  event: OutboxEvent,
  phase?: InHand['phase'],
): InHand | undefined =>
  'deliveryId' in event
    ? context.queue.find(
        (hand) => hand.item.deliveryId === event.deliveryId && (phase === undefined || hand.phase === phase),
      )
    : undefined;

export const nextOf = (change: DeliveryChange): 'retry' | 'unknown' | 'failed_permanent' | 'expired' =>
  change.status === 'unknown' || change.status === 'failed_permanent' || change.status === 'expired'
    ? change.status
    : 'retry';

export function counted(counts: OutboxContext['counts'], change: DeliveryChange): OutboxContext['counts'] {
  const next = change.status === 'sent' ? 'sent' : nextOf(change);
  const key = next === 'retry' ? 'retried' : next;
  return { ...counts, [key]: counts[key] + 1 };
}

export function earlier(wakeAt: number | null, change: DeliveryChange): number | null {
  return isOver(change.status) ? wakeAt : Math.min(wakeAt ?? change.nextAt, change.nextAt);
}
