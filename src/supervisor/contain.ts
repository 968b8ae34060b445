import type { AnyActorLogic, AnyActorRef, AnyActorScope, EventObject } from 'xstate';
import { CoppiceError } from '../errors.ts';
import { childrenOf, follow, statusOf, stopAll, type Children, type Starter } from './nested.ts';
import { surround, type Within } from './surround.ts';

/**
 * A logic whose failure takes its own children with it, at every depth. XState leaves the children of a machine
 * running when the machine throws in an action, guard or entry; ten restarts left eleven live sockets. Also the
 * place where a kill becomes an ordinary failure, and where each event passes on its way in.
 */
export interface ContainHooks {
  /** Asked before each event: what it returns is taken instead, undefined is nothing for now. A throw fails the actor. */
  admit?(self: AnyActorRef, event: EventObject): EventObject | undefined;
  /** A machine inside it took an event, which is on its account. A throw fails the actor. */
  charge?(self: AnyActorRef): void;
  /** An event was taken. */
  moved?(self: AnyActorRef, event: EventObject, after: unknown): void;
  started?(self: AnyActorRef, input: unknown): void;
  /** About to start, after `started`. */
  opened?(self: AnyActorRef): void;
  /** Called with the reason when this actor ends in any way, at least once. */
  ended?(self: AnyActorRef, reason: string): void;
  /** A child of it failed when it no longer listened, or in the place of a newer one: nobody else tells. */
  late?(self: AnyActorRef, error: unknown): void;
  /** Around everything it does. */
  readonly within?: Within | undefined;
  /** Where it stands in the tree. */
  pathOf?(self: AnyActorRef): string | undefined;
}

export interface KillEvent extends EventObject {
  readonly type: 'supervisor.kill';
  readonly by: string;
  readonly path: string;
}

/** Ours, from what an actor has started, or whoever traps what went astray in it, to the actor itself. */
interface FailEvent extends EventObject {
  readonly type: 'supervisor.fail';
  readonly error: unknown;
}

/** `stopChild` refuses grandchildren, so an actor is reaped through its own scope, captured when it was created. */
interface Contained {
  readonly scope: AnyActorScope;
  /** Its failure is under way: it hears no more, though its snapshot still is active. */
  failing: boolean;
  /** It has taken the order to stop. Not every logic says so in its snapshot. */
  stopped: boolean;
}
/** On the actor itself: a WeakMap of thousands costs a µs to set, and V8's young collections keep what it holds. */
const CONTAINED = Symbol('contained');
type Marked = AnyActorRef & { [CONTAINED]?: Contained };
const containedOf = (ref: AnyActorRef): Contained | undefined => (ref as Marked)[CONTAINED];

/** False for one that was told to stop in the middle of its own turn, until that is over. */
export const isGone = (ref: AnyActorRef): boolean =>
  statusOf(ref) !== 'active' || containedOf(ref)?.stopped === true;

/** Stops every child of an actor that has ended. Safe to call twice, and for an actor that was never contained. */
export function reap(ref: AnyActorRef): void {
  const one = containedOf(ref);
  if (one) reapChildren(ref.getSnapshot(), one);
}

function reapChildren(snapshot: unknown, one: Contained): void {
  one.failing = true;
  stopAll(childrenOf(snapshot), (child) => one.scope.stopChild(child));
}

/** How an actor ended that threw this. */
export function reasonOf(error: unknown): 'killed' | 'error' {
  try {
    return error instanceof CoppiceError && error.code === 'KILLED' ? 'killed' : 'error';
  } catch {
    return 'error'; // a proxy that throws when it is asked what it is
  }
}

/**
 * Who starts a contained actor reaps it when its initial entry fails: a supervisor, `nested`, or a parent that is
 * contained itself. XState tells the logic of no other failure but this one.
 */
export function contain<L extends AnyActorLogic>(logic: L, hooks: ContainHooks = {}): L {
  const inner = hooks.within ? surround(logic, hooks.within, hooks.pathOf) : logic;
  const contained: AnyActorLogic = Object.create(logic, {
    getInitialSnapshot: { value: initially(inner, hooks) },
    start: { value: starting(inner, hooks) },
    transition: { value: transiting(inner, hooks) },
  }) as AnyActorLogic;
  return contained as L;
}

/** Where `start` finds the input; kept no longer than that. */
const inputs = new WeakMap<AnyActorRef, unknown>();

const initially =
  (logic: AnyActorLogic, hooks: ContainHooks) =>
  (scope: AnyActorScope, input: unknown): unknown => {
    (scope.self as Marked)[CONTAINED] = { scope, failing: false, stopped: false };
    if (hooks.started) inputs.set(scope.self, input);
    const snapshot: unknown = logic.getInitialSnapshot(scope as never, input as never);
    followAll(scope.self, hooks, childrenOf(snapshot));
    return snapshot;
  };

