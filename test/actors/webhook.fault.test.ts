import { afterEach, describe, expect, it } from 'vitest';
import { outboxChild } from '../../src/actors/outbox.ts';
import { PATHS } from '../../src/actors/paths.ts';
import { createWebhook } from '../../src/channels/index.ts';
import { createClock } from '../../src/host/index.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import { SECRET } from '../channels/hook-request.ts';
import { openReceiver } from '../channels/receiver.ts';
import { openHouse, type House } from './house.ts';

let house: House;
afterEach(() => house.close());

/** An outbox over a real store, with a webhook channel that posts to `callbackUrl`. */
async function open(callbackUrl: string) {
  const webhook = createWebhook({
    name: 'build',
    secret: SECRET,
    replayWindowMs: 300_000,
    maxBodyBytes: 1_000,
    clock: createClock(),
    callbackUrl,
    callbackTimeoutMs: 200,
  });
  for (const leg of webhook.channel.legs) {
    const receive = async () => ({ kind: 'accepted', runId: 'r' }) as const;
    await leg.start({ signal: new AbortController().signal, lost: () => undefined, receive });
  }
  house = await openHouse([webhook.channel]);
  await house.start({ work: [outboxChild(house.deps)] });
  const row = {
    deliveryId: 'r1/build',
    channel: 'build',
    account: 'default',
    target: 'ops',
    runId: 'r1',
    payload: { text: 'done', runId: 'r1', sessionKey: 's' },
    status: 'prepared',
    attempts: 0,
    nextAt: 0,
    createdAt: 0,
    expiresAt: Number.MAX_SAFE_INTEGER,
  } as const;
  await house.store.commit(house.store.statements.addDelivery(row));
  house.deps.registry.tell(PATHS.outbox, { type: 'outbox.added' });
  return { counts: () => house.store.read.countDeliveries() };
}
const keys = (requests: readonly { headers: Record<string, unknown> }[]): unknown[] =>
  requests.map(({ headers }) => headers['idempotency-key']);

describe('a reply by webhook', () => {
  it('that was sent when the outbox died before it wrote that down comes again under the same key', async () => {
    const receiver = await openReceiver();
    let hold = (): void => undefined;
    receiver.answer = (response, nth) => {
      if (nth > 1) return void response.end();
      hold = () => void response.end();
    };
    const { counts } = await open(receiver.url);
    await house.until('the receiver has it', () => receiver.requests.length === 1);
    await house.crash(PATHS.outbox);
    hold();
    await house.until('it is sent', () => counts().sent === 1);
    expect(keys(receiver.requests)).toEqual(['r1/build', 'r1/build']);
    expect(new Set(receiver.requests.map(({ body }) => body)).size).toBe(1);
  });

  it('to a receiver that hangs, then drops the connection, then is busy, arrives under one key', async () => {
    const receiver = await openReceiver();
    receiver.answer = (response, nth, socket) => {
      if (nth === 1) return;
      if (nth === 2) return void socket.destroy();
      response.writeHead(nth === 3 ? 503 : 204).end();
    };
    const { counts } = await open(receiver.url);
    for (const [nth, next] of (['retry', 'retry', 'retry'] as const).entries()) {
      await house.until(
        `attempt ${nth + 1}`,
        () => house.factsOf('outbox.delivery_failed').length === nth + 1,
      );
      expect(house.factsOf('outbox.delivery_failed')[nth]).toMatchObject({ next, attempt: nth + 1 });
      await house.clock.advanceAsync(LIMITS.deliveryMinDelayMs * 2 ** (nth + 1));
    }
    await house.until('it is told', () => house.factsOf('outbox.delivered').length === 1);
    expect(counts().sent).toBe(1);
    expect(keys(receiver.requests)).toEqual(Array(4).fill('r1/build'));
    expect(house.factsOf('outbox.delivered')).toMatchObject([{ deliveryId: 'r1/build', attempts: 4 }]);
  });

  it('that is refused for good is given up at once', async () => {
    const receiver = await openReceiver();
    receiver.answer = (response) => void response.writeHead(410).end();
    const { counts } = await open(receiver.url);
    await house.until('it is given up', () => counts().failed_permanent === 1);
    expect(receiver.requests).toHaveLength(1);
  });

  it('whose receiver comes up later arrives once', async () => {
    const gone = await openReceiver();
    await gone.close();
    const { counts } = await open(gone.url);
    await house.until('it failed', () => house.factsOf('outbox.delivery_failed').length === 1);
    const receiver = await openReceiver(gone.port);
    await house.clock.advanceAsync(LIMITS.deliveryMinDelayMs * 2);
    await house.until('it is sent', () => counts().sent === 1);
    expect(receiver.requests).toHaveLength(1);
  });
});
