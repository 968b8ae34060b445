/** Who restarts whom. Needs xstate alone; runs in a browser. */
export { createSupervision } from './supervision.ts';
export type { Supervision, SupervisionEnv } from './supervision.ts';
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
export { checkChildSpecs } from './query.ts';
export type { ChildCount, ChildRow, FullChildSpec, SpecCheck } from './query.ts';
export type { Clock, TimerHandle } from './clock.ts';
export { contain, reap } from './contain.ts';
export { decide } from './decide.ts';
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
export { createScope } from './scope.ts';
export type { Disposer, OwnedScope, Scope } from './scope.ts';
export { encodeSegment } from './tree.ts';
