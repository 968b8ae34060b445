import { CoppiceError } from '../errors.ts';
import { defineChannel } from './contract.ts';
import type { Channel, ChannelMessage, Delivery } from './contract.ts';

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
  let receive: ((message: ChannelMessage) => Promise<unknown>) | undefined;
  let outbound = false;

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
    legs: [
      {
        name: 'inbound',
        async start(context) {
          receive = context.receive;
          context.signal.addEventListener('abort', () => {
            if (receive === context.receive) receive = undefined;
          });
        },
        probe: async () => up(receive !== undefined, name, 'inbound'),
      },
      {
        name: 'outbound',
        async start({ signal }) {
          outbound = true;
          signal.addEventListener('abort', () => {
            outbound = false;
          });
        },
        probe: async () => up(outbound, name, 'outbound'),
      },
    ],
    async deliver(delivery) {
      if (!outbound)
        return { kind: 'failed', permanent: false, reason: `the outbound leg of ${name} is down` };
      accept(delivery);
      return { kind: 'sent', platformId: `${name}-${delivery.deliveryId}` };
    },
  });

  return {
    channel,
    deliveries,
    async say(message) {
      if (!receive)
        throw new CoppiceError('UNAVAILABLE', { what: `the inbound leg of ${name}`, reason: 'it is down' });
      await receive(message);
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

function up(is: boolean, name: string, leg: string): void {
  if (!is) throw new CoppiceError('UNAVAILABLE', { what: `the ${leg} leg of ${name}`, reason: 'it is down' });
}
