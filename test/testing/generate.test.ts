import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { assign, cancel, createMachine, raise } from 'xstate';
import {
  abstract,
  generate,
  isComplete,
  replayLive,
  STRATEGIES,
  type GenerateOptions,
  type Progress,
  type Strategy,
} from '../../src/testing/index.ts';
import { fetchRetry, odds, player, todos, trafficLight, watcher, wizard } from './strangers.ts';

const strangers = { trafficLight, fetchRetry, wizard, player, todos, odds, watcher };

const steps = [
  { type: 'NEXT' },
  { type: 'BACK' },
  { type: 'SET', name: 'Ann', age: 20 },
  { type: 'SET', name: '', age: 3 },
  { type: 'SET', name: '', age: 20 },
];
const options: Record<keyof typeof strangers, GenerateOptions> = {
  trafficLight: {},
  fetchRetry: {},
  wizard: { events: steps, serialize: abstract({ cap: { tries: 1 } }) },
  player: {},
  todos: {},
  odds: {
    examples: [
      { type: 'ADD', by: 1 },
      { type: 'ADD', by: 2 },
    ],
  },
  watcher: { snapshots: { numbers: [{ context: 0 }, { context: 1 }] } },
};
const names = Object.keys(options) as (keyof typeof strangers)[];

// XState warns when a machine writes to an actor that has ended; the strangers do.
beforeAll(() => void vi.spyOn(console, 'warn').mockImplementation(() => undefined));
afterAll(() => vi.restoreAllMocks());

describe('machines of others', () => {
  it.each(names)('%s: every transition is taken and every guard goes both ways, in few paths', (name) => {
    const { paths, coverage, cut, unhandled } = generate(strangers[name], options[name]);
    expect(coverage).toSatisfy(isComplete);
    expect(cut).toEqual([]);
    expect(paths.length).toBeLessThanOrEqual(2);
    expect(unhandled.length).toBeLessThan(40);
  });

  it.each(STRATEGIES)('%s: a live actor follows every path of every machine step by step', (strategy) => {
    for (const name of names) {
      const more = { ...options[name], strategy, budget: { paths: 100 } };
      const { paths } = generate(strangers[name], more);
      expect(paths.length).toBeGreaterThan(0);
      expect(new Set(paths.map((path) => path.name)).size).toBe(paths.length);
      for (const path of paths) expect(replayLive(strangers[name], path, more)).toMatchObject({ ok: true });
    }
  });

  it.each(STRATEGIES)(
    '%s: the same seed gives the same JSON byte for byte, whatever ran in between',
    (strategy) => {
      for (const name of names) {
        const make = () =>
          JSON.stringify(
            generate(strangers[name], { ...options[name], strategy, seed: 7, budget: { paths: 50 } }),
          );
        const first = make();
        expect(make()).toBe(first);
        expect(JSON.stringify(JSON.parse(first))).toBe(first);
      }
    },
  );

  it('random: another seed gives other walks, each as long as the budget says', () => {
    const walk = (seed: number) =>
      generate(strangers.player, { strategy: 'random', seed, walks: 3, budget: { pathSteps: 12 } }).paths;
    expect(walk(1)).not.toEqual(walk(2));
    expect(walk(1).map((path) => path.steps.length)).toEqual([12, 12, 12]);
  });
});

describe('the strategies', () => {
  const light = (strategy: Strategy) =>
    generate(strangers.trafficLight, { strategy }).paths.map(({ steps: all }) =>
      all.map(({ kind, ms, event }) => (kind === 'after' ? ms : event.type)),
    );

  it('shortest: one path for every state, those that are the beginning of another left out', () => {
    expect(light('shortest')).toEqual([
      ['BROKEN', 400],
      [3_000, 1_000, 2_000],
    ]);
  });

  it('pairs: has two transitions in a row that edges has no need of', () => {
    const follows = (paths: readonly unknown[][]) =>
      new Set(paths.flatMap((path) => path.slice(1).map((event, at) => `${path[at]} > ${event}`)));
    expect(follows(light('edges'))).not.toContain('500 > BROKEN');
    expect(follows(light('pairs'))).toContain('500 > BROKEN');
  });

  it('simple: every way to go without being anywhere twice', () => {
    const crossing = createMachine({
      initial: 'a',
      states: {
        a: { on: { B: 'b', C: 'c' } },
        b: { on: { C: 'c', D: 'd' } },
        c: { on: { B: 'b', D: 'd' } },
        d: {},
      },
    });
    const { paths } = generate(crossing, { strategy: 'simple' });
    expect(paths.map((path) => path.steps.map(({ event }) => event.type).join(''))).toEqual([
      'BCD',
      'BD',
      'CBD',
      'CD',
    ]);
  });

  it('overlapping timers fire in the order of a real clock, each after what is left of it', () => {
    const clocks = createMachine({
      id: 'clocks',
      type: 'parallel',
      states: {
        slow: { initial: 'waiting', states: { waiting: { after: { 2_500: 'over' } }, over: {} } },
        fast: { initial: 'tick', states: { tick: { after: { 1_000: { target: 'tick', reenter: true } } } } },
      },
    });
    const { paths } = generate(clocks, { strategy: 'random', walks: 1, budget: { pathSteps: 4 } });
    expect(paths[0]?.steps.map(({ ms, expected }) => [ms, expected.value])).toEqual([
      [1_000, { slow: 'waiting', fast: 'tick' }],
      [1_000, { slow: 'waiting', fast: 'tick' }],
      [500, { slow: 'over', fast: 'tick' }],
      [500, { slow: 'over', fast: 'tick' }],
    ]);
    expect(generate(clocks).coverage).toSatisfy(isComplete);
  });

  it('a timer that was set twice under one id fires twice, and only the last can be cancelled, as in XState', () => {
    const doubled = createMachine({
      id: 'doubled',
      context: { rung: 0 },
      on: {
        SET: { actions: raise({ type: 'RING' }, { id: 'bell', delay: 10 }) },
        STOP: { actions: cancel('bell') },
        RING: { actions: assign({ rung: ({ context }) => context.rung + 1 }) },
      },
    });
    const more = { strategy: 'random', walks: 30, budget: { pathSteps: 15 } } as const;
    const { paths } = generate(doubled, more);
    expect(paths.some(({ steps }) => steps.some(({ kind }) => kind === 'after'))).toBe(true);
    for (const path of paths) expect(replayLive(doubled, path)).toMatchObject({ ok: true });
  });
});

