import {
  fromCallback,
  fromPromise,
  type AnyEventObject,
  type CallbackActorLogic,
  type EventObject,
  type NonReducibleUnknown,
  type PromiseActorLogic,
} from 'xstate';
import { createGuards, type Guards } from './guards.ts';
import { runOwned, runUnowned, type Owner } from './owner.ts';

/**
 * The guarded door for effects. Everything that touches the world enters the tree through here, so that whatever
 * goes wrong, now or later, arrives as the failure of the one actor that owns it, and its cleanup runs on every exit.
 *
 * XState alone does not do this: a `fromCallback` that fails never runs its cleanup, and a throw in a timer or
 * socket listener it started escapes to the process.
 */

const FAILED = 'effect.failed';
/** Why the signal of an effect is aborted at its end. One for all: without a reason each abort makes an exception with a stack. */
const ENDED = new DOMException('the effect has ended', 'AbortError');

export interface PromiseArgs<I> extends Guards {
  readonly input: I;
  /** Aborted when the invoking state is left or the actor is stopped. */
  readonly signal: AbortSignal;
}

/** One asynchronous answer. A rejection, or a synchronous throw, is the invoker's `onError`. */
export function promiseEffect<O, I extends NonReducibleUnknown = NonReducibleUnknown>(
  run: (args: PromiseArgs<I>) => Promise<O>,
): PromiseActorLogic<O, I> {
  return fromPromise<O, I>(({ input, signal, self }) => {
    const controller = new AbortController();
    let rejectOwned: (error: unknown) => void = () => {};
    const stray = new Promise<never>((_resolve, reject) => {
      rejectOwned = reject;
    });
    stray.catch(() => {}); // observed through the race below; this keeps a late stray from being unhandled
    const owner: Owner = {
      actorId: self.id,
      fail(error) {
        rejectOwned(error);
        controller.abort(error);
      },
    };
    const both = AbortSignal.any([signal, controller.signal]);
    const guards = createGuards(owner);
    both.addEventListener('abort', guards.end, { once: true });
    return runOwned(owner, () => Promise.race([run({ ...guards, input, signal: both }), stray])).finally(
      guards.end,
    );
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
>(run: (args: CallbackArgs<E, I>) => void | (() => void)): CallbackActorLogic<E, I> {
  const base = fromCallback<E, I>(({ input, self, sendBack, receive }) => {
    const controller = new AbortController();
    const { signal } = controller;
    const owner: Owner = {
      actorId: self.id,
      fail(error) {
        // Through the mailbox: XState fails an actor only from inside a transition.
        const ref = self as unknown as { send(event: AnyEventObject): void };
        if (!signal.aborted) runUnowned(() => ref.send({ type: FAILED, error }));
      },
    };
    const guards = createGuards(owner);
    const send = (event: AnyEventObject): void => {
      if (!signal.aborted) runUnowned(() => sendBack(event));
    };
    const end = (reason: unknown): void => {
      guards.end();
      controller.abort(reason);
    };
    const cleanup = orEnd(end, () =>
      runOwned(owner, () =>
        run({ ...guards, input, send, onEvent: (listener) => receive(guards.guard(listener)), signal }),
      ),
    );
    return () => {
      end(ENDED);
      cleanup?.();
    };
  });
  return {
    ...base,
    transition(snapshot, event, scope) {
      if ((event as EventObject).type !== FAILED) return base.transition(snapshot, event, scope);
      // fromCallback forgets the cleanup of an actor that fails, so it is stopped first.
      base.transition(snapshot, { type: 'xstate.stop' } as never, scope);
      throw (event as unknown as { error: unknown }).error;
    },
  };
}

function orEnd<T>(end: (reason: unknown) => void, run: () => T): T {
  try {
    return run();
  } catch (error) {
    end(error);
    throw error;
  }
}