const starting =
  (logic: AnyActorLogic, hooks: ContainHooks) =>
  (snapshot: unknown, scope: AnyActorScope): void => {
    if (hooks.started) begin(scope, hooks);
    hooks.opened?.(scope.self);
    try {
      logic.start?.(snapshot as never, scope as never);
    } catch (error) {
      fail(snapshot, scope, hooks, error);
    }
  };

/** A failing initial entry is seen by observers alone: XState runs it after the logic has returned. */
function begin(scope: AnyActorScope, hooks: ContainHooks): void {
  const { self } = scope;
  hooks.started?.(self, inputs.get(self));
  inputs.delete(self);
  self.subscribe({
    error(error: unknown) {
      reap(self);
      hooks.ended?.(self, reasonOf(error));
    },
  });
}

const transiting =
  (logic: AnyActorLogic, hooks: ContainHooks) =>
  (snapshot: unknown, arrived: EventObject, scope: AnyActorScope): unknown => {
    const { self } = scope;
    try {
      const event = hooks.admit ? hooks.admit(self, arrived) : arrived;
      if (!event || isLate(snapshot, event, self, hooks)) return snapshot;
      if (event.type === 'supervisor.kill') throw killed(event as KillEvent);
      if (event.type === 'supervisor.fail') throw (event as FailEvent).error;
      const next = logic.transition(snapshot as never, event as never, scope as never) as { status: string };
      const children = childrenOf(next);
      if (children !== childrenOf(snapshot)) followAll(self, hooks, children);
      hooks.moved?.(self, event, next);
      if (event.type === 'xstate.stop') stopped(self, hooks);
      else if (next.status !== 'active') hooks.ended?.(self, next.status === 'done' ? 'normal' : 'error');
      return next;
    } catch (error) {
      // A cleanup that fails has begun, and does not run again.
      if (arrived.type !== 'xstate.stop') letGo(logic, snapshot, scope, hooks);
      return fail(snapshot, scope, hooks, error);
    }
  };

function stopped(self: AnyActorRef, hooks: ContainHooks): void {
  containedOf(self)!.stopped = true;
  hooks.ended?.(self, 'stopped');
}

/** XState tells a callback, promise or observable to clean up only when it is stopped, not when it fails. */
function letGo(logic: AnyActorLogic, snapshot: unknown, scope: AnyActorScope, hooks: ContainHooks): void {
  if ((snapshot as { children?: unknown }).children) return;
  try {
    logic.transition(snapshot as never, { type: 'xstate.stop' } as never, scope as never);
  } catch (error) {
    hooks.late?.(scope.self, error);
  }
}

const killed = ({ by, path }: KillEvent): CoppiceError => new CoppiceError('KILLED', { by, path });

function fail(snapshot: unknown, scope: AnyActorScope, hooks: ContainHooks, error: unknown): never {
  reapChildren(snapshot, containedOf(scope.self)!);
  hooks.ended?.(scope.self, reasonOf(error));
  throw error;
}

function followAll(self: AnyActorRef, hooks: ContainHooks, children: Children): void {
  if (Object.keys(children).length > 0) follow(starterOf(self, hooks), children);
}

const starterOf = (self: AnyActorRef, hooks: ContainHooks): Starter => ({
  hears: () => !containedOf(self)?.failing && statusOf(self) === 'active',
  late: (error) => hooks.late?.(self, error),
  fail: (error) => self.send({ type: 'supervisor.fail', error }),
  // Who is contained itself pays for itself.
  ...(hooks.charge ? { took: (child) => void (containedOf(child) || hooks.charge?.(self)) } : {}),
});

/**
 * What a machine's child throws while it is stopped reaches the machine later, under an id that may by then be
 * another life's: that one would be blamed, or, if its state was left, the machine would fail although it had an
 * `onError`. A machine with a transition of its own for it still hears of a child that is gone.
 */
function isLate(snapshot: unknown, event: EventObject, self: AnyActorRef, hooks: ContainHooks): boolean {
  if (!hooks.late || !event.type.startsWith('xstate.error.actor.')) return false;
  const machine = snapshot as { children?: unknown; can?: (event: EventObject) => boolean };
  if (!machine.children) return false;
  const { actorId, error } = event as unknown as { actorId: string; error: unknown };
  const child = childrenOf(snapshot)[actorId];
  if (child ? statusOf(child) === 'error' : machine.can?.(event)) return false;
  hooks.late(self, error);
  return true;
}
