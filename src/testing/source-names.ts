import type { AnyStateMachine } from 'xstate';
import { nodesOf } from './nodes.ts';

/** Begins the name of a source that has none. */
export const INLINE = 'inline.';

interface Invokes {
  /** By the id XState gives to an invoke that has none (`0.light.green`): its source, if nothing else is called so. */
  readonly sources: ReadonlyMap<string, string>;
  readonly ids: ReadonlySet<string>;
}

const known = new WeakMap<AnyStateMachine, Invokes>();
function invokesOf(machine: AnyStateMachine): Invokes {
  const found = known.get(machine) ?? read(machine);
  known.set(machine, found);
  return found;
}

function read({ root }: AnyStateMachine): Invokes {
  const invokes = nodesOf(root).flatMap(({ id, invoke }) =>
    invoke.map((one, index) => ({ ...one, hasId: one.id !== `${index}.${id}` })),
  );
  const names = invokes.map(({ id, src, hasId }) => (hasId ? id : String(src)));
  const isAlone = (src: string): boolean => names.indexOf(src) === names.lastIndexOf(src);
  const bySource = invokes.flatMap(({ id, src, hasId }) =>
    !hasId && typeof src === 'string' && !src.startsWith(INLINE) && isAlone(src) ? [[id, src] as const] : [],
  );
  return { sources: new Map(bySource), ids: new Set(invokes.map(({ id }) => id)) };
}

/** What actors are called whose id was made up by XState because their invoke has none. */
export const sourceNames = (machine: AnyStateMachine): ReadonlyMap<string, string> =>
  invokesOf(machine).sources;

/**
 * Under which names the cases of an actor may be given: its own, its id, that of its source. Not the last where another
 * actor is called so: `settle` is then that one alone.
 */
export const caseNames = (machine: AnyStateMachine, id: string, source: string): readonly string[] => {
  const { sources, ids } = invokesOf(machine);
  return [sources.get(id) ?? id, id, ...(ids.has(source) ? [] : [source])];
};