describe('a budget', () => {
  const counter = createMachine({
    id: 'counter',
    context: { n: 0, log: [] as string[] },
    on: { add: { actions: assign({ n: ({ context }) => (context as { n: number }).n + 1 }) } },
  });

  it('ends the exploring of a counter without an end, and says what to do', () => {
    const { cut, explored, coverage } = generate(counter, { budget: { states: 50 } });
    expect(explored.states).toBeLessThan(60);
    expect(cut).toMatchObject([
      { what: 'states', limit: 50, text: expect.stringContaining('abstract: { cap') },
    ]);
    expect(coverage).toSatisfy(isComplete);
  });

  it('is not spent when the counter is capped, and the paths still tell its true value', () => {
    const { cut, explored, paths } = generate(counter, {
      strategy: 'shortest',
      serialize: abstract({ cap: { n: 3 } }),
    });
    expect(cut).toEqual([]);
    expect(explored.states).toBe(4);
    expect(paths[0]?.steps.at(-1)?.expected.context).toEqual({ n: 3 });
  });

  it.each([
    ['paths', { paths: 3 }],
    ['steps', { steps: 10 }],
    ['pathSteps', { pathSteps: 2 }],
    ['transitions', { transitions: 20 }],
  ] as const)('of %s is kept and named', (what, budget) => {
    const { cut, paths } = generate(strangers.todos, { strategy: 'simple', budget });
    expect(cut.map((one) => one.what)).toContain(what);
    expect(paths.length).toBeLessThanOrEqual(what === 'paths' ? 3 : 1_000);
    expect(paths.flatMap((path) => path.steps).length).toBeLessThanOrEqual(what === 'steps' ? 10 : 50_000);
  });

  it('of a long generation is followed by whoever waits for it', () => {
    const seen: Progress[] = [];
    generate(counter, { strategy: 'shortest', budget: { states: 1_200 }, progress: (one) => seen.push(one) });
    expect(seen.filter(({ phase }) => phase === 'explore').map(({ states }) => states)).toEqual([500, 1_000]);
  });
});

describe('abstract', () => {
  const snapshot = (context: unknown) => ({ value: 'a', context, children: {} }) as never;

  it('caps numbers and lists, deep and by wildcard, and drops what makes no other state', () => {
    const key = abstract({
      cap: { n: 2, queue: 1, 'turn.crashes': 0, 'jobs.*.tries': 1 },
      drop: ['at', 'jobs.*.id'],
    });
    const one = { n: 2, queue: ['a'], turn: { crashes: 0 }, jobs: [{ tries: 1 }] };
    const other = { n: 9, at: 5, queue: ['a', 'b'], turn: { crashes: 4 }, jobs: [{ tries: 8, id: 'x' }] };
    expect(key(snapshot(one))).toBe(key(snapshot(other)));
    expect(key(snapshot({ ...one, n: 1 }))).not.toBe(key(snapshot(one)));
  });

  it('keeps only what is named', () => {
    const key = abstract({ keep: ['a.b'] });
    expect(key(snapshot({ a: { b: 1, c: 2 }, d: 3 }))).toBe(key(snapshot({ a: { b: 1 } })));
  });

  it('what is dropped is not compared in a replay: times and ids of the world', () => {
    let now = 0;
    const dated = createMachine({
      context: { at: 0, n: 0 },
      on: { go: { actions: assign({ at: () => (now += 1), n: 1 }) } },
    });
    const strict = generate(dated, { strategy: 'random', walks: 1, budget: { pathSteps: 2 } });
    expect(replayLive(dated, strict.paths[0]!).mismatch?.reasons[0]).toMatch(/^context: expected/);
    const { paths } = generate(dated, { serialize: abstract({ drop: ['at'] }) });
    expect(replayLive(dated, paths[0]!)).toMatchObject({ ok: true });
  });
});
