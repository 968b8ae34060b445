/** The parts of a statechart by name, for whoever shows one: a command, a page, a drawing. Of any machine, pure. */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

/** Every node in the order it was written down, the machine itself first. */
export function* nodesOf(node: AnyStateNode): Generator<AnyStateNode> {
  yield node;
  for (const child of Object.values(node.states)) yield* nodesOf(child);
}

/** Dotted, from the top: `processing.turn.running`. Empty for the machine itself. */
export const pathOf = (node: AnyStateNode): string => node.path.join('.');

/** The effects that run while the machine is in this node, by the names they are provided under. */
export const invokesOf = (node: AnyStateNode): string[] =>
  node.invoke.map(({ src, id }) => (typeof src === 'string' ? src : id));

/** One way out of a node. */
export interface WayOut {
  /** An event, or `after NAME`, `done NAME`, `error NAME`, `always`. */
  readonly on: string;
  /** The name of the guard; `if` for one without a name, undefined for none. */
  readonly guard: string | undefined;
  /** How long the delay is, if it is fixed: `30 s`. */
  readonly delay: string | undefined;
  /** Comes after guarded ones of the same event: what happens when none of them holds. */
  readonly otherwise: boolean;
  /** None: it stays where it is. */
  readonly targets: readonly AnyStateNode[];
}

/** In the order in which they are tried for each event. */
export function waysOutOf(node: AnyStateNode): WayOut[] {
  const groups = [...node.transitions.values(), ...(node.always ? [node.always] : [])];
  return groups.flatMap((candidates) => candidates.map((each, index) => wayOut(each, index, node)));
}

function wayOut(
  { eventType, guard, target }: AnyTransitionDefinition,
  index: number,
  node: AnyStateNode,
): WayOut {
  return {
    on: eventName(eventType, node),
    delay: delayOf(eventType, node),
    guard: guard === undefined ? undefined : guardName(guard),
    otherwise: guard === undefined && index > 0,
    targets: target ?? [],
  };
}

/** The names XState makes for its own events, in words. */
function eventName(eventType: string, node: AnyStateNode): string {
  if (eventType === '') return 'always';
  const [, kind, rest = ''] =
    /^xstate\.(done\.state|done\.actor|error\.actor|after)\.(.*)$/.exec(eventType) ?? [];
  if (kind === undefined) return eventType;
  if (kind === 'after') return `after ${rest.split('.')[0]}`;
  return kind === 'done.state' ? 'done' : `${kind.split('.')[0]} ${childName(rest, node)}`;
}

/** An invoke without an id of its own is known by what it runs. */
function childName(id: string, node: AnyStateNode): string {
  const src = node.invoke.find((one) => one.id === id)?.src;
  return /^\d+\./.test(id) ? (typeof src === 'string' ? src : node.key) : id;
}

function delayOf(eventType: string, node: AnyStateNode): string | undefined {
  const [, name] = /^xstate\.after\.([^.]*)\./.exec(eventType) ?? [];
  if (name === undefined) return undefined;
  const delay: unknown = (node.machine as AnyStateMachine).implementations.delays[name] ?? Number(name);
  return typeof delay === 'number' && !Number.isNaN(delay) ? duration(delay) : undefined;
}

/** `250 ms`, `1.5 s`, `2 min`, `48 h`: the largest unit that keeps it short. */
export function duration(ms: number): string {
  const units = [
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const;
  const [unit, size] = units.find(([, least]) => ms >= least && (ms / least) % 0.5 === 0) ?? ['ms', 1];
  return `${ms / size} ${unit}`;
}

/** As the machine names it; a guard put together from others is spelled out. */
export function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  if (typeof guard === 'function') {
    const { guards } = guard as { readonly guards?: unknown };
    return Array.isArray(guards) ? `${guard.name}(${guards.map(guardName).join(', ')})` : guard.name || 'if';
  }
  return (guard as { readonly type: string }).type;
}
