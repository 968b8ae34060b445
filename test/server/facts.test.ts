import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBus, type Bus } from '../../src/bus/index.ts';
import { createFactPort } from '../../src/gateway/facts.ts';
import { createFactFeed } from '../../src/server/fact-feed.ts';
import { createRedactor } from '../../src/telemetry/log/index.ts';
import type { Envelope } from '../../src/bus/events.ts';
import { connected, endRigs, startRig, until, type Rig, type TestClient } from './client.ts';

const fact = (seq: number, data: object = {}): Envelope =>
  ({ seq, ts: 1, type: 'gate.opened', severity: 'info', data }) as Envelope;

let rig: Rig;
let client: TestClient;
beforeEach(async () => {
  rig = await startRig();
  client = await connected(rig);
});
afterEach(endRigs);

describe('events.query', () => {
  it('answers with the newest facts, a hundred unless told', async () => {
    rig.fake.state.facts = Array.from({ length: 150 }, (_, at) => fact(at));
    const { payload } = await client.request('events.query');
    expect(payload.facts.map((one: Envelope) => one.seq)).toEqual(
      Array.from({ length: 100 }, (_, at) => at + 50),
    );
    expect((await client.request('events.query', { limit: 2 })).payload.facts).toHaveLength(2);
  });

  it('cuts the oldest when they do not fit one reply, and says so', async () => {
    rig.fake.state.facts = Array.from({ length: 10 }, (_, at) => fact(at, { text: 'x'.repeat(1_000_000) }));
    const { payload } = await client.request('events.query', {});
    expect(payload).toMatchObject({ truncated: true });
    expect(payload.facts.length + payload.omitted).toBe(10);
    expect(payload.facts.at(-1).seq).toBe(9);
  });

  it.each([
    [{ types: ['gate.oepned'] }, /no fact "gate.oepned"; the nearest known one is "gate.opened"/],
    [{ types: ['nobody.*'] }, /no fact "nobody.\*"/],
    [{ types: [] }, /types/],
    [{ severity: 'loud' }, /severity/],
    [{ limit: 1_001 }, /limit/],
    [{ path: '' }, /path/],
    [{ tpyes: ['gate.opened'] }, /"tpyes".*"types"/],
  ])('refuses %j', async (params, message) => {
    const { error } = await client.request('events.query', params);
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringMatching(message) });
  });
});

describe('events.subscribe', () => {
  it('answers with the last facts, then sends those that come, filtered by noun, path and trace', async () => {
    rig.fake.state.facts = [fact(1), fact(2)];
    const params = { types: ['gate.*'], path: 'gateway/core', traceId: 't', severity: 'info' };
    const { payload } = await client.request('events.subscribe', { ...params, recent: 1 });
    expect(payload).toEqual({ subscribed: true, facts: [fact(2)] });
    const [filter] = rig.fake.state.filters as { types: string[] }[];
    expect(filter).toMatchObject({ path: 'gateway/core', traceId: 't', severity: 'info' });
    expect(filter!.types).toEqual(expect.arrayContaining(['gate.opened', 'gate.closed']));
    expect(filter!.types.every((type) => type.startsWith('gate.'))).toBe(true);
    rig.fake.watched(fact(3));
    expect((await client.event('fact')).payload).toEqual({ fact: fact(3) });
  });

  it('replaces what was asked for before, and ends with the connection', async () => {
    await client.request('events.subscribe');
    await client.request('events.subscribe', { types: ['run.crashed'] });
    expect(rig.fake.watchers()).toBe(1);
    client.ws.terminate();
    await until(() => rig.fake.watchers() === 0);
  });

  it('is sent to nobody who did not ask', async () => {
    const other = await connected(rig);
    await other.request('events.subscribe');
    rig.fake.watched(fact(1));
    await other.event('fact');
    await client.request('status');
    expect(client.frames.filter((frame) => frame.event === 'fact')).toEqual([]);
  });
});

describe('a reader who is too slow', () => {
  it('is told how many facts it lost, with the next one it gets', () => {
    const sent: unknown[] = [];
    let lags = false;
    let tell = (_fact: Envelope): void => {};
    const feed = createFactFeed(
      { watchFacts: (_filter, listener) => ((tell = listener), () => {}) },
      { event: (_name, text) => (lags ? false : (sent.push(JSON.parse(text)), true)) },
    );
    feed.subscribe({});
    tell(fact(1));
    lags = true;
    tell(fact(2));
    tell(fact(3));
    lags = false;
    tell(fact(4));
    tell(fact(5));
    expect(sent).toEqual([{ fact: fact(1) }, { fact: fact(4), dropped: 2 }, { fact: fact(5) }]);
  });
});

