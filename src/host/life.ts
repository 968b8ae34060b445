import type { ActorLogic, AnyActorRef, AnyActorScope, EventObject, Snapshot } from 'xstate';
import { CoppiceError } from '../errors.ts';
import type { StartContext } from '../supervisor/child-spec.ts';
import { createGuards } from './guards.ts';
import { runOwned, runUnowned, type Owner } from './owner.ts';

/** One life of something that runs beside this event loop, a thread or a process, as its actor sees it. */
export interface Life<C extends EventObject> {
  /** When nothing of it is left; never rejects. */
  readonly ended: Promise<Ending>;
  take(command: C): void;
  /** Asks it to end within `deadlineMs` (0: no deadline but its own). */
  stop(reason: string, deadlineMs: number): void;
  /** Ends it by force, at once. Resolves when its absence was observed; with the fault when it could not be. */
  kill(): Promise<CoppiceError | undefined>;
  /** Is anything of it left? */
  present(): boolean;
}

/** From a kill to the fault KILL_UNVERIFIED, unless said otherwise. */
export const KILL_MS = 2_000;
/** From being told to end to the kill, where neither the options nor the supervisor set a deadline. */
export const GRACE_MS = 5_000;

export type Ending = { readonly output: LifeOutput } | { readonly error: CoppiceError };

/** How a process or a thread ended. */
export interface LifeOutput {
  /** `timeout`: told to end, and killed at its deadline. */
  readonly exit: 'normal' | 'shutdown' | 'timeout';
  readonly code: number | null;
  readonly signal: string | null;
}

/** What the start context of a child spec gives. Whoever starts such an actor otherwise closes the scope himself. */
export interface LifeInput<E extends EventObject> extends Pick<
  StartContext,
  'path' | 'incarnation' | 'scope'
> {
  /** What it says. A throw or a rejection in here fails the actor. Without it nobody hears. */
  readonly onEvent?: (event: E) => void | Promise<void>;
}

/** What can be seen of a process or a thread from outside. */
export type LifeSnapshot = Snapshot<LifeOutput> & {
  /** Empty until it is known to run; then its pid or thread id. */
  readonly context: Readonly<Record<string, unknown>>;
  can(event: EventObject): boolean;
};

export type LifeLogic<C extends EventObject, E extends EventObject> = ActorLogic<
  LifeSnapshot,
  C | ShutdownEvent,
  LifeInput<E>
>;

interface ShutdownEvent {
  readonly type: 'supervisor.shutdown';
  readonly reason: string;
  readonly deadlineMs: number;
}

/** Ours, to ourselves: through the mailbox, because XState ends an actor only from inside a transition. */
type OwnEvent =
  | { readonly type: 'life.started'; readonly facts: Readonly<Record<string, unknown>> }
  | { readonly type: 'life.ended'; readonly ending: Ending }
  | { readonly type: 'life.failed'; readonly error: unknown }
  | { readonly type: 'xstate.stop' };

/** `tell` passes on what it says; `started` says that it runs. */
export interface Mouth<E extends EventObject> {
  tell(event: E): void;
  started(facts: Readonly<Record<string, unknown>>): void;
  fail(error: unknown): void;
}

/**
 * The actor of such a life. It ends only when nothing of the life is left. However it ends otherwise (killed by an
 * operator, overdue, failed by a listener), its scope kills the life and closes when its absence was observed.
 */
export function lifeLogic<C extends EventObject, E extends EventObject>(
  open: (mouth: Mouth<E>) => Life<C>,
): LifeLogic<C, E> {
  const inputs = new WeakMap<AnyActorRef, LifeInput<E>>();
  const lives = new WeakMap<AnyActorRef, Life<C>>();
  /** Lives that could not be killed, by path: while one is there, no second one starts beside it. */
  const left = new Map<string, { readonly life: Life<C>; readonly fault: CoppiceError }>();

  const refuseSecond = (path: string): void => {
    const old = left.get(path);
    if (old?.life.present()) throw old.fault;
    left.delete(path);
  };
  const killed = async (path: string, life: Life<C>): Promise<void> => {
    const fault = await life.kill();
    if (!fault) return;
    left.set(path, { life, fault });
    throw fault;
  };

  return {
    getInitialSnapshot({ self }, input) {
      inputs.set(self, input);
      return { status: 'active', output: undefined, error: undefined, context: {}, can: isShutdown };
    },
    start(_snapshot, { self }) {
      const input = inputs.get(self)!;
      inputs.delete(self);
      refuseSecond(input.path);
      const { owner, mouth, toSelf } = createMouth<E>(self, input);
      const life = runOwned(owner, () => open(mouth));
      lives.set(self, life);
      input.scope.add(() => killed(input.path, life));
      void life.ended.then((ending) => toSelf({ type: 'life.ended', ending }), owner.fail);
    },
    transition: (snapshot, event, scope) => receive(snapshot, event as C | OwnEvent, scope, lives),
    getPersistedSnapshot: (snapshot) => snapshot,
  };
}

const isShutdown = ({ type }: EventObject): boolean => type === 'supervisor.shutdown';

function createMouth<E extends EventObject>(self: AnyActorRef, input: LifeInput<E>) {
  const toSelf = (event: OwnEvent): void => {
    if (self.getSnapshot().status === 'active') runUnowned(() => self.send(event));
  };
  const fail = (error: unknown): void => toSelf({ type: 'life.failed', error });
  const owner: Owner = { actorId: self.id, path: input.path, fail };
  const guards = createGuards(owner);
  const hear = guards.guard((event: E) => input.onEvent?.(event));
  const mouth: Mouth<E> = {
    tell(event) {
      if (self.getSnapshot().status === 'active') hear(event);
    },
    started: (facts) => toSelf({ type: 'life.started', facts }),
    fail,
  };
  return { owner, mouth, toSelf };
}

function receive<C extends EventObject>(
  snapshot: LifeSnapshot,
  event: C | ShutdownEvent | OwnEvent,
  { self }: AnyActorScope,
  lives: WeakMap<AnyActorRef, Life<C>>,
): LifeSnapshot {
  const life = lives.get(self)!;
  const own = event as ShutdownEvent | OwnEvent;
  switch (own.type) {
    case 'life.started':
      return { ...snapshot, context: own.facts };
    case 'life.ended':
      if ('error' in own.ending) throw own.ending.error;
      return { ...snapshot, status: 'done', output: own.ending.output, error: undefined };
    case 'life.failed':
      void life.kill();
      throw own.error;
    case 'supervisor.shutdown':
      life.stop(own.reason, own.deadlineMs);
      return snapshot;
    case 'xstate.stop':
      void life.kill();
      return { ...snapshot, status: 'stopped', output: undefined, error: undefined };
    default:
      life.take(event as C);
      return snapshot;
  }
}
