/** Reports are facts of bounded size, whatever a child throws; and throwing is not catching. */
import { setup, type AnyActorLogic } from 'xstate';
import { describe, expect, it } from 'vitest';
import type { ChildSpec } from '../../src/supervisor/index.ts';
import { createLab } from './lab.ts';

const huge = 'x'.repeat(1_000_000);
const circle: Record<string, unknown> = { huge };
circle['self'] = circle;
const gotcha = (): never => {
  throw new Error('gotcha');
};
const having = (name: string, value: unknown): Error =>
  Object.defineProperty(new Error('it broke'), name, { value });
const trap = (name: string): Error => Object.defineProperty(new Error('it broke'), name, { get: gotcha });

const THROWN: Readonly<Record<string, () => unknown>> = {
  'an error with a giant message': () => new Error(huge),
  'an error with a giant name': () => having('name', huge),
  'an error with a giant code': () => having('code', huge),
  'an error whose message is an object in a circle': () => having('message', circle),
  'an error whose stack is an object in a circle': () => having('stack', circle),
  'an error with giant causes in a circle': () =>
    new Error('it broke', { cause: new Error(huge, { cause: circle }) }),
  'an error that is its own cause': () => {
    const error = new Error('it broke');
    error.cause = error;
    return error;
  },
  'an error whose message cannot be read': () => trap('message'),
  'an error whose stack cannot be read': () => trap('stack'),
  'an error whose code cannot be read': () => trap('code'),
  'an error whose cause cannot be read': () => trap('cause'),
  'a proxy that throws whatever it is asked': () => new Proxy({}, { get: gotcha, getPrototypeOf: gotcha }),
  'a giant text': () => huge,
  'an object in a circle': () => circle,
  'what looks like an error and is giant': () => ({ name: huge, message: huge, stack: huge }),
  'an object without a prototype': () => Object.create(null) as object,
  undefined: () => undefined,
  'a symbol': () => Symbol('it broke'),
  'a bigint': () => 10n,
};

const machine = (thrown: () => unknown): AnyActorLogic =>
  setup({
    actions: {
      crash: () => {
        throw thrown();
      },
    },
  }).createMachine({
    initial: 'up',
    states: { up: { on: { crash: { actions: 'crash' }, explain: 'over' } }, over: { type: 'final' } },
    output: () => ({ exit: 'error', error: thrown() }),
  }) as AnyActorLogic;

const closing =
  (thrown: () => unknown): NonNullable<ChildSpec['input']> =>
  ({ scope }) => {
    scope.add(() => {
      throw thrown();
    });
    // oxlint-disable-next-line require-await
    scope.add(async () => {
      throw thrown();
    });
  };

/** Its first start throws. */
function failing(thrown: () => unknown): NonNullable<ChildSpec['input']> {
  let starts = 0;
  return () => {
    starts += 1;
    if (starts === 1) throw thrown();
  };
}

const WAYS: Readonly<Record<string, (thrown: () => unknown) => { spec: Partial<ChildSpec>; told?: string }>> =
  {
    'in its action': () => ({ spec: {}, told: 'crash' }),
    'as the error of its last state': () => ({ spec: {}, told: 'explain' }),
    'at its start': (thrown) => ({ spec: { input: failing(thrown) } }),
    'while its scope closes': (thrown) => ({ spec: { input: closing(thrown) }, told: 'explain' }),
  };

for (const [way, made] of Object.entries(WAYS))
  describe(`a child that throws ${way}`, () => {
    it.each(Object.keys(THROWN))(
      '%s: it comes back, its sibling never notices, and every report is small',
      async (kind) => {
        const thrown = THROWN[kind]!;
        const lab = createLab();
        const { spec, told } = made(thrown);
        const { errors } = lab.start({
          onExhausted: 'park',
          children: [{ id: 'a', logic: machine(thrown), ...spec }, lab.child('b')],
        });
        if (told) lab.tell('a', told);
        await lab.clock.advanceAsync(10);
        expect(errors).toEqual([]);
        expect([lab.incarnation('a'), lab.incarnation('b')]).toEqual([2, 1]);
        for (const report of lab.reports) expect(JSON.stringify(report).length).toBeLessThan(40_000);
        expect(lab.supervision.sinkFaults().count).toBe(0);
      },
    );
  });

describe('other words that stand in reports and answers', () => {
  it('the reason of a stop is cut', () => {
    const lab = createLab();
    const { root, outputs } = lab.start({ children: [lab.child('a')] });
    root.send({ type: 'supervisor.shutdown', reason: huge, deadlineMs: 0 });
    expect(outputs).toEqual([{ exit: 'shutdown' }]);
    expect(JSON.stringify(lab.reports.at(-1)).length).toBeLessThan(1_200);
  });

  it('an id that is longer than a thousand characters is refused, in a short answer; the supervisor lives', () => {
    const lab = createLab();
    lab.start({ children: [lab.child('a')] });
    const answer = lab.supervision.startChild('top', lab.child(huge));
    expect(answer).toMatchObject({ ok: false, error: { code: 'SPEC_INVALID' } });
    expect(JSON.stringify(answer).length).toBeLessThan(10_000);
    expect(lab.supervision.startChild('top', lab.child('i'.repeat(1_000)))).toMatchObject({ ok: true });
    expect(lab.incarnation('a')).toBe(1);
  });

  it('a last state whose output cannot be read is a failure: its supervisor lives', () => {
    const lab = createLab();
    const logic = setup({}).createMachine({
      initial: 'up',
      states: { up: { on: { explain: 'over' } }, over: { type: 'final' } },
      output: () => Object.defineProperty({}, 'exit', { get: gotcha }),
    }) as AnyActorLogic;
    const { errors } = lab.start({ children: [{ id: 'a', logic, restart: 'transient' }, lab.child('b')] });
    lab.tell('a', 'explain');
    lab.clock.advance(10);
    expect(errors).toEqual([]);
    expect([lab.incarnation('a'), lab.incarnation('b')]).toEqual([2, 1]);
  });
});

describe('a child whose state cannot be read', () => {
  it('hides nobody: the tree shows it, and its sibling', () => {
    const lab = createLab();
    const context = Object.defineProperty({}, 'queue', { get: gotcha });
    const logic = setup({}).createMachine({ context: () => context, initial: 'x', states: { x: {} } });
    lab.start({ children: [{ id: 'a', logic: logic as AnyActorLogic }, lab.child('b')] });
    expect(lab.registry.tree().children).toMatchObject([
      { id: 'a', status: 'running', queued: 0 },
      { id: 'b', status: 'running' },
    ]);
  });
});
