/** The ports to the machine we run on: clock, ids, the guarded door for effects, and children beside this event loop. */
export { createClock } from './clock.ts';
export { createIds } from './ids.ts';
export { callbackEffect, promiseEffect } from './effect.ts';
export type { CallbackArgs, PromiseArgs } from './effect.ts';
export type { Guards } from './guards.ts';
export { currentOwner, runOwned } from './owner.ts';
export type { Owner } from './owner.ts';
export { countFault, FAULT_BUDGET, installProcessTrap } from './process-trap.ts';
export type { FaultBudget, ProcessFault, ProcessTrapOptions } from './process-trap.ts';
export { processChild, processLogic, threadChild, threadLogic } from './beside.ts';
export type { BesideSpec, ProcessLogic, ThreadLogic } from './beside.ts';
export type { LifeInput, LifeOutput, LifeSnapshot } from './life.ts';
export type { ProcessCommand, ProcessEvent, ProcessOptions } from './process-life.ts';
export type { ThreadCommand, ThreadEvent, ThreadOptions } from './thread-life.ts';
