import { CoppiceError } from '../errors.ts';
import type { Reader, Statement, StatementResult, Statements, Store } from '../store/contract.ts';
import type { Clock } from '../supervisor/index.ts';

/** Callers that wait for a restarting writer, at most; more are refused at once. */
const WAITERS = 10_000;

interface Waiter {
  resolve(store: Store): void;
  reject(error: unknown): void;
}

/**
 * The store as everybody else sees it: one face over the writers of successive store actors. While a writer
 * restarts, commits wait for the next one, for a bounded time; reads go on, on a connection of their own.
 */
export interface StoreHolder extends Store {
  /** The writer of a new life. Returns what to call when that life ends. */
  put(store: Store): () => void;
  readonly open: boolean;
}

/** A store without a writer yet. `waitMs`: how long a commit waits for the next one. */
export function createStoreHolder(init: {
  clock: Clock;
  statements: Statements;
  read: Reader;
  waitMs: number;
}): StoreHolder {
  let current: Store | undefined;
  let shut = false;
  const waiters = new Set<Waiter>();

  const failed = (reason: string): CoppiceError => new CoppiceError('STORE_FAILED', { reason });
  const next = (): Promise<Store> =>
    new Promise((resolve, reject) => {
      if (shut) return reject(failed('it is closed'));
      if (waiters.size >= WAITERS) return reject(failed('too many callers wait for it'));
      const done = (): void => {
        waiters.delete(waiter);
        init.clock.clearTimeout(timer);
      };
      const waiter: Waiter = {
        resolve: (store) => {
          done();
          resolve(store);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      const timer = init.clock.setTimeout(
        () => waiter.reject(failed(`its writer did not come back within ${init.waitMs} ms`)),
        init.waitMs,
      );
      waiters.add(waiter);
    });

  return {
    statements: init.statements,
    read: init.read,
    get open() {
      return current !== undefined;
    },
    async commit(statements: readonly Statement[]): Promise<StatementResult[]> {
      const store = current ?? (await next());
      return store.commit(statements);
    },
    put(store) {
      current = store;
      for (const waiter of waiters) waiter.resolve(store);
      return () => {
        if (current === store) current = undefined;
      };
    },
    async close() {
      shut = true;
      for (const waiter of waiters) waiter.reject(failed('it is closed'));
    },
  };
}
