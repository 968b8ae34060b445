/** What a running supervisor holds beside its rules: a row for each child, and open requests. */
import type { ActorLogic, AnyActorLogic, AnyActorRef, AnyActorScope, Snapshot } from 'xstate';
import type { NormalError } from '../errors.ts';
import type { ChildSpec, Shutdown, SupervisorSpec } from './child-spec.ts';
import type { Clock, TimerHandle } from './clock.ts';
import type { ContainHooks, KillEvent } from './contain.ts';
import { homeOf } from './partition-key.ts';
import type { Report } from './report.ts';
import type { OwnedScope } from './scope.ts';
import {
  createState,
  type Admin,
  type ChildPolicy,
  type ExitReason,
  type Reply,
  type State,
} from './state.ts';
import { encodeSegment, type Entry, type Table } from './tree.ts';

export interface SupervisorEnv {
  readonly clock: Clock;
  /** In [0, 1), for jitter. */
  random(): number;
  readonly table: Table;
  /** The running supervisors of this tree, for whoever looks. */
  readonly shells: WeakMap<AnyActorRef, Shell>;
  /** What closes without anybody's waiting for it, by the path of the child: partitions share paths. */
  readonly closing: Map<string, Promise<unknown>>;
  /** Where the events of every actor of the tree pass. */
  readonly hooks: ContainHooks;
  report(report: Report): void;
}

/** What a supervisor is started with. */
export interface SupervisorInput {
  readonly path: string;
  readonly incarnation: number;
}

export type SupervisorEvent =
  | { readonly type: 'supervisor.shutdown'; readonly reason: string; readonly deadlineMs: number }
  | {
      readonly type: 'supervisor.admin';
      readonly command: AdminCommand;
      readonly reply: (reply: Reply) => void;
    }
  | KillEvent
  /** Ours, to ourselves. */
  | { readonly type: 'supervisor.timer'; readonly id: string; readonly token: number }
  | { readonly type: 'supervisor.unlocked'; readonly id: string }
  | {
      readonly type: 'supervisor.overdue' | 'supervisor.closed';
      readonly id: string;
      readonly incarnation: number;
    };

/** `decide`'s admin events, with the whole spec instead of its policy and without tickets. */
export type AdminCommand =
  | { readonly type: 'start_child'; readonly spec: ChildSpec }
  /** Not for a supervisor's own restart: that starts from what it was made from. */
  | { readonly type: 'change'; readonly spec: SupervisorSpec }
  | { readonly type: Exclude<Admin['type'], 'start_child' | 'kill' | 'change'>; readonly id: string }
  | { readonly type: 'kill'; readonly id: string; readonly counted: boolean; readonly by: string };

/** What can be seen of a supervisor from outside. */
export type SupervisorSnapshot = Snapshot<{ exit: ExitReason; error?: NormalError }> & {
  readonly phase: State['phase'];
};
/** A supervisor, as XState runs it. */
export type SupervisorLogic = ActorLogic<SupervisorSnapshot, SupervisorEvent, SupervisorInput>;

/** One child as it runs: what the pure side must not know. */
export interface Live {
  readonly ref: AnyActorRef;
  readonly incarnation: number;
  readonly scope: OwnedScope;
  /** The actor has ended and its scope is closing. */
  ending: { readonly reason: ExitReason; readonly error: NormalError | undefined } | undefined;
  overdue: TimerHandle;
  /** Its scope closes slowly. */
  closing: Promise<unknown> | undefined;
}

/** What is kept of one child until it is forgotten: one table for all of it, since each more costs a start and a stop. */
export interface Row {
  spec: ChildSpec;
  readonly entry: Entry;
  live: Live | undefined;
  timer: TimerHandle;
  /** What its last life left for the next. */
  facts: unknown;
}

/** What was asked and is not answered yet. */
export interface Request {
  readonly ticket: number;
  reply(reply: Reply): void;
  /** What it is about: the child to start, or the supervisor's new spec. */
  readonly child?: ChildSpec;
  readonly change?: SupervisorSpec;
}

export interface Shell {
  readonly self: AnyActorRef;
  readonly scope: AnyActorScope;
  readonly input: SupervisorInput;
  /** More than 0: its children are the partitions of one set of children. */
  readonly partitions: number;
  /** What the paths of its children begin with. */
  readonly home: string;
  spec: SupervisorSpec;
  readonly state: State;
  readonly rows: Map<string, Row>;
  /** Scopes that close slowly and were not waited for: the next start of that child, and whoever restarts us, does. */
  readonly closing: Map<string, Promise<unknown>>;
  /** Actor ids whose ends were seen as they happened (at the start, or while being stopped), and how many of each. */
  readonly seen: Map<string, number>;
  /**
   * By ticket, rising. Not a map: one that is emptied all the time is rehashed all the time, and V8 chains the old
   * tables, so that all they held outlives the young collections.
   */
  readonly requests: Request[];
  nextTicket: number;
  stopReason: string;
  snapshot: SupervisorSnapshot | undefined;
  ended: { readonly exit: ExitReason; readonly error: NormalError | undefined } | undefined;
}

