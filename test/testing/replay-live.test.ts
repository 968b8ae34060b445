import { describe, expect, it, vi } from 'vitest';
import { assign, createMachine, fromPromise, setup } from 'xstate';
import { createSimulatedClock, generate, pathText, replayLive, type Path } from '../../src/testing/index.ts';
import { fetchRetry, odds, trafficLight, watcher, wizard } from './strangers.ts';

const sent = vi.fn();
const order = setup({
  types: { context: {} as { why: string; code: unknown }, emitted: {} as { type: 'ordered'; id: string } },
  actors: {
    pay: fromPromise<{ id: string }, { sum: number }>(() =>
      Promise.reject(new Error('no real payment in a test')),
    ),
  },
  actions: { send: (_, params: { to: string }) => sent(params.to) },
}).createMachine({
  id: 'order',
  context: { why: '', code: null },
  initial: 'paying',
  states: {
    paying: {
      invoke: {
        id: 'pay',
        src: 'pay',
        input: { sum: 3 },
        onDone: { target: 'paid', actions: { type: 'send', params: { to: 'ann' } } },
        onError: {
          target: 'refused',
          actions: assign({
            why: ({ event }) => (event.error as Error).message,
            code: ({ event }) => (event.error as { code?: unknown }).code,
          }),
        },
      },
      after: { 30_000: 'refused' },
    },
    paid: { type: 'final' },
    refused: { on: { RETRY: 'paying' } },
  },
});
const failed = Object.assign(new Error('no money'), { code: 'POOR' });
const options = { outputs: { pay: [{ id: 'p1' }] }, errors: { pay: [failed] } };
const pathTo = (state: string): Path =>
  generate(order, { ...options, strategy: 'shortest' }).paths.find(
    (path) => path.steps.at(-1)?.expected.value === state,
  )!;

describe('a replay', () => {
  it('ends invoked actors by script: done with its output, error with its fields, and runs no real effect', () => {
    const paid = replayLive(order, pathTo('paid'));
    expect(paid).toMatchObject({ ok: true, snapshot: { value: 'paid', status: 'done' } });
    expect(sent).not.toHaveBeenCalled();
    const refused = generate(order, options).paths.find(({ steps }) =>
      steps.some(({ kind }) => kind === 'error'),
    )!;
    const step = refused.steps.findIndex(({ kind }) => kind === 'error');
    expect(refused.steps[step]?.expected.context).toEqual({ why: 'no money', code: 'POOR' });
    expect(replayLive(order, refused)).toMatchObject({ ok: true });
  });

  it('survives JSON: a path from a file is as good as a fresh one', () => {
    const file = JSON.parse(JSON.stringify(generate(order, options).paths)) as Path[];
    for (const path of file) expect(replayLive(order, path)).toMatchObject({ ok: true });
  });

  it('runs the real action that is handed in, with its params', () => {
    sent.mockClear();
    replayLive(order, pathTo('paid'), {
      effects: { actions: { send: (_: unknown, { to }: { to: string }) => sent(to) } } as never,
    });
    expect(sent.mock.calls).toEqual([['ann']]);
    replayLive(order, pathTo('paid'), { effects: { actions: 'run' } });
    expect(sent).toHaveBeenCalledTimes(2);
  });

  it('collects what the machine emits', () => {
    const events = [{ type: 'NEXT' }];
    const [path] = generate(wizard, { events, strategy: 'random', walks: 1, budget: { pathSteps: 2 } }).paths;
    expect(replayLive(wizard, path!).facts).toEqual([
      { type: 'rejected', step: 'name' },
      { type: 'rejected', step: 'name' },
    ]);
  });

  it('moves the clock that is handed in by the delays of the path, and leaves nothing pending', () => {
    const clock = createSimulatedClock(0);
    const [path] = generate(trafficLight, { strategy: 'shortest' }).paths.toReversed();
    expect(replayLive(trafficLight, path!, { clock }).ok).toBe(true);
    expect([clock.now(), clock.pending]).toEqual([6_000, 0]);
  });

  it('gives a machine that speaks to its parent one, and one that watches an observable its first snapshot', () => {
    const [spoken] = generate(odds, { events: [{ type: 'log.info' }] }).paths;
    expect(JSON.stringify(spoken)).toContain('send parent logged');
    expect(replayLive(odds, spoken!)).toMatchObject({ ok: true });
    const snapshots = { numbers: [{ context: 4 }, { context: 5 }] };
    const { paths } = generate(watcher, { snapshots, strategy: 'shortest' });
    expect(paths[0]?.start.context).toEqual({ seen: 4 });
    for (const path of paths) expect(replayLive(watcher, path, { snapshots })).toMatchObject({ ok: true });
  });

  it('compares as much of the context and the actions as was asked for', () => {
    const told = (expect_: object) =>
      generate(order, { ...options, expect: expect_ }).paths.flatMap(({ steps }) => steps);
    expect(
      told({ context: 'none', actions: 'none' }).every(
        ({ expected }) => !('context' in expected || 'actions' in expected),
      ),
    ).toBe(true);
    expect(told({ context: 'digest' })[0]?.expected.context).toMatch(/^[0-9a-f]{8}$/);
    expect(told({ context: ['why'] })[0]?.expected.context).toEqual({ why: expect.any(String) });
    expect(told({ actions: 'params' }).flatMap(({ expected }) => expected.actions ?? [])).toContainEqual([
      'send',
      { to: 'ann' },
    ]);
    for (const context of ['none', 'digest', 'full', 'changes', ['why']] as const)
      for (const path of generate(order, { ...options, expect: { context, actions: 'params' } }).paths)
        expect(replayLive(order, path)).toMatchObject({ ok: true });
  });
});

