import { assign, emit, fromCallback, sendParent, setup, type AnyActorLogic } from 'xstate';
import { describe, expect, it } from 'vitest';
import { HELD_LIMIT, type ChildSpec, type TraceRecord } from '../../src/supervisor/index.ts';
import { createLab } from './lab.ts';

/** Writes down what it takes; a ticker inside it and a timer of its own go on while it is suspended. */
const scribe = setup({
  types: { context: {} as { words: string[] }, emitted: {} as { type: 'said'; word: string } },
  actors: {
    ticker: fromCallback(({ sendBack, receive }) => receive(() => sendBack({ type: 'tick' }))),
  },
  actions: {
    crash: () => {
      throw new Error('scribe crashed');
    },
    write: assign({
      words: ({ context, event }) => [
        ...context.words,
        String((event as { word?: unknown }).word ?? event.type),
      ],
    }),
    say: emit(({ event }) => ({ type: 'said', word: String((event as { word?: unknown }).word) }) as const),
  },
}).createMachine({
  context: { words: [] },
  invoke: { src: 'ticker', id: 'ticker' },
  initial: 'writing',
  on: {
    word: { actions: ['write', 'say'] },
    tick: { actions: 'write' },
    crash: { actions: 'crash' },
    'supervisor.shutdown': '.closing',
  },
  states: {
    writing: { on: { rest: 'resting' } },
    resting: { after: { 1_000: { target: 'writing', actions: 'write' } } },
    closing: { on: { last: { target: 'closed', actions: 'write' } } },
    closed: { type: 'final' },
  },
}) as AnyActorLogic;

function stage(more: Partial<ChildSpec> = {}) {
  const lab = createLab();
  const { root } = lab.start({
    intensity: 100,
    children: [{ id: 'a', logic: scribe, ...more }, lab.child('b')],
  });
  const { sys } = lab.supervision;
  const word = (text: string) => lab.registry.tell('top/a', { type: 'word', word: text });
  const words = () =>
    (lab.registry.peek('top/a') as { context: { words: string[] } } | undefined)?.context.words.join(' ');
  return { ...lab, root, sys, word, words };
}

