import { not, type AnyStateMachine } from 'xstate';
import { longForm, partAt, type Config, type Transition } from './config.ts';
import { planted, type Fault, type Kind, type Mutant } from './mutant.ts';
import {
  actionsOf,
  guardName,
  handlersOf,
  invokeName,
  statesOf,
  stateText,
  transitionsOf,
} from './places.ts';
import type { HandlerPlace, TransitionPlace } from './places.ts';

type Resolve = (from: readonly string[], target: string) => readonly string[];

/** What a target means: the path of a state. */
function resolver(machine: AnyStateMachine, config: Config): Resolve {
  const ids = new Map(statesOf(config).map(({ state, config: one }) => [one['id'], state]));
  ids.set(machine.id, []);
  return (from, target) => {
    if (target.startsWith('.')) return [...from, ...target.slice(1).split('.')];
    if (!target.startsWith('#')) return [...from.slice(0, -1), ...target.split('.')];
    const [id, ...below] = target.slice(1).split('.');
    return [...(ids.get(id) ?? []), ...below];
  };
}

const partOf = (config: Config, state: readonly string[]): Config =>
  partAt(
    config,
    state.flatMap((key) => ['states', key]),
  ) as Config;

/** The states beside one, in the order of the definition, beginning behind it. */
function besides(config: Config, state: readonly string[]): (readonly string[])[] {
  const above = state.slice(0, -1);
  const names = Object.keys((partOf(config, above)['states'] ?? {}) as Config);
  const at = names.indexOf(state.at(-1)!);
  return [...names.slice(at + 1), ...names.slice(0, at)].map((name) => [...above, name]);
}

/** Where one comes to who enters a state: into its initial states, as far down as they go. */
function enteredAt(config: Config, state: readonly string[]): readonly string[] {
  const { initial, type } = partOf(config, state);
  return typeof initial === 'string' && type !== 'parallel' ? enteredAt(config, [...state, initial]) : state;
}

/** A way from a state to itself that neither leaves nor enters anything: with its target or without, it is the same. */
function leadsNowhere(
  config: Config,
  state: readonly string[],
  target: readonly string[],
  reenter?: boolean,
): boolean {
  const one = partOf(config, state);
  const happens = reenter === true && ['entry', 'exit', 'invoke', 'after'].some((part) => part in one);
  return samePath(state, target) && !('states' in one) && !happens;
}

const samePath = (one: readonly string[], other: readonly string[]): boolean =>
  one.join('.') === other.join('.');

/** Another state than the one that is meant: its neighbours, the source itself, the state around the source. */
function wrongTargets(machine: AnyStateMachine, config: Config): Fault[] {
  const resolve = resolver(machine, config);
  const absolute = (state: readonly string[]): string => ['#' + machine.id, ...state].join('.');
  return transitionsOf(config).flatMap(({ place, name, state, transition }) => {
    if (typeof transition.target !== 'string') return [];
    const target = resolve(state, transition.target);
    const others = besides(config, target);
    const around = [others[0], others.at(-1), state, state.slice(0, -1)];
    const wrong = around
      .filter((path) => path !== undefined)
      .filter((path, at, all) => path.length > 0 && all.findIndex((other) => samePath(path, other)) === at)
      .filter((path) => !samePath(enteredAt(config, path), enteredAt(config, target)));
    const fault = (words: string, change: (old: Transition) => Transition): Fault => ({
      kind: 'target',
      name: `${name}: target ${stateText(target)} ${words}`,
      place,
      change: (part) => change(part as Transition),
    });
    const dropped = fault('dropped', ({ target: _target, reenter: _reenter, ...rest }) => rest);
    return [
      ...(leadsNowhere(config, state, target, transition.reenter) ? [] : [dropped]),
      ...wrong.map((path) => fault(`-> ${stateText(path)}`, (old) => ({ ...old, target: absolute(path) }))),
    ];
  });
}

/** A guard that always passes, one that never does, and one that says the opposite. */
function wrongGuards(config: Config): Fault[] {
  return transitionsOf(config).flatMap(({ place, name, transition }) => {
    if (transition.guard === undefined) return [];
    const guard = transition.guard as Parameters<typeof not>[0];
    const fault = (words: string, change: (part: unknown) => unknown): Fault => ({
      kind: 'guard',
      name: `${name}: guard ${guardName(guard)} ${words}`,
      place: [...place, 'guard'],
      change,
    });
    return [
      fault('missing', () => undefined),
      fault('never passes', () => () => false),
      fault('turned round', () => not(guard as never)),
    ];
  });
}

