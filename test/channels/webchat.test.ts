import { describe, expect, it } from 'vitest';
import { createWebchat } from '../../src/channels/index.ts';
import type { ChannelLeg, RunSignal, Webchat } from '../../src/channels/index.ts';

const text = (runId: string, seq: number): RunSignal => ({
  kind: 'text',
  runId,
  sessionKey: 's',
  seq,
  ts: 0,
  text: 'a',
  delta: 'a',
});
const ended = (runId: string): RunSignal => ({
  kind: 'ended',
  runId,
  sessionKey: 's',
  seq: 9,
  ts: 0,
  status: 'ok',
  text: 'a',
  endedAt: 0,
});

async function up(chat: Webchat, name: ChannelLeg['name']): Promise<() => void> {
  const attempt = new AbortController();
  const leg = chat.channel.legs.find((other) => other.name === name);
  await leg?.start({
    signal: attempt.signal,
    lost: () => undefined,
    receive: async () => ({ kind: 'accepted', runId: 'r' }),
  });
  return () => attempt.abort();
}

describe('the chat', () => {
  it('passes signals on at once while its way out is up', async () => {
    const chat = createWebchat();
    const heard: RunSignal[] = [];
    const detach = chat.attach((signal) => heard.push(signal));
    await up(chat, 'outbound');
    chat.publish(text('r1', 1));
    chat.publish(ended('r1'));
    detach();
    chat.publish(ended('r2'));
    expect(heard.map((signal) => signal.kind)).toEqual(['text', 'ended']);
  });

  it('keeps ends while it is down, drops and counts deltas, and says what it kept when it is up again', async () => {
    const chat = createWebchat();
    const heard: string[] = [];
    chat.attach((signal) => heard.push(`${signal.runId} ${signal.kind}`));
    const down = await up(chat, 'outbound');
    down();
    for (const seq of [1, 2, 3]) chat.publish(text('r1', seq));
    chat.publish(ended('r1'));
    expect(heard).toEqual([]);
    expect(chat.stats).toMatchObject({ kept: 1, dropped: 3 });
    await up(chat, 'outbound');
    expect(heard).toEqual(['r1 ended']);
    expect(chat.stats.kept).toBe(0);
  });

  it('keeps a bounded number, the newest, and counts the rest', () => {
    const chat = createWebchat({ keep: 2 });
    for (const runId of ['r1', 'r2', 'r3']) chat.publish(ended(runId));
    expect(chat.stats).toMatchObject({ kept: 2, dropped: 1 });
  });

  it('spares the other listeners when one throws', async () => {
    const chat = createWebchat();
    const heard: string[] = [];
    chat.attach(() => {
      throw new Error('a listener broke');
    });
    chat.attach((signal) => heard.push(signal.kind));
    await up(chat, 'outbound');
    chat.publish(ended('r1'));
    expect(heard).toEqual(['ended']);
    expect(chat.stats).toMatchObject({ failedListeners: 1, lastError: { message: 'a listener broke' } });
  });

  it('accepts messages only while its way in is up, and an old attempt that ends late closes nothing', async () => {
    const chat = createWebchat();
    expect(chat.accepting).toBe(false);
    const endOld = await up(chat, 'inbound');
    const endNew = await up(chat, 'inbound');
    endOld();
    expect(chat.accepting).toBe(true);
    endNew();
    expect(chat.accepting).toBe(false);
  });
});
