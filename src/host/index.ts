/** The ports to the machine we run on: clock, ids, and the guarded door for effects. */
export { createClock } from './clock.ts';
export { createIds } from './ids.ts';
export { callbackEffect, currentOwner, promiseEffect } from './effect.ts';
export type { CallbackArgs, Owner, PromiseArgs } from './effect.ts';
