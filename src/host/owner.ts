import { AsyncLocalStorage } from 'node:async_hooks';
import type { Owner } from '../supervisor/index.ts';

export type { Owner };

const owners = new AsyncLocalStorage<Owner | undefined>();

/** Whose work this is, by async context; undefined when nobody knows. */
export const currentOwner = (): Owner | undefined => owners.getStore();

/**
 * Everything that `fn` starts, now or later, belongs to `owner`, or to nobody. As `within` of `createSupervision` it is
 * what lets the process trap find the actor whose action, timer or listener went astray.
 */
export const runOwned = <T>(owner: Owner | undefined, fn: () => T): T => owners.run(owner, fn);

/** For what is told to others: their work is not that of the one who tells. */
export const runUnowned = <T>(fn: () => T): T => owners.run(undefined, fn);
