import { assign, raise, sendTo, setup, type AnyActorRef, type AnyActorLogic } from 'xstate';
import { describe, expect, it } from 'vitest';
import { TURN_BUDGET, type Report } from '../../src/supervisor/index.ts';
import { createLab } from './lab.ts';

type Lab = ReturnType<typeof createLab>;

/** Answers every `ball` by one to `to`; `served` begins the endless game. */
const player = (lab: Lab, to: string): AnyActorLogic =>
  setup({ actions: { hit: () => void lab.tell(to, 'ball') } }).createMachine({
    on: { ball: { actions: 'hit' }, 'supervisor.shutdown': '.over' },
    initial: 'playing',
    states: { playing: {}, over: { type: 'final' } },
  }) as AnyActorLogic;

const errorsOf = (reports: readonly Report[]) =>
  reports.flatMap(({ childPath, body }) =>
    body.type === 'child_terminated' && body.error ? [{ childPath, error: body.error }] : [],
  );

function game(turnBudget = 1_000) {
  const lab = createLab({ turnBudget });
  lab.start({
    intensity: 100,
    children: [
      { id: 'ping', logic: player(lab, 'pong') },
      { id: 'pong', logic: player(lab, 'ping') },
      lab.child('sibling'),
    ],
  });
  return lab;
}

describe('two children that send to each other without end', () => {
  it('end with one typed fault at one owner; it comes back, its partner and sibling never notice', () => {
    const lab = game();
    lab.tell('ping', 'ball');
    expect(errorsOf(lab.reports)).toEqual([
      {
        childPath: 'top/ping',
        error: expect.objectContaining({
          code: 'TURN_BUDGET_EXCEEDED',
          message: 'top/ping took 1001 events in one turn of the event loop, more than 1000',
        }),
      },
    ]);
    expect(lab.dead).toEqual([]);
    lab.clock.advance(1);
    expect(['ping', 'pong', 'sibling'].map(lab.incarnation)).toEqual([2, 1, 1]);
    expect(errorsOf(lab.reports)).toHaveLength(1);
  });

  it('on real timers: the loop turns again, and a timer that was due fires', async () => {
    const timers = {
      now: () => performance.now(),
      setTimeout,
      clearTimeout: (t: unknown) => clearTimeout(t as never),
      defer: setImmediate,
    };
    const lab = createLab({ turnBudget: TURN_BUDGET, clock: timers });
    lab.start({
      children: [
        { id: 'ping', logic: player(lab, 'pong') },
        { id: 'pong', logic: player(lab, 'ping') },
      ],
    });
    const fired = new Promise((resolve) => setTimeout(resolve, 1));
    lab.tell('ping', 'ball');
    expect(errorsOf(lab.reports)).toHaveLength(1);
    await fired;
    await new Promise(setImmediate);
    expect(lab.incarnation('ping')).toBe(2);
  });
});

describe('one actor alone', () => {
  it('that sends to itself without end fails the same way', () => {
    const lab = createLab({ turnBudget: 1_000 });
    lab.start({ children: [{ id: 'a', logic: player(lab, 'a') }] });
    lab.tell('a', 'ball');
    expect(errorsOf(lab.reports)).toMatchObject([{ error: { code: 'TURN_BUDGET_EXCEEDED' } }]);
    lab.clock.advance(1);
    expect(lab.incarnation('a')).toBe(2);
  });

  it('that raises without end is stopped by maxIterations: one event, which no budget sees', () => {
    const logic = setup({}).createMachine({
      options: { maxIterations: 1_000 },
      on: { go: { actions: raise({ type: 'go' }) } },
    });
    const lab = createLab({ turnBudget: 1_000 });
    lab.start({ children: [{ id: 'a', logic: logic as AnyActorLogic }] });
    lab.tell('a', 'go');
    expect(errorsOf(lab.reports)).toMatchObject([{ error: { message: /Infinite loop/ } }]);
    lab.clock.advance(1);
    expect(lab.incarnation('a')).toBe(2);
  });

  it('a machine and a node inside it end their game at the machine that owns both', () => {
    const lab = createLab({ turnBudget: 1_000 });
    const inner = lab.supervision.nested(player(lab, 'host'), () => ({
      path: 'top/host/inner',
      incarnation: 1,
    }));
    const host = setup({ actors: { inner } }).createMachine({
      invoke: { src: 'inner', id: 'inner' },
      on: { ball: { actions: () => void lab.tell('host/inner', 'ball') } },
    });
    lab.start({ children: [{ id: 'host', logic: host as AnyActorLogic }] });
    lab.tell('host', 'ball');
    expect(errorsOf(lab.reports)).toMatchObject([
      { childPath: 'top/host', error: { code: 'TURN_BUDGET_EXCEEDED' } },
    ]);
  });
});

