import type { AnyStateMachine } from 'xstate';
import { CoppiceError } from '../errors.ts';
import { countCoverage } from './coverage.ts';
import { STRATEGIES } from './contract.ts';
import type {
  Budget,
  Cut,
  ExpectOptions,
  Generated,
  GenerateOptions,
  Move,
  Path,
  Violation,
} from './contract.ts';
import { explored, FULL_BUDGET, wayTo } from './graph.ts';
import type { Graph } from './graph.ts';
import { createModel } from './model.ts';
import type { Model } from './model.ts';
import type { ModelState } from './model-state.ts';
import { stateName } from './paths.ts';
import { expectOf, pathOf, perform } from './perform.ts';
import type { Performance } from './perform.ts';
import { edges, pairs, random, shortest, simple } from './strategies.ts';
import { shortType } from './transitions.ts';

/**
 * Paths of a machine, from a strategy: plain JSON in a stable order, the same for the same machine, options and seed.
 * No effect runs. Throws TEST_NOT_A_MACHINE, TEST_NOT_PROVIDED, TEST_START_FAILED, TEST_INLINE_ACTOR,
 * TEST_SCHEMA_UNSUPPORTED, TEST_OPTION_INVALID: each says what to do. A budget that is spent is no error: see `cut`.
 */
export function generate<M extends AnyStateMachine>(machine: M, options: GenerateOptions<M> = {}): Generated {
  return generation(createModel(machine, options), options as GenerateOptions).generated;
}

const ON_MAP = { edges, pairs, shortest, simple };

/** For those who go on with the model and its map. */
export interface Generation {
  readonly generated: Generated;
  readonly model: Model;
  readonly graph: Graph | undefined;
  readonly expect: Required<ExpectOptions>;
}

export function generation(model: Model, options: GenerateOptions): Generation {
  const { strategy = 'edges', seed = 1, walks = 20 } = options;
  checked(options);
  const budget = { ...FULL_BUDGET, ...options.budget };
  const expect = expectOf(options);
  const cuts = new Map<string, Cut>();
  const cut = (one: Cut): void => void cuts.set(one.what, one);
  const broken = new Map<string, readonly [ModelState, Move]>();
  const unheard = new Set<string>();
  const weak = weaknesses(model);
  const check = looking(options, broken);
  const look: typeof check = (before, move, after) => {
    weak.look(before, move, after);
    check(before, move, after);
  };
  const graph = strategy === 'random' ? undefined : explored(model, budget, options, cut, look);
  const chosen = collector(model, budget, options, expect, cut, (before, move, after) => {
    look(before, move, after);
    if (!after.heard) unheard.add(`${stateName(before.snapshot)} ${move.event.type}`);
  });
  const { take } = chosen;
  if (strategy === 'random') random({ model, budget, take }, seed, walks);
  else if (graph) ON_MAP[strategy]({ model, graph, budget, take, cut });
  // A machine that hears nothing begins all the same.
  if (chosen.paths().length === 0) take(perform(model, []));
  const generated: Generated = {
    machine: model.machine.id,
    strategy,
    seed,
    paths: chosen.paths(),
    coverage: chosen.coverage(),
    explored: { states: graph?.vertices.length ?? 0, transitions: graph?.transitions ?? 0 },
    cut: [...cuts.values()],
    assumed: model.cases.assumed,
    unhandled: graph?.unhandled ?? [...unheard].toSorted(),
    ...weak.found(),
    violations: graph ? violationsOf(model, graph, expect, broken) : chosen.violations(),
  };
  return { generated, model, graph, expect };
}

function checked({ strategy = 'edges', seed = 1, budget = {} }: GenerateOptions): void {
  if (!STRATEGIES.includes(strategy))
    throw new CoppiceError('TEST_OPTION_INVALID', {
      option: 'strategy',
      value: JSON.stringify(strategy),
      expected: `one of ${STRATEGIES.join(', ')}`,
    });
  for (const [option, value] of Object.entries({ seed, ...budget }))
    if (!Number.isInteger(value) || value < 0)
      throw new CoppiceError('TEST_OPTION_INVALID', {
        option: option === 'seed' ? option : `budget.${option}`,
        value,
        expected: 'a whole number of 0 or more',
      });
}

type Broken = Map<string, readonly [ModelState, Move]>;

