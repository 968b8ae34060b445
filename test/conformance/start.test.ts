import { describe, expect, it } from 'vitest';
import {
  checkChildSpecs,
  checkSpec,
  type ChildSpec,
  type SupervisorSpec,
} from '../../src/supervisor/index.ts';
import { createStage } from './puppets.ts';

interface Cause {
  readonly code?: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: Cause;
}

const causes = (error: unknown): Cause[] => {
  const { cause } = error as Cause;
  return [error as Cause, ...(cause ? causes(cause) : [])];
};

// Titles: number of the case | given | when | then.
describe('start', () => {
  it('1 | a supervisor without children | told to stop | ends with shutdown', () => {
    const stage = createStage();
    const { root, outputs } = stage.start({ children: [] });
    stage.shutdown(root);
    expect(outputs).toEqual([{ exit: 'shutdown' }]);
  });

  it('3 | permanent a whose start says ignore, then b | both added | a is listed without a life, b runs', () => {
    const stage = createStage();
    stage.start({ children: [] });
    stage.ignores.add('a');
    expect(stage.add(stage.child('a'))).toMatchObject({ ok: true, ignored: true });
    expect(stage.add(stage.child('b'))).toEqual({ ok: true, incarnation: 1 });
    stage.clock.advance(10);
    expect(stage.lives()).toEqual({ a: undefined, b: 1 });
    expect(stage.count()).toMatchObject({ specs: 2, active: 1 });
    expect(stage.resources()).toBe(1);
  });

  it('4 | temporary a says ignore, in the first list | start | its spec is not kept, b runs', () => {
    const stage = createStage();
    stage.ignores.add('a');
    stage.start({ children: [stage.child('a', { restart: 'temporary' }), stage.child('b')] });
    expect(stage.lives()).toEqual({ b: 1 });
    expect(stage.reportTypes()).not.toContain('stale_exit');
  });

  it('5 | temporary a says ignore | added later | its spec is not kept, the supervisor lives', () => {
    const stage = createStage();
    stage.start({ children: [] });
    stage.ignores.add('a');
    expect(stage.add(stage.child('a', { restart: 'temporary' }))).toMatchObject({ ignored: true });
    expect(stage.lives()).toEqual({});
  });

  for (const restart of ['temporary', 'permanent'] as const)
    it(`6 | dynamic supervisor, ${restart} child says ignore | added twice | nothing is stored; it stops cleanly`, () => {
      const stage = createStage();
      const { root, outputs } = stage.start({ dynamic: true, children: [] });
      stage.ignores.add('a');
      expect(stage.add(stage.child('a', { restart }))).toMatchObject({ ok: true, ignored: true });
      expect(stage.add(stage.child('a', { restart }))).toMatchObject({ ok: true, ignored: true });
      expect(stage.count()).toMatchObject({ specs: 0, active: 0 });
      stage.shutdown(root);
      expect(outputs).toEqual([{ exit: 'shutdown' }]);
    });

  for (const garbage of [undefined, null, 7, 'garbage', [], { children: 3 }])
    it(`7 | a definition that is ${JSON.stringify(garbage)} | made | refused with a typed error, nothing runs`, () => {
      const stage = createStage();
      expect(() => stage.supervision.supervisor(garbage as never)).toThrow(
        expect.objectContaining({ code: 'SPEC_INVALID' }),
      );
    });

  it('8 | what makes the input of an inner supervisor throws | start | nobody survives, the error says what', () => {
    const stage = createStage();
    const input = () => {
      throw new Error('no such room');
    };
    const inner = stage.supervisor('inner', { children: [stage.child('x')] }, { input });
    const { errors } = stage.start({ children: [stage.child('a'), inner] });
    expect(errors).toMatchObject([{ code: 'START_FAILED', details: { path: 'top/inner' } }]);
    expect(String(errors[0])).toContain('no such room');
    expect(stage.resources()).toBe(0);
  });

  it('9 | a start throws deep inside | the tree starts | all that had started is stopped; the error has path, reason, stack', () => {
    const stage = createStage();
    stage.failStarts.set('y', 1);
    const deep = stage.supervisor('deep', { children: [stage.child('x'), stage.child('y')] });
    const middle = stage.supervisor('middle', { children: [stage.child('m'), deep] });
    const { errors } = stage.start({ children: [stage.child('a'), middle] });
    const [top, inner, innermost, reason] = causes(errors[0]);
    expect([top, inner, innermost].map((cause) => cause?.code)).toEqual(Array(3).fill('START_FAILED'));
    expect(innermost?.message).toContain('top/middle/deep/y');
    expect(reason).toMatchObject({ message: 'y cannot start', stack: expect.stringContaining('puppets.ts') });
    expect(stage.resources()).toBe(0);
  });

  for (const dynamic of [false, true])
    it(`10 | running ${dynamic ? 'dynamic ' : ''}supervisor | a start throws, fails or is no start | error to the caller, spec gone, it lives`, () => {
      const stage = createStage();
      stage.start({ dynamic, children: [] });
      stage.failStarts.set('a', 1);
      expect(stage.add(stage.child('a'))).toMatchObject({
        reason: 'start_failed',
        error: { message: 'a cannot start' },
      });
      expect(stage.add({ id: 'b', logic: {} as never })).toMatchObject({ error: { code: 'SPEC_INVALID' } });
      const endsBadly = stage.child('c', { logic: stage.puppet('c') });
      expect(stage.add({ ...endsBadly, input: () => Promise.reject.call(undefined) })).toMatchObject({
        reason: 'start_failed',
      });
      stage.clock.advance(10);
      expect(stage.lives()).toEqual({});
      expect(stage.add(stage.child('a'))).toEqual({ ok: true, incarnation: 1 });
      expect(stage.reportTypes()).not.toContain('stale_exit');
    });

  it('11 | a was terminated, its start now fails | restarted by an operator | error to the caller, spec kept, no life', async () => {
    const stage = createStage();
    stage.start({ intensity: 0, children: [stage.child('a'), stage.child('b')] });
    await stage.ask('terminate_child', 'a');
    stage.failStarts.set('a', 1);
    expect(await stage.ask('restart_child', 'a')).toMatchObject({ reason: 'start_failed' });
    stage.clock.advance(10);
    expect(stage.lives()).toEqual({ a: undefined, b: 1 });
  });
});

