/**
 * The resources of one incarnation. Its supervisor closes the scope *before* it starts the next incarnation,
 * whatever XState did or failed to do with the actor (a machine that throws leaves its children running).
 */
export type Disposer = () => void | Promise<void>;

/** What one incarnation holds: all of it is let go before the next one begins. */
export interface Scope {
  /** Aborted when the incarnation ends. */
  readonly signal: AbortSignal;
  /** Runs `dispose` when the scope closes (last in, first out); at once if it already is closed. Returns a remover. */
  add(dispose: Disposer): () => void;
  readonly closed: boolean;
}

/** A scope in the hands of whoever closes it. */
export interface OwnedScope extends Scope {
  /**
   * Aborts the signal and runs the disposers. Resolves when asynchronous disposers have settled; errors go to
   * `onError`, never to the caller. Returns undefined if everything was synchronous.
   */
  close(reason?: unknown): Promise<void> | undefined;
}

/** An open scope. `onError` gets what its disposers throw. */
export function createScope(onError: (error: unknown) => void): OwnedScope {
  // Made when somebody asks: an abort costs a tenth of a whole start and stop, and most children never listen.
  let controller: AbortController | undefined;
  let why: unknown;
  const disposers = new Set<Disposer>();
  let closed = false;
  const run = (dispose: Disposer): Promise<void> | undefined => {
    try {
      const result = dispose();
      return result instanceof Promise ? result.catch(onError) : undefined;
    } catch (error) {
      onError(error);
      return undefined;
    }
  };
  return {
    get signal() {
      if (!controller) {
        controller = new AbortController();
        if (closed) controller.abort(why);
      }
      return controller.signal;
    },
    get closed() {
      return closed;
    },
    add(dispose) {
      if (closed) {
        void run(dispose);
        return () => {};
      }
      // A fresh wrapper, so that the same function added twice is disposed twice.
      const entry: Disposer = () => dispose();
      disposers.add(entry);
      return () => disposers.delete(entry);
    },
    close(reason) {
      if (closed) return undefined;
      closed = true;
      why = reason;
      controller?.abort(reason);
      const pending = [...disposers]
        .reverse()
        .map(run)
        .filter((p) => p !== undefined);
      disposers.clear();
      return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined);
    },
  };
}
