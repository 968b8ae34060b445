import { createActor, fromCallback, setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import { STASH_LIMIT } from '../../src/supervisor/index.ts';
import { createStage, quickBackoff } from '../conformance/puppets.ts';

/** Longer than the period of 5,000 ms: the deaths that parked the child are forgotten when it is probed. */
const PROBE_MS = 10_000;

type Made = Parameters<ReturnType<typeof createStage>['child']>[1];

/** `a` beside `b` under `top`, and what holding them answers. */
function createHouse(spec: Made = {}, flags = {}) {
  const stage = createStage();
  const top = stage.start({
    probeMs: PROBE_MS,
    ...flags,
    children: [stage.child('a', spec), stage.child('b')],
  });
  const hold = (path: string, order: 'park' | 'unpark') => stage.supervision.hold(path, order);
  return {
    ...stage,
    ...top,
    park: (path = 'top/a') => hold(path, 'park'),
    unpark: (path = 'top/a') => hold(path, 'unpark'),
    refuses: (path: string, order: 'park' | 'unpark', reason: string) =>
      expect(hold(path, order)).rejects.toMatchObject({
        code: 'ACTOR_REFUSES',
        details: { path, operation: order, reason },
      }),
    about: (path: string) =>
      stage.reports.filter((report) => report.childPath === path).map((report) => report.body),
  };
}

describe('park', () => {
  it('stops the one child as told, and answers when it is down with the life that ended; its sibling lives', async () => {
    const house = createHouse({ stopMs: 300 });
    let answer: unknown;
    const parking = house.park().then((said) => (answer = said));
    house.clock.advance(299);
    await Promise.resolve();
    expect(answer).toBeUndefined();
    expect(house.registry.node('top/a')).toMatchObject({ status: 'stopping' });
    house.clock.advance(1);
    expect(await parking).toEqual({ path: 'top/a', incarnation: 1 });
    expect(house.takeLog().slice(-2)).toEqual(['ask a', 'stop a']);
    expect(house.lives()).toEqual({ a: 'parked', b: 1 });
    expect(house.resources()).toBe(1);
    expect(house.about('top/a').at(-1)).toEqual({ type: 'parked', reason: 'operator', probeMs: 0 });
  });

  for (const strategy of ['one_for_all', 'rest_for_one'] as const)
    it(`${strategy}: siblings that wait for its restart with it start without it, and live on when it is back`, async () => {
      const backoff = quickBackoff(500);
      const house = createHouse({ backoff }, { strategy });
      house.end('a', 'die');
      expect(house.lives()).toEqual({ a: 'restarting', b: undefined });
      await house.park();
      await house.clock.advanceAsync(1_000);
      expect(house.lives()).toEqual({ a: 'parked', b: 2 });
      await house.unpark();
      await house.clock.advanceAsync(1);
      expect(house.lives()).toEqual({ a: 2, b: 2 });
    });

  it('one that hangs is stopped by force at its deadline, named, and parked all the same', async () => {
    const house = createHouse({ onStop: 'hang', shutdown: 50 });
    const parking = house.park();
    house.clock.advance(50);
    await parking;
    expect(house.lives()).toEqual({ a: 'parked', b: 1 });
    expect(house.reasons('shutdown_error')).toEqual(['a timeout']);
    expect(house.resources()).toBe(1);
  });

  it('what an operator parks is never probed', async () => {
    const house = createHouse();
    await house.park();
    house.clock.advance(86_400_000);
    expect(house.lives()).toEqual({ a: 'parked', b: 1 });
  });

  it('it costs the supervisor nothing, however often', async () => {
    const house = createHouse({}, { intensity: 0 });
    for (let i = 0; i < 5; i += 1) {
      await house.park();
      await house.unpark();
    }
    expect(house.outputs).toEqual([]);
    expect(house.lives()).toEqual({ a: 6, b: 1 });
  });

  it('a child that waits for its restart is held at once, and its retry does not start it', async () => {
    const backoff = { minMs: 500, maxMs: 500, factor: 1, jitter: 0, resetAfterMs: 1 };
    const house = createHouse({ backoff });
    house.end('a', 'die');
    await house.park();
    house.clock.advance(5_000);
    expect(house.lives()).toEqual({ a: 'parked', b: 1 });
  });

  it('a temporary child that lives is not parked: what its start was given is not kept, so it could not come back', async () => {
    const house = createHouse({ restart: 'temporary' });
    await expect(house.park()).rejects.toMatchObject({
      code: 'ACTOR_REFUSES',
      message: expect.stringContaining('not restartable'),
    });
    expect(house.lives()).toEqual({ a: 1, b: 1 });
  });

  it('a whole supervisor is parked with all below it', async () => {
    const stage = createStage();
    stage.start({ children: [stage.supervisor('s', { children: [stage.child('w')] }), stage.child('b')] });
    await stage.supervision.hold('top/s', 'park');
    expect(stage.lives()).toEqual({ s: 'parked', b: 1 });
    expect(stage.resources()).toBe(1);
    await expect(stage.supervision.hold('top/s/w', 'park')).rejects.toMatchObject({ code: 'ACTOR_REFUSES' });
    await stage.supervision.hold('top/s', 'unpark');
    expect(stage.incarnation('s/w')).toBe(1);
  });

  it('under one_for_all, the death of a sibling does not wake it', async () => {
    const house = createHouse({}, { strategy: 'one_for_all' });
    await house.park();
    house.end('b', 'die');
    expect(house.lives()).toEqual({ a: 'parked', b: 2 });
  });

  it('a stop of the whole does not wait for it', async () => {
    const house = createHouse();
    await house.park();
    house.shutdown(house.root);
    expect(house.outputs).toMatchObject([{ exit: 'shutdown' }]);
    expect(house.resources()).toBe(0);
  });
});

describe('unpark', () => {
  it('answers with the life that begins, starts it, and its watchers hear of it', async () => {
    const house = createHouse();
    const seen: string[] = [];
    house.registry.watch('top/a', {
      up: (life) => seen.push(`up ${life}`),
      down: (life, why) => seen.push(`down ${life} ${why}`),
    });
    house.clock.advance(0);
    await house.park();
    house.clock.advance(0);
    expect(await house.unpark()).toEqual({ path: 'top/a', incarnation: 2 });
    house.clock.advance(0);
    expect(seen).toEqual(['up 1', 'down 1 shutdown', 'up 2']);
    expect(house.about('top/a').slice(-2)).toEqual([
      { type: 'unparked', by: 'operator' },
      { type: 'progress', restarts: 0 },
    ]);
  });

  it('a start that fails then is an ordinary failure with its own restarts', async () => {
    const house = createHouse();
    await house.park();
    house.failStarts.set('a', 1);
    expect(await house.unpark()).toEqual({ path: 'top/a', incarnation: 2 });
    house.clock.advance(1);
    expect(house.lives()).toEqual({ a: 3, b: 1 });
  });

  it('clears the count of a child that was parked for exhausting it', async () => {
    const house = createHouse({}, { intensity: 1, onExhausted: 'park' });
    house.end('a', 'die');
    house.end('a', 'die');
    expect(house.lives()).toEqual({ a: 'parked', b: 1 });
    await house.unpark();
    house.end('a', 'die');
    expect(house.lives()).toEqual({ a: 4, b: 1 });
    // The probe that was armed for the parked one is stale.
    house.clock.advance(2 * PROBE_MS);
    expect(house.lives()).toEqual({ a: 4, b: 1 });
  });
});

describe('the half-open probe', () => {
  const exhausted = () => {
    const house = createHouse({}, { intensity: 1, onExhausted: 'park' });
    house.end('a', 'die');
    house.end('a', 'die');
    return house;
  };
  const waits = (house: ReturnType<typeof exhausted>) =>
    house.about('top/a').flatMap((body) => (body.type === 'parked' ? [body.probeMs] : []));

  it('starts it once after probeMs; one failure parks it again for twice as long', () => {
    const house = exhausted();
    // A millisecond has gone by since it was parked.
    house.clock.advance(PROBE_MS - 2);
    expect(house.lives()).toEqual({ a: 'parked', b: 1 });
    house.clock.advance(1);
    expect(house.lives()).toEqual({ a: 3, b: 1 });
    house.end('a', 'die');
    expect(house.lives()).toEqual({ a: 'parked', b: 1 });
    house.clock.advance(2 * PROBE_MS - 2);
    expect(house.lives()).toEqual({ a: 'parked', b: 1 });
    house.clock.advance(1);
    expect(house.lives()).toEqual({ a: 4, b: 1 });
    expect(waits(house)).toEqual([PROBE_MS, 2 * PROBE_MS]);
  });

  it('a probe that lives longer than the period closes it: the next failures are counted from none', () => {
    const house = exhausted();
    house.clock.advance(PROBE_MS + 5_001);
    house.end('a', 'die');
    expect(house.lives()).toEqual({ a: 4, b: 1 });
    house.end('a', 'die');
    expect(house.lives()).toEqual({ a: 'parked', b: 1 });
    expect(waits(house)).toEqual([PROBE_MS, PROBE_MS]);
  });

  it('an operator who parks the probing life ends the probing', async () => {
    const house = exhausted();
    house.clock.advance(PROBE_MS);
    await house.park();
    house.clock.advance(100_000);
    expect(house.lives()).toEqual({ a: 'parked', b: 1 });
  });

  it('an operator who parks what is parked already takes it over: no probe any more', async () => {
    const house = exhausted();
    expect(await house.park()).toEqual({ path: 'top/a', incarnation: 2 });
    house.clock.advance(100_000);
    expect(house.lives()).toEqual({ a: 'parked', b: 1 });
  });
});

describe('refusals', () => {
  for (const order of ['park', 'unpark'] as const) {
    it(`${order}: nobody at the path is ACTOR_NOT_FOUND, also below one that lives`, async () => {
      const house = createHouse();
      for (const path of ['top/ghost', 'ghost', '', 'top/a/ghost'])
        await expect(house.supervision.hold(path, order)).rejects.toMatchObject({
          code: 'ACTOR_NOT_FOUND',
          details: { path },
        });
      expect(house.lives()).toEqual({ a: 1, b: 1 });
    });

    it(`${order}: the root refuses, and lives`, async () => {
      const house = createHouse();
      await house.refuses('top', order, 'it is the root');
      expect(house.lives()).toEqual({ a: 1, b: 1 });
    });

    it(`${order}: what a machine invoked refuses, as no supervisor holds it`, async () => {
      const stage = createStage();
      const work = stage.supervision.nested(
        fromCallback(() => {}),
        () => ({ path: 'top/m/work', incarnation: 1 }),
      );
      const machine = setup({ actors: { work } }).createMachine({ invoke: { src: 'work' } });
      stage.start({ children: [{ id: 'm', logic: machine }] });
      expect(stage.registry.incarnation('top/m/work')).toBe(1);
      await expect(stage.supervision.hold('top/m/work', order)).rejects.toMatchObject({
        code: 'ACTOR_REFUSES',
        details: { reason: 'no supervisor holds it; it lives and ends with top/m' },
      });
      expect(stage.incarnation('m/work')).toBe(1);
    });

    it(`${order}: under a supervisor that is down, not found`, async () => {
      const stage = createStage();
      const backoff = { minMs: 500, maxMs: 500, factor: 1, jitter: 0, resetAfterMs: 1 };
      stage.start({ children: [stage.supervisor('s', { children: [stage.child('w')] }, { backoff })] });
      stage.supervision.kill('top/s', { by: 'test', count: true });
      stage.clock.advance(1);
      expect(stage.lives()).toEqual({ s: 'restarting' });
      await expect(stage.supervision.hold('top/s/w', order)).rejects.toMatchObject({
        details: { reason: 'not found' },
      });
    });
  }

  it('unpark of a child that is not parked: not parked, and it lives on', async () => {
    const house = createHouse();
    await house.refuses('top/a', 'unpark', 'not parked');
    expect(house.lives()).toEqual({ a: 1, b: 1 });
  });

  it('park of a child that is already on its way down: stopping; the first order stands', async () => {
    const house = createHouse({ stopMs: 100 });
    const first = house.park();
    await house.refuses('top/a', 'park', 'stopping');
    house.clock.advance(100);
    expect(await first).toEqual({ path: 'top/a', incarnation: 1 });
  });

  it('a park that the stop of the whole overtakes: stopping', async () => {
    const house = createHouse({ stopMs: 100 });
    const parking = house.refuses('top/a', 'park', 'stopping');
    house.shutdown(house.root);
    house.clock.advance(200);
    await parking;
    expect(house.outputs).toMatchObject([{ exit: 'shutdown' }]);
  });

  it('orders to a supervisor path without a child of that id, or to a worker, are not_found', async () => {
    const house = createHouse();
    for (const path of ['top/a', 'top/ghost'])
      expect(await house.supervision.admin(path, { type: 'park', id: 'a' })).toEqual({
        ok: false,
        reason: 'not_found',
      });
  });

  it('a root that was never entered: nobody is found', async () => {
    const stage = createStage();
    createActor(stage.puppet('alone')).start();
    await expect(stage.supervision.hold('alone', 'park')).rejects.toMatchObject({ code: 'ACTOR_NOT_FOUND' });
  });
});

describe('telling a parked child', () => {
  const told = { type: 'nothing' };

  it('is noproc and a dead letter, with stash too: nobody says that it will come back', async () => {
    const house = createHouse();
    await house.park();
    expect(house.registry.tell('top/a', told)).toBe('noproc');
    expect(house.registry.tell('top/a', told, { stash: true })).toBe('noproc');
    expect(house.dead).toEqual(['top/a', 'top/a']);
    await house.unpark();
    expect(house.registry.tell('top/a', told)).toBe('sent');
    expect(house.dead).toHaveLength(2);
  });

  it('what it stashed while it waited for a restart becomes dead letters when it is parked instead', async () => {
    const backoff = { minMs: 500, maxMs: 500, factor: 1, jitter: 0, resetAfterMs: 1 };
    const house = createHouse({ backoff });
    house.end('a', 'die');
    for (let i = 0; i < STASH_LIMIT; i += 1)
      expect(house.registry.tell('top/a', told, { stash: true })).toBe('stashed');
    await house.park();
    expect(house.dead).toHaveLength(STASH_LIMIT);
  });
});
