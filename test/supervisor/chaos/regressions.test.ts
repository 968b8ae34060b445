/** What random trees, and reading with them in mind, have brought to light; each must stay found. */
import { fromCallback, setup } from 'xstate';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChildSpec, Reply, SupervisorSpec } from '../../../src/supervisor/index.ts';
import { createStage, quickBackoff } from '../../conformance/puppets.ts';

beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

/** A set of which `slow` takes 50 ms to stop: what is asked for meanwhile waits. */
function busy(strategy: 'one_for_all' | 'rest_for_one', ids: readonly string[], slow: string) {
  const stage = createStage();
  const { root, outputs } = stage.start({
    strategy,
    intensity: 10,
    children: ids.map((id) => stage.child(id, id === slow ? { stopMs: 50 } : {})),
  });
  return { ...stage, root, outputs };
}

const settled = async <T>(promise: Promise<T>): Promise<T | 'no answer'> =>
  Promise.race([promise, new Promise<'no answer'>((resolve) => setImmediate(() => resolve('no answer')))]);

describe('orders and ends that come in the middle of an operation', () => {
  it('two siblings that die while a later one is slow to stop are both restarted', async () => {
    const stage = busy('rest_for_one', ['a', 'b', 'c', 'd', 'e'], 'e');
    stage.tell('c', 'slow');
    stage.end('d', 'die');
    stage.tell('a', 'die');
    stage.tell('b', 'die');
    await stage.clock.advanceAsync(500);
    expect(stage.lives()).toEqual({ a: 2, b: 2, c: 2, d: 2, e: 2 });
  });

  it('also where the one between them is slow, so that the set waits in front of the one that is dead', async () => {
    const stage = createStage();
    stage.start({
      strategy: 'rest_for_one',
      intensity: 10,
      children: ['a', 'b', 'c', 'd', 'e'].map((id) =>
        stage.child(id, /[ce]/u.test(id) ? { stopMs: 50 } : {}),
      ),
    });
    stage.end('d', 'die');
    stage.tell('a', 'die');
    stage.tell('b', 'die');
    await stage.clock.advanceAsync(1_000);
    expect(Object.values(stage.lives()).every((life) => typeof life === 'number')).toBe(true);
    expect(stage.resources()).toBe(5);
  });

  it('a supervisor that is told to end ends, although a death that it had not come to is in its queue', async () => {
    const stage = busy('rest_for_one', ['a', 'b', 'c'], 'c');
    stage.end('b', 'die');
    stage.tell('a', 'die');
    stage.shutdown(stage.root);
    await stage.clock.advanceAsync(1_000);
    expect(stage.outputs).toHaveLength(1);
    expect(stage.resources()).toBe(0);
  });

  it('a restart and a terminate that waited together leave no child that nobody knows', async () => {
    const stage = busy('rest_for_one', ['a', 'b', 'c'], 'c');
    await stage.ask('terminate_child', 'a');
    stage.end('b', 'die');
    const answers = [stage.ask('restart_child', 'a'), stage.ask('terminate_child', 'a')];
    await stage.clock.advanceAsync(200);
    expect(await Promise.all(answers.map(settled))).toMatchObject([{ ok: true }, { ok: true }]);
    expect(stage.lives()).toMatchObject({ a: undefined, b: 2, c: 2 });
    expect(stage.incarnation('a')).toBeUndefined();
    expect(stage.resources()).toBe(2);
  });

  it.each(['terminate_child', 'park'] as const)(
    '%s is answered, although a sibling dies before it is done',
    async (type) => {
      const stage = busy('one_for_all', ['a', 'b'], 'a');
      const order = stage.supervision.admin('top', { type, id: 'a' });
      stage.end('b', 'die');
      await stage.clock.advanceAsync(200);
      expect(await settled(order)).toEqual({ ok: true, incarnation: 1 });
      expect(stage.lives()['b']).toBe(2);
      expect(stage.lives()['a']).toBe(type === 'park' ? 'parked' : 2);
    },
  );

  it('a child that is deleted and added again while its supervisor is busy runs what was added', async () => {
    const stage = busy('rest_for_one', ['a', 'b', 'c'], 'c');
    await stage.ask('terminate_child', 'a');
    stage.end('b', 'die');
    const answers = [
      stage.ask('delete_child', 'a'),
      stage.supervision.admin('top', { type: 'start_child', spec: stage.child('a') }),
    ];
    await stage.clock.advanceAsync(200);
    expect(await Promise.all(answers.map(settled))).toMatchObject([{ ok: true }, { ok: true }]);
    // Behind the others, it is restarted with them.
    expect(stage.lives()).toEqual({ b: 2, c: 2, a: 2 });
  });

  it('of two that want the same id while their supervisor is busy, the one that was told ok runs', async () => {
    const stage = busy('rest_for_one', ['b', 'c'], 'c');
    stage.end('b', 'die');
    const ran: string[] = [];
    const spec = (name: string): ChildSpec => ({ ...stage.child('x'), input: () => void ran.push(name) });
    const answers = ['first', 'second'].map((name) =>
      stage.supervision.admin('top', { type: 'start_child', spec: spec(name) }),
    );
    await stage.clock.advanceAsync(200);
    expect(await Promise.all(answers)).toMatchObject([
      { ok: true },
      { ok: false, reason: 'already_started' },
    ]);
    // Once when it is added, and once with those before it.
    expect(ran).toEqual(['first', 'first']);
  });
});

