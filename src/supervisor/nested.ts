/**
 * Actors that a machine starts inside itself (invoked, spawned), to any depth. XState stops them when their machine
 * stops, but not when it throws, and tells nobody what they throw while they go. Reached as snapshots show them.
 */
import type { AnyActorRef } from 'xstate';

export type Children = Readonly<Record<string, AnyActorRef | undefined>>;

/** Whoever started an actor. */
export interface Starter {
  /** Whether it still takes the events that its children end with. */
  hears(): boolean;
  /** A child failed, and it did not hear. */
  late(error: unknown): void;
  /** A child took an event. Throws when the starter's turn is over its budget with that. */
  took?(child: AnyActorRef): void;
  /** Makes it fail. */
  fail(error: unknown): void;
}

const NONE: Children = {};

export const childrenOf = (snapshot: unknown): Children =>
  (snapshot as { children?: Children } | undefined)?.children ?? NONE;

/** `unknown` where a logic has no snapshot that XState would understand. */
export const statusOf = (ref: AnyActorRef): string =>
  (ref.getSnapshot() as { status?: string } | undefined)?.status ?? 'unknown';

/** Only its own parent may stop an actor with `stopChild`; the event that this leads to may come from anybody. */
const stopAnyway = (ref: AnyActorRef): void => ref.send({ type: 'xstate.stop' });

/** What is dead among them has been followed, and has left nothing. */
export function stopAll(children: Children, stop: (ref: AnyActorRef) => void = stopAnyway): void {
  for (const child of Object.values(children)) if (child && statusOf(child) === 'active') stop(child);
}

const followed = new WeakSet<AnyActorRef>();

/**
 * From now on these children, and all they start, leave nothing running when they fail. Called before they start,
 * so that a failing initial entry is seen too. The observer has `error`, and they have parents: it hides nothing.
 */
export function follow(starter: Starter, children: Children): void {
  for (const child of Object.values(children)) {
    if (!child || followed.has(child)) continue;
    followed.add(child);
    followOne(starter, child);
  }
}

function followOne(starter: Starter, child: AnyActorRef): void {
  const self: Starter = { ...starter, hears: () => statusOf(child) === 'active' };
  let begun = false;
  let seen = childrenOf(child.getSnapshot());
  follow(self, seen);
  child.subscribe({
    next(snapshot: unknown) {
      // The first is its start.
      if (begun) charge(starter, child);
      begun = true;
      const now = childrenOf(snapshot);
      if (now === seen) return;
      seen = now;
      follow(self, now);
    },
    error(error: unknown) {
      stopAll(childrenOf(child.getSnapshot()));
      if (!starter.hears()) starter.late(error);
    },
  });
}

/** An observer cannot end a loop by throwing: the child is stopped, and who started it fails. */
function charge(starter: Starter, child: AnyActorRef): void {
  try {
    starter.took?.(child);
  } catch (error) {
    stopAnyway(child);
    starter.fail(error);
  }
}