export const DEFAULT_SHUTDOWN_MS = 5_000;
const DEFAULT_PROBE_MS = 60_000;

/** Logics made here: their children are supervisors without saying so. */
export const supervisors = new WeakSet<AnyActorLogic>();

export function openShell(
  env: SupervisorEnv,
  spec: SupervisorSpec,
  scope: AnyActorScope,
  input: SupervisorInput,
  partitions: number,
): Shell {
  const children = spec.children ?? [];
  const shell: Shell = {
    self: scope.self,
    scope,
    input,
    partitions,
    home: homeOf(input.path),
    spec,
    state: createState(
      policyOf(spec),
      children.map((c) => ({ id: c.id, policy: childPolicy(c) })),
    ),
    rows: new Map(),
    closing: new Map(),
    seen: new Map(),
    requests: [],
    nextTicket: 1,
    stopReason: 'shutdown',
    snapshot: undefined,
    ended: undefined,
  };
  enterAll(env, shell, children);
  return shell;
}

/** What an earlier incarnation was given at run time is gone with it; the rest is listed in start order again. */
function enterAll(env: SupervisorEnv, shell: Shell, children: readonly ChildSpec[]): void {
  const left = new Map(env.table.entry(shell.input.path)?.children);
  const ids = new Set(children.map((child) => child.id));
  for (const entry of left.values()) if (!entry.rules || !ids.has(entry.rules.key)) env.table.remove(entry);
  for (const child of children) {
    const { entry } = enter(env, shell, child);
    if (!left.has(entry.id)) continue;
    entry.parent?.children.delete(entry.id);
    entry.parent?.children.set(entry.id, entry);
  }
}

/** XState tells of an end that was seen as it happened, later: to be dropped then. */
export function sawEnd({ seen }: Shell, { id }: AnyActorRef): void {
  seen.set(id, (seen.get(id) ?? 0) + 1);
}

/** Once for each. Two lives may have one id, if the first was a start that failed. */
export function wasSeen({ seen }: Shell, actorId: string): boolean {
  const times = seen.get(actorId);
  if (times === undefined) return false;
  if (times > 1) seen.set(actorId, times - 1);
  else seen.delete(actorId);
  return true;
}

export const childPath = ({ home, partitions }: Shell, id: string): string =>
  `${home}/${partitions > 0 ? id : encodeSegment(id)}`;

export function enter(env: SupervisorEnv, shell: Shell, spec: ChildSpec): Row {
  const entry = env.table.enter(childPath(shell, spec.id), kindOf(spec), shell.input.path);
  entry.rules = { children: shell.state.children, key: spec.id };
  const row: Row = { spec, entry, live: undefined, timer: undefined, facts: undefined };
  shell.rows.set(spec.id, row);
  return row;
}

export function report(
  env: SupervisorEnv,
  shell: Shell,
  id: string,
  childIncarnation: number,
  body: Report['body'],
): void {
  const { path, incarnation } = shell.input;
  env.report({
    path,
    incarnation,
    childPath: id === '' ? path : (shell.rows.get(id)?.entry.path ?? childPath(shell, id)),
    childIncarnation,
    body,
  });
}

const kindOf = (spec: ChildSpec): 'worker' | 'supervisor' =>
  spec.type ?? (supervisors.has(spec.logic) ? 'supervisor' : 'worker');

export function childPolicy(spec: ChildSpec): ChildPolicy {
  const type = kindOf(spec);
  const shutdown: Shutdown = spec.shutdown ?? (type === 'supervisor' ? 'infinity' : DEFAULT_SHUTDOWN_MS);
  return {
    type,
    shutdown,
    restart: spec.restart ?? 'permanent',
    significant: spec.significant ?? false,
    backoff: spec.backoff,
    quarantine: spec.quarantine ?? false,
  };
}

export function policyOf(spec: SupervisorSpec): State['policy'] {
  return {
    strategy: spec.strategy,
    intensity: spec.intensity,
    periodMs: spec.periodMs,
    autoShutdown: spec.autoShutdown ?? 'never',
    onExhausted: spec.onExhausted ?? 'escalate',
    probeMs: spec.probeMs ?? DEFAULT_PROBE_MS,
    maxChildren: spec.maxChildren ?? Number.POSITIVE_INFINITY,
    dynamic: spec.dynamic ?? false,
  };
}
