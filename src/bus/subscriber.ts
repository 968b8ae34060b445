import { normalizeError } from '../errors.ts';
import type { NormalError, Severity } from '../errors.ts';
import { rank } from './envelope.ts';
import type { AnyEnvelope } from './envelope.ts';
import type { FactType } from './events.ts';
import { createSeverityQueue } from './severity-queue.ts';

/** Who hears which facts, and how many may wait. */
export interface Subscription {
  /** Names the subscriber in `stats()` and in facts about its failures. */
  readonly name: string;
  /** Default: every type. */
  readonly types?: readonly FactType[];
  /** This one and worse. Default: all. Most facts are below what a log writes, and cost it nothing then. */
  readonly severity?: Severity;
  /** Facts waiting for this subscriber. Default 1,000; more drop the oldest of the lowest severity. */
  readonly capacity?: number;
  /** May throw or reject: it is counted and reported, and harms nobody. A promise holds this queue until it settles. */
  deliver(envelope: AnyEnvelope): void | Promise<void>;
}

/** Counters of one subscriber. */
export interface SubscriberStats {
  readonly name: string;
  readonly queued: number;
  readonly capacity: number;
  readonly delivered: number;
  readonly dropped: number;
  readonly failures: number;
}

export interface Subscriber {
  readonly name: string;
  offer(envelope: AnyEnvelope): void;
  /** Delivers up to `limit` facts, now. */
  drain(limit: number): void;
  end(): void;
  readonly queued: number;
  readonly stats: SubscriberStats;
}

export interface SubscriberPorts {
  /** Asks for a later `drain`. */
  wake(): void;
  dropped(count: number, capacity: number): void;
  failed(error: NormalError): void;
}

/** Distinct failures of one subscriber that are reported; later ones are only counted. */
const MAX_REPORTED = 20;

export function createSubscriber(subscription: Subscription, ports: SubscriberPorts): Subscriber {
  const { name } = subscription;
  const capacity = Math.max(1, subscription.capacity ?? 1_000);
  const types = subscription.types && new Set(subscription.types);
  const least = subscription.severity === undefined ? 0 : rank(subscription.severity);
  const queue = createSeverityQueue(capacity);
  const reported = new Set<string>();
  const count = { delivered: 0, dropped: 0, failures: 0 };
  let droppedSinceDrain = 0;
  let waiting = false;
  let ended = false;

  const lose = (): void => {
    count.dropped += 1;
    droppedSinceDrain += 1;
  };
  const fail = (thrown: unknown): void => {
    count.failures += 1;
    const error = normalizeError(thrown);
    const key = `${error.name}: ${error.message}`;
    if (ended || reported.has(key) || reported.size >= MAX_REPORTED) return;
    reported.add(key);
    ports.failed(error);
  };
  const settle = (): void => {
    waiting = false;
    if (queue.size > 0) ports.wake();
  };
  const deliver = (envelope: AnyEnvelope): void => {
    count.delivered += 1;
    try {
      const result = subscription.deliver(envelope);
      if (!isThenable(result)) return;
      waiting = true;
      result.then(settle, (error: unknown) => {
        fail(error);
        settle();
      });
    } catch (error) {
      fail(error);
    }
  };
  const deliverNext = (): boolean => {
    const envelope = waiting || ended ? undefined : queue.shift();
    if (envelope) deliver(envelope);
    return envelope !== undefined;
  };
  const reportDrops = (): void => {
    if (droppedSinceDrain === 0) return;
    const lost = droppedSinceDrain;
    droppedSinceDrain = 0;
    ports.dropped(lost, capacity);
  };

  return {
    name,
    offer(envelope) {
      if (ended || (types && !types.has(envelope.type)) || rank(envelope.severity) < least) return;
      if (isOwnFailure(envelope, name)) return;
      // A report of loss must never cause further loss: two full queues would report to each other for ever.
      if (envelope.type === 'bus.dropped' && queue.size >= capacity) count.dropped += 1;
      else if (queue.push(envelope)) lose();
      if (!waiting) ports.wake();
    },
    drain(limit) {
      let left = limit;
      while (left-- > 0 && deliverNext());
      reportDrops();
      if (queue.size > 0 && !waiting) ports.wake();
    },
    end() {
      ended = true;
      queue.clear();
    },
    get queued() {
      return waiting ? 0 : queue.size;
    },
    get stats() {
      return { name, queued: queue.size, capacity, ...count };
    },
  };
}

/** A subscriber is not told that it failed: it would fail on that, too. */
function isOwnFailure(envelope: AnyEnvelope, name: string): boolean {
  return envelope.type === 'bus.subscriber_failed' && envelope.data.subscriber === name;
}

function isThenable(value: unknown): value is PromiseLike<void> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
