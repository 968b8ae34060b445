import { seal } from './envelope.ts';
import type { AnyEnvelope, Source } from './envelope.ts';
import type { Fact } from './events.ts';
import { createRing } from './ring.ts';
import type { RecentQuery } from './ring.ts';
import { createSubscriber } from './subscriber.ts';
import type { Subscriber, SubscriberStats, Subscription } from './subscriber.ts';

/** What a bus needs from its host. */
export interface BusOptions {
  /** Epoch milliseconds. */
  now(): number;
  /** Runs `fn` in the next macrotask. */
  defer(fn: () => void): void;
  /** How many facts `recent()` remembers. Default 1,000. */
  readonly ringSize?: number;
}

/** Counters of a bus. */
export interface BusStats {
  readonly published: number;
  /** Facts published after `close()`: remembered, delivered to nobody. */
  readonly late: number;
  readonly subscribers: readonly SubscriberStats[];
}

/** Facts and their delivery. A bus belongs to one gateway, never to the process. */
export interface Bus {
  /** Never throws, never calls a subscriber: they are called in a later macrotask. */
  publish(fact: Fact, source?: Source): AnyEnvelope;
  /** Returns the remover; what waits for that subscriber is then forgotten. */
  subscribe(subscription: Subscription): () => void;
  /** The last facts, oldest first. */
  recent(query?: RecentQuery): AnyEnvelope[];
  stats(): BusStats;
  /** Delivers now what can be delivered without waiting for a subscriber's promise. For the last moments of a life. */
  flush(): void;
  /** Flushes, then lets every subscriber go. */
  close(): void;
}

/** Facts per subscriber and macrotask, so that a burst does not hold the loop. */
const BATCH = 100;
/** Rounds of `flush`: subscribers may publish, but not for ever. */
const FLUSH_ROUNDS = 100;

export function createBus(options: BusOptions): Bus {
  const ring = createRing(options.ringSize ?? 1_000);
  const subscribers = new Set<Subscriber>();
  let seq = 0;
  let late = 0;
  let closed = false;
  let scheduled = false;

  const wake = (): void => {
    if (scheduled || closed) return;
    scheduled = true;
    options.defer(() => {
      scheduled = false;
      for (const subscriber of subscribers) subscriber.drain(BATCH);
    });
  };
  const publish = (fact: Fact, source?: Source): AnyEnvelope => {
    seq += 1;
    const envelope = seal(fact, { seq, ts: options.now() }, source);
    ring.push(envelope);
    if (closed) late += 1;
    for (const subscriber of subscribers) subscriber.offer(envelope);
    return envelope;
  };
  const subscribe = (subscription: Subscription): (() => void) => {
    const { name } = subscription;
    const subscriber = createSubscriber(subscription, {
      wake,
      dropped: (dropped, capacity) =>
        void publish({ type: 'bus.dropped', subscriber: name, dropped, capacity }),
      failed: (error) => void publish({ type: 'bus.subscriber_failed', subscriber: name, error }),
    });
    if (!closed) subscribers.add(subscriber);
    return () => {
      subscriber.end();
      subscribers.delete(subscriber);
    };
  };
  const flush = (): void => {
    for (let round = 0; round < FLUSH_ROUNDS && [...subscribers].some((s) => s.queued > 0); round += 1) {
      // What waits at the beginning of the round: a subscriber that publishes at every fact never runs dry.
      for (const subscriber of subscribers) subscriber.drain(subscriber.queued);
    }
  };

  return {
    publish,
    subscribe,
    recent: (query) => ring.query(query),
    stats: () => ({ published: seq, late, subscribers: [...subscribers].map((s) => s.stats) }),
    flush,
    close() {
      if (closed) return;
      flush();
      closed = true;
      for (const subscriber of subscribers) subscriber.end();
      subscribers.clear();
    },
  };
}
