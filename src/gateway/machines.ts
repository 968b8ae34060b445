/** The statecharts of the house as plain data: for whoever wants to look, with a gateway or without one. */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import * as rooms from '../machines/index.ts';
import type { MachineState, MachineSummary, MachineView } from '../server/port.ts';

interface Room {
  readonly machine: AnyStateMachine;
  /** The same machine after a host has provided everything it must. */
  readonly provided: AnyStateMachine;
}

/** Stands for any effect a host might provide. */
const ANY_EFFECT = new Proxy({}, { get: () => () => undefined });

/** Every exported `xMachine`, by the name of its room. */
const MACHINES: ReadonlyMap<string, Room> = new Map(
  Object.entries(rooms).flatMap(([name, room]) => {
    const { [`${name}Machine`]: machine, withEffects } = room as Readonly<Record<string, unknown>>;
    if (!isMachine(machine)) return [];
    const provided: unknown = typeof withEffects === 'function' ? withEffects(ANY_EFFECT) : machine;
    return [[name, { machine, provided: isMachine(provided) ? provided : machine }] as const];
  }),
);

function isMachine(value: unknown): value is AnyStateMachine {
  return typeof value === 'object' && value !== null && 'root' in value && 'implementations' in value;
}

export function listMachines(): MachineSummary[] {
  return [...MACHINES.keys()].map((name) => {
    const { states, events, effects } = describeMachine(name)!;
    return { name, states: states.length - 1, events: events.length, effects: effects.length };
  });
}

/** Undefined: there is no such machine. */
export function describeMachine(name: string): MachineView | undefined {
  const room = MACHINES.get(name);
  if (!room) return undefined;
  const { machine } = room;
  return {
    name,
    states: [...walk(machine.root)],
    events: machine.events.filter((type) => !type.startsWith('xstate.')).toSorted(),
    effects: effectsOf(room),
  };
}

function* walk(node: AnyStateNode): Generator<MachineState> {
  yield stateOf(node);
  for (const child of Object.values(node.states)) yield* walk(child);
}

function stateOf(node: AnyStateNode): MachineState {
  const [initial] = node.type === 'compound' ? node.initial.target : [];
  return {
    path: pathOf(node),
    type: node.type,
    ...(initial ? { initial: initial.key } : {}),
    transitions: transitionsOf(node),
    invokes: node.invoke.map(({ src, id }) => (typeof src === 'string' ? src : id)),
  };
}

const pathOf = (node: AnyStateNode): string => node.path.join('.');

function transitionsOf(node: AnyStateNode): MachineState['transitions'] {
  const all = [...[...node.transitions.values()].flat(), ...(node.always ?? [])];
  return all.map(({ eventType, target, guard }) => ({
    on: nameOf(eventType, node),
    targets: (target ?? []).map(pathOf),
    guarded: guard !== undefined,
  }));
}

/** The names XState makes for its own events, in words. */
function nameOf(eventType: string, node: AnyStateNode): string {
  if (eventType === '') return 'always';
  const [, kind, rest = ''] =
    /^xstate\.(done\.state|done\.actor|error\.actor|after)\.(.*)$/.exec(eventType) ?? [];
  if (kind === undefined) return eventType;
  if (kind === 'after') return `after ${rest.split('.')[0]}`;
  return kind === 'done.state' ? 'done' : `${kind.split('.')[0]} ${rest || node.key}`;
}

/** Actors are effects by rule; of the actions, those that `withEffects` puts something else in the place of. */
function effectsOf({ machine, provided }: Room): MachineView['effects'] {
  const own = machine.implementations.actions;
  const actions = Object.entries(provided.implementations.actions).filter(
    ([name, action]) => action !== own[name],
  );
  return [
    ...Object.keys(machine.implementations.actors).map((name) => ({ name, kind: 'actor' as const })),
    ...actions.map(([name]) => ({ name, kind: 'action' as const })),
  ];
}
