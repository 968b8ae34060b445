/** Who restarts whom. Needs xstate alone; runs in a browser. */
export { createSupervision } from './supervision.ts';
export type { RootWatch, Supervision, SupervisionEnv } from './supervision.ts';
export type { AdminCommand, SupervisorInput, SupervisorLogic, SupervisorSnapshot } from './shell.ts';
export { checkChildSpec, checkSpec } from './child-spec.ts';
export type {
  Backoff,
  ChildSpec,
  Restart,
  Shutdown,
  StartContext,
  Strategy,
  SupervisorSpec,
} from './child-spec.ts';
export type { PartitionedSpec, PartitionSpec } from './partition.ts';
export { partitionOf } from './partition-key.ts';
export type { PartitionRow } from './route.ts';
export { checkChildSpecs } from './query.ts';
export type { ChildCount, ChildRow, FullChildSpec, SpecCheck } from './query.ts';
export { clockOf } from './clock.ts';
export type { Clock, TimerHandle, Timers } from './clock.ts';
export { contain, reap } from './contain.ts';
export { decide } from './decide.ts';
/** The life of one child as a machine: the name, the machine, its events and examples. */
export * as lifeCycle from './life-cycle.ts';
export { cloneState, createState } from './state.ts';
export type {
  Child,
  ChildPolicy,
  ChildStatus,
  Command,
  Event,
  ExitReason,
  Policy,
  Refusal,
  Reply,
  State,
} from './state.ts';
export { STASH_LIMIT } from './registry.ts';
export type {
  NodeKind,
  NodeStatus,
  Registry,
  TellOptions,
  TellResult,
  TreeNode,
  Watcher,
} from './registry.ts';
export type { Report } from './report.ts';
export type { Owner, Within } from './surround.ts';
export { HELD_LIMIT } from './hold.ts';
export type { ActorState, ActorStatistics, Sys } from './sys.ts';
export type { TraceRecord, TraceSink } from './trace.ts';
export type { SinkFaults } from './sinks.ts';
export { TURN_BUDGET } from './turn-budget.ts';
export { createScope } from './scope.ts';
export type { Disposer, OwnedScope, Scope } from './scope.ts';
export { encodeSegment } from './tree.ts';
