/** Runs what the rules decided, through XState's public API, and feeds back what happened at once. */
import { createActor, type AnyActorLogic, type AnyActorRef, type EventObject } from 'xstate';
import { CoppiceError, normalizeError, type NormalError } from '../errors.ts';
import { contain } from './contain.ts';
import { decide } from './decide.ts';
import type { ChildSpec, Shutdown } from './child-spec.ts';
import { closeLife, leaveClosing } from './closing.ts';
import { statusOf } from './nested.ts';
import { createScope, type OwnedScope, type Scope } from './scope.ts';
import {
  childPath,
  DEFAULT_SHUTDOWN_MS,
  enter,
  report,
  sawEnd,
  supervisors,
  type Live,
  type Row,
  type Shell,
  type SupervisorEnv,
} from './shell.ts';
import type { Command, Event, ExitReason, Reply } from './state.ts';
import type { Entry } from './tree.ts';

/** Runs `decide`, then its commands in order; what a command causes at once (a start) is fed back the same way. */
export function feed(env: SupervisorEnv, shell: Shell, event: Event): void {
  const queue: Event[] = [event];
  for (let next = queue.shift(); next; next = queue.shift()) {
    if (shell.ended) break;
    const { commands } = decide(shell.state, next, env.clock.now(), env.random());
    for (const command of commands) run(env, shell, command, queue);
  }
  env.table.sweep();
}

function run(env: SupervisorEnv, shell: Shell, command: Command, queue: Event[]): void {
  switch (command.type) {
    case 'start':
      // First of all: until it is heard, the rules know nothing of what runs.
      queue.unshift(startChild(env, shell, command));
      return;
    case 'stop':
      return stopChild(env, shell, command.id, queue);
    case 'kill':
      return killChild(env, shell, command.id, command.by);
    case 'arm':
      return arm(env, shell, command);
    case 'forget':
      return forget(env, shell, command.id);
    case 'report':
      return report(env, shell, command.id, command.incarnation, command.body);
    case 'reply':
      return answer(shell, command.ticket, command.reply);
    case 'adopt':
      return adopt(env, shell, command.ticket);
    case 'abort':
      stopEverything(env, shell);
      throw new CoppiceError(
        'START_FAILED',
        { path: childPath(shell, command.id), reason: command.error.message },
        { cause: command.error },
      );
    case 'end':
      cancelTimers(env, shell);
      shell.ended = { exit: command.exit, error: command.error };
      report(env, shell, '', 0, {
        type: 'shutdown',
        reason: command.error?.message ?? shell.stopReason,
      });
      return rootEnded(env, shell, command.exit);
  }
}

function answer({ requests }: Shell, ticket: number, reply: Reply): void {
  const at = requests.findIndex((request) => request.ticket === ticket);
  if (at >= 0) requests.splice(at, 1)[0]!.reply(reply);
}

function startChild(
  env: SupervisorEnv,
  shell: Shell,
  { id, incarnation, clean }: Extract<Command, { type: 'start' }>,
): Event {
  const row = rowOf(env, shell, id);
  if (clean) row.facts = undefined;
  const { spec, entry } = row;
  const scope = createScope((error) =>
    report(env, shell, id, incarnation, { type: 'disposer_failed', error: normalizeError(error) }),
  );
  const handed = row.facts !== undefined;
  let ref: AnyActorRef | undefined;
  try {
    ref = createActor(wrapped(env, spec.logic), {
      parent: shell.self,
      id: `${id}#${incarnation}`,
      input: inputOf(row, incarnation, scope),
    } as never) as AnyActorRef;
    // Entered before it starts: what it starts itself looks it up.
    env.table.began(entry, ref, incarnation, scope);
    ref.start();
    const snapshot = ref.getSnapshot() as StartSnapshot;
    if (snapshot.status === 'active') {
      row.live = { ref, incarnation, scope, ending: undefined, overdue: undefined, closing: undefined };
      // A temporary child never starts again: whatever its start was given is not kept for it, as in OTP.
      if (spec.restart === 'temporary') row.spec = withoutInput(spec);
      env.table.flush(entry);
      return { type: 'started', id, handed };
    }
    sawEnd(shell, ref);
    if (snapshot.status === 'error') throw snapshot.error;
    if ((snapshot.output?.exit ?? 'normal') !== 'normal') throw endedAtStart(snapshot);
    const closing = abandon(env, shell, entry, id, ref, scope, 'normal');
    return { type: 'ignored', id, closing };
  } catch (error) {
    const closing = abandon(env, shell, entry, id, ref, scope, 'error', error);
    return { type: 'start_failed', id, error: normalizeError(error), handed, closing };
  }
}

