import type { AnyStateMachine } from 'xstate';
import type { DeliveryItem } from '../../machines/delivery.ts';
import { examples, outboxMachine } from '../../machines/outbox.ts';
import type { OutboxContext } from '../../machines/outbox.ts';
import { contextOf, scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

const idempotent = examples.map((event) =>
  event.type === 'take.done'
    ? { ...event, items: event.items.map((item: DeliveryItem) => ({ ...item, idempotent: true })) }
    : event,
);

const outbox = (events: typeof examples) => ({
  input: { path: 'gateway/core/work/outbox' },
  events,
  serialize: (snapshot: Parameters<typeof contextOf>[0]) => {
    const { queue, looking, more, wakeAt, stopWithinMs, error } = contextOf<OutboxContext>(snapshot);
    const hands = queue.map(({ item, phase, change, stalled }) => [
      [item.status, item.expiresAt, phase, stalled],
      [change.status, change.attempts, change.nextAt],
    ]);
    return JSON.stringify([snapshot.value, hands, looking, more, wakeAt, stopWithinMs, error !== null]);
  },
});

export const machine: AnyStateMachine = outboxMachine;
export const scenarios: readonly Scenario[] = [
  scenario(outboxMachine, 'deliveries that must not be repeated', outbox(examples)),
  scenario(outboxMachine, 'deliveries that may be repeated', outbox(idempotent)),
];
