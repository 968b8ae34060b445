import { createMachine, fromCallback } from 'xstate';
import { describe, expect, it } from 'vitest';
import { clockOf, createSupervision, type Timers } from '../../src/supervisor/index.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';

/** Timers of a host that, like all of them, fires what does not fit into 32 bits at once. */
function hostOf(more: Partial<Timers> = {}) {
  const clock = createSimulatedClock(1_000);
  const host: Timers = {
    performance: { timeOrigin: 400, now: () => clock.now() - 400 },
    setTimeout(this: unknown, fn, delayMs) {
      expect(this, 'browsers refuse timers that are called on another object').toBe(host);
      return clock.setTimeout(fn, delayMs > 2 ** 31 - 1 ? 1 : delayMs);
    },
    clearTimeout: (timer: never) => clock.clearTimeout(timer),
    ...more,
  };
  return { clock, host };
}

describe('the clock of any host', () => {
  it('tells the time since the epoch', () => {
    const { clock, host } = hostOf();
    clock.advance(5);
    expect(clockOf(host).now()).toBe(1_005);
  });

  it('waits as long as it is told, longer than the host can', () => {
    const { clock, host } = hostOf();
    const fired: number[] = [];
    const ours = clockOf(host);
    ours.setTimeout(() => fired.push(ours.now()), 2 ** 33);
    ours.setTimeout(() => fired.push(ours.now()), -5);
    clock.advance(2 ** 33 - 1);
    expect(fired).toEqual([1_000]);
    clock.advance(1);
    expect(fired).toEqual([1_000, 1_000 + 2 ** 33]);
  });

  it('takes a timer back, also in the middle of a long wait, and minds none that never was', () => {
    const { clock, host } = hostOf();
    const ours = clockOf(host);
    let fired = 0;
    const long = ours.setTimeout(() => (fired += 1), 2 ** 33);
    clock.advance(2 ** 32);
    ours.clearTimeout(long);
    ours.clearTimeout(undefined);
    clock.advance(2 ** 34);
    expect([fired, clock.pending]).toEqual([0, 0]);
  });

  it('defers to the next turn, by the shorter way where there is one', async () => {
    const order: string[] = [];
    const { clock, host } = hostOf();
    clockOf(host).defer(() => order.push('by a timer'));
    const { host: quick } = hostOf({ setImmediate: (fn) => setImmediate(fn) });
    clockOf(quick).defer(() => order.push('at once'));
    order.push('after this turn');
    await new Promise((resolve) => void setImmediate(resolve));
    clock.advance(0);
    expect(order).toEqual(['after this turn', 'at once', 'by a timer']);
  });

  it('is the clock of this process too', async () => {
    const ours = clockOf(globalThis);
    expect(Math.abs(ours.now() - (performance.timeOrigin + performance.now()))).toBeLessThan(1_000);
    await new Promise<void>((resolve) => void ours.setTimeout(resolve, 1));
    await new Promise<void>((resolve) => ours.defer(resolve));
  });
});

describe('a tree started in one step', () => {
  const open = () => {
    const clock = createSimulatedClock();
    return { clock, ...createSupervision({ clock, random: () => 0.5, report: () => {} }) };
  };
  const rules = { strategy: 'one_for_one', intensity: 0, periodMs: 1_000 } as const;
  const worker = createMachine({
    on: {
      crash: {
        actions: () => {
          throw new Error('boom');
        },
      },
    },
  });

  it('is reached by its paths, is seen by an inspector, and tells its end once', async () => {
    const { clock, start, registry } = open();
    const ends: unknown[] = [];
    const types = new Set<string>();
    let released = 0;
    const held = fromCallback(() => () => (released += 1));
    const top = start(
      'app',
      { ...rules, children: [{ id: 'a', logic: held }] },
      { ended: (error) => ends.push(error), inspect: ({ type }) => types.add(type) },
    );
    expect(registry.tree()).toMatchObject({ path: 'app', children: [{ path: 'app/a', status: 'running' }] });
    top.send({ type: 'supervisor.shutdown', reason: 'done', deadlineMs: 1_000 });
    await clock.advanceAsync(10);
    expect([ends, released]).toEqual([[undefined], 1]);
    expect([...types]).toEqual(
      expect.arrayContaining(['@xstate.actor', '@xstate.event', '@xstate.snapshot']),
    );
  });

  it('that gives up hands over the error, and no error escapes to the process', async () => {
    const { clock, start, registry } = open();
    const ends: unknown[] = [];
    start(
      'app',
      { ...rules, children: [{ id: 'a', logic: worker }] },
      { ended: (error) => ends.push(error) },
    );
    registry.tell('app/a', { type: 'crash' });
    await clock.advanceAsync(2_000);
    expect(ends).toMatchObject([{ message: 'a brought the restarts over 0 in 1000 ms' }]);
  });

  it('refuses a wrong spec by the name of its field', () => {
    expect(() => open().start('app', { ...rules, intensity: -1 })).toThrow(/intensity/);
  });
});