/** With the spec of the request which adds it, or the one it has. */
function rowOf(env: SupervisorEnv, shell: Shell, id: string): Row {
  const row = shell.rows.get(id);
  if (row) return row;
  const ticket = shell.state.children.get(id)?.ticket;
  return enter(env, shell, shell.requests.find((request) => request.ticket === ticket)!.child!);
}

function withoutInput({ input: _given, ...spec }: ChildSpec): ChildSpec {
  return spec;
}

interface StartSnapshot {
  readonly status: string;
  readonly error?: unknown;
  readonly output?: { readonly exit?: unknown; readonly error?: unknown } | undefined;
}

/** A child that is over before it could take an event, and not normally, has failed to start. */
const endedAtStart = ({ output }: StartSnapshot): unknown =>
  output?.error ?? new Error(`it ended with ${String(output?.exit)} before it ran`);

function inputOf(row: Row, incarnation: number, scope: Scope): unknown {
  const { facts, spec } = row;
  const { path } = row.entry;
  row.facts = undefined;
  if (!spec.input) return { path, incarnation };
  const keep = (left: unknown): void => {
    if (!scope.closed) row.facts = left;
  };
  return spec.input({ path, incarnation, scope, keep, ...(facts === undefined ? {} : { facts }) });
}

/** True when what it opened takes a while to close. */
function abandon(
  env: SupervisorEnv,
  shell: Shell,
  entry: Entry,
  id: string,
  ref: AnyActorRef | undefined,
  scope: OwnedScope,
  reason: ExitReason,
  error: unknown = reason,
): boolean {
  const closing = closeLife(env, ref, scope, shutdownOf(shell, id), error);
  env.table.ended(entry, reason);
  if (closing) leaveClosing(env, shell, id, closing);
  return closing !== undefined;
}

/** Workers are contained, so that a throw reaps their children and a kill is a throw. Once per logic, not per start. */
const containedLogics = new WeakMap<SupervisorEnv, WeakMap<AnyActorLogic, AnyActorLogic>>();
function wrapped(env: SupervisorEnv, logic: AnyActorLogic): AnyActorLogic {
  if (supervisors.has(logic)) return logic;
  let cache = containedLogics.get(env);
  if (!cache) containedLogics.set(env, (cache = new WeakMap()));
  let wrapper = cache.get(logic);
  if (!wrapper) cache.set(logic, (wrapper = contain(logic, env.hooks)));
  return wrapper;
}

function stopChild(env: SupervisorEnv, shell: Shell, id: string, queue: Event[]): void {
  const row = shell.rows.get(id);
  const live = row?.live;
  // Its end is already under way: the scope closes, then `exited` is fed; or it ended in this turn, and we hear next.
  if (!live || live.ending || statusOf(live.ref) !== 'active') return;
  const { shutdown } = shell.state.children.get(id)!.policy;
  if (shutdown === 'brutal' || !answersShutdown(env, live.ref)) {
    halt(env, shell, id, live);
    const reason = shutdown === 'brutal' ? 'killed' : 'shutdown';
    if (!close(env, shell, id, live, reason)) return;
    row.live = undefined;
    // Joins the queue of the feed that is running, instead of starting a second one.
    queue.push({ type: 'exited', id, incarnation: live.incarnation, reason });
    return;
  }
  if (shutdown !== 'infinity') {
    live.overdue = env.clock.setTimeout(
      () => shell.self.send({ type: 'supervisor.overdue', id, incarnation: live.incarnation }),
      shutdown,
    );
  }
  live.ref.send({
    type: 'supervisor.shutdown',
    reason: shell.stopReason,
    deadlineMs: shutdown === 'infinity' ? 0 : shutdown,
  });
}

/**
 * Stops the actor in this turn. What it throws meanwhile is reported here; XState also sends it to us, later, under
 * an id that may by then be another life's (deleted and added again).
 */
export function halt(env: SupervisorEnv, shell: Shell, id: string, live: Live): void {
  shell.scope.stopChild(live.ref);
  const { status, error } = live.ref.getSnapshot() as StartSnapshot;
  if (status !== 'error') return;
  sawEnd(shell, live.ref);
  report(env, shell, id, live.incarnation, { type: 'disposer_failed', error: normalizeError(error) });
}

/**
 * The actor is gone; its resources must be too before anybody hears of it. True when they are at once; else
 * `supervisor.closed` comes when the slow ones are done, at the latest after the child's shutdown deadline.
 */
