import { afterEach, describe, expect, it } from 'vitest';
import { createSimulatedClock } from '../../src/testing/clock.ts';
import { connected, endRigs, startRig, until, type TestClient } from './client.ts';
import { treeNode as node } from '../fixtures/tree-node.ts';
import { createFakePort } from './fake-port.ts';

afterEach(endRigs);

const events = (client: TestClient, name: string) => client.frames.filter((frame) => frame.event === name);

async function simulated() {
  const clock = createSimulatedClock();
  const rig = await startRig({ clock }, createFakePort(clock.now));
  const client = await connected(rig);
  return { clock, rig, client, fake: rig.fake };
}

describe('what runs say', () => {
  it('reaches every operator who may read, and nobody else', async () => {
    const rig = await startRig();
    const reader = await connected(rig, { scopes: ['operator.read'] });
    const writer = await connected(rig, { scopes: ['operator.write'] });
    const pairing = await connected(rig, { scopes: ['operator.pairing'] });
    rig.fake.say('r', { kind: 'ended', status: 'ok', text: 'yes', endedAt: 2 });
    await Promise.all([reader.event('chat'), writer.event('chat')]);
    await pairing.request('health');
    expect(events(pairing, 'chat')).toEqual([]);
    expect(events(pairing, 'agent')).toEqual([]);
  });

  it('reaches those who follow its session and those who only listen, not those who are busy elsewhere', async () => {
    const rig = await startRig();
    const here = await connected(rig);
    const elsewhere = await connected(rig);
    const listener = await connected(rig);
    await here.request('chat.history', { sessionKey: 'agent:main:main' });
    await elsewhere.request('chat.history', { sessionKey: 'another' });
    rig.fake.say('r', { kind: 'ended', status: 'ok', text: 'yes', endedAt: 2 });
    await Promise.all([here.event('chat'), listener.event('chat')]);
    await elsewhere.request('health');
    expect(events(elsewhere, 'chat')).toEqual([]);
    expect(events(elsewhere, 'agent')).toEqual([]);
  });

  it('reaches the sender from its first word on, though it followed nothing before', async () => {
    const rig = await startRig();
    const sender = await connected(rig);
    await sender.request('chat.history', { sessionKey: 'another' });
    await sender.request('chat.send', { sessionKey: 'agent:main:main', message: 'x', idempotencyKey: 'r' });
    rig.fake.say('r', { kind: 'started', startedAt: 1 });
    expect((await sender.event('agent')).payload).toMatchObject({ runId: 'r', stream: 'lifecycle' });
  });

  it('comes as agent events in the shape of the protocol', async () => {
    const { client, fake, clock } = await simulated();
    fake.say('r', { kind: 'started', startedAt: 1 });
    fake.say('r', { kind: 'text', text: 'one', delta: 'one' });
    fake.say('r', { kind: 'tool-started', toolCallId: 'c', toolName: 'clock', input: { zone: 'utc' } });
    fake.say('r', { kind: 'tool-ended', toolCallId: 'c', toolName: 'clock', output: 5, isError: false });
    fake.say('r', { kind: 'restarted', reason: 'a crash' });
    fake.say('r', {
      kind: 'ended',
      status: 'ok',
      text: 'one two',
      endedAt: 9,
      usage: { total: 3 },
      stopReason: 'stop',
    });
    const chat = await client.next((frame) => frame.event === 'chat' && frame.payload.state === 'final');
    const base = { runId: 'r', sessionKey: 'agent:main:main', ts: clock.now() };
    expect(events(client, 'agent').map((frame) => frame.payload)).toEqual([
      { ...base, seq: 1, stream: 'lifecycle', data: { phase: 'start', startedAt: 1 } },
      { ...base, seq: 2, stream: 'assistant', data: { text: 'one', delta: 'one' } },
      {
        ...base,
        seq: 3,
        stream: 'tool',
        data: { phase: 'start', name: 'clock', toolCallId: 'c', args: { zone: 'utc' } },
      },
      {
        ...base,
        seq: 4,
        stream: 'tool',
        data: { phase: 'result', name: 'clock', toolCallId: 'c', result: 5, isError: false },
      },
      { ...base, seq: 5, stream: 'error', data: { reason: 'a crash', restarted: true } },
      { ...base, seq: 6, stream: 'lifecycle', data: { phase: 'end', startedAt: 1, endedAt: 9 } },
    ]);
    expect(chat.payload).toEqual({
      runId: 'r',
      sessionKey: 'agent:main:main',
      seq: 6,
      state: 'final',
      usage: { total: 3 },
      stopReason: 'stop',
      message: { role: 'assistant', content: [{ type: 'text', text: 'one two' }], timestamp: clock.now() },
    });
  });

  it('comes as a chat delta at most every 150 ms, and the last word is never lost', async () => {
    const { client, fake, clock } = await simulated();
    for (let count = 1; count <= 30; count += 1) {
      fake.say('r', { kind: 'text', text: `word ${count}`, delta: '.' });
      await clock.advanceAsync(10);
    }
    await clock.advanceAsync(150);
    await client.request('health');
    const deltas = events(client, 'chat').map((frame) => frame.payload.message.content[0].text as string);
    expect(deltas.length).toBeLessThanOrEqual(4);
    expect(deltas.at(-1)).toBe('word 30');
    fake.say('r', { kind: 'ended', status: 'ok', text: 'word 30', endedAt: 1 });
    await clock.advanceAsync(500);
    await client.request('health');
    expect(events(client, 'chat').at(-1)!.payload.state).toBe('final');
  });

  it.each([
    [
      'error',
      { error: { code: 'X', message: 'broke' } },
      { state: 'error', errorMessage: 'broke' },
      { phase: 'error', error: 'broke' },
    ],
    [
      'aborted',
      {},
      { state: 'aborted', message: { content: [{ text: 'so far' }] } },
      { phase: 'end', aborted: true },
    ],
  ] as const)('tells of a run that ends as %s', async (status, extra, chat, lifecycle) => {
    const { client, fake } = await simulated();
    fake.say('r', { kind: 'ended', status, text: 'so far', endedAt: 9, ...extra });
    expect((await client.event('chat')).payload).toMatchObject(chat);
    expect((await client.event('agent')).payload.data).toMatchObject(lifecycle);
  });

  it('is numbered without a gap on every connection by itself', async () => {
    const rig = await startRig();
    const first = await connected(rig);
    rig.fake.say('r', { kind: 'started', startedAt: 1 });
    const second = await connected(rig);
    rig.fake.say('r', { kind: 'ended', status: 'ok', text: '', endedAt: 2 });
    await Promise.all([first.event('chat'), second.event('chat')]);
    expect(first.frames.map((frame) => frame.seq).filter(Boolean)).toEqual([1, 2, 3]);
    expect(second.frames.map((frame) => frame.seq).filter(Boolean)).toEqual([1, 2]);
  });

  it('that cannot be written is reported, and the clients live', async () => {
    const rig = await startRig();
    const client = await connected(rig);
    rig.fake.say('r', { kind: 'tool-started', toolCallId: 'c', toolName: 't', input: 1n });
    expect(rig.facts).toContainEqual(
      expect.objectContaining({ type: 'actor.fault', source: 'server: run signal' }),
    );
    expect((await client.request('health')).ok).toBe(true);
  });
});