describe('a start that waited behind the end of another', () => {
  it('is known before anything else is asked of it: no life of it is left alone', async () => {
    const stage = createStage();
    stage.start({
      strategy: 'rest_for_one',
      intensity: 10,
      children: [
        stage.child('a', { shutdown: 'brutal' }),
        stage.child('b'),
        stage.child('c', { stopMs: 50 }),
      ],
    });
    stage.end('b', 'die');
    const orders = [
      stage.ask('terminate_child', 'a'),
      stage.supervision.admin('top', { type: 'start_child', spec: stage.child('x') }),
      stage.ask('terminate_child', 'x'),
    ];
    await stage.clock.advanceAsync(200);
    expect(await Promise.all(orders)).toMatchObject([{ ok: true }, { ok: true }, { ok: true }]);
    // The restart of b brings it back, as it stands behind b.
    expect(stage.lives()).toEqual({ a: undefined, b: 2, c: 2, x: 2 });
    expect(stage.resources()).toBe(3);
  });
});

describe('orders to the dead and the dying', () => {
  it('an order that waits in the mailbox of a supervisor that ends is answered', async () => {
    const stage = createStage();
    const answers: (Promise<Reply> | undefined)[] = [];
    const asking: ChildSpec['input'] = ({ scope }) =>
      void scope.add(() => void answers.push(stage.ask('restart_child', 'a')));
    const lab = stage.start({ children: [stage.child('a', { input: asking })] });
    stage.shutdown(lab.root);
    await stage.clock.advanceAsync(10);
    expect(answers).toHaveLength(1);
    expect(await settled(answers[0]!)).toMatchObject({ ok: false });
  });

  it('an order to a root that has ended is answered', async () => {
    const stage = createStage();
    const { root } = stage.start({ children: [stage.child('a')] });
    const heard: string[] = [];
    stage.registry.watch('top', { down: (incarnation, reason) => heard.push(`${incarnation} ${reason}`) });
    stage.shutdown(root);
    await stage.clock.advanceAsync(10);
    expect(await settled(stage.ask('restart_child', 'a'))).toMatchObject({ ok: false, reason: 'not_found' });
    expect(stage.registry.incarnation('top')).toBeUndefined();
    expect(heard).toEqual(['1 shutdown']);
  });

  it('a kill is for the life it was asked for, and not for one with its number that came in between', async () => {
    const stage = createStage();
    stage.start({ dynamic: true, children: [stage.child('a')] });
    stage.supervision.kill('top/a', { by: 'test' });
    await stage.ask('terminate_child', 'a');
    expect(stage.add(stage.child('a'))).toEqual({ ok: true, incarnation: 1 });
    await stage.clock.advanceAsync(10);
    expect(stage.lives()).toEqual({ a: 1 });
    expect(stage.reasons('child_terminated')).toEqual([]);
  });

  it('a restart that waited for a child that was deleted does not cut the backoff of one with its id short', async () => {
    const stage = createStage();
    stage.start({ dynamic: true, intensity: 10, children: [stage.child('a')] });
    stage.tell('a', 'die');
    const orders = [
      stage.ask('terminate_child', 'a'),
      stage.supervision.admin('top', {
        type: 'start_child',
        spec: stage.child('a', { backoff: quickBackoff(500) }),
      }),
    ];
    stage.tell('a', 'die');
    await Promise.all(orders);
    await stage.clock.advanceAsync(100);
    expect(stage.lives()).toEqual({ a: 'restarting' });
  });
});

