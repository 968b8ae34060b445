import { fromCallback, setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import { STASH_LIMIT } from '../../src/supervisor/index.ts';
import { createStage, quickBackoff } from './puppets.ts';

describe('reports', () => {
  it('69 | a start error, a shutdown error, a crash with a giant error, progress | reported | who, about whom, what, why, and of bounded size', async () => {
    const stage = createStage();
    const huge = 'x'.repeat(1_000_000);
    const logic = setup({
      actions: {
        burst: () => {
          const cause = new Error(huge);
          cause.cause = cause;
          throw new Error(huge, { cause });
        },
      },
    }).createMachine({ on: { burst: { actions: 'burst' } } });
    stage.start({ children: [stage.child('a'), { id: 'big', logic }] });
    stage.failStarts.set('b', 1);
    stage.add(stage.child('b'));
    stage.add(stage.child('c', { onStop: 'hang', shutdown: 10 }));
    void stage.ask('terminate_child', 'c');
    stage.tell('big', 'burst');
    stage.clock.advance(10);
    const find = (type: string) => stage.reports.find((report) => report.body.type === type);
    expect(find('progress')).toMatchObject({ path: 'top', childPath: 'top/a', childIncarnation: 1 });
    expect(find('start_error')).toMatchObject({
      childPath: 'top/b',
      body: { error: { message: 'b cannot start' } },
    });
    expect(find('shutdown_error')).toMatchObject({ childPath: 'top/c', body: { reason: 'timeout' } });
    expect(find('child_terminated')).toMatchObject({
      childPath: 'top/big',
      body: { reason: 'error', restart: 'permanent' },
    });
    // What OTP's report repeats of the spec is asked for where it is needed.
    expect(stage.supervision.getChildSpec('top', 'c')).toMatchObject({ shutdown: 10, type: 'worker' });
    for (const report of stage.reports) expect(JSON.stringify(report).length).toBeLessThan(40_000);
  });

  it('X8 | a child starts, crashes, cannot start, and its supervisor gives up | reported | in that order', () => {
    const stage = createStage();
    stage.start({ intensity: 1, children: [stage.child('a')] });
    stage.failStarts.set('a', 9);
    stage.end('a', 'die');
    expect(stage.reportTypes()).toEqual([
      'progress',
      'child_terminated',
      'restart_scheduled',
      'start_error',
      'shutdown',
    ]);
  });
});

describe('restarts beyond OTP', () => {
  it('X1 | backoff 100 to 1,000, jitter 0.2 | six deaths, a quiet time, a seventh | the delays grow to the cap and begin anew', () => {
    const stage = createStage();
    const backoff = { minMs: 100, maxMs: 1_000, factor: 2, jitter: 0.2, resetAfterMs: 5_000 };
    stage.start({ intensity: 100, children: [stage.child('a', { backoff })] });
    for (let i = 0; i < 6; i += 1) {
      stage.end('a', 'die');
      stage.clock.advance(1_200);
    }
    stage.clock.advance(6_000);
    stage.end('a', 'die');
    const delays = stage.reports.flatMap(({ body }) =>
      body.type === 'restart_scheduled' ? [Math.round(body.delayMs)] : [],
    );
    expect(delays).toEqual([110, 220, 440, 880, 1_100, 1_100, 110]);
  });

  it('X1 | a backoff of nothing, doubled | a thousand deaths and more | each restart waits for a finite time, the child lives', () => {
    const stage = createStage();
    const backoff = { minMs: 0, maxMs: 1_000, factor: 2, jitter: 0.2, resetAfterMs: 1e9 };
    stage.start({ intensity: 2_000, children: [stage.child('a', { backoff })] });
    for (let i = 0; i < 1_100; i += 1) stage.end('a', 'die');
    const waits = stage.reports.flatMap(({ body }) =>
      body.type === 'restart_scheduled' ? [body.delayMs] : [],
    );
    expect(waits).toEqual(Array(1_100).fill(0));
    expect(stage.incarnation('a')).toBe(1_101);
  });

  it('X9 | a child that cannot start 500 times | it dies | others get their turn between all of its starts', () => {
    const stage = createStage();
    stage.start({ intensity: 1_000, children: [stage.child('a')] });
    stage.failStarts.set('a', 500);
    let turns = 0;
    const tick = (): void => {
      turns += 1;
      if (stage.incarnation('a') === undefined) stage.clock.defer(tick);
    };
    stage.tell('a', 'die');
    stage.clock.defer(tick);
    stage.clock.advance(0);
    expect(stage.lives()).toEqual({ a: 502 });
    expect(turns).toBeGreaterThan(500);
  });

  it('X12 | no restart allowed | an operator terminates and restarts a ten times | not counted: the supervisor lives', async () => {
    const stage = createStage();
    const { outputs } = stage.start({ intensity: 0, children: [stage.child('a'), stage.child('b')] });
    for (let i = 0; i < 10; i += 1) {
      await stage.ask('terminate_child', 'a');
      expect(await stage.ask('restart_child', 'a')).toMatchObject({ ok: true });
    }
    expect(outputs).toEqual([]);
    expect(stage.lives()).toEqual({ a: 11, b: 1 });
  });

  it('X10 | ids that look like numbers | started and stopped | start order is kept', () => {
    const stage = createStage();
    const ids = ['z', '10', '9', 'a', '1'];
    const { root } = stage.start({ children: ids.map((id) => stage.child(id)) });
    stage.shutdown(root);
    const told = [...ids.map((id) => `start ${id}`), ...ids.toReversed().map((id) => `stop ${id}`)];
    expect(stage.takeLog()).toEqual(told);
  });

  it('X11 | at most two children | a third is added, then one ends | refused; room again, the others live on', () => {
    const stage = createStage();
    stage.start({ dynamic: true, maxChildren: 2, children: [] });
    const add = (id: string) => stage.add(stage.child(id, { restart: 'transient' }));
    expect([add('a'), add('b')]).toMatchObject([{ ok: true }, { ok: true }]);
    expect(add('c')).toMatchObject({ reason: 'max_children' });
    stage.end('a', 'stop');
    expect(add('c')).toMatchObject({ ok: true });
    expect(stage.lives()).toEqual({ b: 1, c: 1 });
  });
});

describe('events for a child that is down', () => {
  const down = () => {
    const stage = createStage();
    stage.start({
      intensity: 100,
      children: [stage.child('a', { backoff: quickBackoff(1_000) }), stage.child('b')],
    });
    stage.end('a', 'die');
    const tell = (path: string, type = 'stop') => stage.registry.tell(path, { type }, { stash: true });
    return { stage, tell };
  };

  it('X2 | a waits for its restart | told with stash | it is told once it has started; without stash it is a dead letter', () => {
    const { stage, tell } = down();
    expect(tell('top/a')).toBe('stashed');
    expect(stage.tell('a', 'stop')).toBe('noproc');
    expect(stage.dead).toEqual(['top/a']);
    stage.clock.advance(1_000);
    stage.clock.advance(1_000);
    expect(stage.lives()).toEqual({ a: 3, b: 1 });
    expect(stage.reasons('child_terminated')).toEqual(['a error', 'a normal']);
  });

  it('X2 | a full stash, an unknown path, a living child | told with stash | overflow and unknown are dead letters; the living is sent', () => {
    const { stage, tell } = down();
    for (let i = 0; i < STASH_LIMIT; i += 1) expect(tell('top/a', 'nothing')).toBe('stashed');
    expect(tell('top/a')).toBe('noproc');
    expect(tell('top/ghost')).toBe('noproc');
    expect(tell('top/b', 'nothing')).toBe('sent');
    expect(stage.dead).toEqual(['top/a', 'top/ghost']);
  });

  for (const order of ['terminate_child', 'park'] as const)
    it(`X2 | events wait for a | ${order} | they become dead letters: a is not coming back`, async () => {
      const { stage, tell } = down();
      tell('top/a');
      await stage.supervision.admin('top', { type: order, id: 'a' });
      expect(stage.dead).toEqual(['top/a']);
    });

  it('X2 | events wait for a whose next start fails | it starts in the end | they wait on and reach it', () => {
    const { stage, tell } = down();
    tell('top/a');
    stage.failStarts.set('a', 2);
    stage.clock.advance(2_000);
    expect(stage.dead).toEqual([]);
    stage.clock.advance(2_000);
    expect(stage.reasons('child_terminated')).toEqual(['a error', 'a normal']);
  });

  it('X6 | a path | watched before, during and after a life | every start and end; of nobody at once', () => {
    const stage = createStage();
    const seen: string[] = [];
    const watcher = (name: string) => ({
      up: (life: number) => void seen.push(`${name} up ${life}`),
      down: (life: number, why: string) => void seen.push(`${name} down ${life} ${why}`),
    });
    stage.start({ children: [] });
    stage.registry.watch('top/a', watcher('early'));
    stage.clock.advance(0);
    stage.add(stage.child('a', { restart: 'transient' }));
    stage.end('a', 'die');
    stage.end('a', 'stop');
    stage.registry.watch('top/a', watcher('late'));
    stage.clock.advance(0);
    expect(seen).toEqual([
      'early down 0 noproc',
      'early up 1',
      'early down 1 error',
      'early up 2',
      'early down 2 normal',
      'late down 2 noproc',
    ]);
  });

  it('X7 | a is told by its path | it dies and returns | the path leads to the new life, the old ref to nobody', () => {
    const { stage } = down();
    stage.clock.advance(1_000);
    expect(stage.incarnation('a')).toBe(2);
    expect(stage.tell('a', 'stop')).toBe('sent');
    stage.clock.advance(1_000);
    expect(stage.lives()).toEqual({ a: 3, b: 1 });
  });
});

describe('what a dead life leaves', () => {
  /** Keeps what it is told and notes what it was given. */
  function keeper(periodMs = 5_000) {
    const stage = createStage();
    const given: unknown[] = [];
    let keep: (facts: unknown) => void = () => {};
    const spec = stage.child('a', {
      input: (start) => {
        given.push(start.facts);
        keep = start.keep;
        return {};
      },
    });
    stage.start({ intensity: 100, periodMs, children: [spec, stage.child('b')] });
    return { stage, given, keep: (facts: unknown) => keep(facts) };
  }

  it('X3 | a leaves facts | it dies | the next life gets them, once', () => {
    const { stage, given, keep } = keeper();
    keep({ step: 3 });
    stage.end('a', 'die');
    stage.clock.advance(10_000);
    stage.end('a', 'die');
    expect(given).toEqual([undefined, { step: 3 }, undefined]);
    expect(stage.lives()).toEqual({ a: 3, b: 1 });
  });

  for (const young of [true, false])
    it(`X3 | a was given facts and leaves new ones | it dies ${young ? 'young' : 'later'} | the next life starts ${young ? 'clean' : 'with them'}`, () => {
      const { stage, given, keep } = keeper();
      keep(1);
      stage.end('a', 'die');
      keep(2);
      if (!young) stage.clock.advance(5_000);
      stage.end('a', 'die');
      expect(given).toEqual([undefined, 1, young ? undefined : 2]);
    });

  it('X3 | a leaves facts | it ends normally, or an operator restarts it | the next life starts clean', async () => {
    const { stage, given, keep } = keeper();
    keep(1);
    stage.end('a', 'stop');
    keep(2);
    await stage.ask('terminate_child', 'a');
    keep(3);
    await stage.ask('restart_child', 'a');
    expect(given).toEqual([undefined, undefined, undefined]);
  });

  it('X4 | a owns a callback, a named child and a nested machine | it crashes 20 times | one set lives, no orphan', () => {
    const stage = createStage();
    let open = 0;
    const socket = fromCallback(() => {
      open += 1;
      return () => {
        open -= 1;
      };
    });
    const nested = setup({ actors: { socket } }).createMachine({ invoke: { src: 'socket' } });
    const logic = setup({
      actors: { socket, nested },
      actions: {
        die: () => {
          throw new Error('a died');
        },
      },
    }).createMachine({
      invoke: [{ src: 'socket' }, { src: 'socket', id: 'named' }, { src: 'nested' }],
      on: { die: { actions: 'die' } },
    });
    stage.start({ intensity: 100, children: [{ id: 'a', logic }] });
    for (let i = 0; i < 20; i += 1) stage.end('a', 'die');
    expect(stage.lives()).toEqual({ a: 21 });
    expect(open).toBe(3);
  });

  it('X5 | a throws while it is stopped for good | its late error comes when a new one lives under its name | the new one is not charged', async () => {
    const stage = createStage();
    const sore = fromCallback(() => () => {
      throw new Error('too late');
    });
    const { outputs } = stage.start({ intensity: 0, children: [stage.child('b')] });
    const add = (logic = stage.puppet('a') as typeof sore) =>
      stage.add({ id: 'a', logic, restart: 'temporary' });
    add(sore);
    let gone: Promise<unknown> | undefined;
    // From within a turn of the supervisor, so that the late error waits behind the start of the new one.
    const input = () => {
      gone = stage.ask('terminate_child', 'a');
      void add();
      return {};
    };
    stage.add(stage.child('asks', { input }));
    await gone;
    stage.clock.advance(10);
    expect(outputs).toEqual([]);
    expect(stage.lives()).toEqual({ a: 1, asks: 1, b: 1 });
    expect(stage.reportTypes()).toContain('disposer_failed');
    expect(stage.reportTypes()).not.toContain('stale_exit');
  });

  it('X5 | a life is over | it asks to be told late, under its old number | stale_exit is reported, nobody is restarted', () => {
    const stage = createStage();
    const { root } = stage.start({ intensity: 0, children: [stage.child('a')] });
    const late = { type: 'xstate.error.actor.a#0', actorId: 'a#0', error: new Error('late') };
    root.send(late as never);
    expect(stage.reportTypes()).toEqual(['progress', 'stale_exit']);
    expect(stage.lives()).toEqual({ a: 1 });
  });
});
