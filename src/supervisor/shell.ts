/** What a running supervisor holds beside its rules: live children, timers, open requests. */
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

export interface Shell {
  readonly self: AnyActorRef;
  readonly scope: AnyActorScope;
  readonly input: SupervisorInput;
  /** More than 0: its children are the partitions of one set of children. */
  readonly partitions: number;
  /** What the paths of its children begin with. */
  readonly home: string;
  spec: SupervisorSpec;
  /** Changes that wait for an operation to finish, by ticket. */
  readonly changes: Map<number, SupervisorSpec>;
  /** What is to be started, the same. */
  readonly offers: Map<number, ChildSpec>;
  readonly state: State;
  readonly specs: Map<string, ChildSpec>;
  /**
   * Emptied, not deleted, between two lives: what is deleted and set again for ever lengthens the chain of its bucket
   * until V8 rehashes the map, which beside 10,000 siblings takes thousands of restarts.
   */
  readonly live: Map<string, Live | undefined>;
  readonly entries: Map<string, Entry>;
  readonly timers: Map<string, TimerHandle>;
  /** What lives left for their successors. */
  readonly facts: Map<string, unknown>;
  /** Scopes that close slowly and were not waited for: the next start of that child, and whoever restarts us, does. */
  readonly closing: Map<string, Promise<unknown>>;
  /** Actor ids whose end was seen as it happened (at their start, or while being stopped); XState still tells of it. */
  readonly toldAlready: Set<string>;
  readonly tickets: Map<number, (reply: Reply) => void>;
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
    changes: new Map(),
    offers: new Map(),
    state: createState(
      policyOf(spec),
      children.map((c) => ({ id: c.id, policy: childPolicy(c) })),
    ),
    specs: new Map(children.map((c) => [c.id, c])),
    live: new Map(),
    entries: new Map(),
    timers: new Map(),
    facts: new Map(),
    closing: new Map(),
    toldAlready: new Set(),
    tickets: new Map(),
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
  for (const row of left.values()) if (!row.rules || !shell.specs.has(row.rules.key)) env.table.remove(row);
  for (const child of children) {
    const entry = enter(env, shell, child);
    if (!left.has(entry.id)) continue;
    entry.parent?.children.delete(entry.id);
    entry.parent?.children.set(entry.id, entry);
  }
}

export const childPath = ({ home, partitions }: Shell, id: string): string =>
  `${home}/${partitions > 0 ? id : encodeSegment(id)}`;

export function enter(env: SupervisorEnv, shell: Shell, spec: ChildSpec): Entry {
  const entry = env.table.enter(childPath(shell, spec.id), kindOf(spec), shell.input.path);
  entry.rules = { children: shell.state.children, key: spec.id };
  shell.entries.set(spec.id, entry);
  return entry;
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
    childPath: id === '' ? path : (shell.entries.get(id)?.path ?? childPath(shell, id)),
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