/** Looks at every step; keeps the first place for each thing that is wrong. */
function looking({ invariant }: GenerateOptions, broken: Broken) {
  return (before: ModelState, move: Move, after: ModelState): void => {
    const text = wrongIn(invariant, before, move, after);
    if (text === undefined) return;
    const place = `${stateName(before.snapshot)} ${shortType(move.event.type)}: ${text}`;
    if (!broken.has(place)) broken.set(place, [before, move]);
  };
}

/** Where the machine fails, or would if one of its actors did. Each kind is told with the first place. */
function weaknesses(model: Model) {
  const fatal = new Map<string, string>();
  const unguarded = new Map<string, string>();
  const see = (state: ModelState): void => {
    for (const name of model.unguarded(state))
      if (!unguarded.has(name)) unguarded.set(name, `${name} in ${stateName(state.snapshot)}`);
  };
  see(model.start);
  return {
    look(before: ModelState, { event }: Move, after: ModelState): void {
      see(after);
      if (after.failure === undefined) return;
      const kind = `${shortType(event.type)}: ${after.failure}`;
      if (!fatal.has(kind)) fatal.set(kind, `${stateName(before.snapshot)} ${kind}`);
    },
    found: () => ({
      fatal: [...fatal.values()].toSorted(),
      unguarded: [...unguarded.values()].toSorted(),
      unused: model.unused(),
    }),
  };
}

/** What is wrong after a step; undefined when nothing is. */
export function wrongIn(
  invariant: GenerateOptions['invariant'],
  before: ModelState,
  move: Move,
  after: ModelState,
): string | undefined {
  return invariant?.({ snapshot: after.snapshot, previous: before.snapshot, move, effects: after.effects });
}

function violationsOf(
  model: Model,
  graph: Graph,
  expect: Required<ExpectOptions>,
  broken: Broken,
): Violation[] {
  return [...broken].map(([text, [before, move]]) => {
    const vertex = graph.at(model.key(before));
    const moves = vertex ? wayTo(vertex, move) : [move];
    return { text, path: pathOf(text, perform(model, moves), expect) };
  });
}

interface Collector {
  take(performance: Performance): boolean;
  paths(): Path[];
  coverage(): Generated['coverage'];
  violations(): Violation[];
}

/** Takes paths while the budget lasts, names them and counts what they cover. */
function collector(
  model: Model,
  budget: Required<Budget>,
  { progress, invariant }: GenerateOptions,
  expect: Required<ExpectOptions>,
  cut: (cut: Cut) => void,
  look: (before: ModelState, move: Move, after: ModelState) => void,
): Collector {
  const paths: Path[] = [];
  const violations: Violation[] = [];
  const count = countCoverage(model.machine, model.watch);
  let steps = 0;
  const fits = (length: number): boolean => {
    const what = paths.length >= budget.paths ? 'paths' : steps + length > budget.steps ? 'steps' : undefined;
    if (what) cut(pathsCut(what, budget[what], paths.length));
    return what === undefined;
  };
  const take = (performance: Performance): boolean => {
    if (!fits(performance.moves.length)) return false;
    const name = nameOf(paths.length + 1, performance);
    const path = pathOf(name, performance, expect);
    steps += performance.moves.length;
    paths.push(path);
    performance.states.forEach((state, at) => {
      count.add(state.snapshot, state.outcomes);
      const [before, move] = [performance.states[at - 1], performance.moves[at - 1]];
      if (!before || !move) return;
      look(before, move, state);
      const text = wrongIn(invariant, before, move, state);
      if (text !== undefined) violations.push({ text, path: { ...path, steps: path.steps.slice(0, at) } });
    });
    if (paths.length % 50 === 0)
      progress?.({ phase: 'paths', states: 0, transitions: steps, paths: paths.length });
    return true;
  };
  return { take, paths: () => paths, coverage: count.coverage, violations: () => violations };
}

const pathsCut = (what: 'paths' | 'steps', limit: number, had: number): Cut => ({
  what,
  limit,
  text: `there are more paths than these ${had}: the budget of ${limit} ${what} is spent; raise budget.${what} or choose another strategy`,
});

/** `12 idle > open: push, pull, done(unlock)`; the middle of a long one is left out. */
function nameOf(number: number, { moves, states }: Performance): string {
  const [from, to] = [states[0]!, states.at(-1)!].map(({ snapshot }) => stateName(snapshot));
  const words = moves.map(({ event }) => shortType(event.type));
  const told =
    words.length <= 5 ? words : [...words.slice(0, 2), `${words.length - 4} more`, ...words.slice(-2)];
  return `${number} ${from} > ${to}${told.length > 0 ? `: ${told.join(', ')}` : ''}`;
}
