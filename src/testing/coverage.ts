import type { Coverage } from './contract.ts';
import { activeNodes, glob } from './paths.ts';
import { nodesOf, pathOf } from './nodes.ts';
import { isRefusal } from './transitions.ts';
import type { TransitionWatch } from './transitions.ts';
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode } from 'xstate';

const REFUSED = ' refused';

/** Counts what one machine does, step by step. */
export interface CoverageCount {
  /** A step that led to `snapshot`, with the outcomes of transitions on the way. */
  add(snapshot: AnyMachineSnapshot, outcomes: Iterable<string>): void;
  coverage(): Coverage;
}

export function countCoverage(machine: AnyStateMachine, watch: TransitionWatch): CoverageCount {
  const real = nodesOf(machine.root).filter((node) => node.parent !== undefined && node.type !== 'history');
  const states = new Map(real.map((node) => [pathOf(node), 0]));
  const outcomes = new Map([...watch.all].map((name) => [name, 0]));
  // A state that is left in the step that enters it (`always`, a final one) shows in transitions alone.
  const passed = new Map(
    [...watch.names].map(([transition, name]) => [
      name,
      [transition.source, ...(transition.target ?? []).flatMap(enteredBy)].map(pathOf),
    ]),
  );
  const hit = (map: Map<string, number>, name: string): void => {
    const hits = map.get(name);
    if (hits !== undefined) map.set(name, hits + 1);
  };
  return {
    add(snapshot, seen) {
      const entered = new Set(activeNodes(snapshot).map(pathOf));
      for (const name of seen) {
        hit(outcomes, name);
        for (const state of passed.get(name) ?? []) entered.add(state);
      }
      for (const name of entered) hit(states, name);
    },
    coverage: () => toCoverage(machine.id, states, outcomes),
  };
}

/** A target with what is entered along with it. */
const enteredBy = (node: AnyStateNode): AnyStateNode[] => {
  if (node.type === 'history') return [];
  const within =
    node.type === 'compound'
      ? node.initial.target
      : node.type === 'parallel'
        ? Object.values(node.states)
        : [];
  return [node, ...within.flatMap(enteredBy)];
};

function toCoverage(
  machine: string,
  states: ReadonlyMap<string, number>,
  outcomes: ReadonlyMap<string, number>,
): Coverage {
  const names = [...outcomes.keys()].filter((name) => !isRefusal(name));
  const guarded = names.filter((name) => outcomes.has(name + REFUSED));
  const both = (name: string) => ({ taken: outcomes.get(name)!, refused: outcomes.get(name + REFUSED)! });
  return {
    machine,
    states: Object.fromEntries(states),
    transitions: Object.fromEntries(names.map((name) => [name, outcomes.get(name)!])),
    guards: Object.fromEntries(guarded.map((name) => [name, both(name)])),
  };
}

type Hits = Readonly<Record<string, number>>;

/** Several runs of one machine as one. Throws nothing; runs of other machines than the first are left out. */
export function mergeCoverage(first: Coverage, ...others: readonly Coverage[]): Coverage {
  return others.filter(({ machine }) => machine === first.machine).reduce(mergedWith, first);
}

function mergedWith(one: Coverage, other: Coverage): Coverage {
  const guards = { ...one.guards };
  for (const [name, { taken, refused }] of Object.entries(other.guards)) {
    const known = guards[name] ?? { taken: 0, refused: 0 };
    guards[name] = { taken: known.taken + taken, refused: known.refused + refused };
  }
  return {
    machine: one.machine,
    states: sum(one.states, other.states),
    transitions: sum(one.transitions, other.transitions),
    guards,
  };
}

const sum = (one: Hits, other: Hits): Hits => ({
  ...one,
  ...Object.fromEntries(Object.entries(other).map(([name, hits]) => [name, (one[name] ?? 0) + hits])),
});

/** What is not covered, in words; without what was declared unreachable (`*`: any characters). */
export interface Missing {
  readonly states: readonly string[];
  readonly transitions: readonly string[];
  /** `NAME never taken`, `NAME never refused`. */
  readonly guards: readonly string[];
}

/** What was never reached, without what is declared unreachable. */
export function missingIn(coverage: Coverage, unreachable: readonly string[] = []): Missing {
  const rules = unreachable.map(glob);
  const open = (name: string): boolean => !rules.some((rule) => rule.test(name));
  const unhit = (hits: Hits): string[] => Object.keys(hits).filter((name) => hits[name] === 0 && open(name));
  return {
    states: unhit(coverage.states),
    transitions: unhit(coverage.transitions),
    guards: Object.entries(coverage.guards).flatMap(([name, { taken, refused }]) => [
      ...(taken === 0 && open(name) ? [`${name} never taken`] : []),
      ...(refused === 0 && open(name) && open(name + REFUSED) ? [`${name} never refused`] : []),
    ]),
  };
}

/** Nothing is missing. */
export function isComplete(coverage: Coverage, unreachable: readonly string[] = []): boolean {
  const { states, transitions, guards } = missingIn(coverage, unreachable);
  return states.length + transitions.length + guards.length === 0;
}