const droppedActions = (config: Config): Fault[] =>
  actionsOf(config).map(({ place, name }) => ({
    kind: 'action',
    name: `${name} dropped`,
    place,
    change: () => undefined,
  }));

/** Events by which our machines are told the time, where they have no timer of their own. */
const TIME = /^clock\.tick$|\.deadline$|\.elapsed$|\.passed$|\.due$|\.cooled$/;
const FACTORS = [
  ['doubled', 2],
  ['halved', 0.5],
  ['at once', 0],
] as const;
type DelayOf = (...args: readonly unknown[]) => number;

/** Timers that are lost, late, early and at once; a machine that is told the time does not hear it. */
function wrongTimers(machine: AnyStateMachine, config: Config): Fault[] {
  return handlersOf(config).flatMap((handler): Fault[] => {
    const { kind, key, name, place, candidates } = handler;
    const base = { kind: 'timer', place } as const;
    if (kind === 'on' && TIME.test(key) && candidates.some((one) => Object.keys(one).length > 0))
      return [{ ...base, name: `${name}: never heard`, change: () => [{}] }];
    if (kind !== 'after') return [];
    return [
      { ...base, name: `${name}: timer lost`, change: () => undefined },
      ...FACTORS.map(([words, factor]) => retimed(machine, handler, words, factor)),
    ];
  });
}

function retimed(
  machine: AnyStateMachine,
  { key, name, place }: HandlerPlace,
  words: string,
  factor: number,
): Fault {
  const known = (machine.implementations.delays as Readonly<Record<string, number | DelayOf | undefined>>)[
    key
  ];
  const delay = known ?? Number(key);
  const wrong: number | DelayOf =
    typeof delay === 'number' ? delay * factor : (...args) => delay(...args) * factor;
  const renamed = `${key} ${words}`;
  return {
    kind: 'timer',
    name: `${name}: timer ${words}`,
    place: place.slice(0, -1),
    change: (after) =>
      Object.fromEntries(
        Object.entries(after as Config).map(([other, list]) => [other === key ? renamed : other, list]),
      ),
    delays: { [renamed]: wrong },
  };
}

/** Candidates without a guard that are gone (those with one: see the guard that never passes), and answers to ends. */
const lostHandlers = (config: Config): Fault[] =>
  transitionsOf(config)
    .filter(({ transition, place }) => transition.guard === undefined && !place.includes('after'))
    .filter(({ transition }) => Object.keys(transition).length > 0)
    .map(({ place, name }: TransitionPlace) => ({
      kind: 'handler',
      name: `${name}: lost`,
      place,
      change: () => undefined,
    }));

const lostInvokes = (config: Config): Fault[] =>
  statesOf(config).flatMap(({ place, state, config: one }) =>
    ((one['invoke'] ?? []) as readonly Config[]).map((invoke, at): Fault => ({
      kind: 'invoke',
      name: `${stateText(state)}: ${invokeName(invoke)} never begun`,
      place: [...place, 'invoke', at],
      change: () => undefined,
    })),
  );

const wrongInitials = (config: Config): Fault[] =>
  statesOf(config).flatMap(({ place, state, config: one }) => {
    const { initial } = one;
    if (typeof initial !== 'string') return [];
    const [next] = besides(config, [...state, initial]);
    if (!next) return [];
    const fault: Fault = {
      kind: 'initial',
      name: `${stateText(state)}: begins in ${next.at(-1)} instead of ${initial}`,
      place: [...place, 'initial'],
      change: () => next.at(-1),
    };
    return [fault];
  });

/** Every fault that can be planted into a machine, in a stable order; one fault each. */
export function mutantsOf(machine: AnyStateMachine, kinds?: readonly Kind[]): Mutant[] {
  const config = longForm(machine.config);
  const faults = [
    ...wrongTargets(machine, config),
    ...wrongGuards(config),
    ...droppedActions(config),
    ...wrongTimers(machine, config),
    ...lostHandlers(config),
    ...lostInvokes(config),
    ...wrongInitials(config),
  ];
  return faults
    .filter(({ kind }) => kinds === undefined || kinds.includes(kind))
    .map((fault) => planted(machine, config, fault));
}
