/** Orders that nobody expects, and children that are not what they are called. */
import { fromCallback } from 'xstate';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AdminCommand } from '../../src/supervisor/index.ts';
import { createStage } from '../conformance/puppets.ts';

// XState's development build also says on the console that the dead hear nothing.
beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

const endless = { onStop: 'hang', shutdown: 'infinity' } as const;

describe('a child that never answers its stop, and may take for ever', () => {
  it('is killed by an operator while its supervisor shuts down: that ends, and nothing is left', async () => {
    const stage = createStage();
    const { root, outputs } = stage.start({ children: [stage.child('a', endless), stage.child('b')] });
    stage.shutdown(root);
    await stage.clock.advanceAsync(1e9);
    expect(outputs).toEqual([]);
    stage.supervision.kill('top/a', { by: 'test' });
    await stage.clock.advanceAsync(1);
    expect(outputs).toEqual([{ exit: 'shutdown' }]);
    expect(stage.resources()).toBe(0);
  });

  it('is killed while a sibling waits for it to be restarted with it: both come back', async () => {
    const stage = createStage();
    stage.start({ strategy: 'one_for_all', children: [stage.child('a', endless), stage.child('b')] });
    stage.end('b', 'die');
    await stage.clock.advanceAsync(1e9);
    expect(stage.lives()).toEqual({ a: 1, b: 'restarting' });
    stage.supervision.kill('top/a', { by: 'test' });
    await stage.clock.advanceAsync(1);
    expect(stage.lives()).toEqual({ a: 2, b: 2 });
    expect(stage.resources()).toBe(2);
  });

  it('is killed before its turn to stop has come: its slow sibling is waited for all the same', async () => {
    const stage = createStage();
    const { root, outputs } = stage.start({
      children: [stage.child('a', endless), stage.child('b', { stopMs: 50 })],
    });
    stage.shutdown(root);
    stage.supervision.kill('top/a', { by: 'test' });
    await stage.clock.advanceAsync(10);
    expect([stage.incarnation('a'), stage.incarnation('b')]).toEqual([undefined, 1]);
    await stage.clock.advanceAsync(50);
    expect(outputs).toEqual([{ exit: 'shutdown' }]);
    expect(stage.takeLog()).toEqual(['start a', 'start b', 'ask b', 'stop b']);
  });

  it('is not killed by an order that is for a life before: the order finds nobody', async () => {
    const stage = createStage();
    stage.start({ strategy: 'one_for_all', children: [stage.child('a'), stage.child('b', { stopMs: 50 })] });
    stage.supervision.kill('top/b', { by: 'test' });
    stage.end('a', 'die');
    await stage.clock.advanceAsync(200);
    expect(stage.lives()).toEqual({ a: 2, b: 2 });
  });
});

describe('an order that is none', () => {
  const none: readonly unknown[] = [undefined, null, 'kill', {}, { type: 'explode', id: 'a' }, { id: 'a' }];
  it.each(none.map((order) => [JSON.stringify(order) ?? 'undefined', order]))(
    '%s is answered with what is wrong; the supervisor and its child live',
    async (_text, order) => {
      const stage = createStage();
      const { errors } = stage.start({ children: [stage.child('a')] });
      expect(await stage.supervision.admin('top', order as AdminCommand)).toMatchObject({
        ok: false,
        reason: 'spec_invalid',
        error: { code: 'SPEC_INVALID', message: expect.stringContaining('type is') as string },
      });
      expect(errors).toEqual([]);
      expect(stage.incarnation('a')).toBe(1);
    },
  );

  it('what is told and is no event fails who tells it: the supervisor and its child live', () => {
    const stage = createStage();
    const { errors } = stage.start({ children: [stage.child('a')] });
    for (const path of ['top', 'top/a'])
      for (const event of [undefined, null, 'die', 7, {}, { type: 7 }])
        expect(() => stage.registry.tell(path, event as never)).toThrow(
          expect.objectContaining({
            code: 'EVENT_INVALID',
            details: expect.objectContaining({ path }) as object,
          }),
        );
    stage.clock.advance(1);
    expect(errors).toEqual([]);
    expect(stage.incarnation('a')).toBe(1);
  });
});

describe('a child that is not what its spec calls it', () => {
  it('a supervisor that is called a worker stops its children in order, and is not stopped by force', async () => {
    const stage = createStage();
    const inner = { children: [stage.child('a'), stage.child('b', { stopMs: 50 })] };
    stage.start({ children: [stage.supervisor('s', inner, { type: 'worker' })] });
    const order = stage.ask('terminate_child', 's');
    await stage.clock.advanceAsync(100);
    expect(await order).toMatchObject({ ok: true });
    expect(stage.takeLog()).toEqual(['start a', 'start b', 'ask b', 'stop b', 'stop a']);
  });

  it('a callback that is called a supervisor stops, though it never heard of orders to stop', async () => {
    const stage = createStage();
    stage.start({ children: [{ id: 'a', logic: fromCallback(() => {}), type: 'supervisor' }] });
    expect(await stage.ask('terminate_child', 'a')).toMatchObject({ ok: true });
    expect(stage.incarnation('a')).toBeUndefined();
  });

  it('a machine that is called a supervisor has no children to be asked for: the answer is that nobody is there', async () => {
    const stage = createStage();
    stage.start({ children: [stage.child('a', { type: 'supervisor' })] });
    expect(await stage.ask('terminate_child', 'x', 'top/a')).toEqual({ ok: false, reason: 'not_found' });
    expect(stage.incarnation('a')).toBe(1);
  });
});
