import { describe, expect, it } from 'vitest';
import { examples, outboxMachine } from '../../src/machines/outbox.ts';
import type { InHand, OutboxContext } from '../../src/machines/outbox.ts';
import type { DeliveryItem } from '../../src/machines/delivery.ts';
import { explore } from '../../src/testing/index.ts';

const idempotent = examples.map((event) =>
  event.type === 'take.done'
    ? { ...event, items: event.items.map((item: DeliveryItem) => ({ ...item, idempotent: true })) }
    : event,
);

const exploring = (events: typeof examples) => {
  const sentTwice: string[] = [];
  const explored = explore(outboxMachine, {
    input: { path: 'gateway/core/work/outbox' },
    events,
    serialize: (snapshot) => {
      const { queue, looking, more, wakeAt, stopWithinMs, error } = snapshot.context as OutboxContext;
      const hands = queue.map(({ item, phase, change, stalled }) => [
        item.status,
        item.expiresAt,
        phase,
        change.status,
        change.attempts,
        change.nextAt,
        stalled,
      ]);
      return JSON.stringify([snapshot.value, hands, looking, more, wakeAt, stopWithinMs, error !== null]);
    },
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
        sentTwice.push(item.status);
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
  return { explored, sent: sentTwice };
};

const once = exploring(examples);
const repeatable = exploring(idempotent);

describe('the outbox, on every path', () => {
  it('takes every transition and leaves no event unhandled', () => {
    expect(once.explored.transitions.missed).toEqual([]);
    expect(once.explored.unhandled).toEqual([]);
  });

  it('never sends before the row says sending, and never sends what may have arrived', () => {
    expect(once.explored.violations).toEqual([]);
    expect(repeatable.explored.violations).toEqual([]);
    expect(once.sent.length).toBeGreaterThan(0);
  });

  it('repeats what may have arrived only where the platform takes idempotency keys', () => {
    const unknowns = (found: typeof once) =>
      found.explored.paths
        .flatMap((path) => (path.state.context as OutboxContext).queue)
        .filter((hand) => hand.change.status === 'unknown');
    expect(unknowns(once).length).toBeGreaterThan(0);
    expect(unknowns(repeatable)).toEqual([]);
  });
});