describe('specs', () => {
  for (const dynamic of [false, true])
    it(`12 | specs with id and logic alone (${dynamic ? 'dynamic' : 'static'}) | read | OTP's defaults; an unknown id is not found`, () => {
      const stage = createStage();
      stage.start({ dynamic, children: [stage.child('a'), stage.supervisor('s', {})] });
      const { getChildSpec } = stage.supervision;
      const worker = { restart: 'permanent', shutdown: 5_000, type: 'worker', significant: false };
      expect(getChildSpec('top', 'a')).toMatchObject(worker);
      expect(getChildSpec('top', 's')).toMatchObject({ ...worker, shutdown: 'infinity', type: 'supervisor' });
      expect(getChildSpec('top', 'ghost')).toBeUndefined();
      expect(() => getChildSpec('top/ghost', 'a')).toThrow(
        expect.objectContaining({ code: 'ACTOR_NOT_FOUND' }),
      );
    });

  const faulty = (fault: unknown) => [fault] as never as ChildSpec[];

  it('13 | id missing, logic missing, no spec at all, a key nobody knows | check | three precise errors; the key is ignored', () => {
    const { logic } = createStage().child('a');
    expect(checkChildSpecs(faulty({ logic }))).toMatchObject({
      ok: false,
      field: expect.stringContaining('id'),
    });
    expect(checkChildSpecs(faulty({ id: 'a' }))).toMatchObject({ ok: false, field: 'a.logic' });
    expect(checkChildSpecs(faulty(17))).toMatchObject({ ok: false, field: 'children', value: 17 });
    expect(checkChildSpecs(faulty({ id: 'a', logic, colour: 'red' }))).toEqual({ ok: true });
  });

  for (const [field, value] of [
    ['id', 7],
    ['id', ''],
    ['logic', 'logic'],
    ['input', {}],
    ['restart', 'always'],
    ['shutdown', -1],
    ['shutdown', 'soon'],
    ['type', 'robot'],
    ['significant', 'yes'],
    ['backoff', { minMs: -1 }],
    ['backoff', null],
    ['backoff', { minMs: 0, maxMs: 1, factor: Infinity, jitter: 0, resetAfterMs: 0 }],
    ['quarantine', 1],
    ['partitionKey', 1],
  ] as const)
    it(`14 | ${field} is ${JSON.stringify(value)} | check | refused, naming the field and the value`, () => {
      const { logic } = createStage().child('a');
      const fault = checkChildSpecs(faulty({ id: 'a', logic, [field]: value }));
      expect(fault).toMatchObject({
        ok: false,
        field: expect.stringMatching(new RegExp(`${field}$`)),
        value,
      });
    });

  it('14 | every combination of valid values | check | accepted, but for significant without a way to matter', () => {
    const { logic } = createStage().child('a');
    for (const restart of ['permanent', 'transient', 'temporary'] as const)
      for (const shutdown of ['brutal', 'infinity', 0, 1_000] as const)
        for (const type of ['worker', 'supervisor'] as const)
          for (const significant of [true, false])
            for (const auto of ['never', 'any_significant', 'all_significant'] as const) {
              const { ok } = checkChildSpecs(
                [{ id: 'a', logic, restart, shutdown, type, significant }],
                auto,
              );
              expect(ok).toBe(!significant || (restart !== 'permanent' && auto !== 'never'));
            }
  });

  it('14 | two specs with one id | check | refused, naming the id', () => {
    const { logic } = createStage().child('a');
    expect(
      checkChildSpecs([
        { id: 'a', logic },
        { id: 'a', logic },
      ]),
    ).toMatchObject({ field: 'id', value: 'a' });
  });

  for (const [field, value] of [
    ['strategy', 'all_for_one'],
    ['strategy', undefined],
    ['intensity', Infinity],
    ['intensity', -1],
    ['periodMs', 0],
    ['periodMs', Infinity],
    ['autoShutdown', 'sometimes'],
    ['dynamic', 'yes'],
    ['maxChildren', 0.5],
  ] as const)
    it(`15 | ${field} is ${value} | made | refused, naming the field; a flag nobody knows is ignored`, () => {
      const fine: SupervisorSpec = { strategy: 'one_for_one', intensity: 1, periodMs: 1 };
      expect(checkSpec({ ...fine, [field]: value } as SupervisorSpec)).toMatchObject({ field, value });
      expect(checkSpec({ ...fine, colour: 'red' } as SupervisorSpec)).toBeUndefined();
    });

  for (const garbage of [undefined, null, 7, 'specs', { id: 'a' }])
    it(`14 | ${JSON.stringify(garbage)} instead of a list of specs | check | refused, and nothing is thrown`, () => {
      expect(checkChildSpecs(garbage as never)).toMatchObject({
        ok: false,
        field: 'children',
        value: garbage,
      });
    });

  it('15 | more children than maxChildren | made | refused, naming the field; as many are accepted', () => {
    const stage = createStage();
    const children = [stage.child('a'), stage.child('b')];
    const spec = { strategy: 'one_for_one', intensity: 1, periodMs: 1, children } as const;
    expect(checkSpec({ ...spec, maxChildren: 1 })).toMatchObject({ field: 'maxChildren', value: 1 });
    expect(checkSpec({ ...spec, maxChildren: 2 })).toBeUndefined();
  });

  it('68 | a running supervisor | looked at | what it was made from is found', () => {
    const stage = createStage();
    stage.start({ intensity: 9, children: [stage.child('a')] });
    expect(stage.supervision.getSupervisorSpec('top')).toMatchObject({
      intensity: 9,
      strategy: 'one_for_one',
    });
  });
});
