import { getAdjacencyMap } from '@xstate/graph';
import type { ActorLogic, AnyEventObject, NonReducibleUnknown, Snapshot } from 'xstate';
import { plainContext } from './children.ts';
import type { Budget, Cut, GenerateOptions, Move, Plain } from './contract.ts';
import type { Model } from './model.ts';
import type { ModelState } from './model-state.ts';
import { moveKey } from './moves.ts';
import { stateName } from './paths.ts';
import { digestOf, stableText } from './plain.ts';

/** One state of the map; the first that was found of all that have its key. */
export interface Vertex {
  readonly index: number;
  readonly key: string;
  readonly state: ModelState;
  readonly out: Edge[];
  /** The last edge of the shortest path that leads here. */
  via: Edge | undefined;
  /** Steps of that path. */
  depth: number;
}
export interface Edge {
  readonly from: Vertex;
  readonly to: Vertex;
  readonly move: Move;
  readonly outcomes: readonly string[];
}
export interface Graph {
  readonly vertices: readonly Vertex[];
  at(key: string): Vertex | undefined;
  readonly transitions: number;
  readonly unhandled: readonly string[];
}

/** A move as an event of the logic that `@xstate/graph` walks; a `ModelState` is its snapshot. */
type MoveEvent = AnyEventObject & { readonly move: Move };

export const FULL_BUDGET: Required<Budget> = {
  states: 10_000,
  transitions: 200_000,
  paths: 1_000,
  steps: 50_000,
  pathSteps: 60,
};

type Options = Pick<GenerateOptions, 'stopWhen' | 'progress'>;
type Looked = (before: ModelState, move: Move, after: ModelState) => void;

/** The map of all states within the budget: the adjacency map of `@xstate/graph`, and how far each is. */
export function explored(
  model: Model,
  budget: Required<Budget>,
  options: Options,
  cut: (cut: Cut) => void,
  look: Looked,
): Graph {
  const walker = createWalker(model, budget, options, cut, look);
  const traversal = {
    input: undefined,
    events: walker.events,
    serializeState: (state: unknown) => model.key(state as ModelState),
    serializeEvent: (event: AnyEventObject) => moveKey(event['move'] as Move),
  };
  const adjacency = getAdjacencyMap(walker.logic, traversal);
  const byKey = new Map<string, Vertex>();
  for (const [key, { state }] of Object.entries(adjacency))
    byKey.set(key, {
      index: byKey.size,
      key,
      state: state as unknown as ModelState,
      out: [],
      via: undefined,
      depth: 0,
    });
  for (const [key, { transitions }] of Object.entries(adjacency)) {
    const from = byKey.get(key)!;
    for (const { event, state } of Object.values<{ event: AnyEventObject; state: unknown }>(transitions)) {
      const to = byKey.get(model.key(state as ModelState))!;
      from.out.push({ from, to, move: event['move'] as Move, outcomes: walker.outcomes(event) });
    }
  }
  const vertices = [...byKey.values()];
  measure(vertices);
  return {
    vertices,
    at: (key) => byKey.get(key),
    transitions: walker.count(),
    unhandled: walker.unhandled(),
  };
}

/**
 * The shortest way to each, breadth first from the first. Not by `getShortestPaths`, which keeps each path whole: in a
 * machine that counts to 10,000 that is all the time and all the memory.
 */
function measure([start]: readonly Vertex[]): void {
  const reached = new Set(start ? [start] : []);
  for (const vertex of reached)
    for (const edge of vertex.out) {
      if (reached.has(edge.to)) continue;
      reached.add(edge.to);
      edge.to.via = edge;
      edge.to.depth = vertex.depth + 1;
    }
}

interface Walker {
  readonly logic: ActorLogic<Snapshot<unknown>, AnyEventObject, NonReducibleUnknown>;
  events(state: unknown): readonly MoveEvent[];
  /** Of the transition this event stands for. */
  outcomes(event: AnyEventObject): readonly string[];
  count(): number;
  unhandled(): readonly string[];
}

