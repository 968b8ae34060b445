/** Whose work is done while an actor works: told to a host that can tell it later, of an error that nobody caught. */
import type { AnyActorLogic, AnyActorRef, AnyActorScope, EventObject } from 'xstate';

/** An actor, and the way to make it fail with what went astray in its work. */
export interface Owner {
  readonly actorId: string;
  /** Of the node of the tree that it is, or that it works for, where that is known. */
  readonly path?: string | undefined;
  fail(error: unknown): void;
}

/** Runs something as the work of an owner, or of nobody, together with all it starts. Returns what it returns. */
export type Within = <T>(owner: Owner | undefined, run: () => T) => T;

type PathOf = (self: AnyActorRef) => string | undefined;

/** A logic whose every step, and whatever that starts, is the work of its actor. */
export function surround(
  logic: AnyActorLogic,
  within: Within,
  pathOf: PathOf = () => undefined,
): AnyActorLogic {
  const scopes = new WeakMap<AnyActorRef, Surrounded>();
  const inside = (scope: AnyActorScope): Surrounded => {
    const known = scopes.get(scope.self) ?? surrounded(scope, within, pathOf);
    scopes.set(scope.self, known);
    return known;
  };
  const step =
    <A extends readonly unknown[]>(taken: (scope: AnyActorScope, ...args: A) => unknown) =>
    (outer: AnyActorScope, ...args: A): unknown => {
      const { owner, scope } = inside(outer);
      return within(owner, () => taken(scope, ...args));
    };
  const begun = step((scope, input: unknown) => logic.getInitialSnapshot(scope as never, input as never));
  const started = step((scope, snapshot: unknown) => logic.start?.(snapshot as never, scope as never));
  const moved = step((scope, snapshot: unknown, event: EventObject) =>
    logic.transition(snapshot as never, event as never, scope as never),
  );
  return Object.create(logic, {
    getInitialSnapshot: { value: begun },
    start: { value: (snapshot: unknown, scope: AnyActorScope) => started(scope, snapshot) },
    transition: {
      value: (snapshot: unknown, event: EventObject, scope: AnyActorScope) => moved(scope, snapshot, event),
    },
  }) as AnyActorLogic;
}

interface Surrounded {
  readonly owner: Owner;
  readonly scope: AnyActorScope;
}

/** XState runs the actions of the first entry, and starts children, after the logic has returned. */
function surrounded(outer: AnyActorScope, within: Within, pathOf: PathOf): Surrounded {
  const owner = ownerOf(outer.self, within, pathOf);
  const scope = Object.create(outer, {
    defer: { value: (run: () => void) => outer.defer(() => within(owner, run)) },
    actionExecutor: {
      writable: true,
      value: (action: Parameters<AnyActorScope['actionExecutor']>[0]) => {
        const { exec } = action;
        if (!exec) return outer.actionExecutor(action);
        outer.actionExecutor({
          ...action,
          exec: (...args) => within(owner, () => exec.apply(action, args)),
        });
      },
    },
  }) as AnyActorScope;
  return { owner, scope };
}

const ownerOf = (self: AnyActorRef, within: Within, pathOf: PathOf): Owner => ({
  actorId: self.id,
  // Asked when it matters: it is entered in the tree after it was made.
  get path() {
    return pathOf(self);
  },
  fail(error) {
    const { status } = self.getSnapshot() as { readonly status: string };
    if (status === 'active') within(undefined, () => self.send({ type: 'supervisor.fail', error }));
  },
});
