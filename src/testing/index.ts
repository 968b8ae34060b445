/** The test kit, published: what we test our machines with is yours. */
export { createSimulatedClock } from './clock.ts';
export type { SimulatedClock } from './clock.ts';
export { explore, replay, stateName } from './paths.ts';
export type { AskedEffect, ExploreOptions, ExploreReport, PathStep, StatePath } from './paths.ts';