/** The model as a logic. What was walked once is remembered. */
function createWalker(
  model: Model,
  budget: Required<Budget>,
  { stopWhen, progress }: Options,
  cut: (cut: Cut) => void,
  look: Looked,
): Walker {
  const unhandled = new Set<string>();
  const moves = new WeakMap<ModelState, readonly MoveEvent[]>();
  const taken = new WeakMap<
    AnyEventObject,
    { readonly state: ModelState; readonly outcomes: readonly string[] }
  >();
  /** One state stands for all with its key: of the others nothing is kept. */
  const firsts = new Map([[model.key(model.start), model.start]]);
  const seen = new Set<string>();
  let count = 0;
  const widest = createWidest();
  const overBudget = (state: ModelState): boolean => {
    widest.add(state);
    const what =
      seen.size > budget.states ? 'states' : count > budget.transitions ? 'transitions' : undefined;
    if (what) cut(exploringCut(what, budget[what], widest.text()));
    return what !== undefined;
  };
  const expand = (state: ModelState): readonly MoveEvent[] => {
    seen.add(model.key(state));
    if (stopWhen?.(state.snapshot) === true || overBudget(state)) return [];
    if (seen.size % 500 === 0)
      progress?.({ phase: 'explore', states: seen.size, transitions: count, paths: 0 });
    for (const type of model.unheard(state)) unhandled.add(`${stateName(state.snapshot)} ${type}`);
    return model.moves(state).map((move) => ({ type: move.event.type, move }));
  };
  const events = (given: unknown): readonly MoveEvent[] => {
    const state = given as ModelState;
    const known = moves.get(state) ?? expand(state);
    moves.set(state, known);
    return known;
  };
  const transition = (given: unknown, event: AnyEventObject): ModelState => {
    const known = taken.get(event);
    if (known) return known.state;
    const state = given as ModelState;
    count += 1;
    const after = model.take(state, event['move'] as Move)!.state;
    if (!after.heard) unhandled.add(`${stateName(state.snapshot)} ${event.type}`);
    look(state, event['move'] as Move, after);
    const key = model.key(after);
    const first = firsts.get(key) ?? after;
    firsts.set(key, first);
    taken.set(event, { state: first, outcomes: after.outcomes });
    return first;
  };
  return {
    logic: {
      getInitialSnapshot: () => model.start,
      getPersistedSnapshot: (state: unknown) => state,
      transition,
    } as unknown as Walker['logic'],
    events,
    outcomes: (event) => taken.get(event)?.outcomes ?? [],
    count: () => count,
    unhandled: () => [...unhandled].toSorted(),
  };
}

const exploringCut = (what: 'states' | 'transitions', limit: number, widest: string): Cut => ({
  what,
  limit,
  text: `exploring stopped at ${limit} ${what}${widest}: what lies beyond is on no path; raise budget.${what}, or make many states one with abstract: { cap, drop }`,
});

/** Finds the part of the context that makes the most states: what counts for ever is what has to be capped. */
function createWidest() {
  const values = new Map<string, Set<string>>();
  return {
    add({ snapshot }: ModelState): void {
      const context = plainContext(snapshot) as Readonly<Record<string, Plain>>;
      for (const [key, value] of Object.entries(context)) {
        const known = values.get(key) ?? new Set();
        values.set(key, known.add(digestOf(stableText(value))));
      }
    },
    text(): string {
      const sizes = [...values].map(([key, { size }]) => [key, size] as const);
      const [key, size] = sizes.toSorted((one, other) => other[1] - one[1])[0] ?? ['', 0];
      return size > 100 ? ` (context.${key} alone had ${size} values)` : '';
    },
  };
}

/** The moves of the shortest path to a vertex, then those given. */
export function wayTo(vertex: Vertex, ...then: readonly Move[]): readonly Move[] {
  const way: Move[] = [];
  for (let at = vertex.via; at; at = at.from.via) way.push(at.move);
  return [...way.toReversed(), ...then];
}