describe('suspend and resume', () => {
  it('a suspended actor takes nothing until it is resumed, and then everything in order', () => {
    const { sys, word, words, registry, tell } = stage();
    word('one');
    expect(sys.suspend('top/a')).toBe('ok');
    word('two');
    tell('a', 'tick');
    word('three');
    expect(words()).toBe('one');
    expect(registry.node('top/a')).toMatchObject({ held: 3, status: 'running' });
    expect(sys.resume('top/a')).toBe('ok');
    expect(words()).toBe('one two tick three');
    expect(registry.node('top/a')).not.toHaveProperty('held');
    word('four');
    expect(words()).toBe('one two tick three four');
  });

  it('what arrives while the held events are being taken waits behind them', () => {
    const { sys, word, words, registry } = stage();
    sys.suspend('top/a');
    for (const text of ['one', 'two', 'three']) word(text);
    // From inside the actor's own step, with more in its mailbox: the place where order is easily lost.
    sys.trace('top/a', true, (record) => {
      if (record.kind !== 'held') return;
      sys.trace('top/a', false);
      word('five');
      sys.resume('top/a');
      word('six');
    });
    word('four');
    expect(words()).toBe('one two three four five six');
    expect(registry.node('top/a')).not.toHaveProperty('held');
  });

  it('suspended again while it resumes: what is left waits again, in order', () => {
    const { sys, word, words, registry } = stage();
    sys.suspend('top/a');
    for (const text of ['one', 'two', 'three']) word(text);
    sys.trace('top/a', true, (record) => {
      if (record.kind === 'state' && words() === '') sys.suspend('top/a');
    });
    sys.resume('top/a');
    expect(words()).toBe('one');
    expect(registry.node('top/a')).toMatchObject({ held: 2 });
    word('four');
    sys.resume('top/a');
    expect(words()).toBe('one two three four');
  });

  it('its own timers and children wait too, and lose nothing', () => {
    const { sys, tell, words, clock, registry } = stage();
    tell('a', 'rest');
    sys.suspend('top/a');
    clock.advance(5_000);
    expect(registry.node('top/a')).toMatchObject({ state: 'resting' });
    sys.resume('top/a');
    expect(registry.node('top/a')).toMatchObject({ state: 'writing' });
    expect(words()).toContain('xstate.after.1000');
  });

  it('what finds no room becomes a dead letter, counted; the newest are refused and its siblings hear nothing of it', () => {
    const { sys, word, words, dead, incarnation } = stage();
    sys.suspend('top/a');
    for (let n = 0; n < HELD_LIMIT + 7; n += 1) word(String(n));
    expect(dead).toHaveLength(7);
    expect(sys.statistics('top/a')).toMatchObject({ held: HELD_LIMIT, overflowed: 7, events: 0 });
    sys.resume('top/a');
    expect(words()?.split(' ')).toHaveLength(HELD_LIMIT);
    expect(words()?.endsWith(` ${HELD_LIMIT - 1}`)).toBe(true);
    expect(incarnation('b')).toBe(1);
  });

  it('a timer that fires when the queue is full is kept all the same: lost, it would leave the machine waiting for ever', () => {
    const { sys, word, tell, clock, registry } = stage();
    tell('a', 'rest');
    sys.suspend('top/a');
    for (let n = 0; n < HELD_LIMIT; n += 1) word(String(n));
    clock.advance(1_000);
    sys.resume('top/a');
    expect(registry.node('top/a')).toMatchObject({ state: 'writing' });
  });

  it('told to stop, it stops: the shutdown overtakes what waits, which is then taken or a dead letter', () => {
    const { sys, word, tell, root, dead, incarnation } = stage();
    sys.suspend('top/a');
    word('one');
    tell('a', 'last');
    word('two');
    root.send({ type: 'supervisor.shutdown', reason: 'test', deadlineMs: 1_000 });
    expect(root.getSnapshot()).toMatchObject({ status: 'done', output: { exit: 'shutdown' } });
    expect(incarnation('a')).toBeUndefined();
    // `one` was written while it closed, `last` closed it, `two` came too late.
    expect(dead).toEqual(['top/a']);
  });

  it('killed, it dies; its next life is not suspended, and what waited is dead letters', () => {
    const { sys, word, words, supervision, clock, dead, incarnation, registry } = stage();
    sys.suspend('top/a');
    word('one');
    word('two');
    supervision.kill('top/a', { by: 'test' });
    clock.advance(1);
    expect(incarnation('a')).toBe(2);
    expect(dead).toEqual(['top/a', 'top/a']);
    expect(registry.node('top/a')).not.toHaveProperty('held');
    word('three');
    expect(words()).toBe('three');
  });

  it('resuming one that is not suspended, or suspending twice, changes nothing', () => {
    const { sys, word, words } = stage();
    expect(sys.resume('top/a')).toBe('ok');
    sys.suspend('top/a');
    word('one');
    expect(sys.suspend('top/a')).toBe('ok');
    sys.resume('top/a');
    sys.resume('top/a');
    expect(words()).toBe('one');
    sys.suspend('top/a');
    sys.resume('top/a');
    word('two');
    expect(words()).toBe('one two');
  });

  it('a machine in a machine, made a node of the tree, is suspended like any other', () => {
    const lab = createLab();
    const inner = lab.supervision.nested(scribe, () => ({ path: 'top/host/inner', incarnation: 1 }));
    const host = setup({ actors: { inner } }).createMachine({ invoke: { src: 'inner', id: 'inner' } });
    lab.start({ children: [{ id: 'host', logic: host as AnyActorLogic }] });
    const { sys } = lab.supervision;
    sys.suspend('top/host/inner');
    lab.tell('host/inner', 'tick');
    expect(sys.getState('top/host/inner')).toMatchObject({ suspended: true, context: { words: [] } });
    sys.resume('top/host/inner');
    expect(sys.getState('top/host/inner')).toMatchObject({ suspended: false, context: { words: ['tick'] } });
  });

  it('a supervisor refuses: it must hear its children end', () => {
    const { sys, tell, clock, incarnation } = stage();
    expect(() => sys.suspend('top')).toThrow(/top refuses suspend: a supervisor must hear/);
    tell('a', 'crash');
    clock.advance(1);
    expect(incarnation('a')).toBe(2);
  });
});

