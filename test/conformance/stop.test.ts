import { describe, expect, it } from 'vitest';
import { createStage, ENDS } from './puppets.ts';

describe('stop', () => {
  it('16 | a worker and a supervisor with infinite shutdown | told to stop | it waits for both, reasons shutdown', () => {
    const stage = createStage();
    const inner = stage.supervisor('s', {
      children: [stage.child('x', { stopMs: 90_000, shutdown: 'infinity' })],
    });
    const { root, outputs } = stage.start({
      children: [stage.child('w', { stopMs: 90_000, shutdown: 'infinity' }), inner],
    });
    stage.shutdown(root);
    stage.clock.advance(179_999);
    expect(outputs).toEqual([]);
    stage.clock.advance(1);
    expect(outputs).toEqual([{ exit: 'shutdown' }]);
    expect(stage.reasons('shutdown_error')).toEqual([]);
  });

  for (const dynamic of [false, true])
    it(`17 | a answers, b hangs (${dynamic ? 'dynamic' : 'static'}) | told to stop | a goes by itself, b is killed at its deadline`, () => {
      const stage = createStage();
      const { root, outputs } = stage.start({
        dynamic,
        children: [stage.child('a'), stage.child('b', { onStop: 'hang', shutdown: 1_000 })],
      });
      stage.shutdown(root);
      stage.clock.advance(999);
      expect(outputs).toEqual([]);
      stage.clock.advance(1);
      expect(outputs).toEqual([{ exit: 'shutdown' }]);
      expect(stage.reasons('shutdown_error')).toEqual(['b timeout']);
      expect(stage.takeLog()).toContain('stop a');
      expect(stage.resources()).toBe(0);
    });

  for (const dynamic of [false, true])
    it(`18 | b with brutal shutdown (${dynamic ? 'dynamic' : 'static'}) | told to stop | b is never asked, a cleans up`, () => {
      const stage = createStage();
      const { root, outputs } = stage.start({
        dynamic,
        children: [stage.child('a'), stage.child('b', { shutdown: 'brutal' })],
      });
      stage.takeLog();
      stage.shutdown(root);
      expect(stage.takeLog()).toEqual(['stop a']);
      expect(outputs).toEqual([{ exit: 'shutdown' }]);
      expect(stage.reasons('shutdown_error')).toEqual([]);
      expect(stage.resources()).toBe(0);
    });

  it('19 | twelve children (3 restart types x 4 ends) | they end by themselves while a slow one is stopped | it completes, their reasons stand, nobody returns', () => {
    const stage = createStage();
    const ends = ['stop', 'leave', 'fail', 'die'] as const;
    const kinds = (['permanent', 'transient', 'temporary'] as const).flatMap((restart) =>
      ends.map((how) => ({ id: `${restart}-${how}`, restart, how })),
    );
    const { root, outputs } = stage.start({
      intensity: 100,
      children: [
        ...kinds.map(({ id, restart }) => stage.child(id, { restart })),
        stage.child('slow', { stopMs: 1_000 }),
      ],
    });
    stage.takeLog();
    stage.shutdown(root);
    for (const { id, how } of kinds) stage.end(id, how);
    stage.clock.advance(1_000);
    expect(outputs).toEqual([{ exit: 'shutdown' }]);
    expect(stage.takeLog()).toEqual(['ask slow', 'stop slow']);
    const reported = [...stage.reasons('child_terminated'), ...stage.reasons('shutdown_error')];
    const own = kinds.map(({ id, how }) => `${id} ${how === 'die' ? 'error' : ENDS[how]}`);
    expect(own).toEqual(expect.arrayContaining(reported));
    expect(reported.filter((line) => line.endsWith(' error')).toSorted()).toEqual(
      own.filter((line) => line.endsWith(' error')).toSorted(),
    );
  });

  for (const onStop of ['normal', 'error', 'throw'] as const)
    it(`20 | dynamic children that answer the order to stop by ${onStop} | told to stop | the supervisor still ends with shutdown`, () => {
      const stage = createStage();
      const { root, outputs } = stage.start({
        dynamic: true,
        children: [stage.child('a', { onStop }), stage.child('b', { onStop })],
      });
      stage.shutdown(root);
      stage.clock.advance(1);
      expect(outputs).toEqual([{ exit: 'shutdown' }]);
      // OTP, too, calls it an error that a permanent child ends normally.
      const reason = onStop === 'throw' ? 'error' : onStop;
      expect(stage.reasons('shutdown_error').toSorted()).toEqual([`a ${reason}`, `b ${reason}`]);
      expect(stage.resources()).toBe(0);
    });

  const unsorted = ['ch7', 'ch3', 'ch10', 'ch2', 'ch5'];

  it('21 | rest_for_one, unsorted ids | the third is killed | the last two stop in reverse, third to last start in order', () => {
    const stage = createStage();
    stage.start({ strategy: 'rest_for_one', children: unsorted.map((id) => stage.child(id)) });
    stage.takeLog();
    stage.end('ch10', 'kill');
    expect(stage.takeLog()).toEqual(['stop ch5', 'stop ch2', 'start ch10', 'start ch2', 'start ch5']);
    expect(stage.lives()).toEqual({ ch7: 1, ch3: 1, ch10: 2, ch2: 2, ch5: 2 });
  });

  it('22 | the same | told to stop | all stop in exact reverse start order', () => {
    const stage = createStage();
    const { root } = stage.start({
      strategy: 'rest_for_one',
      children: unsorted.map((id) => stage.child(id)),
    });
    stage.takeLog();
    stage.shutdown(root);
    expect(stage.takeLog()).toEqual(unsorted.toReversed().map((id) => `stop ${id}`));
  });

  it('42 | dynamic: two need T, one needs 5T, limit 2T | told to stop | in parallel: done at 2T, the late one killed', () => {
    const stage = createStage();
    const slow = (id: string, stopMs: number) => stage.child(id, { stopMs, shutdown: 2_000 });
    const { root, outputs } = stage.start({
      dynamic: true,
      children: [slow('a', 1_000), slow('b', 1_000), slow('c', 5_000)],
    });
    stage.shutdown(root);
    stage.clock.advance(1_000);
    expect(stage.resources()).toBe(1);
    stage.clock.advance(999);
    expect(outputs).toEqual([]);
    stage.clock.advance(1);
    expect(outputs).toEqual([{ exit: 'shutdown' }]);
    expect(stage.reasons('shutdown_error')).toEqual(['c timeout']);
  });
});
