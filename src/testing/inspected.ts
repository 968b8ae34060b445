import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { CoppiceError } from '../errors.ts';
import { nodesOf } from './nodes.ts';

/** Throws TEST_NOT_A_MACHINE, TEST_START_FAILED for a state that cannot be entered, or TEST_NOT_PROVIDED with every guard and delay that has a name and nothing behind it. */
export function inspected(machine: unknown): asserts machine is AnyStateMachine {
  if (!isMachine(machine)) throw new CoppiceError('TEST_NOT_A_MACHINE', { what: describe(machine) });
  enterable(machine);
  const missing = nodesOf(machine.root).flatMap((node) => [
    ...missingGuards(node, machine.implementations.guards),
    ...missingDelays(node, machine.implementations.delays),
  ]);
  if (missing.length === 0) return;
  throw new CoppiceError('TEST_NOT_PROVIDED', {
    machine: machine.id,
    names: [...new Set(missing)].join(', '),
  });
}

/** XState looks at `initial` when a state is entered for the first time. */
function enterable({ id, root }: AnyStateMachine): void {
  try {
    for (const node of nodesOf(root)) if (node.type === 'compound') void node.initial.target;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CoppiceError('TEST_START_FAILED', { machine: id, reason }, { cause });
  }
}

function isMachine(value: unknown): value is AnyStateMachine {
  return (
    typeof value === 'object' &&
    value !== null &&
    'root' in value &&
    'implementations' in value &&
    'getInitialSnapshot' in value
  );
}

function describe(value: unknown): string {
  if (value === null || typeof value !== 'object')
    return value === undefined ? 'nothing' : `a ${typeof value}`;
  if ('getSnapshot' in value) return 'an actor';
  return 'transition' in value ? 'another kind of actor logic' : 'an object of another kind';
}

type Named = Readonly<Record<string, unknown>>;

function missingGuards(node: AnyStateNode, known: Named): string[] {
  const all = [...[...node.transitions.values()].flat(), ...(node.always ?? [])];
  return all
    .flatMap(({ guard }) => guardNames(guard))
    .filter((name) => !(name in known))
    .map((name) => `guard "${name}"`);
}

/** Names inside `and`, `or` and `not` too. */
function guardNames(guard: unknown): string[] {
  if (typeof guard === 'string') return [guard];
  if (typeof guard === 'function')
    return 'guards' in guard ? (guard.guards as readonly unknown[]).flatMap(guardNames) : [];
  return typeof guard === 'object' && guard !== null && 'type' in guard ? [String(guard.type)] : [];
}

function missingDelays(node: AnyStateNode, known: Named): string[] {
  return Object.keys((node.config.after ?? {}) as Named)
    .filter((name) => Number.isNaN(Number(name)) && !(name in known))
    .map((name) => `delay "${name}"`);
}
