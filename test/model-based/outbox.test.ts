import { describe, expect, it } from 'vitest';
import type { InHand, OutboxContext } from '../../src/machines/outbox.ts';
import type { DeliveryItem } from '../../src/machines/delivery.ts';
import * as outbox from '../../src/testing/scenarios/outbox.ts';
import { explored } from './staged.ts';

const exploring = (scenario: string) => {
  const sent: string[] = [];
  const found = explored(outbox, scenario, {
    invariant: (snapshot, event, previous, effects) => {
      const { queue } = snapshot.context as OutboxContext;
      const before = (previous.context as OutboxContext).queue;
      for (const effect of effects.filter(
        (asked) => (asked.params as { event?: { type?: string } })?.event?.type === 'deliver.begin',
      )) {
        const { item } = (effect.params as { event: { item: DeliveryItem } }).event;
        const hand = before.find((other) => other.item.deliveryId === item.deliveryId);
        if (hand?.phase !== 'marking' || hand.change.status !== 'sending')
          return 'sent before its row said so';
        if (hand.item.status === 'sending' && !item.idempotent)
          return 'sent again though it may have arrived';
        sent.push(item.status);
      }
      for (const hand of before.filter((other) => other.phase === 'sending')) {
        const now = queue.find((other) => other.item.deliveryId === hand.item.deliveryId);
        if (event.type !== 'deliver.settled' && now?.phase !== 'sending')
          return 'let go of what is being sent';
      }
      if (new Set(queue.map((hand: InHand) => hand.item.deliveryId)).size !== queue.length)
        return 'one delivery is in hand twice';
      return undefined;
    },
  });
  return { ...found, sent };
};

const once = exploring('deliveries that must not be repeated');
const repeatable = exploring('deliveries that may be repeated');

describe('the outbox, on every path', () => {
  it('takes every transition and leaves no event unhandled', () => {
    expect(once.transitions.missed).toEqual([]);
    expect(once.unhandled).toEqual([]);
  });

  it('never sends before the row says sending, and never sends what may have arrived', () => {
    expect(once.violations).toEqual([]);
    expect(repeatable.violations).toEqual([]);
    expect(once.sent.length).toBeGreaterThan(0);
  });

  it('repeats what may have arrived only where the platform takes idempotency keys', () => {
    const unknowns = (found: typeof once) =>
      found.paths
        .flatMap((path) => (path.state.context as OutboxContext).queue)
        .filter((hand) => hand.change.status === 'unknown');
    expect(unknowns(once).length).toBeGreaterThan(0);
    expect(unknowns(repeatable)).toEqual([]);
  });
});
