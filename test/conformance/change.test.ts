import { describe, expect, it } from 'vitest';
import type { SupervisorSpec } from '../../src/supervisor/index.ts';
import { createStage } from './puppets.ts';

type Stage = ReturnType<typeof createStage>;

const change = (stage: Stage, spec: Partial<SupervisorSpec>) =>
  stage.supervision.admin('top', {
    type: 'change',
    spec: { strategy: 'one_for_one', intensity: 2, periodMs: 5_000, ...spec },
  });

describe('new flags and specs for a running supervisor', () => {
  for (const [from, to, first, second] of [
    ['never', 'any_significant', true, true],
    ['never', 'all_significant', false, true],
    ['any_significant', 'all_significant', false, true],
    ['all_significant', 'any_significant', true, true],
  ] as const)
    it(`65 | ${from} becomes ${to} | two significant children end | the new rule holds: ends ${first ? 'with the first' : 'with the second'}`, async () => {
      const stage = createStage();
      const children = (significant: boolean) =>
        ['a', 'b'].map((id) => stage.child(id, { restart: 'transient', significant }));
      const { outputs } = stage.start({ autoShutdown: from, children: children(from !== 'never') });
      expect(await change(stage, { autoShutdown: to, children: children(true) })).toMatchObject({ ok: true });
      expect(outputs).toEqual([]);
      stage.end('a', 'stop');
      expect(outputs.length === 1).toBe(first);
      stage.end('b', 'stop');
      expect(outputs.length === 1).toBe(second);
    });

  it('65 | a child becomes significant, or no longer is | it ends | judged by what it is now', async () => {
    for (const significant of [true, false]) {
      const stage = createStage();
      const child = (now: boolean) => stage.child('a', { restart: 'transient', significant: now });
      const { outputs } = stage.start({ autoShutdown: 'any_significant', children: [child(!significant)] });
      await change(stage, { autoShutdown: 'any_significant', children: [child(significant)] });
      stage.end('a', 'stop');
      expect(outputs).toHaveLength(significant ? 1 : 0);
    }
  });

  it('65 | significant children under never | changed | refused, the old state kept, nobody ends', async () => {
    const stage = createStage();
    const a = stage.child('a', { restart: 'transient', significant: true });
    const { outputs } = stage.start({ autoShutdown: 'any_significant', children: [a, stage.child('b')] });
    const answer = await change(stage, { autoShutdown: 'never', children: [a] });
    expect(answer).toMatchObject({ ok: false, reason: 'spec_invalid', error: { code: 'SPEC_INVALID' } });
    expect(outputs).toEqual([]);
    stage.end('a', 'stop');
    expect(outputs).toHaveLength(1);
  });

  it('66 | new flags; a changed, b removed, c new | changed | c is not started, b is not stopped, flags and specs hold', async () => {
    const stage = createStage();
    const { outputs } = stage.start({ children: [stage.child('a'), stage.child('b')] });
    const children = [stage.child('c'), stage.child('a', { shutdown: 7, restart: 'transient' })];
    expect(await change(stage, { intensity: 0, children })).toMatchObject({ ok: true });
    expect(stage.lives()).toEqual({ c: undefined, a: 1, b: 1 });
    expect(stage.supervision.whichChildren('top').map(({ id }) => id)).toEqual(['c', 'a', 'b']);
    expect(stage.supervision.getChildSpec('top', 'a')).toMatchObject({ shutdown: 7, restart: 'transient' });
    expect(stage.supervision.getSupervisorSpec('top')).toMatchObject({ intensity: 0 });
    expect(await stage.ask('restart_child', 'c')).toMatchObject({ ok: true });
    stage.end('a', 'stop');
    expect(stage.lives()).toEqual({ c: 1, a: undefined, b: 1 });
    stage.end('b', 'die');
    expect(outputs).toMatchObject([{ error: { code: 'INTENSITY_EXCEEDED' } }]);
    expect(stage.resources()).toBe(0);
  });

  for (const [what, faulty] of [
    ['a bad strategy', { strategy: 'any_for_one' as 'one_for_one' }],
    ['a bad period', { periodMs: 0 }],
    ['a child without logic', { children: [{ id: 'x' } as never] }],
    ['dynamic, which it was not', { dynamic: true }],
  ] as const)
    it(`66 | ${what} | changed | refused and unchanged, all live on`, async () => {
      const stage = createStage();
      stage.start({ children: [stage.child('a')] });
      expect(await change(stage, faulty)).toMatchObject({ reason: 'spec_invalid' });
      expect(stage.lives()).toEqual({ a: 1 });
      expect(stage.supervision.getSupervisorSpec('top')).toMatchObject({
        strategy: 'one_for_one',
        periodMs: 5_000,
      });
    });

  it('66 | a restart is under way | changed | it waits for its end', async () => {
    const stage = createStage();
    const slow = stage.child('b', { stopMs: 100 });
    stage.start({ strategy: 'one_for_all', children: [stage.child('a'), slow] });
    stage.end('a', 'die');
    const answer = change(stage, {
      strategy: 'one_for_all',
      intensity: 7,
      children: [stage.child('a'), slow],
    });
    expect(stage.supervision.getSupervisorSpec('top')).toMatchObject({ intensity: 2 });
    stage.clock.advance(100);
    expect(await answer).toMatchObject({ ok: true });
    expect(stage.supervision.getSupervisorSpec('top')).toMatchObject({ intensity: 7 });
    expect(stage.lives()).toEqual({ a: 2, b: 2 });
  });
});
