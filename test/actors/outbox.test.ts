import { afterEach, describe, expect, it } from 'vitest';
import { outboxChild } from '../../src/actors/outbox.ts';
import { PATHS } from '../../src/actors/paths.ts';
import { defineChannel } from '../../src/channels/index.ts';
import type { Channel, Delivery, DeliveryOutcome } from '../../src/channels/index.ts';
import { CoppiceError } from '../../src/errors.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import { outboxMachine } from '../../src/machines/outbox.ts';
import type { OutboxRow } from '../../src/store/index.ts';
import { openHouse } from './house.ts';
import type { House } from './house.ts';

let house: House;
afterEach(() => house.close());

type Answers = (
  delivery: Delivery,
  nth: number,
  signal: AbortSignal,
) => DeliveryOutcome | Promise<DeliveryOutcome>;

/** A channel that answers as told and remembers what reached it. */
async function openOutbox(answer: Answers, options: { idempotent?: boolean } = {}) {
  const reached: string[] = [];
  const channel = defineChannel({
    name: 'chat',
    legs: [],
    idempotentDelivery: options.idempotent ?? false,
    deliver: async (delivery, signal) => {
      reached.push(delivery.deliveryId);
      return answer(delivery, reached.filter((id) => id === delivery.deliveryId).length, signal);
    },
  });
  house = await openHouse([channel]);
  return {
    reached,
    start: () => house.start({ work: [outboxChild(house.deps)] }),
    add: async (...rows: Partial<OutboxRow>[]) => {
      await house.store.commit(
        rows.flatMap((more, index) =>
          house.store.statements.addDelivery(row({ deliveryId: `d${index}`, target: `t${index}`, ...more })),
        ),
      );
      if (house.deps.registry.incarnation(PATHS.outbox) !== undefined)
        house.deps.registry.tell(PATHS.outbox, { type: 'outbox.added' });
    },
    counts: () => house.store.read.countDeliveries(),
    rests: () =>
      house.until(
        'the outbox rests',
        () =>
          house.at(PATHS.outbox, outboxMachine)?.context.queue.length === 0 &&
          house.at(PATHS.outbox, outboxMachine).context.looking === 'no',
      ),
  };
}
const row = (more: Partial<OutboxRow>): OutboxRow => ({
  deliveryId: 'd0',
  channel: 'chat',
  account: 'default',
  target: 'room',
  runId: 'r1',
  payload: { text: 'hi' },
  status: 'prepared',
  attempts: 0,
  nextAt: 0,
  createdAt: 0,
  expiresAt: Number.MAX_SAFE_INTEGER,
  ...more,
});
const sent = (): DeliveryOutcome => ({ kind: 'sent', platformId: 'p' });

describe('the outbox', () => {
  it('delivers what was added, what an earlier life left, and reports it after it is recorded', async () => {
    const outbox = await openOutbox(sent);
    await outbox.add({ deliveryId: 'old' });
    await outbox.start();
    await outbox.add({ deliveryId: 'new' });
    await house.until('both are sent', () => outbox.counts().sent === 2);
    await outbox.rests();
    expect(outbox.reached.toSorted()).toEqual(['new', 'old']);
    expect(house.factsOf('outbox.delivered')).toHaveLength(2);
  });

  it('has the row in sending on disk when the channel hears of it', async () => {
    const seen: number[] = [];
    const outbox = await openOutbox(() => {
      seen.push(house.store.read.countDeliveries().sending);
      return sent();
    });
    await outbox.start();
    await outbox.add({});
    await house.until('it is sent', () => outbox.counts().sent === 1);
    expect(seen).toEqual([1]);
  });

  it('repeats a failed delivery after the delay the platform asks for', async () => {
    const outbox = await openOutbox((_, nth) =>
      nth === 1 ? { kind: 'failed', permanent: false, reason: 'slow down', retryAfterMs: 7_000 } : sent(),
    );
    await outbox.start();
    await outbox.add({});
    await house.until('it failed once', () => house.factsOf('outbox.delivery_failed').length === 1);
    await outbox.rests();
    await house.clock.advanceAsync(6_900);
    expect(outbox.reached).toHaveLength(1);
    await house.clock.advanceAsync(400);
    await house.until('it is sent', () => outbox.counts().sent === 1);
    expect(outbox.reached).toEqual(['d0', 'd0']);
    expect(house.factsOf('outbox.delivery_failed')).toMatchObject([{ next: 'retry', attempt: 1 }]);
  });

  it('keeps the order of the messages for one target: the next waits until the one before has its answer', async () => {
    const order: string[] = [];
    let [underWay, most] = [0, 0];
    const outbox = await openOutbox(async ({ deliveryId }, nth) => {
      most = Math.max(most, (underWay += 1));
      await new Promise((resolve) => setTimeout(resolve, deliveryId === 'm0' && nth === 1 ? 30 : 1));
      underWay -= 1;
      order.push(deliveryId);
      return sent();
    });
    await outbox.add(
      ...Array.from({ length: 10 }, (_, index) => ({
        deliveryId: `m${index}`,
        target: 'room',
        nextAt: index,
      })),
    );
    await outbox.start();
    await house.until('all are sent', () => outbox.counts().sent === 10);
    expect(order).toEqual(Array.from({ length: 10 }, (_, index) => `m${index}`));
    expect(most).toBe(1);
  });

  it('gives one channel a bounded number of places, so that the messages of another go out beside a hanging one', async () => {
    const outbox = await openOutbox(() => new Promise(() => undefined));
    const other = defineChannel({
      name: 'other',
      legs: [],
      idempotentDelivery: false,
      deliver: async () => sent(),
    });
    (house.deps.channels as Map<string, Channel>).set('other', other);
    const many = LIMITS.deliveriesInFlight + 10;
    await outbox.add(
      ...Array.from({ length: many }, (_, index) => ({ deliveryId: `h${index}`, nextAt: 0 })),
      { deliveryId: 'free', channel: 'other', nextAt: 0 },
    );
    await outbox.start();
    await house.until('the other channel is served', () => outbox.counts().sent === 1);
    expect(outbox.reached).toHaveLength(LIMITS.deliveriesPerChannel);
    expect(outbox.counts().prepared).toBe(many - LIMITS.deliveriesPerChannel);
  });

  it('serves the other targets beside the backlog of one', async () => {
    let free = 0;
    const outbox = await openOutbox(({ target }) =>
      target === 'flooded' ? new Promise(() => undefined) : ((free += 1), sent()),
    );
    const flood = Array.from({ length: 3 * LIMITS.deliveriesInFlight }, (_, index) => ({
      deliveryId: `f${index}`,
      target: 'flooded',
      nextAt: 0,
    }));
    await outbox.add(
      ...flood,
      ...Array.from({ length: 5 }, (_, index) => ({
        deliveryId: `g${index}`,
        target: `quiet${index}`,
        nextAt: 1,
      })),
    );
    await outbox.start();
    await house.until('the others are served', () => outbox.counts().sent === 5);
    expect(free).toBe(5);
    expect(outbox.reached.filter((id) => id.startsWith('f'))).toEqual(['f0']);
  });

  it('sends nothing that has expired, and lists it', async () => {
    const outbox = await openOutbox(sent);
    await outbox.add(
      ...Array.from({ length: 110 }, () => ({ expiresAt: 1 })).map((more, index) => ({
        ...more,
        deliveryId: `stale${index}`,
      })),
    );
    await outbox.start();
    await house.until('all are expired', () => outbox.counts().expired === 110);
    expect(outbox.reached).toEqual([]);
    expect(
      house.factsOf('outbox.delivery_failed').every((fact) => 'next' in fact && fact.next === 'expired'),
    ).toBe(true);
  });
});

