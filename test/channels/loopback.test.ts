import { describe, expect, it } from 'vitest';
import { createLoopback } from '../../src/channels/index.ts';
import type { LoopbackChannel } from '../../src/channels/index.ts';

const delivery = (deliveryId: string, target = 'ann') => ({
  deliveryId,
  account: 'default',
  target,
  payload: { text: deliveryId },
});
const signal = new AbortController().signal;

async function open(keep?: number) {
  const loopback = createLoopback(keep === undefined ? {} : { keep });
  return { loopback, stop: await attempt(loopback) };
}

/** Brings both legs up; returns what ends this attempt. */
async function attempt(loopback: LoopbackChannel): Promise<() => void> {
  const life = new AbortController();
  for (const leg of loopback.channel.legs)
    await leg.start({
      signal: life.signal,
      lost: () => undefined,
      receive: async () => ({ kind: 'accepted', runId: 'r' }),
    });
  return () => life.abort();
}

describe('the loopback channel', () => {
  it('keeps a bounded number of deliveries and takes a repeated one once', async () => {
    const { loopback } = await open(2);
    for (const id of ['a', 'b', 'b', 'c']) await loopback.channel.deliver(delivery(id), signal);
    expect(loopback.deliveries.map((kept) => kept.deliveryId)).toEqual(['b', 'c']);
  });

  it('wakes whoever waits for a target, and no other', async () => {
    const { loopback } = await open();
    const waiting = loopback.next('ann');
    await loopback.channel.deliver(delivery('a', 'bob'), signal);
    await loopback.channel.deliver(delivery('b', 'ann'), signal);
    expect((await waiting).deliveryId).toBe('b');
  });

  it('fails its probes and refuses messages when its legs are down', async () => {
    const { loopback, stop } = await open();
    for (const leg of loopback.channel.legs) await expect(leg.probe?.(signal)).resolves.toBeUndefined();
    stop();
    for (const leg of loopback.channel.legs)
      await expect(leg.probe?.(signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await loopback.channel.deliver(delivery('a'), signal)).toMatchObject({
      kind: 'failed',
      permanent: false,
    });
    await expect(
      loopback.say({ account: 'a', platformId: 'p', target: 't', text: 'x' }),
    ).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('stays up when an earlier attempt of its legs ends late', async () => {
    const { loopback, stop } = await open();
    await attempt(loopback);
    stop();
    expect(await loopback.channel.deliver(delivery('a'), signal)).toMatchObject({ kind: 'sent' });
    await loopback.say({ account: 'a', platformId: 'p', target: 't', text: 'x' });
    for (const leg of loopback.channel.legs) await expect(leg.probe?.(signal)).resolves.toBeUndefined();
  });
});
