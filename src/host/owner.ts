import { AsyncLocalStorage } from 'node:async_hooks';

/** Who owns the code that runs now: found again by the process trap for errors that slip past every guard. */
export interface Owner {
  readonly actorId: string;
  fail(error: unknown): void;
}

const owners = new AsyncLocalStorage<Owner | undefined>();

/** Whose work this is, by async context; undefined when nobody knows. */
export const currentOwner = (): Owner | undefined => owners.getStore();

/** Everything that `fn` starts, now or later, belongs to `owner`. */
export const runOwned = <T>(owner: Owner, fn: () => T): T => owners.run(owner, fn);

/** For what is told to others: their work is not that of the one who tells. */
export const runUnowned = <T>(fn: () => T): T => owners.run(undefined, fn);
