import { describe, expect, it } from 'vitest';
import { createStage } from './puppets.ts';

describe('admin', () => {
  it('23 | a static supervisor | terminate, restart, delete, start in every state | the answers of OTP', async () => {
    const stage = createStage();
    stage.start({ children: [stage.child('a')] });
    expect(stage.add(stage.child('a'))).toMatchObject({ reason: 'already_started' });
    expect(await stage.ask('restart_child', 'a')).toMatchObject({ reason: 'running' });
    expect(await stage.ask('delete_child', 'a')).toMatchObject({ reason: 'running' });
    expect(await stage.ask('terminate_child', 'a')).toMatchObject({ ok: true });
    expect(await stage.ask('terminate_child', 'a')).toMatchObject({ ok: true });
    expect(stage.add(stage.child('a'))).toMatchObject({ reason: 'already_present' });
    expect(await stage.ask('restart_child', 'a')).toEqual({ ok: true, incarnation: 2 });
    await stage.ask('terminate_child', 'a');
    expect(await stage.ask('delete_child', 'a')).toMatchObject({ ok: true });
    for (const what of ['terminate_child', 'restart_child', 'delete_child'] as const)
      expect(await stage.ask(what, 'a')).toMatchObject({ reason: 'not_found' });
    expect(stage.add(stage.child('a'))).toEqual({ ok: true, incarnation: 1 });
  });

  for (const reference of ['a#1', 'top/a', 'x:0'])
    it(`24 | a static supervisor | terminate "${reference}" instead of the id | not_found, a untouched`, async () => {
      const stage = createStage();
      stage.start({ children: [stage.child('a')] });
      expect(await stage.ask('terminate_child', reference)).toMatchObject({ reason: 'not_found' });
      expect(stage.lives()).toEqual({ a: 1 });
    });

  it('25 | a dynamic supervisor | terminate twice, a foreign child, restart and delete | ok, then not_found; the foreigner survives', async () => {
    const stage = createStage();
    const pool = stage.supervisor('pool', { dynamic: true });
    stage.start({ children: [pool, stage.child('foreigner')] });
    stage.add(stage.child('a'), 'top/pool');
    stage.add(stage.child('b'), 'top/pool');
    const ask = (type: Parameters<typeof stage.ask>[0], id: string) => stage.ask(type, id, 'top/pool');
    expect(await ask('restart_child', 'a')).toMatchObject({ reason: 'running' });
    expect(await ask('delete_child', 'a')).toMatchObject({ reason: 'running' });
    expect(await ask('terminate_child', 'a')).toMatchObject({ ok: true });
    // OTP answers ok for a dead process. An id that is gone may be anybody's next one.
    for (const type of ['terminate_child', 'restart_child', 'delete_child'] as const)
      expect(await ask(type, 'a')).toMatchObject({ reason: 'not_found' });
    expect(await ask('terminate_child', 'foreigner')).toMatchObject({ reason: 'not_found' });
    expect(stage.lives('top/pool')).toEqual({ b: 1 });
    expect(stage.lives()).toEqual({ pool: 1, foreigner: 1 });
  });

  for (const type of ['worker', 'supervisor'] as const)
    it(`53 | 1,000, then 2,000 dynamic ${type}s | counted and listed, then all killed | exact and by type; then none`, () => {
      const stage = createStage();
      stage.start({ dynamic: true, children: [] });
      const make = (id: string) =>
        type === 'worker'
          ? stage.child(id, { restart: 'temporary' })
          : stage.supervisor(id, {}, { restart: 'temporary' });
      const grow = (from: number, to: number) => {
        for (let i = from; i < to; i += 1) stage.add(make(`c${i}`));
      };
      const count = (specs: number) => ({
        specs,
        active: specs,
        supervisors: type === 'supervisor' ? specs : 0,
        workers: type === 'worker' ? specs : 0,
      });
      grow(0, 1_000);
      expect(stage.count()).toEqual(count(1_000));
      grow(1_000, 2_000);
      expect(stage.count()).toEqual(count(2_000));
      expect(stage.supervision.whichChildren('top').every((row) => row.type === type)).toBe(true);
      for (const { path } of stage.supervision.whichChildren('top'))
        stage.supervision.kill(path, { by: 'test' });
      stage.clock.advance(1);
      expect(stage.count()).toEqual(count(0));
    });

  for (const strategy of ['one_for_one', 'one_for_all', 'rest_for_one'] as const)
    for (const restart of ['permanent', 'transient', 'temporary'] as const)
      for (const how of ['kill', 'stop', 'die', 'terminate'] as const)
        it(`56 | ${strategy}, ${restart} a | ${how}, then the same id started again | answered by what became of it`, async () => {
          const stage = createStage();
          stage.start({ strategy, children: [stage.child('a', { restart })] });
          if (how === 'terminate') await stage.ask('terminate_child', 'a');
          else stage.end('a', how);
          const comesBack = how !== 'terminate' && (restart === 'permanent' || how !== 'stop');
          const answer = comesBack ? { reason: 'already_started' } : { reason: 'already_present' };
          expect(stage.add(stage.child('a', { restart }))).toMatchObject(
            restart === 'temporary' ? { ok: true, incarnation: 1 } : answer,
          );
        });
});
