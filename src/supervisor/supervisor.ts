/**
 * The shell around `decide`: runs its commands through XState's public API and feeds what happened back. A custom
 * ActorLogic and not a machine, because a machine copies its whole children map at every spawn (10,000 children
 * took 35 s to start), but an actor all the same: snapshot, inspection, parent and child work as anywhere.
 */
import type { EventObject } from 'xstate';
import { CoppiceError, normalizeError, type NormalError } from '../errors.ts';
import { checkChildSpec, checkSpec, type SupervisorSpec } from './child-spec.ts';
import { close, feed, halt, stopEverything } from './execute.ts';
import { takenElsewhere } from './route.ts';
import {
  childPolicy,
  openShell,
  policyOf,
  supervisors,
  type AdminCommand,
  type Live,
  type Shell,
  type SupervisorEnv,
  type SupervisorEvent,
  type SupervisorLogic,
  type SupervisorSnapshot,
} from './shell.ts';
import type { ExitReason, Reply, State } from './state.ts';

/** Admin requests that wait for an operation to finish, at most. More are refused as `stopping`. */
const ADMIN_QUEUE = 10_000;

/** @param partitions more than 0: the children are partitions of one set, see `partition.ts` */
export function supervisorLogic(env: SupervisorEnv, spec: SupervisorSpec, partitions = 0): SupervisorLogic {
  const fault = checkSpec(spec);
  if (fault) throw new CoppiceError('SPEC_INVALID', { ...fault, value: showValue(fault.value) });
  const { shells } = env;
  const snapshotOf = (shell: Shell): SupervisorSnapshot => {
    const { state, ended } = shell;
    if (ended) return finalSnapshot(state, ended);
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
      shell.stopReason = own.reason;
      return feed(env, shell, { type: 'shutdown' });
    case 'supervisor.admin':
      return administer(env, shell, own.command, own.reply);
    case 'supervisor.overdue':
      return overdue(env, shell, own.id, own.incarnation);
    case 'supervisor.closed':
      return closed(env, shell, own.id, own.incarnation);
    case 'supervisor.kill':
      stopEverything(env, shell);
      throw new CoppiceError('KILLED', { path: own.path, by: own.by });
    default:
      if (type === 'xstate.stop') stopEverything(env, shell);
  }
}

/** The one source of endings: what XState tells a parent. `actorId` carries the incarnation. */
function childEnded(env: SupervisorEnv, shell: Shell, event: EventObject): void {
  const { actorId, output, error } = event as unknown as {
    actorId: string;
    output?: { exit?: unknown; error?: NormalError };
    error?: unknown;
  };
  if (shell.toldAlready.delete(actorId)) return;
  const cut = actorId.lastIndexOf('#');
  const id = actorId.slice(0, cut);
  const incarnation = Number(actorId.slice(cut + 1));
  const live = shell.live.get(id);
  if (!live || live.incarnation !== incarnation || live.ending) {
    // What it threw while it was being stopped: its end was told already.
    if (shell.state.children.get(id)?.incarnation === incarnation) return;
    return feed(env, shell, { type: 'exited', id, incarnation, reason: 'error' });
  }
  if (event.type.startsWith('xstate.error.')) {
    const reason = error instanceof CoppiceError && error.code === 'KILLED' ? 'killed' : 'error';
    return exit(env, shell, id, live, reason, normalizeError(error));
  }
  exit(env, shell, id, live, exitOf(output?.exit), output?.error);
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
  const live = shell.live.get(id);
  if (!live?.ending || live.incarnation !== incarnation) return;
  env.clock.clearTimeout(live.overdue);
  shell.live.set(id, undefined);
  const { reason, error } = live.ending;
  feed(env, shell, { type: 'exited', id, incarnation, reason, error });
}

/** The shutdown deadline passed: killed, and said so. */
function overdue(env: SupervisorEnv, shell: Shell, id: string, incarnation: number): void {
  const live = shell.live.get(id);
  if (!live || live.ending || live.incarnation !== incarnation) return;
  halt(env, shell, id, live);
  exit(env, shell, id, live, 'timeout', undefined);
}

function administer(
  env: SupervisorEnv,
  shell: Shell,
  command: AdminCommand,
  reply: (reply: Reply) => void,
): void {
  if (shell.tickets.size >= ADMIN_QUEUE) return reply({ ok: false, reason: 'stopping' });
  const fault = commandFault(shell, command) ?? takenElsewhere(env, shell, command);
  if (fault) return reply(fault);
  // A start of it that failed is not over yet.
  const closing = command.type === 'change' ? undefined : shell.closing.get(idOf(command));
  if (closing) return void closing.then(() => shell.self.send({ type: 'supervisor.admin', command, reply }));
  const ticket = shell.nextTicket++;
  shell.tickets.set(ticket, reply);
  if (command.type === 'change') return change(env, shell, command.spec, ticket);
  if (command.type !== 'start_child') return feed(env, shell, { ...command, ticket });
  const { spec } = command;
  // An id that is present keeps its own spec: the request is only answered.
  shell.offers.set(ticket, spec);
  feed(env, shell, { type: 'start_child', id: spec.id, policy: childPolicy(spec), ticket });
}

const idOf = (command: Exclude<AdminCommand, { type: 'change' }>): string =>
  command.type === 'start_child' ? command.spec.id : command.id;

/** What is wrong with the specs that a request brings. */
function commandFault(shell: Shell, command: AdminCommand): Reply | undefined {
  if (command.type !== 'start_child' && command.type !== 'change') return undefined;
  const starts = command.type === 'start_child';
  const fault = starts
    ? checkChildSpec(command.spec, shell.state.policy.autoShutdown, shell.state.policy.strategy)
    : (checkSpec(command.spec) ?? templateFault(shell, command.spec));
  if (!fault) return undefined;
  const error = new CoppiceError('SPEC_INVALID', { ...fault, value: showValue(fault.value) });
  return { ok: false, reason: starts ? 'start_failed' : 'spec_invalid', error: normalizeError(error) };
}

const templateFault = ({ spec }: Shell, { dynamic }: SupervisorSpec) =>
  (spec.dynamic ?? false) === (dynamic ?? false)
    ? undefined
    : { field: 'dynamic', value: dynamic, expected: 'what it was: it decides what finished children leave' };

function change(env: SupervisorEnv, shell: Shell, spec: SupervisorSpec, ticket: number): void {
  const children = (spec.children ?? []).map((child) => ({ id: child.id, policy: childPolicy(child) }));
  shell.changes.set(ticket, spec);
  feed(env, shell, { type: 'change', policy: policyOf(spec), children, ticket });
}

export function showValue(value: unknown): string {
  return typeof value === 'object' && value ? 'an object' : String(value);
}
