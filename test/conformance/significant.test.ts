import { describe, expect, it } from 'vitest';
import { createStage } from './puppets.ts';

const MODES = ['never', 'any_significant', 'all_significant'] as const;

describe('significant children', () => {
  for (const autoShutdown of MODES)
    for (const restart of ['temporary', 'transient'] as const)
      for (const how of ['terminate', 'kill', 'die', 'stop'] as const)
        it(`59 | ${autoShutdown}, a ${restart} and not significant | ${how} | the supervisor and b live on`, async () => {
          const stage = createStage();
          const { outputs } = stage.start({
            autoShutdown,
            children: [stage.child('a', { restart }), stage.child('b')],
          });
          if (how === 'terminate') await stage.ask('terminate_child', 'a');
          else stage.end('a', how);
          expect(outputs).toEqual([]);
          expect(stage.lives()).toMatchObject({ b: 1 });
        });

  const one = (restart: 'temporary' | 'transient') => {
    const stage = createStage();
    const a = stage.child('a', { restart, significant: true });
    return { stage, ...stage.start({ autoShutdown: 'any_significant', children: [a, stage.child('b')] }) };
  };

  for (const [number, restart, how, ends] of [
    [60, 'temporary', 'kill', true],
    [60, 'temporary', 'die', true],
    [60, 'temporary', 'stop', true],
    [61, 'transient', 'die', false],
    [61, 'transient', 'kill', false],
    [61, 'transient', 'stop', true],
  ] as const)
    it(`${number} | any_significant, a ${restart} | ${how} | ${ends ? 'all stop and the supervisor ends' : 'a is restarted, b lives on'}`, () => {
      const { stage, outputs } = one(restart);
      stage.end('a', how);
      if (!ends) return expect(stage.lives()).toEqual({ a: 2, b: 1 });
      expect(outputs).toEqual([{ exit: 'shutdown' }]);
      expect(stage.resources()).toBe(0);
    });

  for (const [number, restart] of [
    [60, 'temporary'],
    [61, 'transient'],
  ] as const)
    it(`${number} | any_significant, a ${restart} | terminated by an operator | no effect, b lives on`, async () => {
      const { stage, outputs } = one(restart);
      await stage.ask('terminate_child', 'a');
      expect(outputs).toEqual([]);
      expect(stage.lives()).toMatchObject({ b: 1 });
    });

  for (const [restart, dynamic] of [
    ['temporary', false],
    ['transient', false],
    ['temporary', true],
    ['transient', true],
  ] as const)
    it(`62 | all_significant, two ${restart} ${dynamic ? 'dynamic ' : ''}ones | the first ends, then the second | it lives; then all stop, also who is not significant`, () => {
      const stage = createStage();
      const { outputs } = stage.start({ autoShutdown: 'all_significant', dynamic, children: [] });
      for (const id of ['a', 'b']) stage.add(stage.child(id, { restart, significant: true }));
      stage.add(stage.child('c', { restart }));
      stage.end('a', 'stop');
      expect(outputs).toEqual([]);
      expect(stage.lives()).toMatchObject({ b: 1, c: 1 });
      stage.end('b', 'stop');
      expect(outputs).toEqual([{ exit: 'shutdown' }]);
      expect(stage.resources()).toBe(0);
    });

  for (const strategy of ['one_for_one', 'one_for_all', 'rest_for_one'] as const)
    for (const autoShutdown of ['any_significant', 'all_significant'] as const)
      for (const restart of ['temporary', 'transient'] as const)
        it(`63 | ${strategy}, ${autoShutdown}, ${restart} significant sibling | permanent a dies and takes it along | the supervisor lives`, () => {
          const stage = createStage();
          const { outputs } = stage.start({
            strategy,
            autoShutdown,
            children: [stage.child('a'), stage.child('b', { restart, significant: true })],
          });
          stage.end('a', 'die');
          expect(outputs).toEqual([]);
          const b = strategy === 'one_for_one' ? { b: 1 } : restart === 'temporary' ? {} : { b: 2 };
          expect(stage.lives()).toStrictEqual({ a: 2, ...b });
        });

  for (const significant of [true, false])
    it(`64 | A over B (${significant ? 'significant' : 'not'}) over C | C stops | B ends, A ${significant ? 'too' : 'lives on'}`, () => {
      const stage = createStage();
      const c = stage.child('c', { restart: 'transient', significant: true });
      const b = stage.supervisor(
        'b',
        { autoShutdown: 'any_significant', children: [c] },
        {
          restart: 'transient',
          significant,
        },
      );
      const { outputs } = stage.start({ autoShutdown: 'any_significant', children: [b, stage.child('x')] });
      stage.end('b/c', 'stop');
      expect(stage.incarnation('b')).toBeUndefined();
      expect(outputs).toEqual(significant ? [{ exit: 'shutdown' }] : []);
      expect(stage.resources()).toBe(significant ? 0 : 1);
    });
});
