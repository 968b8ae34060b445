import { assign, emit, fromCallback, fromPromise, sendTo, setup, type AnyActorLogic } from 'xstate';
import { callbackEffect } from '../../src/host/index.ts';
import type { Clock } from '../../src/supervisor/index.ts';

/** Real intervals, by who holds them: what beats is alive, whatever anybody says. */
export function createResources() {
  const live = new Map<string, number>();
  const beats = new Map<string, Set<object>>();
  const hold = (label: string): (() => void) => {
    const me = {};
    const beating = beats.get(label) ?? new Set();
    beats.set(label, beating);
    const timer = setInterval(() => beating.add(me), 1);
    live.set(label, (live.get(label) ?? 0) + 1);
    return () => {
      clearInterval(timer);
      live.set(label, live.get(label)! - 1);
    };
  };
  return {
    logic: (label: string) => fromCallback(() => hold(label)),
    hold,
    /** Held now, by label. */
    held: () => Object.fromEntries(live),
    /** Intervals that fire from now on, by label. */
    async beating() {
      for (const set of beats.values()) set.clear();
      await new Promise((resolve) => setTimeout(resolve, 15));
      return Object.fromEntries([...beats].map(([label, set]) => [label, set.size]));
    },
  };
}
export type Resources = ReturnType<typeof createResources>;

/** What the bombs of one test share. */
export interface Trap {
  readonly clock: Clock;
  readonly resources: Resources;
  /** Starts that fail from now on. */
  failingStarts: number;
}

const boom = (): never => {
  throw new Error('boom');
};
const boomAtStart = (trap: Trap): void => {
  if (trap.failingStarts <= 0) return;
  trap.failingStarts -= 1;
  boom();
};

export const KINDS = [
  'action',
  'entry',
  'initial entry',
  'guard',
  'always guard',
  'exit',
  'assigner',
  'context factory',
  'after action',
  'promise rejects',
  'promise throws at once',
  'callback at its start',
  'callback in receive',
  'callback in a guarded timer',
  'callback in its cleanup',
] as const;
export type Kind = (typeof KINDS)[number];
export const fallsAtStart = (kind: Kind): boolean => kind === 'initial entry' || kind === 'context factory';

/** A machine that holds a resource, and a machine in it that holds another. Told `go`, it fails in its own way. */
export function bomb(kind: Kind, trap: Trap): AnyActorLogic {
  const { resources, clock } = trap;
  const inner = setup({ actors: { resource: resources.logic('inner') } }).createMachine({
    invoke: { src: 'resource' },
  });
  return setup({
    types: { context: {} as { n: number } },
    actors: {
      resource: resources.logic('bomb'),
      inner,
      rejects: fromPromise(() => Promise.reject(new Error('boom'))),
      throwsAtOnce: fromPromise(() => boom()),
      failsAtStart: fromCallback(() => boom()),
      failsInReceive: fromCallback(({ receive }) => receive(boom)),
      failsInCleanup: fromCallback(() => boom),
      failsInTimer: callbackEffect(({ guard }) => void clock.setTimeout(guard(boom), 5)),
    },
    actions: {
      boom,
      initially: () => (kind === 'initial entry' ? boomAtStart(trap) : undefined),
      spoil: assign(() => boom()),
    },
    guards: { boom },
  }).createMachine({
    context: () => {
      if (kind === 'context factory') boomAtStart(trap);
      return { n: 0 };
    },
    entry: 'initially',
    invoke: [{ src: 'resource' }, { src: 'inner' }],
    initial: 'idle',
    on: { 'supervisor.shutdown': '.down' },
    states: {
      idle: { on: kind === 'guard' ? { go: { guard: 'boom', target: 'gone' } } : { go: goes(kind) } },
      'in action': {},
      entry: { entry: 'boom' },
      'always guard': { always: { guard: 'boom', target: 'gone' } },
      exit: { exit: 'boom', always: 'gone' },
      'after action': { after: { 10: { target: 'gone', actions: 'boom' } } },
      'promise rejects': { invoke: { src: 'rejects' } },
      'promise throws at once': { invoke: { src: 'throwsAtOnce' } },
      'callback at its start': { invoke: { src: 'failsAtStart' } },
      'callback in receive': {
        invoke: { src: 'failsInReceive', id: 'ear' },
        entry: sendTo('ear', { type: 'go' }),
      },
      'callback in a guarded timer': { invoke: { src: 'failsInTimer' } },
      'callback in its cleanup': { invoke: { src: 'failsInCleanup' }, after: { 1: 'idle' } },
      gone: {},
      down: { type: 'final' },
    },
  } as never) as AnyActorLogic;
}

function goes(kind: Kind): unknown {
  if (kind === 'action') return { target: 'in action', actions: 'boom' };
  if (kind === 'assigner') return { target: 'in action', actions: 'spoil' };
  return fallsAtStart(kind) ? undefined : { target: kind };
}

/** Says `said` when told `go`; whoever listens may throw. */
export const speaker = (resources: Resources): AnyActorLogic =>
  setup({
    types: { emitted: {} as { type: 'said' } },
    actors: { resource: resources.logic('bomb') },
  }).createMachine({
    invoke: { src: 'resource' },
    on: { go: { actions: emit({ type: 'said' }) } },
  }) as AnyActorLogic;
