/** What is wrong with a machine of somebody else, without anybody having written an invariant. */
import { assign, createMachine, fromPromise, setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import { generate, prove, replayLive } from '../../src/testing/index.ts';

interface User {
  readonly name: string;
}

const greeter = setup({
  types: {
    context: {} as { user?: User },
    events: {} as { type: 'login'; user: User } | { type: 'greet' | 'crash' },
  },
  guards: { isNamed: ({ context }) => context.user!.name !== '' },
}).createMachine({
  id: 'greeter',
  context: {},
  initial: 'out',
  states: {
    out: {
      on: {
        login: { target: 'in', actions: assign({ user: ({ event }) => event.user }) },
        greet: { guard: 'isNamed', target: 'in' },
      },
    },
    in: {
      on: {
        crash: {
          actions: assign(() => {
            throw new TypeError('a bad assign');
          }),
        },
      },
    },
  },
});
const examples = { login: { type: 'login', user: { name: 'Ann' } } };

describe('a machine that throws', () => {
  it('is told with the state and the event, once for each error, and is not said to ignore that event', () => {
    const { fatal, unhandled } = generate(greeter, { examples });
    expect(fatal).toEqual([
      'in crash: TypeError: a bad assign',
      expect.stringMatching(/^out greet: Error: Unable to evaluate guard .* \(reading 'name'\)$/),
    ]);
    expect(unhandled).toEqual(['in greet', 'in login', 'out crash']);
  });

  it('has a path into each failure, and a live actor walks it', () => {
    const { paths } = generate(greeter, { examples });
    const last = paths.map(({ steps }) => steps.at(-1)!);
    expect(last.map(({ event, expected }) => [event.type, expected.status])).toEqual([
      ['crash', 'error'],
      ['greet', 'error'],
    ]);
    expect(paths.map((path) => replayLive(greeter, path).ok)).toEqual([true, true]);
  });

  it('is told of by a proof, and by random walks too', () => {
    expect(String(prove(greeter, { examples }))).toContain(
      'the machine fails: in crash: TypeError: a bad assign',
    );
    expect(generate(greeter, { examples, strategy: 'random' }).fatal).toHaveLength(2);
  });

  it('fails where its transitions go round in a circle, and what is generated comes to an end', () => {
    const { fatal } = generate(
      createMachine({
        id: 'dizzy',
        initial: 'still',
        states: { still: { on: { go: 'left' } }, left: { always: 'right' }, right: { always: 'left' } },
      }),
    );
    expect(fatal).toEqual([expect.stringMatching(/^still go: Error: Infinite loop detected/)]);
  });
});

it('an actor whose failure nothing listens for is told, for the machine would fail with it', () => {
  const machine = setup({ actors: { load: fromPromise(() => Promise.resolve(1)) } }).createMachine({
    id: 'careless',
    initial: 'loading',
    states: {
      loading: { invoke: { src: 'load', onDone: 'checking' } },
      checking: { invoke: { src: 'load', id: 'check', onDone: 'ready', onError: 'loading' } },
      ready: {},
    },
  });
  expect(generate(machine).unguarded).toEqual(['load in loading']);
});

it('a counter without an end is named where the exploring stops', () => {
  const machine = createMachine({
    id: 'clicker',
    context: { clicks: 0, kind: 'mouse' },
    on: {
      click: { actions: assign({ clicks: ({ context }) => (context as { clicks: number }).clicks + 1 }) },
    },
  });
  const { cut } = generate(machine, { budget: { states: 3_000 } });
  expect(cut.map(({ text }) => text)).toEqual([
    expect.stringMatching(/^exploring stopped at 3000 states \(context\.clicks alone had 300\d values\)/),
  ]);
});

it('the states of regions side by side are named in the order of the definition, whichever moved last', () => {
  const machine = createMachine({
    id: 'pair',
    type: 'parallel',
    states: {
      left: { initial: 'a', states: { a: { on: { go: 'b' } }, b: { on: { back: 'a' } } } },
      right: { initial: 'a', states: { a: { on: { move: 'b' } }, b: {} } },
    },
  });
  const { unhandled } = generate(machine);
  expect(unhandled).toEqual([
    'left.a+right.a back',
    'left.a+right.b back',
    'left.a+right.b move',
    'left.b+right.a go',
    'left.b+right.b go',
    'left.b+right.b move',
  ]);
});
