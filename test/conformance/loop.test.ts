import { describe, expect, it } from 'vitest';
import { createStage, quickBackoff } from './puppets.ts';

/** A restart loop below the intensity. Here a start never blocks, so what OTP's suite sleeps through is a backoff. */
function looping(strategy: 'one_for_one' | 'rest_for_one' = 'one_for_one') {
  const stage = createStage();
  const b = stage.child('b', { backoff: quickBackoff(1_000) });
  const started = stage.start({
    strategy,
    intensity: 100,
    children: [stage.child('a'), b, stage.child('c')],
  });
  stage.failStarts.set('b', 1_000);
  stage.end('b', 'die');
  stage.clock.advance(3_000);
  stage.takeLog();
  return { stage, ...started };
}

describe('a restart that fails for ever, below the intensity', () => {
  it('45 | b is in the loop | asked and told things meanwhile | all answered: b restarting, start already_present, others restarting', async () => {
    const { stage } = looping();
    expect(stage.lives()).toEqual({ a: 1, b: 'restarting', c: 1 });
    expect(stage.add(stage.child('b'))).toMatchObject({ reason: 'already_present' });
    expect(await stage.ask('restart_child', 'b')).toMatchObject({ reason: 'restarting' });
    expect(await stage.ask('delete_child', 'b')).toMatchObject({ reason: 'restarting' });
    expect(stage.add(stage.child('d'))).toMatchObject({ ok: true });
    expect(stage.lives()).toEqual({ a: 1, b: 'restarting', c: 1, d: 1 });
  });

  it('46 | the same | terminated, later restarted | the loop ends; it runs once its start is healthy', async () => {
    const { stage } = looping();
    expect(await stage.ask('terminate_child', 'b')).toMatchObject({ ok: true });
    stage.clock.advance(60_000);
    expect(stage.takeLog()).toEqual([]);
    expect(stage.lives()).toEqual({ a: 1, b: undefined, c: 1 });
    expect(await stage.ask('restart_child', 'b')).toMatchObject({ reason: 'start_failed' });
    stage.failStarts.clear();
    expect(await stage.ask('restart_child', 'b')).toMatchObject({ ok: true });
    expect(stage.count()).toMatchObject({ active: 3 });
  });

  for (const how of ['told to stop', 'killed', 'stopped with its parent'] as const)
    it(`47 | the same | the supervisor is ${how} | at once, not after the loop; nothing is left`, () => {
      const stage = createStage();
      const child = stage.child('b', { backoff: quickBackoff(1_000) });
      const inner = stage.supervisor('inner', { intensity: 100, children: [stage.child('a'), child] });
      const { root, outputs } = stage.start({ intensity: 0, children: [inner] });
      stage.failStarts.set('b', 1_000);
      stage.end('inner/b', 'die');
      if (how === 'killed') stage.supervision.kill('top/inner', { by: 'test', count: true });
      else if (how === 'told to stop') void stage.ask('terminate_child', 'inner');
      else stage.shutdown(root);
      stage.clock.advance(0);
      expect(outputs).toHaveLength(how === 'told to stop' ? 0 : 1);
      expect(stage.incarnation('inner')).toBeUndefined();
      stage.takeLog();
      stage.clock.advance(60_000);
      expect(stage.takeLog()).toEqual([]);
      expect(stage.resources()).toBe(0);
    });

  it('48 | rest_for_one: a, b in the loop, c | looked at | a runs, b restarting, c down; 3 specs, 1 active', () => {
    const { stage } = looping('rest_for_one');
    expect(stage.lives()).toEqual({ a: 1, b: 'restarting', c: undefined });
    expect(stage.count()).toEqual({ specs: 3, active: 1, supervisors: 0, workers: 3 });
    stage.failStarts.clear();
    stage.clock.advance(1_000);
    expect(stage.takeLog()).toEqual(['start b', 'start c']);
    expect(stage.count()).toMatchObject({ active: 3 });
  });

  it('54 | three children, two in the loop | counted | 1 active, 3 workers; 3 active after recovery', () => {
    const { stage } = looping();
    stage.failStarts.set('c', 1);
    void stage.tell('c', 'die');
    expect(stage.count()).toEqual({ specs: 3, active: 1, supervisors: 0, workers: 3 });
    stage.failStarts.clear();
    stage.clock.advance(1_000);
    expect(stage.count()).toEqual({ specs: 3, active: 3, supervisors: 0, workers: 3 });
  });
});
