import { describe, expect, test } from 'vitest';
import { createBus } from '../../src/bus/index.ts';
import type { AnyEnvelope, Fact } from '../../src/bus/index.ts';

/** A bus whose macrotasks run when told to. */
function setup(ringSize?: number) {
  const deferred: (() => void)[] = [];
  let now = 1_000;
  const bus = createBus({
    now: () => now++,
    defer: (fn) => void deferred.push(fn),
    ...(ringSize ? { ringSize } : {}),
  });
  const turn = () => {
    const due = deferred.splice(0);
    for (const fn of due) fn();
    return due.length;
  };
  const settle = () => {
    let turns = 0;
    while (turn() > 0) if (++turns > 1_000) throw new Error('the bus never comes to rest');
    return turns;
  };
  return { bus, turn, settle };
}

const note = (n: number): Fact => ({ type: 'queue.lane.enqueue', lane: 'main', queueSize: n });
const info = (n: number): Fact => ({
  type: 'supervisor.restart_scheduled',
  childPath: 'x',
  childIncarnation: n,
  delayMs: 0,
  attempt: n,
});
const fault = (message: string): Fact => ({ type: 'store.failed', error: { message } });
const types = (envelopes: readonly AnyEnvelope[]) => envelopes.map((e) => e.type);

describe('publishing', () => {
  test('every fact gets its number, time, severity, source and trace, and keeps its fields', () => {
    const { bus } = setup();
    bus.publish(note(1));
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
    const envelope = bus.publish({ ...fault('disk full'), trace } as Fact, {
      path: 'gateway/core',
      incarnation: 3,
    });
    expect(envelope).toStrictEqual({
      seq: 2,
      ts: 1_001,
      type: 'store.failed',
      severity: 'error',
      ...trace,
      path: 'gateway/core',
      incarnation: 3,
      data: { error: { message: 'disk full' } },
    });
  });

  test('neither a subscriber nor the publisher can change what others see, and the publisher keeps its object unfrozen', () => {
    const { bus, settle } = setup();
    const seen: unknown[] = [];
    bus.subscribe({
      name: 'vandal',
      deliver: (e) => void ((e.data as { error: { message: string } }).error.message = 'mine'),
    });
    bus.subscribe({ name: 'reader', types: ['store.failed'], deliver: (e) => void seen.push(e.data) });
    const error = { message: 'disk full' };
    bus.publish({ type: 'store.failed', error });
    error.message = 'changed later';
    settle();
    expect(seen).toEqual([{ error: { message: 'disk full' } }]);
    expect(Object.isFrozen(error)).toBe(false);
  });

  test('facts that hold errors, cycles, functions and throwing getters still become plain data', () => {
    const { bus } = setup();
    const cycle: Record<string, unknown> = { f: () => 1, big: 10n };
    cycle['self'] = cycle;
    const angry = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    const { data } = bus.publish({
      type: 'actor.fault',
      source: 't',
      error: { e: new TypeError('bad'), cycle, angry },
    });
    expect(JSON.parse(JSON.stringify(data))).toMatchObject({
      error: { e: { name: 'TypeError', message: 'bad' }, cycle: { big: '10' }, angry: '[unreadable: no]' },
    });
  });

  test('no subscriber is called in the turn of the publisher', () => {
    const { bus, settle } = setup();
    const seen: number[] = [];
    bus.subscribe({ name: 'reader', deliver: (e) => void seen.push(e.seq) });
    bus.publish(note(1));
    expect(seen).toEqual([]);
    settle();
    expect(seen).toEqual([1]);
  });
});

describe('a subscriber of what is bad', () => {
  test('hears nothing of lesser facts, and they take no place in its queue', () => {
    const { bus, settle } = setup();
    const seen: number[] = [];
    bus.subscribe({ name: 'pager', severity: 'error', capacity: 1, deliver: (e) => void seen.push(e.seq) });
    bus.publish(fault('1'));
    bus.publish(note(2));
    bus.publish(info(3));
    expect(bus.stats().subscribers).toMatchObject([{ queued: 1, dropped: 0 }]);
    settle();
    expect(seen).toEqual([1]);
  });
});