describe('nobody lives at the path', () => {
  it('every answer is noproc, also while the child is down', async () => {
    const { sys, supervision } = stage();
    await supervision.admin('top', { type: 'terminate_child', id: 'b' });
    for (const path of ['top/ghost', 'top/b']) {
      expect([sys.suspend(path), sys.resume(path), sys.getState(path), sys.statistics(path)]).toEqual(
        Array.from({ length: 4 }, () => 'noproc'),
      );
    }
    expect(sys.trace('top/ghost', true, () => {})).toBe('noproc');
    expect(sys.trace('top/ghost', false)).toBe('noproc');
  });
});

describe('state and statistics', () => {
  it('shows value, context, status and children of a machine, and the children of a supervisor', () => {
    const { sys, word } = stage();
    word('one');
    expect(sys.getState('top/a')).toEqual({
      path: 'top/a',
      kind: 'worker',
      incarnation: 1,
      status: 'active',
      value: 'writing',
      context: { words: ['one'] },
      children: [{ id: 'ticker', status: 'active' }],
      suspended: false,
    });
    expect(sys.getState('top')).toMatchObject({
      kind: 'supervisor',
      value: 'running',
      children: [
        { id: 'a', status: 'active' },
        { id: 'b', status: 'active' },
      ],
    });
  });

  it('is plain JSON of bounded size, whatever the context holds, and it never throws', () => {
    const circle: Record<string, unknown> = { name: 'circle' };
    circle['self'] = circle;
    const context = {
      circle,
      long: 'x'.repeat(100_000),
      named: Object.assign(new Error('e'), { name: 'n'.repeat(100_000) }),
      many: Array.from({ length: 100_000 }, (_, n) => ({ n })),
      wide: Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, n])),
      map: new Map([[1, 2]]),
      bytes: new Uint8Array(1_000_000),
      bad: new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('no');
          },
        },
      ),
      odd: [1n, Number.NaN, undefined, () => {}, Symbol('s'), new Date(Number.NaN), new Error('e')],
    };
    const logic = setup({}).createMachine({ context: () => context, initial: 'x', states: { x: {} } });
    const lab = createLab();
    lab.start({ children: [{ id: 'a', logic: logic as AnyActorLogic }] });
    const state = lab.supervision.sys.getState('top/a');
    const text = JSON.stringify(state);
    expect(text.length).toBeLessThan(50_000);
    expect(JSON.parse(text)).toEqual(state);
    expect(state).toMatchObject({
      context: {
        bad: '[unreadable]',
        map: '[map of 1]',
        bytes: '[1000000 bytes]',
        odd: ['1n', 'NaN', null, '[function]', '[symbol]', '[no date]', 'Error: e'],
      },
    });
  });

  it('counts the events of this incarnation, and knows when the last one was taken', () => {
    const { sys, word, tell, clock } = stage();
    clock.advance(10);
    expect(sys.statistics('top/a')).toMatchObject({ startedAt: 0, events: 0, lastEventAt: undefined });
    word('one');
    clock.advance(10);
    word('two');
    clock.advance(10);
    expect(sys.statistics('top/a')).toMatchObject({
      startedAt: 0,
      events: 2,
      lastEventAt: 20,
      incarnation: 1,
    });
    tell('a', 'crash');
    clock.advance(5);
    expect(sys.statistics('top/a')).toMatchObject({ startedAt: 30, events: 0, incarnation: 2 });
  });
});