describe('facts that leave the gateway', () => {
  // Deliveries are deferred by immediates; a timer may come before them when the machine is held up.
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  let bus: Bus;
  beforeEach(() => {
    bus = createBus({ now: () => 1, defer: (fn) => void setImmediate(fn) });
  });
  const port = () => createFactPort(bus, createRedactor({ secrets: ['the-gateway-token'] }).value);

  it('carry no secret, whether they are asked for or watched', async () => {
    const seen: Envelope[] = [];
    const remove = port().watchFacts({}, (one) => seen.push(one));
    bus.publish({ type: 'gateway.stopping', reason: 'Bearer the-gateway-token is out' });
    await settled();
    remove();
    bus.publish({ type: 'gateway.stopping', reason: 'after' });
    await settled();
    const asked = port().facts({});
    expect(asked).toHaveLength(2);
    expect(seen).toEqual([asked[0]]);
    expect(JSON.stringify(asked)).not.toContain('the-gateway-token');
    expect(seen[0]).toMatchObject({
      type: 'gateway.stopping',
      seq: 1,
      data: { reason: expect.stringContaining('[redacted]') },
    });
  });

  it('are filtered by type, path with all below it, trace and severity', async () => {
    const seen: string[] = [];
    const note = (word: string) => (one: Envelope) => seen.push(`${word} ${one.seq}`);
    port().watchFacts({ types: ['gate.opened'] }, note('type'));
    port().watchFacts({ path: 'gateway/core' }, note('path'));
    port().watchFacts({ traceId: 'a'.repeat(32) }, note('trace'));
    port().watchFacts({ severity: 'error' }, note('loud'));
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
    bus.publish({ type: 'gate.opened' }, { path: 'gateway/core2', incarnation: 1 });
    bus.publish(
      { type: 'gateway.stopping', reason: 'x', trace },
      { path: 'gateway/core/gate', incarnation: 1 },
    );
    const error = { name: 'Error', message: 'x' };
    bus.publish({ type: 'actor.fault', error, source: 's' }, { path: 'gateway/core', incarnation: 1 });
    await settled();
    expect(seen.toSorted()).toEqual(['loud 3', 'path 2', 'path 3', 'trace 2', 'type 1']);
  });
});

describe('the levers', () => {
  it.each([
    ['actor.park', 1],
    ['actor.unpark', 2],
  ])('%s holds one actor', async (method, incarnation) => {
    const { payload } = await client.request(method, { path: 'gateway/core/gate' });
    expect(payload).toEqual({ ok: true, path: 'gateway/core/gate', incarnation });
    expect(rig.fake.state.held).toEqual([{ path: 'gateway/core/gate', order: method.slice(6) }]);
  });

  it('refuse what the tree refuses', async () => {
    const { error } = await client.request('actor.park', { path: 'gateway' });
    expect(error).toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(/it is the root/),
    });
  });

  it('restart.request is answered at once, and coalesced by its key', async () => {
    const params = { reason: 'new key', force: true, idempotencyKey: 'k' };
    const { payload } = await client.request('restart.request', params);
    await client.request('restart.request', params);
    expect(payload).toMatchObject({ ok: true, state: 'deferring', kind: 'restart', reason: 'new key' });
    expect(rig.fake.state.restarts).toMatchObject([
      { reason: 'new key', force: true, by: expect.stringMatching(/^operator /) },
    ]);
    expect((await client.request('restart.status')).payload).toMatchObject({
      pid: process.pid,
      state: 'deferring',
      requests: 1,
    });
  });

  it.each(['actor.park', 'actor.unpark', 'restart.request'])(
    '%s needs an operator who may do that',
    async (method) => {
      const reader = await connected(rig, { scopes: ['operator.write'] });
      const { error } = await reader.request(
        method,
        method === 'restart.request' ? {} : { path: 'gateway/core' },
      );
      expect(error).toMatchObject({ code: 'FORBIDDEN', details: { missingScope: 'operator.admin' } });
      expect([rig.fake.state.held, rig.fake.state.restarts]).toEqual([[], []]);
    },
  );
});

describe('machines', () => {
  it('are listed, and shown one by one', async () => {
    expect((await client.request('machines.list')).payload.machines).toMatchObject([{ name: 'gate' }]);
    expect((await client.request('machines.get', { name: 'gate' })).payload.machine).toMatchObject({
      name: 'gate',
    });
  });

  it('that are not there are refused with the nearest name', async () => {
    const { error } = await client.request('machines.get', { name: 'gaet' });
    expect(error).toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(/"gaet".*"gate"/),
    });
  });
});