describe('the watch', () => {
  it('ticks every 30 seconds', async () => {
    const { client, clock } = await simulated();
    // The client answers pings, which takes real time.
    for (const _ of [1, 2]) {
      await clock.advanceAsync(30_000);
      await client.request('health');
    }
    expect(events(client, 'tick').map((frame) => frame.payload)).toEqual([
      { ts: clock.now() - 30_000 },
      { ts: clock.now() },
    ]);
  });

  it('tells of health only when the grade changes', async () => {
    const { client, clock, fake } = await simulated();
    await clock.advanceAsync(20_000);
    fake.state.grade = 'degraded';
    await clock.advanceAsync(5_000);
    expect((await client.event('health')).payload).toMatchObject({
      grade: 'degraded',
      reasons: ['the store is slow'],
    });
    await clock.advanceAsync(4_000);
    await client.request('health');
    expect(events(client, 'health')).toHaveLength(1);
    expect((await connected({ ...(await startRig()) })).hello.payload.snapshot.stateVersion.health).toBe(0);
  });

  it('looks at once when an error was reported', async () => {
    const { client, clock, fake } = await simulated();
    fake.state.grade = 'failing';
    fake.fact('error');
    await clock.advanceAsync(0);
    expect((await client.event('health')).payload.ok).toBe(false);
  });

  it('survives a health view that throws', async () => {
    const { client, clock, fake, rig } = await simulated();
    fake.state.healthError = new Error('no');
    await clock.advanceAsync(5_000);
    fake.state.healthError = undefined;
    expect(rig.facts).toContainEqual(
      expect.objectContaining({ type: 'actor.fault', source: 'server: health event' }),
    );
    expect((await client.request('health')).ok).toBe(true);
  });

  it('sends the tree to those who asked, when it changed, at most four times a second', async () => {
    const { client, clock, fake, rig } = await simulated();
    const other = await connected(rig);
    const answer = await client.request('tree.subscribe');
    expect(answer.payload).toMatchObject({ subscribed: true, tree: { path: 'gateway' } });
    for (let count = 1; count <= 50; count += 1) {
      fake.state.tree = node('gateway', { restarts: count });
      fake.fact();
      await clock.advanceAsync(20);
    }
    await clock.advanceAsync(250);
    await client.request('health');
    const trees = events(client, 'tree');
    expect(trees.length).toBeGreaterThan(2);
    expect(trees.length).toBeLessThanOrEqual(6);
    expect(trees.at(-1)!.payload.tree.restarts).toBe(50);
    fake.state.tree = node('gateway', { restarts: 50, progressAgeMs: 9_999 });
    fake.fact();
    await clock.advanceAsync(2_000);
    await client.request('health');
    expect(events(client, 'tree')).toHaveLength(trees.length);
    await other.request('health');
    expect(events(other, 'tree')).toEqual([]);
  });

  it('pings every 25 s, keeps who answers, and ends who does not', async () => {
    const { client, clock, rig } = await simulated();
    const deaf = await connected(rig);
    const pinged = new Promise((resolve) => deaf.ws.once('ping', resolve));
    // A peer that is gone without a word: what arrives is not read any more.
    (deaf.ws as any)._receiver.removeAllListeners('ping');
    (deaf.ws as any)._receiver.on('ping', () => deaf.ws.emit('ping'));
    await clock.advanceAsync(25_000);
    await pinged;
    await client.request('health');
    await clock.advanceAsync(25_000);
    expect((await deaf.closed).code).toBe(1006);
    await until(() => rig.facts.some((fact) => fact.type === 'client.disconnected'));
    expect((await client.request('health')).ok).toBe(true);
  });
});

