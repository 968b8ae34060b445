import { describe, expect, it } from 'vitest';
import { createStage, type ENDS } from './puppets.ts';

type End = keyof typeof ENDS | 'die';

describe('restart types', () => {
  for (const [number, restart, how, then] of [
    [27, 'permanent', 'stop', 'back'],
    [27, 'permanent', 'leave', 'back'],
    [27, 'permanent', 'explain', 'back'],
    [27, 'permanent', 'die', 'back'],
    [28, 'transient', 'stop', 'kept'],
    [28, 'transient', 'leave', 'kept'],
    [28, 'transient', 'explain', 'kept'],
    [29, 'transient', 'die', 'back'],
    [30, 'temporary', 'stop', 'gone'],
    [30, 'temporary', 'leave', 'gone'],
    [30, 'temporary', 'die', 'gone'],
  ] as const satisfies readonly (readonly [number, string, End, string])[])
    it(`${number} | ${restart} a | ${how} | a is ${then}, b lives on`, () => {
      const stage = createStage();
      stage.start({ children: [stage.child('a', { restart }), stage.child('b')] });
      stage.end('a', how);
      const a = { back: { a: 2 }, kept: { a: undefined }, gone: {} }[then];
      expect(stage.lives()).toStrictEqual({ ...a, b: 1 });
      expect(stage.count()).toMatchObject({
        specs: then === 'gone' ? 1 : 2,
        active: then === 'back' ? 2 : 1,
      });
      if (then === 'gone') expect(stage.add(stage.child('a', { restart }))).toMatchObject({ ok: true });
    });

  for (const strategy of ['one_for_all', 'rest_for_one'] as const)
    it(`31 | ${strategy}: permanent a, temporary b | a dies | a is back, b is not, the supervisor lives`, () => {
      const stage = createStage();
      stage.start({ strategy, children: [stage.child('a'), stage.child('b', { restart: 'temporary' })] });
      stage.end('a', 'die');
      expect(stage.lives()).toStrictEqual({ a: 2 });
    });
});

describe('strategies', () => {
  it('32 | one_for_one, 2 restarts allowed | a dies | only a is new, b untouched', () => {
    const stage = createStage();
    stage.start({ children: [stage.child('a'), stage.child('b')] });
    stage.takeLog();
    stage.end('a', 'die');
    expect(stage.takeLog()).toEqual(['start a']);
    expect(stage.lives()).toEqual({ a: 2, b: 1 });
  });

  it('33 | the same | two more deaths within the period | the supervisor stops everything and itself', () => {
    const stage = createStage();
    const { outputs } = stage.start({ children: [stage.child('a'), stage.child('b')] });
    for (const id of ['a', 'b', 'a']) stage.end(id, 'die');
    expect(outputs).toMatchObject([{ exit: 'shutdown', error: { code: 'INTENSITY_EXCEEDED' } }]);
    expect(stage.resources()).toBe(0);
  });

  it('34 | one_for_one, a starts but once, 4 restarts allowed | a dies | the failing starts use them up; b is stopped', () => {
    const stage = createStage();
    const { outputs } = stage.start({ intensity: 4, children: [stage.child('a'), stage.child('b')] });
    stage.failStarts.set('a', 99);
    stage.takeLog();
    stage.end('a', 'die');
    expect(stage.takeLog()).toEqual([...Array<string>(4).fill('fail a'), 'stop b']);
    expect(outputs).toMatchObject([{ exit: 'shutdown' }]);
  });

  it('35 | one_for_all | a dies | both are new, none of the old is alive', () => {
    const stage = createStage();
    stage.start({ strategy: 'one_for_all', children: [stage.child('a'), stage.child('b')] });
    stage.end('a', 'die');
    expect(stage.lives()).toEqual({ a: 2, b: 2 });
    expect(stage.resources()).toBe(2);
  });

  for (const [number, strategy] of [
    [36, 'one_for_all'],
    [39, 'rest_for_one'],
  ] as const)
    it(`${number} | ${strategy}, b starts but once | a dies | b is gone, the intensity is used up, nobody survives`, () => {
      const stage = createStage();
      const { outputs } = stage.start({
        strategy,
        intensity: 4,
        children: [stage.child('a'), stage.child('b')],
      });
      stage.failStarts.set('b', 99);
      stage.end('a', 'die');
      expect(stage.takeLog().filter((line) => line === 'fail b')).toHaveLength(4);
      expect(outputs).toMatchObject([{ exit: 'shutdown' }]);
      expect(stage.resources()).toBe(0);
    });

  for (const [number, strategy, then, a] of [
    [37, 'one_for_all', 'the restarted a is stopped again, then both start', 3],
    [40, 'rest_for_one', 'the restarted a is left alone, only b is tried again', 2],
  ] as const)
    it(`${number} | ${strategy}, b's restart fails once | a dies | ${then}`, () => {
      const stage = createStage();
      stage.start({ strategy, children: [stage.child('a'), stage.child('b')] });
      stage.failStarts.set('b', 1);
      stage.takeLog();
      stage.end('a', 'die');
      const again = a === 3 ? ['stop a', 'start a'] : [];
      expect(stage.takeLog()).toEqual(['stop b', 'start a', 'fail b', ...again, 'start b']);
      expect(stage.lives()).toEqual({ a, b: 3 });
    });

  it('38 | rest_for_one, 1 restart allowed | b dies | a is the same, b and c are new, one restart is counted', () => {
    const stage = createStage();
    const { outputs } = stage.start({
      strategy: 'rest_for_one',
      intensity: 1,
      children: ['a', 'b', 'c'].map((id) => stage.child(id)),
    });
    stage.end('b', 'die');
    expect(stage.lives()).toEqual({ a: 1, b: 2, c: 2 });
    stage.clock.advance(5_001);
    stage.end('b', 'die');
    expect(outputs).toEqual([]);
  });

  it('41 | dynamic, two children, 2 restarts allowed | three deaths | like 32 and 33, exit shutdown', () => {
    const stage = createStage();
    const { outputs } = stage.start({ dynamic: true, children: [] });
    for (const id of ['a', 'b']) stage.add(stage.child(id));
    stage.end('a', 'die');
    expect(stage.lives()).toEqual({ a: 2, b: 1 });
    stage.end('b', 'die');
    expect(outputs).toEqual([]);
    stage.end('a', 'die');
    expect(outputs).toMatchObject([{ exit: 'shutdown' }]);
    expect(stage.resources()).toBe(0);
  });

  it('43 | dynamic, a cannot start again | a dies | the supervisor and its siblings end', () => {
    const stage = createStage();
    const { outputs } = stage.start({ dynamic: true, children: [] });
    for (const id of ['a', 'b']) stage.add(stage.child(id));
    stage.failStarts.set('a', 99);
    stage.end('a', 'die');
    expect(outputs).toMatchObject([{ exit: 'shutdown' }]);
    expect(stage.resources()).toBe(0);
  });

  it('44 | 1 restart in a second allowed | four deaths 2.1 s apart | it lives: the window slides', () => {
    const stage = createStage();
    stage.start({ intensity: 1, periodMs: 1_000, children: [stage.child('a')] });
    for (let i = 0; i < 4; i += 1) {
      stage.end('a', 'die');
      stage.clock.advance(2_100);
    }
    expect(stage.lives()).toEqual({ a: 5 });
  });
});
