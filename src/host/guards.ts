import type { EventEmitter } from 'node:events';
import { runOwned, type Owner } from './owner.ts';

/** What an effect wraps its callbacks with, so that whatever goes wrong in them is its own failure, once. */
export interface Guards {
  /**
   * Wraps a listener or timer callback: a throw in it, or the rejection of the promise it returns, becomes this
   * effect's failure. Does nothing after the end.
   */
  guard<A extends unknown[]>(fn: (...args: A) => void | Promise<void>): (...args: A) => void;
  /** Fails this effect: cleanup runs, the invoker gets `onError`. Does nothing after the end. */
  fail(error: unknown): void;
  /**
   * Answers for an emitter: an `error` event of it becomes this effect's failure, also if nobody else listens.
   * What it still emits after the end is dropped.
   */
  adopt<T extends EventEmitter>(emitter: T): T;
  /**
   * `emitter.on(name, guard(listener))`, or `addEventListener` of a signal or another target, taken off at the end. For
   * those that outlive this effect, or that somebody else makes speak.
   */
  listen<A extends unknown[]>(
    emitter: EventEmitter | EventTarget,
    name: string | symbol,
    listener: (...args: A) => void | Promise<void>,
  ): void;
}

export interface OwnedGuards extends Guards {
  end(): void;
}

export function createGuards(owner: Owner): OwnedGuards {
  let over = false;
  const removers: (() => void)[] = [];
  const fail = (error: unknown): void => {
    if (!over) owner.fail(error);
  };
  const guard =
    <A extends unknown[]>(fn: (...args: A) => void | Promise<void>) =>
    (...args: A): void => {
      if (over) return;
      try {
        // In the owner's context, whoever calls: a shared emitter calls in the context of whoever emits.
        const result = runOwned(owner, () => fn(...args));
        if (result instanceof Promise) void result.catch(fail);
      } catch (error) {
        fail(error);
      }
    };
  const listen: Guards['listen'] = (emitter, name, listener) => {
    const guarded = guard(listener) as (...args: unknown[]) => void;
    removers.push(listenTo(emitter, name, guarded));
  };
  return {
    guard,
    fail,
    listen,
    // Never taken off: a socket may fail while it is being destroyed, and then nobody would listen.
    adopt: (emitter) => emitter.on('error', fail),
    end() {
      over = true;
      for (const remove of removers.splice(0)) remove();
    },
  };
}

function listenTo(
  emitter: EventEmitter | EventTarget,
  name: string | symbol,
  listener: (...args: unknown[]) => void,
): () => void {
  if ('on' in emitter) {
    emitter.on(name, listener);
    return () => emitter.off(name, listener);
  }
  emitter.addEventListener(String(name), listener);
  return () => emitter.removeEventListener(String(name), listener);
}