describe('a slow subscriber', () => {
  test('loses the oldest of the lowest severity first and keeps every error, in order', () => {
    const { bus, settle } = setup();
    const seen: AnyEnvelope[] = [];
    bus.subscribe({ name: 'slow', capacity: 4, deliver: (e) => void seen.push(e) });
    bus.publish(fault('1'));
    bus.publish(note(2));
    bus.publish(info(3));
    bus.publish(note(4));
    bus.publish(fault('5')); // drops note 2
    bus.publish(fault('6')); // drops note 4
    bus.publish(note(7)); // is itself the least
    settle();
    expect(seen.map((e) => e.seq)).toEqual([1, 3, 5, 6, 8]);
    expect(seen.at(-1)).toMatchObject({
      type: 'bus.dropped',
      data: { subscriber: 'slow', dropped: 3, capacity: 4 },
    });
  });

  test('is reported once per drain, not once per drop, and the others miss nothing', () => {
    const { bus, settle } = setup();
    const seen: AnyEnvelope[] = [];
    bus.subscribe({ name: 'slow', capacity: 10, deliver: () => {} });
    bus.subscribe({ name: 'wide', capacity: 5_000, deliver: (e) => void seen.push(e) });
    for (let n = 0; n < 2_000; n += 1) bus.publish(note(n));
    settle();
    expect(types(seen).filter((t) => t === 'bus.dropped')).toHaveLength(1);
    expect(seen).toHaveLength(2_001);
    expect(bus.stats().subscribers[0]).toMatchObject({
      name: 'slow',
      dropped: 1_990,
      delivered: 11,
      queued: 0,
    });
  });

  test('two full subscribers do not report to each other for ever', () => {
    const { bus, settle } = setup();
    bus.subscribe({ name: 'a', capacity: 1, deliver: () => {} });
    bus.subscribe({ name: 'b', capacity: 1, deliver: () => {} });
    for (let n = 0; n < 50; n += 1) bus.publish(note(n));
    expect(settle()).toBeLessThan(20);
  });

  test('a burst is delivered in batches, so that the loop breathes between them', () => {
    const { bus, turn, settle } = setup();
    let seen = 0;
    bus.subscribe({ name: 'reader', capacity: 1_000, deliver: () => void (seen += 1) });
    for (let n = 0; n < 250; n += 1) bus.publish(note(n));
    turn();
    expect(seen).toBe(100);
    settle();
    expect(seen).toBe(250);
  });

  test('that returns a promise gets the next fact when it settled, and its queue stays bounded meanwhile', async () => {
    const { bus, settle } = setup();
    const seen: number[] = [];
    let release = (): void => {};
    bus.subscribe({
      name: 'async',
      capacity: 3,
      deliver: (e) => {
        seen.push(e.seq);
        return new Promise<void>((resolve) => (release = resolve));
      },
    });
    for (let n = 0; n < 10; n += 1) bus.publish(note(n));
    settle();
    expect(seen).toHaveLength(1);
    expect(bus.stats().subscribers[0]?.queued).toBeLessThanOrEqual(3);
    release();
    await Promise.resolve();
    settle();
    expect(seen).toHaveLength(2);
  });
});

