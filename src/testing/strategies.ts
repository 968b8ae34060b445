import type { Budget, Cut, Move } from './contract.ts';
import { wayTo } from './graph.ts';
import type { Edge, Graph, Vertex } from './graph.ts';
import type { Model } from './model.ts';
import type { ModelState } from './model-state.ts';
import { perform } from './perform.ts';
import type { Performance } from './perform.ts';
import { stateName } from './paths.ts';
import { createRandom } from './random.ts';
import { isRefusal, shortType } from './transitions.ts';

/** What the strategies share. */
export interface Choosing {
  readonly model: Model;
  readonly graph: Graph;
  readonly budget: Required<Budget>;
  /** False: the budget is spent. */
  take(performance: Performance): boolean;
  cut(cut: Cut): void;
}

/**
 * Every outcome of every transition that was found while exploring. Goes through the map from one that is open to the
 * next nearest, and begins anew where none is left ahead or the path is long enough. What a walk really covers is asked
 * of the model: an abstraction may promise too much. `done`: outcomes that need no path.
 */
export function edges(choosing: Choosing, done: ReadonlySet<string> = new Set()): void {
  const { model, graph } = choosing;
  const all = graph.vertices.flatMap(({ out }) => out.flatMap(({ outcomes }) => outcomes));
  const open = new Set(all.filter((name) => !done.has(name)));
  const opened = ({ outcomes }: Edge): boolean => outcomes.some((name) => open.has(name));
  /** Whether it was something new. */
  const close = ({ outcomes }: ModelState): boolean =>
    outcomes.filter((name) => open.delete(name)).length > 0;
  close(model.start);
  while (open.size > 0) {
    const path = walk(choosing, opened, close);
    if (path.length > 0) {
      if (!choosing.take(perform(model, path))) return;
      continue;
    }
    // Nothing new within the length of one path, or only by a way the abstraction made up: straight there.
    const left = graph.vertices.flatMap(({ out }) => out).find(opened);
    if (!left) return;
    const straight = perform(model, wayTo(left.from, left.move));
    const before = open.size;
    straight.states.forEach(close);
    if (open.size < before && !choosing.take(straight)) return;
    for (const name of left.outcomes) open.delete(name);
  }
}

/** One path. Empty: nothing that is open can be reached. */
function walk(
  { model, graph, budget }: Choosing,
  opened: (edge: Edge) => boolean,
  saw: (state: ModelState) => boolean,
): Move[] {
  const path: Move[] = [];
  let state = model.start;
  let useful = 0;
  while (path.length < budget.pathSteps) {
    const from = graph.at(model.key(state));
    const way = from && nearest(from, opened, budget.pathSteps - path.length);
    if (!way) break;
    let failed = false;
    for (const { move } of way) {
      const next = model.take(state, move);
      if (!next) {
        failed = true;
        break;
      }
      state = next.state;
      path.push(next.move);
      // What was seen for the first time stays on the path, also when the rest of the way leads nowhere.
      if (saw(state)) useful = path.length;
    }
    if (failed || opened(way.at(-1)!)) break;
  }
  return path.slice(0, useful);
}

/** The shortest way along the map to an edge that is open, that edge included; breadth first. */
function nearest(from: Vertex, opened: (edge: Edge) => boolean, limit: number): Edge[] | undefined {
  const came = new Map<Vertex, Edge | undefined>([[from, undefined]]);
  let [ring, depth]: [Vertex[], number] = [[from], 1];
  for (; ring.length > 0 && depth <= limit; depth += 1) {
    const next: Vertex[] = [];
    for (const vertex of ring)
      for (const edge of vertex.out) {
        if (opened(edge)) return [...traced(vertex, came), edge];
        if (came.has(edge.to)) continue;
        came.set(edge.to, edge);
        next.push(edge.to);
      }
    ring = next;
  }
  return undefined;
}

function traced(to: Vertex, came: ReadonlyMap<Vertex, Edge | undefined>): Edge[] {
  const way: Edge[] = [];
  for (let edge = came.get(to); edge; edge = came.get(edge.from)) way.push(edge);
  return way.toReversed();
}

