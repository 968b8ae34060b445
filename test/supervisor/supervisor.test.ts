import { describe, expect, it } from 'vitest';
import { createLab } from './lab.ts';

describe('restart types', () => {
  for (const [restart, event, back] of [
    ['permanent', 'finish', true],
    ['permanent', 'crash', true],
    ['transient', 'finish', false],
    ['transient', 'crash', true],
    ['temporary', 'finish', false],
    ['temporary', 'crash', false],
  ] as const) {
    it(`a ${restart} child that ends by ${event} ${back ? 'comes back' : 'stays away'}, its sibling unharmed`, () => {
      const lab = createLab();
      lab.start({ children: [lab.child('a', { restart }), lab.child('b')] });
      lab.tell('a', event);
      lab.clock.advance(1);
      expect(lab.incarnation('a')).toBe(back ? 2 : undefined);
      expect(lab.incarnation('b')).toBe(1);
      expect(lab.resources()).toBe(back ? 2 : 1);
    });
  }
});

describe('strategies', () => {
  it('one_for_one: only the one that died is new', () => {
    const lab = createLab();
    lab.start({ children: [lab.child('a'), lab.child('b'), lab.child('c')] });
    lab.takeLog();
    lab.tell('b', 'crash');
    lab.clock.advance(1);
    expect(lab.takeLog()).toEqual(['start b']);
  });

  it('rest_for_one: those after it stop in reverse, then start in order; those before it live on', () => {
    const lab = createLab();
    const ids = ['ch7', 'ch3', 'ch10', 'ch2', 'ch5'];
    lab.start({ strategy: 'rest_for_one', children: ids.map((id) => lab.child(id)) });
    lab.takeLog();
    lab.tell('ch10', 'crash');
    lab.clock.advance(1);
    expect(lab.takeLog()).toEqual(['stop ch5', 'stop ch2', 'start ch10', 'start ch2', 'start ch5']);
    expect(lab.incarnation('ch7')).toBe(1);
    expect(lab.resources()).toBe(5);
  });

  it('one_for_all: everybody is new', () => {
    const lab = createLab();
    lab.start({ strategy: 'one_for_all', children: [lab.child('a'), lab.child('b'), lab.child('c')] });
    lab.takeLog();
    lab.tell('b', 'crash');
    lab.clock.advance(1);
    expect(lab.takeLog()).toEqual(['stop c', 'stop a', 'start a', 'start b', 'start c']);
  });

  it('one_for_all, other child fails its restart: the already restarted one is stopped again, then both start', () => {
    const lab = createLab();
    lab.start({ strategy: 'one_for_all', children: [lab.child('a'), lab.child('b')] });
    lab.takeLog();
    lab.failStarts.set('b', 1);
    lab.tell('a', 'crash');
    lab.clock.advance(1);
    expect(lab.takeLog()).toEqual(['stop b', 'start a', 'fail b', 'stop a', 'start a', 'start b']);
  });

  it('rest_for_one, other child fails its restart: the already restarted one is left alone', () => {
    const lab = createLab();
    lab.start({ strategy: 'rest_for_one', children: [lab.child('a'), lab.child('b')] });
    lab.takeLog();
    lab.failStarts.set('b', 1);
    lab.tell('a', 'crash');
    lab.clock.advance(1);
    expect(lab.takeLog()).toEqual(['stop b', 'start a', 'fail b', 'start b']);
  });

  it('temporary bystander: gone when a sibling restart takes it down', () => {
    const lab = createLab();
    lab.start({
      strategy: 'one_for_all',
      children: [lab.child('a'), lab.child('b', { restart: 'temporary' })],
    });
    lab.tell('a', 'crash');
    lab.clock.advance(1);
    expect([lab.incarnation('a'), lab.incarnation('b')]).toEqual([2, undefined]);
  });
});

