/**
 * The test kit, published: what we test our machines with is yours. Any XState v5 machine, invoke and `after` included.
 *
 * - `generate(machine, options)` makes paths (plain JSON) from a strategy, with coverage and a list of what was cut.
 * - `replayLive(machine, path, options)` walks one with a live actor on a simulated clock, its effects scripted.
 * - `prove(machine, options)` does both for every path, checks invariants after each step, and shrinks what fails.
 * - `abstract`, `schemaCases`, `coverageText`, `coverageJson`, `coverageLcov`, `mergeCoverage` help with these.
 * - `explore` and `replay` are the smaller tools below: all states at once, and a path of theirs.
 */
export { createSimulatedClock } from './clock.ts';
export type { SimulatedClock } from './clock.ts';
export { explore, replay, stateName } from './paths.ts';
export type { AskedEffect, ExploreOptions, ExploreReport, PathStep, StatePath } from './paths.ts';

export { STRATEGIES } from './contract.ts';
export type {
  ActorCases,
  Budget,
  Coverage,
  Cut,
  EventCases,
  EventSchema,
  Expected,
  ExpectOptions,
  Generated,
  GenerateOptions,
  Invariant,
  ModelOptions,
  Move,
  Path,
  PathMove,
  Plain,
  Progress,
  Strategy,
  View,
  Violation,
} from './contract.ts';
export { generate } from './generate.ts';
export { abstract } from './abstract.ts';
export type { Abstraction, AbstractOptions } from './abstract.ts';
export { schemaCases } from './schema-cases.ts';
export { createRandom } from './random.ts';
export type { Random } from './random.ts';
export { fromPlain, toPlain } from './plain.ts';

export { isComplete, mergeCoverage, missingIn } from './coverage.ts';
export type { Missing } from './coverage.ts';
export { coverageJson, coverageLcov, coverageText } from './coverage-report.ts';
export { replayLive } from './replay-live.ts';
export type { LiveReport, Mismatch, ReplayOptions } from './replay-live.ts';
export type { LiveEffects } from './stage.ts';
export { prove } from './prove.ts';
export type { Failure, Proof, ProveOptions } from './prove.ts';
export { moveText, pathText } from './steps-text.ts';

export { shipped, shippedNames } from './shipped.ts';
export type { Scenario, Shipped } from './scenario.ts';
