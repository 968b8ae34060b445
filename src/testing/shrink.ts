import type { Move, Path } from './contract.ts';
import { wayTo } from './graph.ts';
import type { Graph } from './graph.ts';
import type { Model } from './model.ts';
import { pathOf, perform } from './perform.ts';
import type { ExpectOptions } from './contract.ts';

/** At which step a path fails, counted from 1; 0 is the start. Undefined: it does not. */
export type Fails = (path: Path) => number | undefined;

export interface Shrunk {
  readonly path: Path;
  /** Paths tried. */
  readonly tries: number;
}

/**
 * The shortest failing path that can be found: delta debugging on the moves (Zeller's ddmin, each candidate walked anew
 * by the model and tried again), then, if there is a map, every shorter way it knows, the shortest first.
 */
export function shrink(
  model: Model,
  graph: Graph | undefined,
  expect: Required<ExpectOptions>,
  failing: readonly Move[],
  fails: Fails,
  maxTries: number,
): Shrunk {
  let tries = 0;
  const attempt = (moves: readonly Move[]): readonly Move[] | undefined => {
    if (tries >= maxTries) return undefined;
    tries += 1;
    const performance = perform(model, moves, true);
    const step = fails(pathOf('', performance, expect));
    return step === undefined ? undefined : performance.moves.slice(0, step);
  };
  let best = attempt(failing) ?? failing;
  best = minimized(best, attempt);
  best = shorterOnMap(graph, best, attempt) ?? best;
  const path = pathOf(`shrunk to ${best.length} steps`, perform(model, best, true), expect);
  return { path, tries };
}

type Attempt = (moves: readonly Move[]) => readonly Move[] | undefined;

/** Leaves out ever smaller pieces as long as it still fails. */
function minimized(failing: readonly Move[], attempt: Attempt): readonly Move[] {
  let best = failing;
  let size = Math.ceil(best.length / 2);
  while (size >= 1) {
    let shorter: readonly Move[] | undefined;
    for (let from = 0; from < best.length && !shorter; from += size) {
      const found = attempt([...best.slice(0, from), ...best.slice(from + size)]);
      if (found && found.length < best.length) shorter = found;
    }
    if (shorter) best = shorter;
    size = shorter ? Math.min(size, Math.ceil(best.length / 2)) : size === 1 ? 0 : Math.floor(size / 2);
  }
  return best;
}

/** Vertices come in the order of their distance, so the first that fails is the shortest. */
function shorterOnMap(
  graph: Graph | undefined,
  best: readonly Move[],
  attempt: Attempt,
): readonly Move[] | undefined {
  for (const vertex of graph?.vertices ?? []) {
    const way = wayTo(vertex);
    if (way.length + 1 >= best.length) return undefined;
    for (const { move } of vertex.out) {
      const found = attempt([...way, move]);
      if (found) return found;
    }
  }
  return undefined;
}