describe('intensity', () => {
  it('the third restart within the period stops everything and the supervisor, with shutdown', () => {
    const lab = createLab();
    const { outputs } = lab.start({ intensity: 2, children: [lab.child('a'), lab.child('b')] });
    for (let i = 0; i < 3; i += 1) {
      lab.tell('a', 'crash');
      lab.clock.advance(1);
    }
    expect(outputs).toMatchObject([{ exit: 'shutdown', error: { code: 'INTENSITY_EXCEEDED' } }]);
    expect(lab.resources()).toBe(0);
  });

  it('the window slides: deaths further apart than the period never exhaust it', () => {
    const lab = createLab();
    lab.start({ intensity: 1, periodMs: 1_000, children: [lab.child('a')] });
    for (let i = 0; i < 4; i += 1) {
      lab.tell('a', 'crash');
      lab.clock.advance(2_100);
    }
    expect(lab.incarnation('a')).toBe(5);
  });

  it('failed starts count', () => {
    const lab = createLab();
    const { outputs } = lab.start({ intensity: 4, children: [lab.child('a'), lab.child('b')] });
    lab.failStarts.set('a', 99);
    lab.tell('a', 'crash');
    lab.clock.advance(10);
    expect(lab.log.filter((line) => line === 'fail a')).toHaveLength(4);
    expect(outputs).toHaveLength(1);
  });

  it("an operator's kill does not count, unless asked to", () => {
    const lab = createLab();
    const { outputs } = lab.start({ intensity: 1, children: [lab.child('a')] });
    for (let i = 0; i < 10; i += 1) {
      lab.supervision.kill('top/a', { by: 'test' });
      lab.clock.advance(1);
    }
    expect(lab.incarnation('a')).toBe(11);
    expect(lab.resources()).toBe(1);
    for (let i = 0; i < 2; i += 1) {
      lab.supervision.kill('top/a', { by: 'test', count: true });
      lab.clock.advance(1);
    }
    expect(outputs).toHaveLength(1);
  });

  it('an exhausted inner supervisor is restarted by its parent, with fresh static children', () => {
    const lab = createLab();
    const inner = lab.supervision.supervisor({
      strategy: 'one_for_one',
      intensity: 0,
      periodMs: 1_000,
      children: [lab.child('x'), lab.child('y')],
    });
    lab.start({ children: [{ id: 'inner', logic: inner }, lab.child('z')] });
    lab.tell('inner/x', 'crash');
    lab.clock.advance(1);
    expect([
      lab.incarnation('inner'),
      lab.incarnation('inner/x'),
      lab.incarnation('inner/y'),
      lab.incarnation('z'),
    ]).toEqual([2, 1, 1, 1]);
    expect(lab.resources()).toBe(3);
  });

  it('a permanently failing child does not keep the loop from turning: restarts go through the clock', () => {
    const lab = createLab();
    lab.start({ intensity: 1_000, children: [lab.child('a')] });
    lab.failStarts.set('a', 500);
    lab.tell('a', 'crash');
    expect(lab.log.filter((line) => line === 'fail a')).toHaveLength(0);
    lab.clock.advance(0);
    expect(lab.incarnation('a')).toBe(502);
  });
});

describe('backoff and park', () => {
  const backoff = { minMs: 100, maxMs: 1_000, factor: 2, jitter: 0.2, resetAfterMs: 5_000 };

  it('delays grow to the cap with jitter and start over after a quiet time', () => {
    const lab = createLab();
    lab.start({ intensity: 100, children: [lab.child('a', { backoff })] });
    const delays = () =>
      lab.reports.flatMap((r) => (r.body.type === 'restart_scheduled' ? [Math.round(r.body.delayMs)] : []));
    for (let i = 0; i < 6; i += 1) {
      lab.tell('a', 'crash');
      lab.clock.advance(1_200);
    }
    expect(delays()).toEqual([110, 220, 440, 880, 1_100, 1_100]);
    lab.clock.advance(6_000);
    lab.tell('a', 'crash');
    expect(delays().at(-1)).toBe(110);
  });

  it('park: the noisy child is held down, its siblings go on, and the half-open probe brings it back', () => {
    const lab = createLab();
    const { outputs } = lab.start({
      intensity: 2,
      onExhausted: 'park',
      probeMs: 60_000,
      children: [lab.child('a'), lab.child('b')],
    });
    for (let i = 0; i < 3; i += 1) {
      lab.tell('a', 'crash');
      lab.clock.advance(1);
    }
    const node = lab.registry.node('top/a');
    expect(node).toMatchObject({ status: 'parked', state: 'parked' });
    lab.tell('b', 'crash');
    lab.clock.advance(1);
    expect(lab.incarnation('b')).toBe(2);
    lab.clock.advance(60_000);
    expect(lab.incarnation('a')).toBe(4);
    lab.tell('a', 'crash'); // half-open: once is enough
    lab.clock.advance(1);
    expect(lab.registry.node('top/a')).toMatchObject({ status: 'parked' });
    expect(outputs).toEqual([]);
  });

  it('a child that cannot start at boot is parked in the end, and the supervisor stands', () => {
    const lab = createLab();
    lab.failStarts.set('bad', 1_000);
    lab.start({ intensity: 3, onExhausted: 'park', children: [lab.child('bad'), lab.child('good')] });
    lab.clock.advance(10);
    expect(lab.registry.node('top/bad')).toMatchObject({ status: 'parked' });
    expect(lab.incarnation('good')).toBe(1);
  });

  it('an operator parks and unparks', async () => {
    const lab = createLab();
    lab.start({ onExhausted: 'park', children: [lab.child('a')] });
    expect(await lab.supervision.admin('top', { type: 'park', id: 'a' })).toMatchObject({ ok: true });
    expect(lab.registry.node('top/a')).toMatchObject({ status: 'parked' });
    expect(lab.resources()).toBe(0);
    expect(await lab.supervision.admin('top', { type: 'unpark', id: 'a' })).toMatchObject({ ok: true });
    expect(lab.incarnation('a')).toBe(2);
  });
});