describe('two plain machines inside a third', () => {
  const plain = (to: string) =>
    setup({}).createMachine({
      on: { ball: { actions: sendTo(({ system }) => system.get(to) as AnyActorRef, { type: 'ball' }) } },
    });
  const host = (handles: boolean): AnyActorLogic =>
    setup({ actors: { left: plain('right'), right: plain('left') } }).createMachine({
      invoke: [
        { src: 'left', id: 'left', systemId: 'left', ...(handles ? { onError: {} } : {}) },
        { src: 'right', systemId: 'right', ...(handles ? { onError: {} } : {}) },
      ],
      on: { ball: { actions: sendTo('left', { type: 'ball' }) } },
    } as never) as AnyActorLogic;

  it.each([false, true])(
    'that never stop end at the one that started them (it handles errors: %s)',
    (handles) => {
      const lab = createLab({ turnBudget: 1_000 });
      lab.start({ children: [{ id: 'a', logic: host(handles) }, lab.child('sibling')] });
      for (let n = 1; n <= 3; n += 1) {
        lab.tell('a', 'ball');
        lab.clock.advance(10_000);
        expect(errorsOf(lab.reports)).toHaveLength(n);
        expect([lab.incarnation('a'), lab.incarnation('sibling')]).toEqual([n + 1, 1]);
      }
      expect(errorsOf(lab.reports)[0]).toMatchObject({
        childPath: 'top/a',
        error: { code: 'TURN_BUDGET_EXCEEDED', message: /^top\/a took 1001 events/ },
      });
    },
  );

  it('that never stop end at the one that started them, suspended or not', () => {
    const lab = createLab({ turnBudget: 1_000 });
    const first = setup({}).createMachine({
      after: {
        10: { actions: sendTo(({ system }) => system.get('right') as AnyActorRef, { type: 'ball' }) },
      },
      on: plain('right').config.on as never,
    });
    const logic = setup({ actors: { left: first, right: plain('left') } }).createMachine({
      invoke: [
        { src: 'left', systemId: 'left' },
        { src: 'right', systemId: 'right' },
      ],
    });
    lab.start({ children: [{ id: 'a', logic: logic as AnyActorLogic }] });
    lab.supervision.sys.suspend('top/a');
    lab.clock.advance(11);
    expect(errorsOf(lab.reports)).toMatchObject([{ error: { code: 'TURN_BUDGET_EXCEEDED' } }]);
    expect(lab.incarnation('a')).toBe(2);
  });

  it('that stop in time are left alone, turn after turn', () => {
    const lab = createLab({ turnBudget: 1_000 });
    const counting = (to: string) =>
      setup({ types: { context: {} as { left: number } } }).createMachine({
        context: { left: 0 },
        on: {
          serve: {
            actions: [
              assign({ left: 300 }),
              sendTo(({ system }) => system.get(to) as AnyActorRef, { type: 'ball' }),
            ],
          },
          ball: {
            guard: ({ context }) => context.left >= 0,
            actions: [
              assign({ left: ({ context }) => context.left - 1 }),
              sendTo(({ system }) => system.get(to) as AnyActorRef, { type: 'ball' }),
            ],
          },
        },
      });
    const logic = setup({ actors: { left: counting('right'), right: counting('left') } }).createMachine({
      invoke: [
        { src: 'left', id: 'left', systemId: 'left' },
        { src: 'right', id: 'right', systemId: 'right' },
      ],
      on: { serve: { actions: [sendTo('right', { type: 'serve' }), sendTo('left', { type: 'serve' })] } },
    });
    lab.start({ children: [{ id: 'a', logic: logic as AnyActorLogic }] });
    for (let turn = 0; turn < 5; turn += 1) {
      lab.tell('a', 'serve');
      lab.clock.advance(1);
    }
    expect(lab.incarnation('a')).toBe(1);
  });
});

describe('honest work', () => {
  it('is not charged for another turn: a thousand events a turn, for ever', () => {
    const lab = createLab({ turnBudget: 1_000 });
    lab.start({ children: [lab.child('a')] });
    for (let turn = 0; turn < 5; turn += 1) {
      for (let n = 0; n < 1_000; n += 1) lab.tell('a', 'nothing');
      lab.clock.advance(0);
    }
    expect(lab.incarnation('a')).toBe(1);
    expect(errorsOf(lab.reports)).toEqual([]);
  });

  it('a node inside a machine pays for itself, not out of the account of the machine', () => {
    const lab = createLab({ turnBudget: 1_000 });
    const idle = setup({}).createMachine({ on: { nothing: { actions: () => {} } } });
    const inner = lab.supervision.nested(idle, () => ({ path: 'top/host/inner', incarnation: 1 }));
    const host = setup({ actors: { inner } }).createMachine({ invoke: { src: 'inner' } });
    lab.start({ children: [{ id: 'host', logic: host as AnyActorLogic }] });
    for (let n = 0; n < 1_000; n += 1) for (const path of ['host', 'host/inner']) lab.tell(path, 'nothing');
    expect(lab.incarnation('host')).toBe(1);
    expect(lab.supervision.sys.statistics('top/host/inner')).toMatchObject({ events: 1_000 });
  });

  it('a spent child still stops when told, and a supervisor hears any number of endings in one turn', () => {
    const lab = createLab({ turnBudget: 10 });
    const { outputs, root } = lab.start({
      children: Array.from({ length: 50 }, (_, n) => lab.child(`c${n}`)),
    });
    for (let n = 0; n < 10; n += 1) lab.tell('c0', 'nothing');
    root.send({ type: 'supervisor.shutdown', reason: 'test', deadlineMs: 1_000 });
    expect(outputs).toMatchObject([{ exit: 'shutdown' }]);
    expect(lab.reportTypes()).not.toContain('shutdown_error');
    expect(errorsOf(lab.reports)).toEqual([]);
  });

  it('without a budget nothing is counted against anybody', () => {
    const lab = createLab();
    lab.start({ children: [lab.child('a')] });
    for (let n = 0; n < TURN_BUDGET + 1; n += 1) lab.tell('a', 'nothing');
    expect(lab.incarnation('a')).toBe(1);
  });
});

it('a budget is that of one life: one that is started anew in the same turn has a full one', async () => {
  const lab = createLab({ turnBudget: 10 });
  lab.start({ children: [lab.child('a')] });
  for (const order of ['terminate_child', 'restart_child'] as const) {
    for (let n = 0; n < 10; n += 1) lab.tell('a', 'nothing');
    void lab.supervision.admin('top', { type: order, id: 'a' });
  }
  for (let n = 0; n < 10; n += 1) lab.tell('a', 'nothing');
  expect(lab.incarnation('a')).toBe(2);
  expect(errorsOf(lab.reports)).toEqual([]);
});
