/** Machines as others write them: nothing of our house rules is kept here. */
import {
  and,
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  fromCallback,
  fromObservable,
  fromPromise,
  not,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
  stateIn,
} from 'xstate';
import type { ActorRefFrom } from 'xstate';

export const trafficLight = createMachine({
  id: 'light',
  initial: 'green',
  states: {
    green: { after: { 3_000: 'yellow' }, on: { BROKEN: 'blinking' } },
    yellow: { after: { 1_000: 'red' } },
    red: {
      initial: 'walk',
      states: {
        walk: { after: { 2_000: 'wait' } },
        wait: { after: { 500: 'stop' } },
        stop: { type: 'final' },
      },
      onDone: 'green',
    },
    blinking: { initial: 'on', states: { on: { after: { 400: 'off' } }, off: { after: { 400: 'on' } } } },
  },
});

/** Without implementations: `src` names an actor nobody wrote, actions are missing, context counts for ever. */
export const fetchRetry = createMachine({
  id: 'fetch',
  types: {} as { context: { retries: number; data: unknown } },
  context: { retries: 0, data: null },
  initial: 'idle',
  states: {
    idle: { on: { FETCH: 'loading' } },
    loading: {
      invoke: {
        src: 'fetchUser',
        onDone: { target: 'success', actions: assign({ data: ({ event }) => event.output as unknown }) },
        onError: 'failure',
      },
      on: { CANCEL: 'idle' },
    },
    failure: {
      entry: 'logFailure',
      after: {
        1_000: {
          target: 'loading',
          guard: ({ context }) => context.retries < 2,
          actions: assign({ retries: ({ context }) => context.retries + 1 }),
        },
      },
      on: { RETRY: { target: 'loading', actions: assign({ retries: 0 }) } },
    },
    success: { type: 'final', output: ({ context }: { context: { data: unknown } }) => context.data },
  },
  output: ({ event }) => (event as { output?: unknown }).output,
});

export const wizard = setup({
  types: {
    context: {} as { name: string; age: number; tries: number },
    events: {} as { type: 'NEXT' } | { type: 'BACK' } | { type: 'SET'; name?: string; age?: number },
    output: {} as { name: string },
    emitted: {} as { type: 'rejected'; step: string },
  },
  guards: {
    hasName: ({ context }) => context.name.length > 1,
    isAdult: ({ context }) => context.age >= 18,
    ready: and(['hasName', 'isAdult']),
  },
}).createMachine({
  id: 'wizard',
  context: { name: '', age: 0, tries: 0 },
  initial: 'name',
  on: {
    SET: {
      actions: assign({
        name: ({ context, event }) => event.name ?? context.name,
        age: ({ context, event }) => event.age ?? context.age,
      }),
    },
  },
  states: {
    name: {
      on: {
        NEXT: [
          { guard: 'hasName', target: 'age' },
          {
            actions: [
              assign({ tries: ({ context }) => context.tries + 1 }),
              emit({ type: 'rejected', step: 'name' }),
            ],
          },
        ],
      },
    },
    age: {
      on: {
        BACK: 'name',
        NEXT: [
          { guard: 'ready', target: 'done' },
          { guard: not('isAdult'), actions: emit({ type: 'rejected', step: 'age' }) },
          { target: 'name' },
        ],
      },
    },
    done: { type: 'final' },
  },
  output: ({ context }) => ({ name: context.name }),
});

/** Parallel regions with timers that overlap, history, a delayed send that is taken back. */
export const player = createMachine({
  id: 'player',
  type: 'parallel',
  states: {
    tape: {
      initial: 'stopped',
      states: {
        stopped: { on: { PLAY: 'active' } },
        active: {
          initial: 'playing',
          on: { EJECT: 'stopped', POWER: 'off' },
          states: {
            playing: { on: { PAUSE: 'paused' }, after: { 5_000: '#player.tape.stopped' } },
            paused: { on: { PLAY: 'playing' } },
            last: { type: 'history' },
          },
        },
        off: { on: { POWER: 'active.last' } },
      },
    },
    lamp: {
      initial: 'dark',
      states: {
        dark: {
          on: { PLAY: { target: 'lit', actions: raise({ type: 'DIM' }, { delay: 3_000, id: 'dim' }) } },
        },
        lit: {
          on: {
            DIM: 'dark',
            PAUSE: { actions: cancel('dim') },
            CHECK: { guard: stateIn('#player.tape.off'), target: 'dark' },
          },
        },
      },
    },
  },
});

