import type {
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
  AnyTransitionDefinition,
} from 'xstate';
import { evaluateGuard } from 'xstate/guards';
import { nodesOf, pathOf } from './nodes.ts';
import { sourceNames } from './source-names.ts';

/** The candidate transitions of one machine, by name, and what became of them. */
export interface TransitionWatch {
  /** Every outcome there can be: `STATE EVENT [guard]`, and ` refused` behind it for the other way of a guard. */
  readonly all: Set<string>;
  /** Outcomes seen. May be replaced by a fresh set to look at a single step. */
  taken: Set<string>;
  readonly names: ReadonlyMap<AnyTransitionDefinition, string>;
}

/** The other way of a guard: its name ends in a bracket, unlike that of an event that happens to be called `refused`. */
export const isRefusal = (outcome: string): boolean => outcome.endsWith('] refused');

/** Names every candidate transition and spies on its guard. `machine` must be ours alone: its definition is touched. */
export function watchTransitions(machine: AnyStateMachine): TransitionWatch {
  const names = new Map<AnyTransitionDefinition, string>();
  const watch: TransitionWatch = { all: new Set(), taken: new Set(), names };
  const sources = sourceNames(machine);
  const named = (type: string): string =>
    shortType(type).replace(/\((.*)\)$/, (whole, id: string) =>
      sources.has(id) ? `(${sources.get(id)})` : whole,
    );
  const add = (
    node: AnyStateNode,
    type: string,
    transition: AnyTransitionDefinition,
    index: number,
  ): void => {
    const guard = transition.guard === undefined ? '' : ` [${guardName(transition.guard)}]`;
    const name = `${pathOf(node)} ${type}${index > 0 ? `#${index}` : ''}${guard}`;
    names.set(transition, name);
    watch.all.add(name);
    if (transition.guard === undefined) return;
    watch.all.add(`${name} refused`);
    transition.guard = spied(transition.guard, () =>
      watch.taken.add(`${name} refused`),
    ) as typeof transition.guard;
  };
  for (const node of nodesOf(machine.root)) {
    for (const [type, candidates] of node.transitions)
      candidates.forEach((transition, index) => add(node, named(type), transition, index));
    node.always?.forEach((transition, index) => add(node, 'always', transition, index));
  }
  return watch;
}

/** The states a transition goes back into by a history: where it leads depends on what was there before. */
export const memoriesOf = ({ target }: AnyTransitionDefinition): readonly AnyStateNode[] =>
  (target ?? []).flatMap(({ type, parent }) => (type === 'history' && parent ? parent : []));

type Guard = Parameters<typeof evaluateGuard>[0];

function spied(guard: unknown, refused: () => void): unknown {
  const check = (snapshot: AnyMachineSnapshot, args: { context: never; event: never }): boolean => {
    const passed = evaluateGuard(guard as Guard, args.context, args.event, snapshot);
    if (!passed) refused();
    return passed;
  };
  return Object.assign(() => false, { check });
}

function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  if (typeof guard === 'function')
    return 'guards' in guard
      ? `${guard.name}(${(guard.guards as unknown[]).map(guardName).join(', ')})`
      : guard.name || 'inline';
  return (guard as { type: string }).type;
}

/** XState's own event types in words: `done(ID)`, `error(ID)`, `after(1000)`, `done`. */
export function shortType(type: string): string {
  return type
    .replace(/^xstate\.(done|error)\.actor\.(.*)$/, '$1($2)')
    .replace(/^xstate\.snapshot\.(.*)$/, 'snapshot($1)')
    .replace(/^xstate\.after\.([^.]*)\..*$/, 'after($1)')
    .replace(/^xstate\.done\.state\..*$/, 'done');
}

/** Does a key of `on` match this type? As XState has it: exact, `*`, or a prefix and `.*`. */
export function describes(descriptor: string, type: string): boolean {
  if (descriptor === type || descriptor === '*') return true;
  return descriptor.endsWith('.*') && `${type}.`.startsWith(descriptor.slice(0, -1));
}

/** Events as one line of text: the key under which they are the same. */
export function eventKey(event: AnyEventObject): string {
  return JSON.stringify(event, (_key, value: unknown) =>
    value instanceof Error ? `${value.name}: ${value.message}` : value,
  );
}
