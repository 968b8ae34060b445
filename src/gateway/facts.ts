/** Facts as they leave the gateway for a surface: filtered, and redacted once, whoever looks. */
import { matches, type AnyEnvelope, type Bus } from '../bus/index.ts';
import type { GatewayPort } from '../server/port.ts';

export type FactPort = Pick<GatewayPort, 'facts' | 'watchFacts'>;
type Shown = ReturnType<FactPort['facts']>[number];

/** Facts that may wait for one watcher. */
const WATCHER_CAPACITY = 1_000;

/** `redact` gives a cleaned copy in plain JSON. */
export function createFactPort(
  bus: Pick<Bus, 'recent' | 'subscribe'>,
  redact: (value: unknown) => unknown,
): FactPort {
  const cleaned = new WeakMap<AnyEnvelope, Shown>();
  const show = (fact: AnyEnvelope): Shown => {
    const known = cleaned.get(fact);
    if (known) return known;
    const clean = redact(fact) as Shown;
    cleaned.set(fact, clean);
    return clean;
  };
  return {
    facts: (query) => bus.recent(query).map(show),
    watchFacts: (filter, listener) =>
      bus.subscribe({
        name: 'watcher',
        capacity: WATCHER_CAPACITY,
        ...(filter.types ? { types: filter.types } : {}),
        deliver(fact) {
          if (matches(fact, filter)) listener(show(fact));
        },
      }),
  };
}
