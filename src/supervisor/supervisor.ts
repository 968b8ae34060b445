/**
 * The shell around `decide`: runs its commands through XState's public API and feeds what happened back. A custom
 * ActorLogic and not a machine, because a machine copies its whole children map at every spawn (10,000 children
 * took 35 s to start), but an actor all the same: snapshot, inspection, parent and child work as anywhere.
 */
import type { EventObject } from 'xstate';
import { CoppiceError, normalizeError, type NormalError } from '../errors.ts';
import { checkChildSpec, checkSpec, type SupervisorSpec } from './child-spec.ts';
import { reasonOf } from './contain.ts';
import { close, feed, halt, stopEverything } from './execute.ts';
import { statusOf } from './nested.ts';
import { takenElsewhere } from './route.ts';
import {
  childPolicy,
  openShell,
  policyOf,
  report,
  supervisors,
  wasSeen,
  type AdminCommand,
  type Live,
  type Request,
  type Shell,
  type SupervisorEnv,
  type SupervisorEvent,
  type SupervisorLogic,
  type SupervisorSnapshot,
} from './shell.ts';
import { specInvalid } from './spec-fault.ts';
import type { ExitReason, Reply, State } from './state.ts';

/** Admin requests that wait for an operation to finish, at most. More are refused as `stopping`. */
const ADMIN_QUEUE = 10_000;

/** Of what a stop is told with: it stands in a report. */
const REASON_CHARS = 1_000;

/** @param partitions more than 0: the children are partitions of one set, see `partition.ts` */
export function supervisorLogic(env: SupervisorEnv, spec: SupervisorSpec, partitions = 0): SupervisorLogic {
  const fault = checkSpec(spec);
  if (fault) throw specInvalid(fault);
  const { shells } = env;
  const snapshotOf = (shell: Shell): SupervisorSnapshot => {
    const { state, ended } = shell;
    if (ended) return finalSnapshot(state, ended);
    if (state.phase === 'ended') return stoppedSnapshot(state);
    return (shell.snapshot ??= activeSnapshot(state));
  };
  const logic: SupervisorLogic = {
    getInitialSnapshot(scope, input) {
      const shell = openShell(env, spec, scope, input, partitions);
      shells.set(scope.self, shell);
      return snapshotOf(shell);
    },
    start(_snapshot, scope) {
      env.hooks.opened?.(scope.self);
      feed(env, shells.get(scope.self)!, { type: 'boot' });
    },
    transition(_snapshot, event, scope) {
      const shell = shells.get(scope.self)!;
      // A supervisor is never suspended: what it is asked to take is what arrived.
      env.hooks.admit?.(scope.self, event);
      receive(env, shell, event);
      return snapshotOf(shell);
    },
    getPersistedSnapshot: (snapshot) => snapshot,
  };
  supervisors.add(logic);
  return logic;
}

/** One for a whole life, its phase read live: XState keeps the initial one while `start` already boots the children. */
function activeSnapshot(state: State): SupervisorSnapshot {
  return {
    status: 'active',
    error: undefined,
    output: undefined,
    get phase() {
      return state.phase;
    },
  };
}

const stoppedSnapshot = ({ phase }: State): SupervisorSnapshot => ({
  status: 'stopped',
  error: undefined,
  output: undefined,
  phase,
});

function finalSnapshot({ phase }: State, { exit, error }: NonNullable<Shell['ended']>): SupervisorSnapshot {
  return { status: 'done', error: undefined, output: { exit, ...(error ? { error } : {}) }, phase };
}

function receive(env: SupervisorEnv, shell: Shell, event: SupervisorEvent | EventObject): void {
  const type = event.type;
  if (type.startsWith('xstate.done.actor.') || type.startsWith('xstate.error.actor.'))
    return childEnded(env, shell, event);
  const own = event as SupervisorEvent;
  switch (own.type) {
    case 'supervisor.timer':
      return feed(env, shell, { type: 'timer', id: own.id, token: own.token });
    case 'supervisor.shutdown':
      if (typeof own.reason === 'string') shell.stopReason = own.reason.slice(0, REASON_CHARS);
      return feed(env, shell, { type: 'shutdown' });
    case 'supervisor.admin':
      return administer(env, shell, own.command, own.reply);
    case 'supervisor.overdue':
      return overdue(env, shell, own.id, own.incarnation);
    case 'supervisor.closed':
      return closed(env, shell, own.id, own.incarnation);
    case 'supervisor.unlocked':
      return feed(env, shell, { type: 'closed', id: own.id });
    case 'supervisor.kill':
      stopEverything(env, shell);
      throw new CoppiceError('KILLED', { path: own.path, by: own.by });
    default:
      if (type === 'xstate.stop') stopEverything(env, shell);
  }
}

interface Output {
  readonly exit?: unknown;
  readonly error?: unknown;
}

