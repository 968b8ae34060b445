import type { Bus } from '../bus/index.ts';
import type { Clock } from '../supervisor/clock.ts';

export interface Census {
  /** Sessions that process, sessions that wait for an answer, messages that wait for their turn. */
  readonly active: number;
  readonly waiting: number;
  readonly queued: number;
}

/** The study's period. */
const PERIOD_MS = 30_000;

/** The 30 s aggregate (`diagnostic.heartbeat`): webhooks since the start, sessions now. Returns its stop. */
export function startAggregate({
  bus,
  clock,
  census,
}: {
  bus: Bus;
  clock: Clock;
  census(): Census;
}): () => void {
  const webhooks = { received: 0, processed: 0, errors: 0 };
  const types = {
    'webhook.received': 'received',
    'webhook.processed': 'processed',
    'webhook.error': 'errors',
  } as const;
  const unsubscribe = bus.subscribe({
    name: 'aggregate',
    types: Object.keys(types) as (keyof typeof types)[],
    deliver: ({ type }) => void (webhooks[types[type as keyof typeof types]] += 1),
  });
  const beat = (): void => {
    timer = clock.setTimeout(beat, PERIOD_MS);
    bus.publish({ type: 'diagnostic.heartbeat', webhooks: { ...webhooks }, ...census() });
  };
  let timer = clock.setTimeout(beat, PERIOD_MS);
  return () => {
    clock.clearTimeout(timer);
    unsubscribe();
  };
}