describe('what can be seen', () => {
  it('who watches is told of the life that was there then, not of the one that is there by now', async () => {
    const stage = createStage();
    stage.start({ children: [stage.child('a', { shutdown: 'brutal' })] });
    const heard: string[] = [];
    stage.registry.watch('top/a', {
      up: (incarnation) => heard.push(`up ${incarnation}`),
      down: (incarnation) => heard.push(`down ${incarnation}`),
    });
    const orders = [stage.ask('terminate_child', 'a'), stage.ask('restart_child', 'a')];
    await stage.clock.advanceAsync(1);
    await Promise.all(orders);
    expect(heard).toEqual(['up 1', 'down 1', 'up 2']);
  });

  it('the children of a supervisor that was killed are not shown as running, and nothing is stashed for them', async () => {
    const stage = createStage();
    const inner: Partial<SupervisorSpec> = {
      children: [stage.child('a'), stage.child('b', { backoff: quickBackoff(5_000) })],
    };
    stage.start({
      children: [stage.supervisor('s', inner, { backoff: quickBackoff(1_000) })],
    });
    stage.end('s/b', 'die');
    expect(stage.registry.tell('top/s/b', { type: 'x' }, { stash: true })).toBe('stashed');
    stage.supervision.kill('top/s', { by: 'test', count: true });
    stage.clock.advance(1);
    expect(stage.registry.node('top/s/a')?.status).toBe('stopping');
    expect(stage.registry.node('top/s')?.children).toEqual([]);
    expect(stage.registry.tell('top/s/b', { type: 'x' }, { stash: true })).toBe('noproc');
    expect(stage.dead).toEqual(['top/s/b', 'top/s/b']);
  });

  it('a trace of a path that is forgotten while nobody lives there is over', async () => {
    const stage = createStage();
    stage.start({ children: [stage.child('a')] });
    await stage.ask('terminate_child', 'a');
    const records: string[] = [];
    stage.supervision.sys.trace('top/a', true, ({ kind }) => records.push(kind));
    await stage.ask('delete_child', 'a');
    await stage.clock.advanceAsync(1);
    stage.add(stage.child('a'));
    await stage.clock.advanceAsync(1);
    expect(records).toEqual([]);
  });

  it('one that ends with what it takes when it is resumed is resumed', () => {
    const stage = createStage();
    stage.start({ children: [stage.child('a', { restart: 'transient' })] });
    stage.supervision.sys.suspend('top/a');
    stage.tell('a', 'stop');
    expect(stage.supervision.sys.resume('top/a')).toBe('ok');
    expect(stage.incarnation('a')).toBeUndefined();
  });

  it('one that is stopping is not suspended: it would be waited for without end', () => {
    const stage = createStage();
    stage.start({ children: [stage.child('a', { stopMs: 50, shutdown: 'infinity' })] });
    void stage.ask('terminate_child', 'a');
    expect(() => stage.supervision.sys.suspend('top/a')).toThrow(/stopping/u);
    stage.clock.advance(60);
    expect(stage.incarnation('a')).toBeUndefined();
  });
});