/** The one source of endings: what XState tells a parent. `actorId` carries the incarnation. */
function childEnded(env: SupervisorEnv, shell: Shell, event: EventObject): void {
  const { actorId, output, error } = event as unknown as {
    actorId: string;
    output?: Output;
    error?: unknown;
  };
  if (wasSeen(shell, actorId)) return;
  const cut = actorId.lastIndexOf('#');
  const id = actorId.slice(0, cut);
  const incarnation = Number(actorId.slice(cut + 1));
  const live = shell.rows.get(id)?.live;
  if (!live || live.incarnation !== incarnation || live.ending) {
    // How it ended in the turn in which it was stopped: that it ends was told already.
    if (shell.state.children.get(id)?.incarnation === incarnation) {
      if (event.type.startsWith('xstate.error.'))
        report(env, shell, id, incarnation, { type: 'disposer_failed', error: normalizeError(error) });
      return;
    }
    return feed(env, shell, { type: 'exited', id, incarnation, reason: 'error' });
  }
  if (event.type.startsWith('xstate.error.'))
    return exit(env, shell, id, live, reasonOf(error), normalizeError(error));
  const { reason, error: why } = endingOf(output);
  exit(env, shell, id, live, reason, why);
}

/** What the output of a final state says of it. */
function endingOf(output: Output | undefined): NonNullable<Live['ending']> {
  try {
    const error = output?.error;
    return { reason: exitOf(output?.exit), error: error === undefined ? undefined : normalizeError(error) };
  } catch (error) {
    // A getter or proxy that throws.
    return { reason: 'error', error: normalizeError(error) };
  }
}

function exitOf(value: unknown): ExitReason {
  return value === 'shutdown' || value === 'error' || value === 'timeout' || value === 'killed'
    ? value
    : 'normal';
}

function exit(
  env: SupervisorEnv,
  shell: Shell,
  id: string,
  live: Live,
  reason: ExitReason,
  error: NormalError | undefined,
): void {
  if (close(env, shell, id, live, reason, error)) closed(env, shell, id, live.incarnation);
}

function closed(env: SupervisorEnv, shell: Shell, id: string, incarnation: number): void {
  const row = shell.rows.get(id);
  if (!row?.live?.ending || row.live.incarnation !== incarnation) return;
  const { reason, error } = row.live.ending;
  env.clock.clearTimeout(row.live.overdue);
  row.live = undefined;
  feed(env, shell, { type: 'exited', id, incarnation, reason, error });
}

/** The shutdown deadline passed: killed, and said so. */
function overdue(env: SupervisorEnv, shell: Shell, id: string, incarnation: number): void {
  const live = shell.rows.get(id)?.live;
  if (!live || live.ending || live.incarnation !== incarnation) return;
  if (statusOf(live.ref) !== 'active') return;
  halt(env, shell, id, live);
  exit(env, shell, id, live, 'timeout', undefined);
}

function administer(
  env: SupervisorEnv,
  shell: Shell,
  command: AdminCommand,
  reply: (reply: Reply) => void,
): void {
  if (shell.requests.length >= ADMIN_QUEUE) return reply({ ok: false, reason: 'stopping' });
  const fault = commandFault(shell, command) ?? takenElsewhere(env, shell, command);
  if (fault) return reply(fault);
  const ticket = shell.nextTicket++;
  switch (command.type) {
    case 'change':
      return change(env, shell, { ticket, reply, change: command.spec });
    case 'start_child': {
      const { spec } = command;
      // An id that is present keeps its own spec: the request is only answered.
      shell.requests.push({ ticket, reply, child: spec });
      return feed(env, shell, { type: 'start_child', id: spec.id, policy: childPolicy(spec), ticket });
    }
    default:
      shell.requests.push({ ticket, reply });
      return feed(env, shell, { ...command, ticket });
  }
}

/** What is wrong with the specs that a request brings. */
function commandFault(shell: Shell, command: AdminCommand): Reply | undefined {
  if (command.type !== 'start_child' && command.type !== 'change') return undefined;
  const starts = command.type === 'start_child';
  const fault = starts
    ? checkChildSpec(command.spec, shell.state.policy.autoShutdown, shell.state.policy.strategy)
    : (checkSpec(command.spec) ?? templateFault(shell, command.spec));
  if (!fault) return undefined;
  const error = normalizeError(specInvalid(fault));
  return { ok: false, reason: starts ? 'start_failed' : 'spec_invalid', error };
}

const templateFault = ({ spec }: Shell, { dynamic }: SupervisorSpec) =>
  (spec.dynamic ?? false) === (dynamic ?? false)
    ? undefined
    : { field: 'dynamic', value: dynamic, expected: 'what it was: it decides what finished children leave' };

function change(env: SupervisorEnv, shell: Shell, request: Request & { change: SupervisorSpec }): void {
  const { ticket, change: spec } = request;
  const children = (spec.children ?? []).map((child) => ({ id: child.id, policy: childPolicy(child) }));
  shell.requests.push(request);
  feed(env, shell, { type: 'change', policy: policyOf(spec), children, ticket });
}
