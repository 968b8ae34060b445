import { CoppiceError } from '../errors.ts';
import { defineChannel } from './contract.ts';
import type { Channel, ChannelMessage, Delivery } from './contract.ts';
import { passiveLeg } from './passive-leg.ts';
import type { PassiveLeg } from './passive-leg.ts';

/** An in-memory channel: what is delivered to it is kept, newest last, and what is said to it is received. */
export interface LoopbackChannel {
  readonly channel: Channel;
  readonly deliveries: readonly Delivery[];
  /** Resolves when the message is committed to the inbox. Rejects UNAVAILABLE while the way in is down. */
  say(message: ChannelMessage): Promise<void>;
  /** Waits for the next delivery to `target`. */
  next(target: string, signal?: AbortSignal): Promise<Delivery>;
}

/** How a loopback channel is called and how much it keeps. */
export interface LoopbackOptions {
  /** Default `loopback`. */
  readonly name?: string;
  /** How many deliveries are kept. Default 1,000. */
  readonly keep?: number;
}

/** A channel in memory, for tests and examples. */
export function createLoopback(options: LoopbackOptions = {}): LoopbackChannel {
  const { name = 'loopback', keep = 1_000 } = options;
  const deliveries: Delivery[] = [];
  const known = new Set<string>();
  const listeners = new Set<(delivery: Delivery) => void>();
  const inbound = passiveLeg('inbound');
  const outbound = passiveLeg('outbound');
  const probed = ({ leg, attempt }: PassiveLeg): void => {
    if (!attempt) throw down(name, leg.name);
  };

  /** A repeated delivery is the same delivery. */
  const accept = (delivery: Delivery): void => {
    if (known.has(delivery.deliveryId)) return;
    known.add(delivery.deliveryId);
    deliveries.push(delivery);
    if (deliveries.length > keep) known.delete(deliveries.shift()?.deliveryId ?? '');
    for (const listener of [...listeners]) listener(delivery);
  };

  const channel = defineChannel({
    name,
    idempotentDelivery: true,
    legs: [inbound, outbound].map((one) => ({ ...one.leg, probe: async () => probed(one) })),
    async deliver(delivery) {
      if (!outbound.attempt)
        return { kind: 'failed', permanent: false, reason: `the outbound leg of ${name} is down` };
      accept(delivery);
      return { kind: 'sent', platformId: `${name}-${delivery.deliveryId}` };
    },
  });

  return {
    channel,
    deliveries,
    async say(message) {
      if (!inbound.attempt) throw down(name, 'inbound');
      await inbound.attempt.receive(message);
    },
    next: (target, signal) =>
      new Promise((resolve, reject) => {
        const stop = (): void => void listeners.delete(listener);
        const listener = (delivery: Delivery): void => {
          if (delivery.target !== target) return;
          stop();
          resolve(delivery);
        };
        listeners.add(listener);
        signal?.addEventListener('abort', () => {
          stop();
          reject(signal.reason as Error);
        });
      }),
  };
}

const down = (name: string, leg: string): CoppiceError =>
  new CoppiceError('UNAVAILABLE', { what: `the ${leg} leg of ${name}`, reason: 'it is down' });
