import type { AnyActorLogic, AnyActorRef, AnyActorScope, EventObject } from 'xstate';
import { CoppiceError } from '../errors.ts';

/**
 * A logic whose failure takes its own children with it. XState leaves the children of a machine running when the
 * machine throws in an action, guard or entry; ten restarts left eleven live sockets. Also the place where a kill
 * becomes an ordinary failure, and where progress is noted.
 */
export interface ContainHooks {
  /** Called at the start of every transition. */
  touch?(self: AnyActorRef): void;
  started?(self: AnyActorRef, input: unknown): void;
  /** Called once, with the reason, when this actor ends in any way. */
  ended?(self: AnyActorRef, reason: string): void;
}

export interface KillEvent extends EventObject {
  readonly type: 'supervisor.kill';
  readonly by: string;
  readonly path: string;
}

/** `stopChild` refuses grandchildren, so an actor is reaped through its own scope, captured when it was created. */
const scopes = new WeakMap<AnyActorRef, AnyActorScope>();

/** Stops every child of an actor that has ended. Safe to call twice, and for an actor that was never contained. */
export function reap(ref: AnyActorRef): void {
  const scope = scopes.get(ref);
  if (scope) reapChildren(ref.getSnapshot(), scope);
}

function reapChildren(snapshot: unknown, scope: AnyActorScope): void {
  const children = (snapshot as { children?: Record<string, AnyActorRef | undefined> } | undefined)?.children;
  for (const child of Object.values(children ?? {})) if (child) scope.stopChild(child);
}

export function contain<L extends AnyActorLogic>(logic: L, hooks: ContainHooks = {}): L {
  const ended = (scope: AnyActorScope, reason: string): void =>
    hooks.ended?.(scope.self as AnyActorRef, reason);
  const fail = (snapshot: unknown, scope: AnyActorScope, error: unknown): never => {
    reapChildren(snapshot, scope);
    ended(scope, error instanceof CoppiceError && error.code === 'KILLED' ? 'killed' : 'error');
    throw error;
  };
  const inputs = new WeakMap<AnyActorRef, unknown>();
  const contained: AnyActorLogic = Object.create(logic, {
    getInitialSnapshot: {
      value(scope: AnyActorScope, input: unknown) {
        scopes.set(scope.self, scope);
        if (hooks.started) inputs.set(scope.self, input);
        return logic.getInitialSnapshot(scope as never, input as never);
      },
    },
    start: {
      value(snapshot: unknown, scope: AnyActorScope) {
        hooks.started?.(scope.self, inputs.get(scope.self));
        inputs.delete(scope.self);
        try {
          logic.start?.(snapshot as never, scope as never);
        } catch (error) {
          fail(snapshot, scope, error);
        }
      },
    },
    transition: {
      value(snapshot: unknown, event: EventObject, scope: AnyActorScope) {
        hooks.touch?.(scope.self);
        if (event.type === 'supervisor.kill') {
          const { by, path } = event as KillEvent;
          return fail(snapshot, scope, new CoppiceError('KILLED', { by, path }));
        }
        try {
          const next = logic.transition(snapshot as never, event as never, scope as never);
          if (event.type === 'xstate.stop') ended(scope, 'stopped');
          else if (next.status !== 'active') ended(scope, next.status === 'done' ? 'normal' : 'error');
          return next;
        } catch (error) {
          return fail(snapshot, scope, error);
        }
      },
    },
  }) as AnyActorLogic;
  return contained as L;
}
