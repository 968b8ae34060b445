import { plainContext } from './children.ts';
import type { ModelOptions } from './contract.ts';
import type { ModelState } from './model-state.ts';
import { aliveNames } from './moves.ts';
import type { Timer } from './timers.ts';

/** The text under which two states are the same: what the snapshot says, who is alive, which timers run, what histories hold. */
export function keyOf(state: ModelState, { serialize, timers }: ModelOptions): string {
  const { snapshot, status } = state;
  const shape = serialize ? serialize(snapshot) : [snapshot.value, plainContext(snapshot)];
  const running = timers === 'first' ? state.timers.map(({ id }) => id) : apart(state.timers);
  const memory = Object.entries(snapshot.historyValue).map(([id, nodes]) => [
    id,
    nodes.map((node) => node.id),
  ]);
  return JSON.stringify([status, shape, aliveNames(state).toSorted(), running, memory.toSorted()]);
}

/**
 * Running timers and how far behind the first each is. How long it is to the first makes no other state, and neither
 * does a second timer of the same id that is due at the same time.
 */
function apart(timers: readonly Timer[]): readonly string[] {
  const first = Math.min(...timers.map(({ leftMs }) => leftMs));
  const texts = timers.map(({ id, leftMs, known }) => `${id} +${leftMs - first}${known ? '' : ' unknown'}`);
  return [...new Set(texts)].toSorted();
}
