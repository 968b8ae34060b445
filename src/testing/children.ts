import type { AnyActorRef, AnyMachineSnapshot } from 'xstate';
import type { Plain } from './contract.ts';
import { toPlain } from './plain.ts';
import type { NameActor } from './plain.ts';
import { sourceNames } from './source-names.ts';

/** Ids XState makes up: they differ from run to run. */
const MADE_UP = /^x:\d+$/;

/** The actors of a snapshot by a name that is the same in every run: their id, else `SRC#N`. */
export function namedChildren(snapshot: AnyMachineSnapshot): ReadonlyMap<string, AnyActorRef> {
  const sources = sourceNames(snapshot.machine);
  const counts = new Map<string, number>();
  const named = new Map<string, AnyActorRef>();
  for (const [id, ref] of Object.entries(
    snapshot.children as Readonly<Record<string, AnyActorRef | undefined>>,
  )) {
    if (ref === undefined) continue;
    const source = typeof ref.src === 'string' ? ref.src : 'inline';
    const nth = (counts.get(source) ?? 0) + 1;
    if (MADE_UP.test(id)) counts.set(source, nth);
    const given = sources.get(id) ?? id;
    named.set(MADE_UP.test(id) ? `${source}#${nth}` : given in snapshot.children ? id : given, ref);
  }
  return named;
}

/** Names actors inside the context of this snapshot. */
export function actorNamer(snapshot: AnyMachineSnapshot): NameActor {
  let names: ReadonlyMap<string, string> | undefined;
  return ({ id }) => {
    names ??= new Map([...namedChildren(snapshot)].map(([name, ref]) => [ref.id, name]));
    return names.get(id) ?? (MADE_UP.test(id) ? 'gone' : id);
  };
}

const contexts = new WeakMap<object, Plain>();
/** The context as JSON. Remembered: most steps leave it as it is, and it is what costs the time. */
export function plainContext(snapshot: AnyMachineSnapshot): Plain {
  const context = (snapshot.context ?? {}) as object;
  const known = contexts.get(context);
  if (known !== undefined) return known;
  let named = false;
  const name = actorNamer(snapshot);
  const plain = toPlain(context, (ref) => {
    named = true;
    return name(ref);
  });
  // The name of an actor depends on its siblings.
  if (!named) contexts.set(context, plain);
  return plain;
}