describe('trace', () => {
  const steps = (records: TraceRecord[]) =>
    records.map(({ path: _path, at: _at, incarnation, kind, ...rest }) =>
      [incarnation, kind, ...Object.values(rest)].join(' '),
    );

  it('tells every event, state, emitted event, end and start, through a restart, until it is turned off', () => {
    const { sys, word, tell, clock } = stage();
    const records: TraceRecord[] = [];
    expect(sys.trace('top/a', true, (record) => records.push(record))).toBe('ok');
    clock.advance(1);
    word('one');
    tell('a', 'crash');
    clock.advance(1);
    word('two');
    sys.trace('top/a', false);
    word('three');
    expect(steps(records)).toEqual([
      '1 began',
      '1 event word {"word":"one"}',
      '1 state word writing',
      '1 emitted said {"word":"one"}',
      '1 event crash {}',
      '1 ended error',
      '2 began',
      '2 event word {"word":"two"}',
      '2 state word writing',
      '2 emitted said {"word":"two"}',
    ]);
  });

  it('tells what is held and what is refused', () => {
    const { sys, word } = stage();
    const records: TraceRecord[] = [];
    sys.suspend('top/a');
    sys.trace('top/a', true, (record) => records.push(record));
    for (let n = 0; n <= HELD_LIMIT; n += 1) word('w');
    expect(records.filter((r) => r.kind === 'held')).toHaveLength(HELD_LIMIT);
    expect(records.filter((r) => r.kind === 'refused')).toHaveLength(1);
  });

  it('a record is bounded, whatever the event carries', () => {
    const { sys, registry } = stage();
    const records: TraceRecord[] = [];
    sys.trace('top/a', true, (record) => records.push(record));
    const load = Array.from({ length: 1_000 }, () => 'x'.repeat(1_000));
    registry.tell('top/a', { type: 'word', load } as never);
    registry.tell('top/a', { type: 'w'.repeat(10_000) });
    for (const record of records) expect(JSON.stringify(record).length).toBeLessThan(1_200);
    expect(records.length).toBeGreaterThan(3);
  });

  it('a sink that throws is named once and harms nobody: the actor and its supervisor go on', () => {
    const { sys, word, words, tell, clock, incarnation, failedWatchers } = stage();
    let told = 0;
    sys.trace('top/a', true, () => {
      told += 1;
      throw new Error('sink broke');
    });
    word('one');
    expect(words()).toBe('one');
    tell('a', 'crash');
    clock.advance(1);
    expect(incarnation('a')).toBe(2);
    word('two');
    expect(words()).toBe('two');
    expect(told).toBeGreaterThan(6);
    expect(failedWatchers).toEqual(['top/a: sink broke']);
  });

  it('a supervisor is traced too: what it hears of its children', () => {
    const { sys, tell } = stage();
    const records: TraceRecord[] = [];
    sys.trace('top', true, (record) => records.push(record));
    tell('a', 'crash');
    expect(steps(records)[0]).toMatch(/^1 event xstate\.error\.actor\.a#1 .*scribe crashed/);
  });

  it('a path that is forgotten takes its trace with it', async () => {
    const lab = createLab();
    lab.start({ dynamic: true, children: [] });
    const add = () => lab.supervision.startChild('top', lab.child('a', { restart: 'temporary' }));
    add();
    const records: TraceRecord[] = [];
    lab.supervision.sys.trace('top/a', true, (record) => records.push(record));
    await lab.supervision.admin('top', { type: 'terminate_child', id: 'a' });
    lab.clock.advance(1);
    add();
    lab.tell('a', 'push');
    lab.clock.advance(1);
    expect(steps(records)).toContain('1 ended shutdown');
    expect(steps(records).filter((step) => step.includes('push'))).toEqual([]);
  });
});

it('a machine that talks to its parent is no less suspended', () => {
  const lab = createLab();
  const heard: string[] = [];
  const child = setup({}).createMachine({ on: { ping: { actions: sendParent({ type: 'pong' }) } } });
  const inner = lab.supervision.nested(child, () => ({ path: 'top/host/inner', incarnation: 1 }));
  const host = setup({ actors: { inner } }).createMachine({
    invoke: { src: 'inner', id: 'inner' },
    on: { pong: { actions: () => void heard.push('pong') } },
  });
  lab.start({ children: [{ id: 'host', logic: host as AnyActorLogic }] });
  lab.supervision.sys.suspend('top/host');
  lab.tell('host/inner', 'ping');
  expect(heard).toEqual([]);
  lab.supervision.sys.resume('top/host');
  expect(heard).toEqual(['pong']);
});
