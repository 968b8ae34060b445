import { expect, it } from 'vitest';
import { fromCallback, fromPromise, setup, type AnyActorLogic } from 'xstate';
import { createSupervision, type Owner, type Report, type Within } from '../../src/supervisor/index.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';

/** A host that knows only whose work is done in this very moment. */
function stage() {
  const clock = createSimulatedClock(0);
  const owners: (Owner | undefined)[] = [];
  const seen: string[] = [];
  const reports: Report[] = [];
  const within: Within = (owner, run) => {
    owners.push(owner);
    try {
      return run();
    } finally {
      owners.pop();
    }
  };
  const note = (what: string): void => void seen.push(`${what}: ${owners.at(-1)?.actorId ?? 'nobody'}`);
  const supervision = createSupervision({
    clock,
    random: () => 0.5,
    within,
    report(report) {
      reports.push(report);
      note(report.body.type);
    },
    deadLetter: () => note('dead letter'),
  });
  const begin = (children: Readonly<Record<string, AnyActorLogic>>) =>
    supervision.start('app', {
      strategy: 'one_for_one',
      intensity: 3,
      periodMs: 60_000,
      children: Object.entries(children).map(([id, logic]) => ({ id, logic })),
    });
  return { ...supervision, clock, seen, reports, note, begin, owner: () => owners.at(-1) };
}

it('whatever a child does is its work: entry, what it invokes, actions, its timers, its cleanup; what is told of it is nobody’s', () => {
  const { begin, note, seen, clock, registry } = stage();
  const child = fromCallback(({ receive }) => {
    note('invoked');
    receive(() => note('heard'));
    return () => note('cleaned up');
  });
  const machine = setup({
    actors: { child, work: fromPromise(async () => note('promised')) },
    guards: { sure: () => (note('guard'), true) },
    actions: {
      enter: () => note('entry'),
      act: () => note('action'),
      pass: ({ self }) => self.getSnapshot().children['child']?.send({ type: 'pass' }),
    },
  }).createMachine({
    entry: 'enter',
    invoke: [
      { src: 'child', id: 'child' },
      { src: 'work', onError: {} },
    ],
    on: { go: { guard: 'sure', actions: ['act', 'pass'] } },
    initial: 'early',
    states: { early: { after: { 10: 'late' } }, late: { entry: 'act' } },
  });
  const top = begin({ one: machine });
  registry.tell('app/one', { type: 'go' });
  clock.advance(10);
  top.send({ type: 'supervisor.shutdown', reason: 'over', deadlineMs: 1_000 });
  registry.tell('app/one', { type: 'too late' });
  const own = ['entry', 'invoked', 'promised'].map((what) => `${what}: one#1`);
  expect(seen.slice(0, 4).toSorted()).toEqual([...own, 'progress: nobody'].toSorted());
  expect(seen.slice(4)).toEqual([
    ...['guard', 'action', 'heard', 'action', 'cleaned up'].map((what) => `${what}: one#1`),
    'shutdown: nobody',
    'dead letter: nobody',
  ]);
});

it('what one tells another is the work of the other', () => {
  const { begin, note, seen, registry } = stage();
  const hears = fromCallback(({ receive }) => receive(() => note('heard')));
  const tells = fromCallback(({ receive }) =>
    receive(() => {
      registry.tell('app/b', { type: 'told' });
      note('told');
    }),
  );
  begin({ a: tells, b: hears });
  registry.tell('app/a', { type: 'tell' });
  expect(seen.slice(2)).toEqual(['heard: b#1', 'told: a#1']);
});

it('an owner can be failed later, once, as long as it lives', () => {
  const { begin, clock, registry, reports, owner } = stage();
  const found: Owner[] = [];
  begin({ one: fromCallback(() => void found.push(owner()!)), two: fromCallback(() => {}) });
  found[0]!.fail(new Error('astray'));
  found[0]!.fail(new Error('again'));
  clock.advance(1);
  found[0]!.fail(new Error('of a dead one'));
  expect([registry.incarnation('app/one'), registry.incarnation('app/two')]).toEqual([2, 1]);
  expect(reports.map(({ body }) => ('error' in body ? body.error?.message : body.type))).toEqual([
    'progress',
    'progress',
    'astray',
    'restart_scheduled',
    'progress',
  ]);
});