const todo = createMachine({
  id: 'todo',
  initial: 'open',
  states: { open: { on: { DONE: 'closed' } }, closed: { type: 'final' } },
});
type TodoRef = ActorRefFrom<typeof todo>;
export const todos = setup({
  types: { context: {} as { refs: TodoRef[]; finished: number } },
  actors: {
    todo,
    ticker: fromCallback(({ sendBack }) => void setInterval(() => sendBack({ type: 'TICK' }), 10)),
  },
}).createMachine({
  id: 'todos',
  context: { refs: [], finished: 0 },
  invoke: { src: 'ticker', systemId: 'clock' },
  on: {
    ADD: {
      guard: ({ context }) => context.refs.length < 2,
      actions: assign({ refs: ({ context, spawn }) => [...context.refs, spawn('todo')] }),
    },
    NUDGE: {
      guard: ({ context }) => context.refs.length > 0,
      actions: sendTo(({ context }) => context.refs[0]!, { type: 'DONE' }),
    },
    WATCH: { actions: [spawnChild('todo', { id: 'watched' }), sendTo('watched', { type: 'DONE' })] },
    FORGET: { actions: stopChild('watched') },
    RING: { actions: sendTo(({ system }) => system.get('clock') as TodoRef, { type: 'DONE' }) },
    TICK: {},
    'xstate.done.actor.*': {
      actions: assign({ finished: ({ context }) => Math.min(3, context.finished + 1) }),
    },
  },
});

/** `always` chains, a state that is left as soon as it is entered, reentry, wildcards, `enqueueActions`, `sendParent`. */
export const odds = setup({
  types: {
    context: {} as { n: number; entered: number },
    events: {} as { type: 'ADD'; by: number } | { type: 'again' } | { type: 'log.info' } | { type: 'LEAVE' },
  },
  actions: {
    boom: () => {
      throw new Error('a real action ran');
    },
  },
}).createMachine({
  id: 'odds',
  context: { n: 0, entered: 0 },
  initial: 'even',
  states: {
    even: {
      entry: assign({ entered: ({ context }) => Math.min(context.entered + 1, 3) }),
      always: { guard: ({ context }) => context.n % 2 === 1, target: 'through' },
      on: {
        ADD: {
          actions: enqueueActions(({ context, event, enqueue, check }) => {
            enqueue.assign({ n: (context.n + event.by) % 4 });
            if (check(({ context: { n } }) => n === 3)) enqueue('boom');
            enqueue.raise({ type: 'log.info' });
          }),
        },
        again: { target: 'even', reenter: true, actions: 'boom' },
        'log.*': { actions: sendParent({ type: 'logged' }) },
        '*': 'strange',
      },
    },
    through: { always: 'odd' },
    odd: { on: { ADD: { target: 'even', actions: assign({ n: 0 }) }, LEAVE: { target: 'end' } } },
    strange: { on: { LEAVE: 'end' } },
    end: { type: 'final' },
  },
});

/** Watches an observable, and something inline. */
export const watcher = setup({
  types: { context: {} as { seen: number } },
  actors: {
    numbers: fromObservable<number, undefined>(
      () => ({ subscribe: () => ({ unsubscribe: () => undefined }) }) as never,
    ),
  },
}).createMachine({
  id: 'watcher',
  context: { seen: 0 },
  initial: 'watching',
  states: {
    watching: {
      invoke: [
        {
          id: 'numbers',
          src: 'numbers',
          onSnapshot: {
            actions: assign({ seen: ({ event }) => (event.snapshot.context as number | undefined) ?? -1 }),
          },
          onDone: 'over',
        },
        { src: fromPromise(() => Promise.reject(new Error('inline ran'))), onError: 'over' },
      ],
    },
    over: { type: 'final' },
  },
});