describe('a failing subscriber', () => {
  test('harms nobody: the others get every fact, and its failure is reported once per distinct error', () => {
    const { bus, settle } = setup();
    const seen: AnyEnvelope[] = [];
    bus.subscribe({
      name: 'broken',
      types: ['queue.lane.enqueue', 'bus.subscriber_failed'],
      deliver: () => {
        throw new Error('always');
      },
    });
    bus.subscribe({ name: 'reader', deliver: (e) => void seen.push(e) });
    for (let n = 0; n < 5; n += 1) bus.publish(note(n));
    settle();
    expect(types(seen)).toEqual([
      ...Array.from({ length: 5 }, () => 'queue.lane.enqueue'),
      'bus.subscriber_failed',
    ]);
    expect(seen.at(-1)?.data).toMatchObject({ subscriber: 'broken', error: { message: 'always' } });
    expect(bus.stats().subscribers[0]?.failures).toBe(5);
  });

  test('that rejects is caught as well, and goes on', async () => {
    const { bus, settle } = setup();
    let calls = 0;
    bus.subscribe({
      name: 'rejecting',
      types: ['queue.lane.enqueue'],
      deliver: async () => {
        calls += 1;
        throw new Error('later');
      },
    });
    bus.publish(note(1));
    bus.publish(note(2));
    for (let n = 0; n < 5; n += 1) {
      settle();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(calls).toBe(2);
    expect(bus.recent({ types: ['bus.subscriber_failed'] })).toHaveLength(1);
  });

  test('with ever new messages is reported a bounded number of times', () => {
    const { bus, settle } = setup();
    let n = 0;
    bus.subscribe({
      name: 'creative',
      types: ['queue.lane.enqueue'],
      deliver: () => {
        throw new Error(`reason ${n++}`);
      },
    });
    for (let i = 0; i < 200; i += 1) bus.publish(note(i));
    settle();
    expect(bus.recent({ types: ['bus.subscriber_failed'] })).toHaveLength(20);
  });

  test('two subscribers that fail on each other’s failure come to rest', () => {
    const { bus, settle } = setup();
    for (const name of ['a', 'b'])
      bus.subscribe({
        name,
        deliver: (e) => {
          throw new Error(`${name} on ${e.seq}`);
        },
      });
    bus.publish(note(1));
    settle();
    expect(bus.recent().length).toBeLessThan(50);
  });
});

describe('the last facts', () => {
  test('are remembered up to the ring size, oldest first', () => {
    const { bus } = setup(3);
    for (let n = 1; n <= 5; n += 1) bus.publish(note(n));
    expect(bus.recent().map((e) => e.seq)).toEqual([3, 4, 5]);
    expect(bus.recent({ limit: 2 }).map((e) => e.seq)).toEqual([4, 5]);
  });

  test('can be asked for by type, subtree, trace, severity and position', () => {
    const { bus } = setup();
    const trace = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16) };
    bus.publish(note(1), { path: 'gateway/core/work', incarnation: 1 });
    bus.publish({ ...note(2), trace } as Fact, { path: 'gateway/corex', incarnation: 1 });
    bus.publish(fault('x'), { path: 'gateway/core', incarnation: 1 });
    expect(bus.recent({ path: 'gateway/core' }).map((e) => e.seq)).toEqual([1, 3]);
    expect(bus.recent({ traceId: trace.traceId }).map((e) => e.seq)).toEqual([2]);
    expect(bus.recent({ severity: 'warn' }).map((e) => e.seq)).toEqual([3]);
    expect(bus.recent({ types: ['queue.lane.enqueue'], afterSeq: 1 }).map((e) => e.seq)).toEqual([2]);
  });
});

describe('the end', () => {
  test('close delivers what waits, then lets everybody go; later facts are counted and harm nobody', () => {
    const { bus, settle } = setup();
    const seen: number[] = [];
    bus.subscribe({ name: 'reader', deliver: (e) => void seen.push(e.seq) });
    bus.publish(note(1));
    bus.close();
    bus.publish(note(2));
    settle();
    expect(seen).toEqual([1]);
    expect(bus.stats()).toMatchObject({ published: 2, late: 1, subscribers: [] });
  });

  test('a removed subscriber gets nothing more, not even what was waiting', () => {
    const { bus, settle } = setup();
    const seen: number[] = [];
    const remove = bus.subscribe({ name: 'reader', deliver: (e) => void seen.push(e.seq) });
    bus.publish(note(1));
    remove();
    settle();
    expect(seen).toEqual([]);
  });

  test('flush ends although a subscriber publishes at every fact', () => {
    const { bus } = setup();
    bus.subscribe({ name: 'echo', capacity: 5, deliver: () => void bus.publish(note(0)) });
    bus.publish(note(1));
    bus.flush();
    expect(bus.stats().published).toBeLessThan(100_000);
  });
});