describe('a client that does not read', () => {
  it('is closed with 1013, and the others live on', async () => {
    const rig = await startRig();
    const slow = await connected(rig);
    const healthy = await connected(rig);
    slow.ws.pause();
    const output = 'x'.repeat(200_000);
    for (let count = 0; count < 100 && rig.server.clients === 2; count += 1) {
      rig.fake.say('r', {
        kind: 'tool-ended',
        toolCallId: String(count),
        toolName: 't',
        output,
        isError: false,
      });
      await healthy.request('health');
    }
    await until(() => rig.facts.some((fact) => fact.type === 'client.disconnected' && fact.code === 1013));
    expect((await healthy.request('health')).ok).toBe(true);
    expect(events(healthy, 'agent').length).toBeGreaterThan(0);
  });

  it('loses deltas before it loses the connection, and its numbers show no gap', async () => {
    const rig = await startRig({ limits: { backlogBytes: 400_000 } });
    const slow = await connected(rig);
    slow.ws.pause();
    const text = 'x'.repeat(100_000);
    for (let count = 0; count < 200; count += 1) {
      rig.fake.say('r', { kind: 'text', text, delta: 'x' });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(rig.server.clients).toBe(1);
    slow.ws.resume();
    rig.fake.say('r', { kind: 'ended', status: 'ok', text: 'end', endedAt: 1 });
    await slow.next((frame) => frame.payload?.state === 'final');
    const seqs = slow.frames.map((frame) => frame.seq).filter((seq) => seq !== undefined);
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    expect(seqs.length).toBeLessThan(200);
  });

  it('is not blamed for a large answer it asked for', async () => {
    const rig = await startRig();
    const client = await connected(rig);
    const content = [{ type: 'text' as const, text: 'x'.repeat(7_000_000) }];
    rig.fake.state.transcript.set('k', [
      { sessionKey: 'k', sessionId: 's', runId: 'r', ordinal: 0, role: 'user', content, at: 1, seq: 1 },
    ]);
    const answer = client.request('chat.history', { sessionKey: 'k' });
    await until(() => rig.fake.state.healthAsked >= 0);
    for (let count = 0; count < 20; count += 1) {
      rig.fake.say('r', { kind: 'started', startedAt: count });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await answer).payload.messages).toHaveLength(1);
    expect((await client.request('health')).ok).toBe(true);
  });
});