describe('a scope that closes slowly is closed before the next life begins', () => {
  /** Opens on its second life only when the first has closed; says what it met. */
  function slow(stage: ReturnType<typeof createStage>) {
    const open = new Set<number>();
    const met: string[] = [];
    let lives = 0;
    const input: ChildSpec['input'] = ({ scope }) => {
      if (open.size > 0) met.push(`life ${lives + 1} met ${[...open].join()}`);
      const me = (lives += 1);
      open.add(me);
      scope.add(
        () => new Promise<void>((resolve) => stage.clock.setTimeout(() => resolve(void open.delete(me)), 50)),
      );
    };
    return { input, met, open, lives: () => lives };
  }

  it('where the supervisor of its supervisor stops that by force', async () => {
    const stage = createStage();
    const one = slow(stage);
    const inner = { children: [stage.child('a', { input: one.input! })] };
    stage.start({ children: [stage.supervisor('s', inner)] });
    stage.end('s', 'kill');
    await stage.clock.advanceAsync(200);
    expect(one.met).toEqual([]);
    expect(one.lives()).toBe(2);
    expect(stage.lives('top/s')).toEqual({ a: 1 });
  });

  it('where the life was a start that failed', async () => {
    const stage = createStage();
    const one = slow(stage);
    stage.failStarts.set('a', 2);
    stage.start({ onExhausted: 'park', children: [stage.child('a', { input: one.input! })] });
    await stage.clock.advanceAsync(500);
    expect(one.met).toEqual([]);
    expect(stage.lives()).toEqual({ a: 3 });
  });

  it('where an operator starts it again after a start that failed', async () => {
    const stage = createStage();
    const one = slow(stage);
    stage.start({ children: [stage.child('a', { input: one.input! })] });
    await Promise.all([stage.ask('terminate_child', 'a'), stage.clock.advanceAsync(100)]);
    stage.failStarts.set('a', 1);
    const orders = [stage.ask('restart_child', 'a'), stage.ask('restart_child', 'a')];
    await stage.clock.advanceAsync(200);
    expect(await Promise.all(orders)).toMatchObject([{ ok: false, reason: 'start_failed' }, { ok: true }]);
    expect(one.met).toEqual([]);
  });

  it('where two orders to start one id waited together, and the first start fails', async () => {
    const stage = busy('rest_for_one', ['b', 'c'], 'c');
    const one = slow(stage);
    stage.failStarts.set('x', 1);
    stage.end('b', 'die');
    const spec = stage.child('x', { input: one.input! });
    const orders = [1, 2].map(() => stage.supervision.admin('top', { type: 'start_child', spec }));
    await stage.clock.advanceAsync(500);
    expect(await Promise.all(orders)).toMatchObject([{ ok: false, reason: 'start_failed' }, { ok: true }]);
    expect(one.met).toEqual([]);
  });

  it('where a restart of its whole set was due while another start of it failed', async () => {
    const stage = createStage();
    const one = slow(stage);
    const backoff = quickBackoff(20);
    stage.start({
      strategy: 'one_for_all',
      intensity: 10,
      children: [stage.child('a', { backoff }), stage.child('b', { input: one.input! })],
    });
    stage.end('a', 'die');
    await stage.clock.advanceAsync(60);
    stage.failStarts.set('b', 1);
    // Its second life fails, and holds what it opened until after the restart of the set.
    const order = stage.ask('restart_child', 'b');
    await stage.clock.advanceAsync(500);
    expect(await order).toMatchObject({ ok: false, reason: 'start_failed' });
    expect(one.met).toEqual([]);
    expect(stage.lives()).toEqual({ a: 2, b: 3 });
  });

  it('where the next starts fail as well: each is told once, and none is taken for a stale one', async () => {
    const stage = createStage();
    const one = slow(stage);
    stage.start({ dynamic: true, children: [] });
    stage.failStarts.set('x', 3);
    const orders = [stage.child('x', { input: one.input! }), stage.child('x'), stage.child('x')].map((spec) =>
      stage.supervision.admin('top', { type: 'start_child', spec }),
    );
    await stage.clock.advanceAsync(200);
    expect((await Promise.all(orders)).map((reply) => !reply.ok && reply.reason)).toEqual(
      Array(3).fill('start_failed'),
    );
    expect(stage.reportTypes()).toEqual(Array(3).fill('start_error'));
  });

  it('where its supervisor is stopped by force from inside its own turn', async () => {
    let told = (): void => {};
    const stage = createStage({ report: () => told() });
    const one = slow(stage);
    const inner = { children: [stage.child('a', { input: one.input! })] };
    stage.start({ children: [stage.supervisor('s', inner, { shutdown: 'brutal' })] });
    const orders: Promise<Reply>[] = [];
    told = () => {
      told = () => {};
      // It has just started `b`, and is not done with that.
      orders.push(stage.ask('terminate_child', 's'), stage.ask('restart_child', 's'));
    };
    stage.add(stage.child('b'), 'top/s');
    await stage.clock.advanceAsync(200);
    orders.push(stage.ask('restart_child', 's'));
    await stage.clock.advanceAsync(200);
    expect(await Promise.all(orders)).toMatchObject([
      { ok: true },
      { ok: false, reason: 'stopping' },
      { ok: true, incarnation: 2 },
    ]);
    expect(one.met).toEqual([]);
    expect(stage.resources()).toBe(1);
  });

  it.each([false, true])(
    'where it is stopped by force from inside its own action, which then fails: %s',
    async (fails) => {
      const stage = createStage();
      const orders: Promise<Reply>[] = [];
      const seen: string[] = [];
      const logic = setup({
        actions: {
          born: () => void seen.push('born'),
          suicide: () => {
            orders.push(stage.ask('terminate_child', 'a'), stage.ask('restart_child', 'a'));
            seen.push('still here');
            if (fails) throw new Error('and now it breaks');
          },
        },
      }).createMachine({ entry: 'born', on: { go: { actions: 'suicide' } } });
      stage.start({ children: [{ id: 'a', logic, shutdown: 'brutal' }] });
      stage.tell('a', 'go');
      await stage.clock.advanceAsync(10);
      expect(await Promise.all(orders)).toMatchObject([{ ok: true }, { ok: false, reason: 'stopping' }]);
      expect(seen).toEqual(['born', 'still here']);
      expect(stage.incarnation('a')).toBeUndefined();
      // Its end was decided; what it threw after that is told.
      expect(stage.reportTypes()).toEqual(['progress', ...(fails ? ['disposer_failed'] : [])]);
    },
  );
});

