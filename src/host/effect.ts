import {
  fromCallback,
  fromPromise,
  type AnyActorRef,
  type AnyEventObject,
  type CallbackActorLogic,
  type EventObject,
  type NonReducibleUnknown,
  type PromiseActorLogic,
} from 'xstate';
import { normalizeError } from '../errors.ts';
import { createGuards, type Guards, type OwnedGuards } from './guards.ts';
import { currentOwner, runOwned, runUnowned, type Owner } from './owner.ts';

/**
 * The guarded door for effects. Everything that touches the world enters the tree through here, so that whatever
 * goes wrong, now or later, arrives as the failure of the one actor that owns it, and its cleanup runs on every exit.
 *
 * XState alone does not do this: a `fromCallback` that fails never runs its cleanup, and a throw in a timer or
 * socket listener it started escapes to the process.
 */

const FAILED = 'effect.failed';
const STOP = { type: 'xstate.stop' } as const;
/** Why the signal of an effect is aborted at its end. One for all: without a reason each abort makes an exception with a stack. */
const ENDED = new DOMException('the effect has ended', 'AbortError');

export interface PromiseArgs<I> extends Guards {
  readonly input: I;
  /** Aborted when the invoking state is left, the actor is stopped, or something it started goes astray. */
  readonly signal: AbortSignal;
}

/** One asynchronous answer. A rejection, or a synchronous throw, is the invoker's `onError`. */
export function promiseEffect<O, I extends NonReducibleUnknown = NonReducibleUnknown>(
  run: (args: PromiseArgs<I>) => Promise<O>,
): PromiseActorLogic<O, I> {
  return fromPromise<O, I>(({ input, signal: stopped, self }) => {
    const stray = Promise.withResolvers<never>();
    stray.promise.catch(() => {}); // observed through the race below; this keeps a late stray from being unhandled
    const end = (reason: unknown): void => work.orphan(work.end(reason));
    const work = createWork(self.id, (error) => {
      stray.reject(error);
      end(error);
    });
    stopped.addEventListener('abort', () => end(stopped.reason), { once: true });
    const { guards, signal } = work;
    return work
      .own(() => Promise.race([run({ ...guards, input, signal }), stray.promise]))
      .finally(guards.end);
  });
}

export interface CallbackArgs<E extends EventObject, I> extends Guards {
  readonly input: I;
  /** To the invoking machine. Ignored after the end. */
  send(event: AnyEventObject): void;
  /** Events the machine sends to this effect. A throwing listener fails the effect. */
  onEvent(listener: (event: E) => void | Promise<void>): void;
  /** Aborted on every exit: stopped, failed, reaped. */
  readonly signal: AbortSignal;
}

/** A long-lived effect. Returns its cleanup, which runs exactly once, on every exit. */
export function callbackEffect<
  E extends EventObject = AnyEventObject,
  I extends NonReducibleUnknown = NonReducibleUnknown,
>(run: (args: CallbackArgs<E, I>) => void | (() => void | Promise<void>)): CallbackActorLogic<E, I> {
  /** They have cleaned up. Who stops them after it, as a supervisor does, stops nothing. */
  const failed = new WeakSet<AnyActorRef>();

  const base = fromCallback<E, I>(({ input, self, sendBack, receive }) => {
    const ref = self as unknown as AnyActorRef;
    // Through the mailbox: XState fails an actor only from inside a transition.
    const work = createWork(self.id, (error) => runUnowned(() => ref.send({ type: FAILED, error })));
    const { guards, signal } = work;
    const send = (event: AnyEventObject): void => {
      if (!signal.aborted) runUnowned(() => sendBack(event));
    };
    const onEvent = (listener: (event: E) => void | Promise<void>) => receive(guards.guard(listener));
    const cleanup = work.own(() => {
      try {
        return run({ ...guards, input, send, onEvent, signal });
      } catch (error) {
        work.orphan(work.end(error));
        throw error;
      }
    });
    return () => {
      const late = work.end(ENDED);
      work.own(() => cleanup?.());
      if (late) throw late.error;
    };
  });

  return {
    ...base,
    transition(snapshot, event, scope) {
      const self = scope.self as unknown as AnyActorRef;
      const { type } = event as EventObject;
      if (type === FAILED) {
        failed.add(self);
        const { error } = event as unknown as Thrown;
        try {
          // fromCallback forgets the cleanup of an actor that fails, so it is stopped first.
          base.transition(snapshot, STOP as never, scope);
        } catch (second) {
          throw together(error, second);
        }
        throw error;
      }
      return type === STOP.type && failed.has(self) ? snapshot : base.transition(snapshot, event, scope);
    },
  };
}

interface Thrown {
  readonly error: unknown;
}

/** A failure whose cleanup failed too. Its code is that of the failure. */
function together(first: unknown, second: unknown): AggregateError {
  const { message, code } = normalizeError(first);
  const text = `${message}; and then its cleanup failed: ${normalizeError(second).message}`;
  const error = new AggregateError([first, second], text, { cause: first });
  return code === undefined ? error : Object.assign(error, { code });
}

/** One life of an effect: what it is handed, and whose work it does. */
interface Work {
  readonly guards: OwnedGuards;
  readonly signal: AbortSignal;
  own<T>(run: () => T): T;
  /** Tells it that it is over. Gives back what a guarded listener of its signal threw. */
  end(reason: unknown): Thrown | undefined;
  /** For what nobody listens to any more: the process hears whose it was. */
  orphan(thrown: Thrown | undefined): void;
}

function createWork(actorId: string, fail: (error: unknown) => void): Work {
  const controller = new AbortController();
  const { signal } = controller;
  const late: Thrown[] = [];
  let over = false;
  const owner: Owner = {
    actorId,
    // What a machine invokes is made while that machine works.
    path: currentOwner()?.path,
    fail(error) {
      if (!signal.aborted) fail(error);
      else if (!over) late.push({ error });
    },
  };
  const own: Work['own'] = (run) => runOwned(owner, run);
  const guards = createGuards(owner);
  return {
    guards,
    signal,
    own,
    end(reason) {
      own(() => controller.abort(reason));
      guards.end();
      over = true;
      return late.shift();
    },
    orphan(thrown) {
      if (!thrown) return;
      own(() =>
        queueMicrotask(() => {
          throw thrown.error;
        }),
      );
    },
  };
}