describe('start', () => {
  it('a child that fails stops what was started before it, and the error names it', () => {
    const lab = createLab();
    lab.failStarts.set('b', 1);
    const { errors } = lab.start({ children: [lab.child('a'), lab.child('b'), lab.child('c')] });
    expect(errors).toMatchObject([{ code: 'START_FAILED', details: { path: 'top/b' } }]);
    expect(lab.log).toEqual(['start a', 'fail b']);
    expect(lab.resources()).toBe(0);
  });

  it('a faulty spec is refused before anything starts, naming the field', () => {
    const lab = createLab();
    expect(() => lab.start({ intensity: -1, children: [] })).toThrow(/intensity is -1/);
    expect(() => lab.start({ children: [lab.child('a'), lab.child('a')] })).toThrow(/id is a/);
    expect(() => lab.start({ children: [lab.child('a', { significant: true })] })).toThrow(/a\.significant/);
    expect(() => lab.start({ strategy: 'rest_for_one', onExhausted: 'park', children: [] })).toThrow(
      /one_for_one/,
    );
  });
});

describe('stop', () => {
  it('in exact reverse start order, and the supervisor ends with shutdown', () => {
    const lab = createLab();
    const { root, outputs } = lab.start({ children: ['z', 'y', '10', '9', 'a'].map((id) => lab.child(id)) });
    lab.takeLog();
    root.send({ type: 'supervisor.shutdown', reason: 'test', deadlineMs: 1_000 });
    expect(lab.takeLog()).toEqual(['stop a', 'stop 9', 'stop 10', 'stop y', 'stop z']);
    expect(outputs).toMatchObject([{ exit: 'shutdown' }]);
    expect(lab.resources()).toBe(0);
  });

  it('a child that hangs is killed at its deadline and named; the others stop as told', () => {
    const lab = createLab();
    const { root, outputs } = lab.start({
      children: [lab.child('a'), lab.child('hangs', { hang: true, shutdown: 1_000 })],
    });
    root.send({ type: 'supervisor.shutdown', reason: 'test', deadlineMs: 1_000 });
    lab.clock.advance(999);
    expect(outputs).toEqual([]);
    lab.clock.advance(1);
    expect(outputs).toHaveLength(1);
    expect(lab.reports.filter((r) => r.body.type === 'shutdown_error').map((r) => r.childPath)).toEqual([
      'top/hangs',
    ]);
    expect(lab.resources()).toBe(0);
  });

  it('during a backoff: at once, not after it', () => {
    const lab = createLab();
    const backoff = { minMs: 10_000, maxMs: 10_000, factor: 1, jitter: 0, resetAfterMs: 1 };
    const { root, outputs } = lab.start({ children: [lab.child('a', { backoff }), lab.child('b')] });
    lab.tell('a', 'crash');
    root.send({ type: 'supervisor.shutdown', reason: 'test', deadlineMs: 1_000 });
    expect(outputs).toHaveLength(1);
    lab.clock.advance(20_000);
    expect(lab.log.filter((line) => line === 'start a')).toHaveLength(1);
  });

  it('children that end by themselves meanwhile are not restarted, and it completes', () => {
    const lab = createLab();
    const { root, outputs } = lab.start({
      children: [lab.child('a'), lab.child('b'), lab.child('slow', { hang: true, shutdown: 100 })],
    });
    root.send({ type: 'supervisor.shutdown', reason: 'test', deadlineMs: 1_000 });
    lab.tell('a', 'crash');
    lab.tell('b', 'finish');
    lab.clock.advance(100);
    expect(outputs).toHaveLength(1);
    expect(lab.log.filter((line) => line.startsWith('start a'))).toHaveLength(1);
  });
});

describe('resources', () => {
  it('ten crashes leave one live resource, and the scope of each dead life was closed before the next began', () => {
    const lab = createLab();
    const order: string[] = [];
    const spec = lab.child('a', {
      input: ({ path, incarnation, scope }) => {
        order.push(`open ${incarnation}`);
        scope.add(() => void order.push(`close ${incarnation}`));
        return { path, incarnation };
      },
    });
    lab.start({ intensity: 100, children: [spec] });
    for (let i = 0; i < 10; i += 1) {
      lab.tell('a', 'crash');
      lab.clock.advance(1);
    }
    expect(lab.resources()).toBe(1);
    expect(order.slice(0, 4)).toEqual(['open 1', 'close 1', 'open 2', 'close 2']);
  });

  it('a slow disposer delays the next life until it is done, at most for the shutdown deadline', async () => {
    const lab = createLab();
    let release: () => void = () => {};
    const spec = lab.child('a', {
      shutdown: 1_000,
      input: ({ path, incarnation, scope }) => {
        scope.add(() => new Promise<void>((resolve) => (release = resolve)));
        return { path, incarnation };
      },
    });
    lab.start({ intensity: 100, children: [spec] });
    lab.tell('a', 'crash');
    await lab.clock.settle();
    expect(lab.incarnation('a')).toBeUndefined();
    release();
    await lab.clock.settle();
    expect(lab.incarnation('a')).toBe(2);
    lab.tell('a', 'crash');
    await lab.clock.advanceAsync(1_000);
    expect(lab.incarnation('a')).toBe(3);
  });
});

