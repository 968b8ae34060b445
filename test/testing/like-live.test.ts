/** Machines on which the model and a live actor once parted: each strategy, each path, on a live actor. */
import {
  assign,
  cancel,
  createMachine,
  enqueueActions,
  fromCallback,
  fromPromise,
  raise,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate';
import type { AnyActorRef, AnyStateMachine } from 'xstate';
import { describe, expect, it } from 'vitest';
import { generate, replayLive, STRATEGIES } from '../../src/testing/index.ts';
import type { Path } from '../../src/testing/index.ts';

const quiet = fromCallback(() => undefined);

/** A delayed event to a child is on the same clock as the machine's own timers. */
const waker = setup({ actors: { quiet } }).createMachine({
  id: 'waker',
  invoke: { src: 'quiet', id: 'bell' },
  initial: 'asleep',
  states: {
    asleep: {
      after: { 1_000: 'awake' },
      on: { nudge: { actions: sendTo('bell', { type: 'ring' }, { delay: 100 }) } },
    },
    awake: {
      entry: sendTo('bell', { type: 'ring' }, { delay: 20 }),
      after: { 50: 'asleep' },
    },
  },
});

/** Timers without an id, which nothing cancels, beside some with one. */
const egg = createMachine({
  id: 'egg',
  initial: 'raw',
  states: {
    raw: {
      on: {
        boil: { actions: raise({ type: 'ding' }, { delay: 100 }) },
        again: { actions: raise({ type: 'ding' }, { delay: 200, id: 'ding' }) },
        stop: { actions: cancel('ding') },
        ding: 'done',
      },
    },
    done: { on: { ding: 'raw' }, after: { 30: 'raw' } },
  },
});

/** A second actor under the `systemId` of a living one makes a real machine fail. */
const office = setup({ actors: { quiet } }).createMachine({
  id: 'office',
  on: {
    hire: { actions: spawnChild('quiet', { id: 'clerk', systemId: 'desk' }) },
    fire: { actions: stopChild('clerk') },
    swap: { actions: [stopChild('clerk'), spawnChild('quiet', { id: 'clerk', systemId: 'desk' })] },
    ask: {
      actions: enqueueActions(({ system, enqueue }) => {
        const clerk = system.get('desk') as AnyActorRef | undefined;
        if (clerk) enqueue.sendTo(clerk, { type: 'ask' });
      }),
    },
  },
});

/** It writes down who it is, and sends to itself. */
const narcissus = createMachine({
  id: 'narcissus',
  context: ({ self }) => ({ me: self.id, seen: 0 }),
  on: {
    look: { actions: sendTo(({ self }) => self, { type: 'seen' }, { delay: 5 }) },
    seen: { actions: assign({ seen: ({ context }) => Math.min(2, (context as { seen: number }).seen + 1) }) },
  },
});

describe.each(STRATEGIES)('every path of the strategy %s', (strategy) => {
  it.each<[string, AnyStateMachine]>([
    ['a machine that sends to a child with a delay', waker],
    ['a machine whose timers have no ids', egg],
    ['a machine that begins an actor under a system id that is taken', office],
    ['a machine that knows its own id', narcissus],
    ['a machine that hears nothing', createMachine({ id: 'deaf' })],
    [
      'a machine that is over at once',
      createMachine({ initial: 'a', states: { a: { always: 'b' }, b: { type: 'final' } } }),
    ],
  ])('is walked by a live actor of %s', (_what, machine) => {
    const { paths } = generate(machine, { strategy, budget: { states: 300, paths: 150, pathSteps: 30 } });
    expect(paths).not.toEqual([]);
    const wrong = paths.map((path) => replayLive(machine, path)).filter(({ ok }) => !ok);
    expect(wrong.map(String)).toEqual([]);
  });
});

describe('a path', () => {
  it('leads into the failure of a second actor under the same system id', () => {
    const { fatal } = generate(office);
    expect(fatal).toEqual([`(root) hire: Error: Actor with system ID 'desk' already exists.`]);
  });

  it('says of an event to oneself and to a parent whom it goes to', () => {
    const { paths } = generate(narcissus);
    expect(JSON.stringify(paths)).toContain('send self seen');
  });

  it('leads back by a history into each state that it can hold', () => {
    const book = (history: 'deep' | 'shallow'): AnyStateMachine =>
      createMachine({
        id: 'book',
        initial: 'open',
        states: {
          open: {
            initial: 'text',
            on: { close: 'closed' },
            states: {
              text: { initial: 'plain', states: { plain: { on: { mark: 'marked' } }, marked: {} } },
              memory: { type: 'history', history },
            },
          },
          closed: { on: { open: 'open.memory' } },
        },
      });
    const { paths } = generate(book('deep'));
    const shown = paths.map((path) => replayLive(book('shallow'), path));
    expect(shown.flatMap(({ mismatch }) => mismatch?.reasons ?? [])).toEqual([
      'value: expected {"open":{"text":"marked"}}, got {"open":{"text":"plain"}}',
    ]);
  });

  it('covers an event that is called as the other way of a guard is', () => {
    const clerk = createMachine({
      id: 'clerk',
      initial: 'open',
      states: { open: { on: { refused: 'shut' } }, shut: {} },
    });
    expect(generate(clerk).coverage.transitions).toEqual({ 'open refused': 1 });
  });

  it('of pairs covers a transition too that nothing follows', () => {
    const lamp = createMachine({
      id: 'lamp',
      initial: 'on',
      states: { on: { on: { off: 'off' } }, off: {} },
    });
    expect(generate(lamp, { strategy: 'pairs' }).coverage.transitions).toEqual({ 'on off': 1 });
  });

  it('of the shortest goes as far as it may where the rest is too far', () => {
    const counter = createMachine({
      id: 'counter',
      context: { count: 0 },
      on: { more: { actions: assign({ count: ({ context }) => (context as { count: number }).count + 1 }) } },
    });
    const { paths } = generate(counter, { strategy: 'shortest', budget: { states: 50, pathSteps: 10 } });
    expect(paths.map(({ steps }) => steps.length)).toEqual([10]);
  });
});

describe('an invoke without an id', () => {
  const load = fromPromise<number>(() => Promise.resolve(1));
  const loader = setup({ actors: { load } }).createMachine({
    id: 'loader',
    initial: 'loading',
    states: {
      loading: {
        invoke: {
          src: 'load',
          onDone: [{ guard: ({ event }) => event.output > 5, target: 'much' }, { target: 'little' }],
          onError: 'little',
        },
      },
      much: {},
      little: {},
    },
  });

  it('goes by the name of its source, and takes its cases by it', () => {
    const { paths, coverage, unused } = generate(loader, { outputs: { load: [1, 9], laod: [3] } });
    expect(new Set(paths.flatMap(({ steps }) => steps.map(({ actor }) => actor)))).toEqual(new Set(['load']));
    expect(Object.keys(coverage.transitions)).toEqual([
      'loading done(load) [guard]',
      'loading done(load)#1',
      'loading error(load)',
    ]);
    expect(coverage.states).toMatchObject({ much: 1, little: 2 });
    expect(unused).toEqual(['outputs.laod']);
  });

  it('keeps its number where two of one source run side by side', () => {
    const both = setup({ actors: { load } }).createMachine({
      id: 'both',
      invoke: [{ src: 'load' }, { src: 'load', onDone: { actions: () => undefined } }],
    });
    const [path] = generate(both).paths as [Path];
    expect(path.start.children).toEqual(['0.both', '1.both']);
  });

  it('does not take the cases of another that is called as its source', () => {
    const two = setup({ actors: { save: load } }).createMachine({
      id: 'two',
      invoke: [
        { id: 'save', src: 'save', onError: {} },
        { id: 'drop', src: 'save', onError: {} },
      ],
    });
    const { coverage } = generate(two, { errors: { save: [] } });
    expect(coverage.transitions).toEqual({ '(root) error(save)': 0, '(root) error(drop)': 1 });
  });
});
