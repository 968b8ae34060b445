/** A chaotic child: an XState machine with machines in it, whose every resource is counted. */
import { assign, fromCallback, fromPromise, sendTo, setup, type AnyActorLogic } from 'xstate';
import { callbackEffect } from '../../../src/host/index.ts';
import type { Scope, StartContext } from '../../../src/supervisor/index.ts';
import type { Traits, WorkerPlan } from './plan.ts';

/** One life of one path, as it was: what it holds is counted by whoever gives it. */
export interface Life {
  readonly path: string;
  readonly incarnation: number;
  readonly serial: number;
  readonly scope: Scope;
  readonly plan: WorkerPlan;
  /** Its input is being made. */
  starting: boolean;
  /** Callbacks that have begun and were not cleaned up. */
  held: number;
  /** The order in which its scope closed among all; undefined while it is open. */
  over: number | undefined;
  overAt: number;
  /** An asynchronous disposer is at work. */
  disposing: boolean;
  /** Its own action runs. */
  acting: number;
}

export interface Hands {
  begin(start: StartContext, plan: WorkerPlan): Life;
  /** Something re-entrant, if there is. */
  act(serial: number): void;
  took(event: { readonly n?: number }): void;
  life(serial: number): Life;
}

interface Given {
  readonly serial: number;
  readonly failing: boolean;
  readonly ignoring: boolean;
}

const boom = (): never => {
  throw new Error('boom');
};
const bit = (mask: number, start: number): boolean => ((mask >> ((start - 1) % 8)) & 1) === 1;

/** The input function of a child, with a count of its starts. */
export function inputOf(plan: WorkerPlan, hands: Hands): (start: StartContext) => Given {
  const { failsAt, ignoresAt, inputThrowsAt, keeps } = plan.traits;
  let starts = 0;
  return (start) => {
    starts += 1;
    const life = hands.begin(start, plan);
    if (keeps) start.keep({ from: start.incarnation });
    if (bit(inputThrowsAt, starts)) boom();
    return { serial: life.serial, failing: bit(failsAt, starts), ignoring: bit(ignoresAt, starts) };
  };
}

const resource = (hands: Hands, throws: boolean): AnyActorLogic =>
  callbackEffect<{ type: string }, Given>(({ input, onEvent }) => {
    const life = hands.life(input.serial);
    life.held += 1;
    onEvent(boom);
    return () => {
      life.held -= 1;
      if (throws) boom();
    };
  }) as AnyActorLogic;

const given = ({ context }: { context: Given }): Given => context;

/** A machine `depth` deep, each level with a resource and a promise that never settles. */
function inner(depth: number, { heals, cleanupThrows }: Traits, hands: Hands): AnyActorLogic {
  const again = { target: '.up', reenter: true };
  return setup({
    types: { context: {} as Given, input: {} as Given },
    actors: {
      resource: resource(hands, cleanupThrows),
      endless: fromPromise(() => new Promise<never>(() => {})),
      inner: depth > 1 ? inner(depth - 1, { heals, cleanupThrows } as Traits, hands) : NOTHING,
    },
    actions: { boom },
  }).createMachine({
    context: ({ input }: { input: Given }) => input,
    initial: 'up',
    on: {
      'crash deep':
        depth > 1
          ? { actions: sendTo('inner', { type: 'crash deep' }) }
          : { actions: sendTo('resource', { type: 'break' }) },
      ...(heals && depth > 1 ? { 'xstate.error.actor.inner': again } : {}),
    },
    states: {
      up: {
        invoke: [
          { src: 'resource', id: 'resource', input: given },
          { src: 'endless', onError: {} },
          ...(depth > 1 ? [{ src: 'inner', id: 'inner', input: given }] : []),
        ],
      },
    },
  } as never) as AnyActorLogic;
}

const NOTHING = fromCallback(() => {});

export function worker({ traits }: WorkerPlan, hands: Hands): AnyActorLogic {
  const { depth, heals, onStop, cleanupThrows } = traits;
  const leave = (exit: string) => ({ target: '.over', actions: { type: 'exitAs', params: { exit } } });
  return setup({
    types: {
      context: {} as Given & { exit: string },
      input: {} as Given,
      events: {} as { readonly type: string; readonly n?: number },
    },
    actors: {
      resource: resource(hands, cleanupThrows),
      inner: depth > 0 ? inner(depth, traits, hands) : NOTHING,
    },
    actions: {
      boom,
      began: ({ context }) => (context.failing ? boom() : undefined),
      act: ({ context }) => hands.act(context.serial),
      took: ({ event }) => hands.took(event),
      exitAs: assign((_, params: { exit: string }) => params),
    },
    guards: { ignores: ({ context }) => context.ignoring },
  }).createMachine({
    context: ({ input }: { input: Given }) => ({ ...input, exit: 'normal' }),
    invoke: [
      { src: 'resource', id: 'own', input: given },
      ...(depth > 0 ? [{ src: 'inner', id: 'inner', input: given }] : []),
    ],
    initial: 'born',
    on: {
      noop: { actions: 'took' },
      act: { actions: 'act' },
      crash: { actions: 'boom' },
      'crash deep': depth > 0 ? { actions: sendTo('inner', { type: 'crash deep' }) } : { actions: 'boom' },
      ...(heals ? { 'xstate.error.actor.inner': { actions: 'took' } } : {}),
      finish: leave('normal'),
      leave: leave('shutdown'),
      fail: leave('error'),
    },
    states: {
      born: { always: [{ guard: 'ignores', target: 'over' }, { target: 'up' }] },
      up: {
        entry: 'began',
        on: { ...stopping(onStop), ...(heals ? { 'xstate.error.actor.inner': 'hurt' } : {}) },
      },
      /** Goes on without what it invoked. */
      hurt: { on: stopping(onStop) },
      closing: { after: { 30: 'down' } },
      over: { type: 'final' },
      down: {
        type: 'final',
        entry: { type: 'exitAs', params: { exit: onStop === 'error' ? 'error' : 'shutdown' } },
      },
    },
    output: ({ context }: { context: { exit: string } }) => ({ exit: context.exit }),
  } as never) as AnyActorLogic;
}

function stopping(onStop: Traits['onStop']): object {
  switch (onStop) {
    case 'deaf':
      return {};
    case 'hang':
      return { 'supervisor.shutdown': { actions: 'took' } };
    case 'throws':
      return { 'supervisor.shutdown': { actions: 'boom' } };
    case 'late':
      return { 'supervisor.shutdown': 'closing' };
    default:
      return { 'supervisor.shutdown': 'down' };
  }
}