describe('admin', () => {
  it('terminate, restart, delete and start answer as in OTP, in every state', async () => {
    const lab = createLab();
    lab.start({ children: [lab.child('a')] });
    const ask = (type: 'terminate_child' | 'restart_child' | 'delete_child', id = 'a') =>
      lab.supervision.admin('top', { type, id });
    const add = () => lab.supervision.startChild('top', lab.child('a'));
    expect(await ask('restart_child')).toMatchObject({ reason: 'running' });
    expect(await ask('delete_child')).toMatchObject({ reason: 'running' });
    expect(add()).toMatchObject({ reason: 'already_started' });
    expect(await ask('terminate_child')).toMatchObject({ ok: true });
    expect(await ask('terminate_child')).toMatchObject({ ok: true });
    expect(add()).toMatchObject({ reason: 'already_present' });
    expect(await ask('restart_child')).toMatchObject({ ok: true });
    expect(await ask('terminate_child')).toMatchObject({ ok: true });
    expect(await ask('delete_child')).toMatchObject({ ok: true });
    expect(await ask('delete_child')).toMatchObject({ reason: 'not_found' });
    expect(add()).toMatchObject({ ok: true, incarnation: 1 });
  });

  it('dynamic children: finished ones are forgotten, the number is bounded, ids may be anything', () => {
    const lab = createLab();
    lab.start({ dynamic: true, maxChildren: 2, children: [] });
    const add = (id: string) => lab.supervision.startChild('top', lab.child(id, { restart: 'transient' }));
    expect(add('agent:main:a/b')).toMatchObject({ ok: true });
    expect(add('two')).toMatchObject({ ok: true });
    expect(add('three')).toMatchObject({ reason: 'max_children' });
    expect(lab.tell('agent:main:a%2Fb', 'finish')).toBe('sent');
    expect(add('three')).toMatchObject({ ok: true });
    expect(lab.registry.tree().children.map((c) => c.id)).toEqual(['two', 'three']);
  });

  it('a start that fails is answered with its error and forgotten; the supervisor lives', () => {
    const lab = createLab();
    lab.failStarts.set('x', 1);
    lab.start({ children: [] });
    expect(lab.supervision.startChild('top', lab.child('x'))).toMatchObject({
      reason: 'start_failed',
      error: { message: 'x cannot start' },
    });
    expect(lab.supervision.startChild('top', lab.child('x'))).toMatchObject({ ok: true });
  });

  it('kill refuses the root and unknown paths, and kills a supervisor with all below it', () => {
    const lab = createLab();
    const inner = lab.supervision.supervisor({
      strategy: 'one_for_one',
      intensity: 1,
      periodMs: 1_000,
      children: [lab.child('x')],
    });
    lab.start({ children: [{ id: 'inner', logic: inner }] });
    expect(() => lab.supervision.kill('top', { by: 'test' })).toThrow(/root/);
    expect(() => lab.supervision.kill('top/nobody', { by: 'test' })).toThrow(/no actor/);
    expect(lab.supervision.kill('top/inner', { by: 'test' })).toEqual({ path: 'top/inner', incarnation: 1 });
    lab.clock.advance(1);
    expect(lab.incarnation('inner')).toBe(2);
    expect(lab.resources()).toBe(1);
  });
});

describe('watch', () => {
  it('tells of every start and end, and of nobody at once', () => {
    const lab = createLab();
    const seen: string[] = [];
    lab.registry.watch('top/a', {
      up: (n) => seen.push(`up ${n}`),
      down: (n, why) => seen.push(`down ${n} ${why}`),
    });
    lab.clock.advance(0);
    lab.start({ children: [lab.child('a')] });
    lab.clock.advance(0);
    lab.tell('a', 'crash');
    lab.clock.advance(1);
    expect(seen).toEqual(['down 0 noproc', 'up 1', 'down 1 error', 'up 2']);
  });

  it('telling nobody is an answer and a dead letter', () => {
    const lab = createLab();
    lab.start({ children: [] });
    expect(lab.tell('ghost', 'hello')).toBe('noproc');
    expect(lab.dead).toEqual(['top/ghost']);
  });
});