describe('the outbox, when nobody knows whether it arrived', () => {
  it('marks what a dead life was sending as unknown and does not send it again', async () => {
    const outbox = await openOutbox(sent);
    await outbox.add({ status: 'sending', attempts: 1 });
    await outbox.start();
    await house.until('it is unknown', () => outbox.counts().unknown === 1);
    await house.clock.advanceAsync(120_000);
    expect(outbox.reached).toEqual([]);
  });

  it('sends it again where the platform takes idempotency keys', async () => {
    const outbox = await openOutbox(sent, { idempotent: true });
    await outbox.add({ status: 'sending', attempts: 1 });
    await outbox.start();
    await house.until('it is sent', () => outbox.counts().sent === 1);
    expect(outbox.reached).toEqual(['d0']);
  });

  it('takes a channel that throws, or never answers, for unknown, while the other targets go on', async () => {
    const outbox = await openOutbox(({ deliveryId }) => {
      if (deliveryId === 'thrown') throw new Error('the socket broke');
      return deliveryId === 'hung' ? new Promise(() => undefined) : sent();
    });
    await outbox.start();
    await outbox.add({ deliveryId: 'thrown' }, { deliveryId: 'hung' }, { deliveryId: 'good' });
    await house.until('the good one is sent', () => outbox.counts().sent === 1);
    await house.until('the thrown one is recorded', () => outbox.counts().unknown === 1);
    await house.clock.advanceAsync(LIMITS.deliveryDeadlineMs + 1);
    await house.until('the hung one is recorded', () => outbox.counts().unknown === 2);
    expect(outbox.reached.toSorted()).toEqual(['good', 'hung', 'thrown']);
  });

  it('that crashes in the middle of sending leaves no message sent twice', async () => {
    const outbox = await openOutbox(() => new Promise(() => undefined));
    await outbox.start();
    await outbox.add({});
    await house.until('it is being sent', () => outbox.reached.length === 1);
    await house.crash(PATHS.outbox);
    await house.until('it is unknown', () => outbox.counts().unknown === 1);
    expect(outbox.reached).toEqual(['d0']);
  });
});

describe('the outbox, when the store fails', () => {
  it('keeps the outcome in hand until the store takes it, and does not send again meanwhile', async () => {
    const outbox = await openOutbox(sent);
    await outbox.start();
    let fail = false;
    house.failCommits(async (real, statements) => {
      if (fail) throw new CoppiceError('STORE_FAILED', { reason: 'the disk is full' });
      fail = true; // the mark succeeds, the record after it does not
      return real(statements);
    });
    await outbox.add({});
    await house.until('it was sent', () => outbox.reached.length === 1);
    await house.until(
      'the record is stuck',
      () => house.at(PATHS.outbox, outboxMachine).context.queue[0]?.stalled === true,
    );
    house.failCommits(undefined);
    house.deps.registry.tell(PATHS.outbox, { type: 'clock.tick', atMs: house.clock.now() } as never);
    await house.until('it is recorded', () => outbox.counts().sent === 1);
    expect(outbox.reached).toEqual(['d0']);
  });

  it('finishes what is being sent when it is told to stop, and takes nothing new', async () => {
    let release = (): void => undefined;
    const outbox = await openOutbox(
      () =>
        new Promise((resolve) => {
          release = () => resolve(sent());
        }),
    );
    await outbox.start();
    await outbox.add({});
    await house.until('it is being sent', () => outbox.reached.length === 1);
    house.deps.registry.tell(PATHS.outbox, {
      type: 'supervisor.shutdown',
      reason: 'stop',
      deadlineMs: 5_000,
    } as never);
    await outbox.add({ deliveryId: 'late' });
    release();
    await house.until('it is recorded', () => outbox.counts().sent === 1);
    expect(outbox.reached).toContain('d0');
  });
});