describe('what a live actor does otherwise is told with the path, the step, and both sides', () => {
  const mutant = (change: (config: typeof fetchRetry.config) => object) =>
    createMachine({ ...fetchRetry.config, ...change(fetchRetry.config) } as never);
  const state = (name: string, more: object) => ({ states: { ...fetchRetry.config.states, [name]: more } });
  const { paths } = generate(fetchRetry, { strategy: 'edges' });
  const reasons = (machine: never): string =>
    paths.flatMap((path) => replayLive(machine, path).mismatch?.reasons ?? []).join('\n');

  it.each([
    [
      'a wrong target',
      mutant(() => state('idle', { on: { FETCH: 'failure' } })),
      'value: expected "loading", got "failure"',
    ],
    ['a lost event', mutant(() => state('idle', {})), 'value: expected "loading", got "idle"'],
    [
      'a lost invoke',
      mutant(() => state('loading', { on: { CANCEL: 'idle' } })),
      'children: expected ["fetchUser"], got nothing',
    ],
    [
      'a lost timer',
      mutant(({ states }) => state('failure', { ...states!['failure'], after: {} })),
      'no timer is running',
    ],
    [
      'another delay',
      mutant(({ states }) => state('failure', { ...states!['failure'], after: { 900: 'loading' } })),
      'the next timer fired after 900 ms, expected after(1000) after 1000 ms',
    ],
    [
      'a dropped action',
      mutant(({ states }) => state('failure', { ...states!['failure'], entry: [] })),
      'actions: expected ["logFailure"], got nothing',
    ],
    [
      'a missing guard',
      mutant(({ states }) =>
        state('failure', {
          ...states!['failure'],
          after: {
            1_000: {
              target: 'loading',
              actions: assign({ retries: ({ context }) => (context as { retries: number }).retries + 1 }),
            },
          },
        }),
      ),
      'value: expected "failure", got "loading"',
    ],
    [
      'another start',
      mutant(() => ({ context: { retries: 1, data: null } })),
      'context: expected {"data":null,"retries":0}',
    ],
  ])('%s', (_what, machine, text) => {
    expect(reasons(machine as never)).toContain(text);
  });

  it('as text with the steps that lead there', () => {
    const machine = mutant(() => state('loading', { on: { CANCEL: 'failure' } })) as never;
    const path = paths.find(({ steps }) => steps.some(({ event }) => event.type === 'CANCEL'))!;
    const report = replayLive(machine, { ...path, steps: path.steps.slice(0, 2) });
    expect(report.mismatch).toMatchObject({ path: path.name, step: 1 });
    expect(String(report).split('\n').slice(1)).toEqual([
      '  1. send FETCH',
      '  - children: expected ["fetchUser"], got nothing',
    ]);
    expect(pathText({ ...path, steps: path.steps.slice(0, 2) })).toBe(
      'start: idle\n1. send FETCH  >  loading\n2. send CANCEL  >  idle',
    );
  });
});