export function close(
  env: SupervisorEnv,
  shell: Shell,
  id: string,
  live: Live,
  reason: ExitReason,
  error?: NormalError,
): boolean {
  live.ending = { reason, error };
  env.clock.clearTimeout(live.overdue);
  live.overdue = undefined;
  const row = shell.rows.get(id);
  if (row) env.table.ended(row.entry, reason);
  live.closing = closeLife(env, live.ref, live.scope, shutdownOf(shell, id), reason);
  if (!live.closing) return true;
  const tellClosed = (): void => {
    // Late, of a life that was not waited for: another may have its id and its number.
    if (shell.rows.get(id)?.live !== live) return;
    shell.self.send({ type: 'supervisor.closed', id, incarnation: live.incarnation });
  };
  void live.closing.then(tellClosed);
  return false;
}

const shutdownOf = ({ state }: Shell, id: string): Shutdown =>
  state.children.get(id)?.policy.shutdown ?? DEFAULT_SHUTDOWN_MS;

function answersShutdown({ shells }: SupervisorEnv, ref: AnyActorRef): boolean {
  // Not `type`: that is what its spec calls it.
  if (shells.has(ref)) return true;
  const snapshot = ref.getSnapshot() as { can?: (event: EventObject) => boolean };
  return snapshot.can?.({ type: 'supervisor.shutdown', reason: '', deadlineMs: 0 } as EventObject) ?? false;
}

function killChild(env: SupervisorEnv, shell: Shell, id: string, by: string): void {
  const live = shell.rows.get(id)?.live;
  if (!live || live.ending) return;
  try {
    live.ref.send({ type: 'supervisor.kill', by, path: childPath(shell, id) });
  } catch (error) {
    report(env, shell, id, live.incarnation, { type: 'kill_error', error: normalizeError(error) });
  }
}

/** A zero delay is the next macrotask: 0.12 ms, where `setTimeout(0)` costs 1.2. */
function arm(
  env: SupervisorEnv,
  shell: Shell,
  { id, token, delayMs }: Extract<Command, { type: 'arm' }>,
): void {
  const row = shell.rows.get(id);
  if (!row) return;
  env.clock.clearTimeout(row.timer);
  row.timer = undefined;
  const child = shell.state.children.get(id);
  const fire = (): void => {
    // Deleted, and added again in this turn: tokens begin anew.
    if (shell.state.children.get(id) !== child || shell.state.phase === 'ended') return;
    shell.self.send({ type: 'supervisor.timer', id, token });
  };
  if (delayMs <= 0) env.clock.defer(fire);
  else row.timer = env.clock.setTimeout(fire, delayMs);
}

function adopt(env: SupervisorEnv, shell: Shell, ticket: number): void {
  shell.spec = shell.requests.find((request) => request.ticket === ticket)!.change!;
  for (const child of shell.spec.children ?? []) {
    const row = shell.rows.get(child.id);
    if (row) row.spec = child;
    else enter(env, shell, child);
  }
}

function forget(env: SupervisorEnv, shell: Shell, id: string): void {
  const row = shell.rows.get(id);
  if (!row) return;
  shell.rows.delete(id);
  env.clock.clearTimeout(row.timer);
  env.table.remove(row.entry);
}

/** Brutal and in this turn, for a supervisor that itself is stopped or killed: children in reverse, scopes closed. */
export function stopEverything(env: SupervisorEnv, shell: Shell): void {
  cancelTimers(env, shell);
  for (const id of [...shell.state.children.keys()].reverse()) {
    const row = shell.rows.get(id);
    const live = row?.live;
    if (!live) continue;
    env.clock.clearTimeout(live.overdue);
    if (!live.ending) halt(env, shell, id, live);
    const closing = live.closing ?? closeLife(env, live.ref, live.scope, shutdownOf(shell, id), 'killed');
    if (closing) leaveClosing(env, shell, id, closing);
    env.table.ended(row.entry, 'killed');
    row.live = undefined;
  }
  for (const child of shell.state.children.values()) child.status = 'stopped';
  for (const { reply } of shell.requests.splice(0)) reply({ ok: false, reason: 'stopping' });
  shell.state.phase = 'ended';
  rootEnded(env, shell, 'killed');
  env.table.sweep();
}

/** Of any other, its own supervisor says so. */
function rootEnded({ table }: SupervisorEnv, { self }: Shell, reason: ExitReason): void {
  const entry = table.entryOf(self);
  if (entry && !entry.parent) table.ended(entry, reason);
}

function cancelTimers(env: SupervisorEnv, shell: Shell): void {
  for (const row of shell.rows.values()) env.clock.clearTimeout(row.timer);
}
