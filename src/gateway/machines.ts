/** The statecharts of the house as plain data: for whoever wants to look, with a gateway or without one. */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { invokesOf, nodesOf, pathOf, waysOutOf } from '../machines/anatomy.ts';
import { diagram } from '../machines/diagram.ts';
import { effectNames } from '../machines/effect-missing.ts';
import * as rooms from '../machines/index.ts';
import type { MachineState, MachineSummary, MachineView } from '../server/port.ts';
import { lifeCycle } from '../supervisor/index.ts';

/** Every exported `xMachine`, by the name of its room. */
const MACHINES: ReadonlyMap<string, AnyStateMachine> = new Map(
  Object.entries({ ...rooms, lifeCycle }).flatMap(([name, room]) => {
    const { [`${name}Machine`]: machine } = room as Readonly<Record<string, unknown>>;
    return isMachine(machine) ? [[name, machine] as const] : [];
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
  const machine = MACHINES.get(name);
  if (!machine) return undefined;
  return {
    name,
    states: [...nodesOf(machine.root)].map(stateOf),
    events: machine.events.filter((type) => !type.startsWith('xstate.')).toSorted(),
    effects: effectNames(machine),
  };
}

/** As a Mermaid state diagram: one of ours by its name, or any. Undefined: there is no machine of that name. */
export function drawMachine(of: string | AnyStateMachine): string | undefined {
  const machine = typeof of === 'string' ? MACHINES.get(of) : of;
  return machine && diagram(machine);
}

function stateOf(node: AnyStateNode): MachineState {
  const [initial] = node.type === 'compound' ? node.initial.target : [];
  return {
    path: pathOf(node),
    type: node.type,
    ...(initial ? { initial: initial.key } : {}),
    transitions: waysOutOf(node).map(({ on, targets, guard }) => ({
      on,
      targets: targets.map(pathOf),
      guarded: guard !== undefined,
    })),
    invokes: invokesOf(node),
  };
}