describe('stopping by force', () => {
  it('a supervisor that is stopped by force stops its children in reverse order of their specs, restarted or not', () => {
    const stage = createStage();
    const inner = { children: [stage.child('a'), stage.child('b')] };
    const over: string[] = [];
    const noted = (id: string): ChildSpec => ({
      ...stage.child(id),
      input: ({ scope }) => void scope.add(() => void over.push(id)),
    });
    stage.start({
      children: [
        stage.supervisor('s', { ...inner, children: [noted('a'), noted('b')] }, { shutdown: 'brutal' }),
      ],
    });
    stage.end('s/a', 'die');
    over.length = 0;
    void stage.ask('terminate_child', 's');
    expect(over).toEqual(['b', 'a']);
  });

  it('a cleanup that fails is run once, and told once', async () => {
    const stage = createStage();
    let cleanups = 0;
    const logic = fromCallback(() => () => {
      cleanups += 1;
      throw new Error('it does not close');
    });
    stage.start({ children: [{ id: 'a', logic }] });
    await stage.ask('terminate_child', 'a');
    expect(cleanups).toBe(1);
    expect(stage.reportTypes().filter((type) => type === 'disposer_failed')).toHaveLength(1);
  });
});

describe('a child that ends in the very turn in which it is to be stopped', () => {
  it.each(['brutal', 5_000] as const)('ends for its own reason, and once, with %s', async (shutdown) => {
    const stage = createStage();
    const finishing: ChildSpec['input'] = ({ scope }) => void scope.add(() => void stage.tell('a', 'stop'));
    const { root, outputs } = stage.start({
      children: [
        stage.child('slow', { stopMs: 50 }),
        stage.child('a', { restart: 'temporary', shutdown }),
        stage.child('b', { input: finishing, shutdown: 'brutal' }),
      ],
    });
    stage.shutdown(root);
    await stage.clock.advanceAsync(50);
    expect(outputs).toEqual([{ exit: 'shutdown' }]);
    expect(stage.reports.map(({ body, childPath }) => `${body.type} ${childPath}`)).toEqual([
      'progress top/slow',
      'progress top/a',
      'progress top/b',
      'shutdown top',
    ]);
  });
});
