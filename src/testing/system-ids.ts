import type { AnyActorRef, AnyMachineSnapshot } from 'xstate';
import type { Asked } from './timers.ts';

type Children = Readonly<Record<string, AnyActorRef | undefined>>;
const systemIdOf = (ref: AnyActorRef | undefined): string | undefined =>
  (ref as { systemId?: string } | undefined)?.systemId;

/**
 * What XState throws when an actor is begun under a `systemId` that a living one has. Each step of a model has a system
 * of its own, so it is found out afterwards: by a new actor, and an old one that nobody stopped.
 */
export function collision(
  before: AnyMachineSnapshot,
  after: AnyMachineSnapshot,
  effects: readonly Asked[],
  ended: readonly string[],
): Error | undefined {
  const old = Object.values(before.children as Children);
  const named = Object.values(after.children as Children).filter((ref) => systemIdOf(ref) !== undefined);
  const fresh = named.filter((ref) => !old.includes(ref)).map(systemIdOf);
  if (fresh.length === 0) return undefined;
  const stopped = new Set(
    effects.flatMap(({ type, params }) => (type === 'xstate.stopChild' ? [params] : [])),
  );
  const living = old.filter((ref) => ref && !stopped.has(ref) && !ended.includes(ref.id)).map(systemIdOf);
  const twice = fresh.find((id) => living.includes(id));
  return twice === undefined ? undefined : new Error(`Actor with system ID '${twice}' already exists.`);
}