/** Every two transitions that can follow each other in two steps; then what nothing follows and nothing precedes. */
export function pairs(choosing: Choosing): void {
  const { model, graph } = choosing;
  const label = ({ from, move, outcomes }: Edge): string => labelOf(from.state, move, outcomes);
  const into = new Map<Vertex, Edge[]>();
  for (const { out } of graph.vertices)
    for (const edge of out) into.set(edge.to, [...(into.get(edge.to) ?? []), edge]);
  const done = new Set<string>();
  const outcomes = new Set<string>();
  for (const vertex of graph.vertices)
    for (const first of into.get(vertex) ?? [])
      for (const second of vertex.out) {
        if (done.has(`${label(first)} > ${label(second)}`)) continue;
        if (isTooLong(choosing, first.from, 2)) continue;
        const performance = perform(model, wayTo(first.from, first.move, second.move));
        if (performance.moves.length === 0) continue;
        performance.moves.forEach((_, at) => done.add(pairOf(performance, at)));
        if (!done.has(`${label(first)} > ${label(second)}`)) continue;
        if (!choosing.take(performance)) return;
        for (const state of performance.states) for (const name of state.outcomes) outcomes.add(name);
      }
  edges(choosing, outcomes);
}

function pairOf({ moves, states }: Performance, at: number): string {
  const label = (index: number): string =>
    labelOf(states[index]!, moves[index]!, states[index + 1]!.outcomes);
  return at === 0 ? '' : `${label(at - 1)} > ${label(at)}`;
}

/** The transitions taken; where none was, the state and the event that came to nothing. */
function labelOf(before: ModelState, { event }: Move, outcomes: readonly string[]): string {
  const taken = outcomes.filter((name) => !isRefusal(name));
  return taken.length > 0 ? taken.join(', ') : `${stateName(before.snapshot)} ${shortType(event.type)}`;
}

/** The shortest path to every state; one that another begins with is left out, for each step is looked at anyway. */
export function shortest(choosing: Choosing): void {
  const { model, graph } = choosing;
  const near = graph.vertices.filter((vertex) => !isTooLong(choosing, vertex, 0));
  const inner = new Set(near.flatMap(({ via }) => (via ? [via.from] : [])));
  for (const vertex of near) if (!inner.has(vertex) && !choosing.take(perform(model, wayTo(vertex)))) return;
}

/** Every path that visits no state twice, as far as the budget goes; those that another begins with are left out. */
export function simple(choosing: Choosing): void {
  const { graph, budget } = choosing;
  const [start] = graph.vertices;
  if (!start) return;
  const visited = new Set<Vertex>([start]);
  const way: Edge[] = [];
  const grow = (vertex: Vertex): boolean => {
    const next = vertex.out.filter(({ to }) => !visited.has(to));
    if (next.length > 0 && way.length >= budget.pathSteps) choosing.cut(longCut(budget.pathSteps));
    if (next.length === 0 || way.length >= budget.pathSteps)
      return choosing.take(
        perform(
          choosing.model,
          way.map(({ move }) => move),
        ),
      );
    return next.every((edge) => {
      visited.add(edge.to);
      way.push(edge);
      const goesOn = grow(edge.to);
      way.pop();
      visited.delete(edge.to);
      return goesOn;
    });
  };
  grow(start);
}

/** The way there and `more` steps are more than one path may have; says so. */
function isTooLong({ budget, cut }: Choosing, vertex: Vertex, more: number): boolean {
  const isLong = vertex.depth + more > budget.pathSteps;
  if (isLong) cut(longCut(budget.pathSteps));
  return isLong;
}

const longCut = (limit: number): Cut => ({
  what: 'pathSteps',
  limit,
  text: `what is farther away than ${limit} steps is on no path; raise budget.pathSteps`,
});

/** Walks from a seed: at each step any move that is possible, the types even, then the cases of the type. */
export function random(
  { model, budget, take }: Pick<Choosing, 'model' | 'budget' | 'take'>,
  seed: number,
  walks: number,
): void {
  const dice = createRandom(seed);
  for (let count = 0; count < walks; count += 1) {
    const moves: Move[] = [];
    const states = [model.start];
    while (moves.length < budget.pathSteps) {
      const possible = model.moves(states.at(-1)!);
      const type = dice.pick([...new Set(possible.map(({ event }) => event.type))]);
      const move = dice.pick(possible.filter(({ event }) => event.type === type));
      const next = move && model.take(states.at(-1)!, move);
      if (!next) break;
      moves.push(next.move);
      states.push(next.state);
    }
    if (!take({ moves, states })) return;
  }
}
