/** Runs what the rules decided, through XState's public API, and feeds back what happened at once. */
import { createActor, type AnyActorLogic, type AnyActorRef, type EventObject } from 'xstate';
import { CoppiceError, normalizeError, type NormalError } from '../errors.ts';
import { contain, reap } from './contain.ts';
import { decide } from './decide.ts';
import type { ChildSpec, Shutdown } from './child-spec.ts';
import { closeLife, closingOf, leaveClosing } from './closing.ts';
import { createScope, type OwnedScope, type Scope } from './scope.ts';
import {
  childPath,
  DEFAULT_SHUTDOWN_MS,
  enter,
  report,
  supervisors,
  type Live,
  type Shell,
  type SupervisorEnv,
} from './shell.ts';
import type { ChildPolicy, Command, Event, ExitReason } from './state.ts';
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
      if (command.clean) shell.facts.delete(command.id);
      queue.push(startChild(env, shell, command.id, command.incarnation));
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
      shell.tickets.get(command.ticket)?.(command.reply);
      shell.tickets.delete(command.ticket);
      shell.changes.delete(command.ticket);
      shell.offers.delete(command.ticket);
      return;
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

function startChild(env: SupervisorEnv, shell: Shell, id: string, incarnation: number): Event {
  const spec = specOf(shell, id);
  const entry = shell.entries.get(id) ?? enter(env, shell, spec);
  const scope = createScope((error) =>
    report(env, shell, id, incarnation, { type: 'disposer_failed', error: normalizeError(error) }),
  );
  const handed = shell.facts.has(id);
  let ref: AnyActorRef | undefined;
  try {
    ref = createActor(wrapped(env, spec.logic), {
      parent: shell.self,
      id: `${id}#${incarnation}`,
      input: inputOf(shell, spec, incarnation, scope),
    } as never) as AnyActorRef;
    // Entered before it starts: what it starts itself looks it up.
    env.table.began(entry, ref, incarnation, scope);
    ref.start();
    const snapshot = ref.getSnapshot() as StartSnapshot;
    if (snapshot.status === 'active') {
      shell.live.set(id, {
        ref,
        incarnation,
        scope,
        ending: undefined,
        overdue: undefined,
        closing: undefined,
      });
      // A temporary child never starts again: whatever its start was given is not kept for it, as in OTP.
      if (spec.restart === 'temporary') shell.specs.set(id, withoutInput(spec));
      env.table.flush(entry);
      return { type: 'started', id, handed };
    }
    shell.toldAlready.add(ref.id);
    if (snapshot.status === 'error') throw snapshot.error;
    if ((snapshot.output?.exit ?? 'normal') !== 'normal') throw endedAtStart(snapshot);
    leaveClosing(shell, id, abandon(env, entry, ref, scope, shutdownOf(shell, id), 'normal'));
    return { type: 'ignored', id };
  } catch (error) {
    leaveClosing(shell, id, abandon(env, entry, ref, scope, shutdownOf(shell, id), 'error', error));
    return { type: 'start_failed', id, error: normalizeError(error), handed };
  }
}

/** That of the request which adds it, or the one it has. */
function specOf({ offers, specs, state }: Shell, id: string): ChildSpec {
  const offered = offers.get(state.children.get(id)?.ticket ?? 0);
  if (offered) specs.set(id, offered);
  return specs.get(id)!;
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

function inputOf(shell: Shell, spec: ChildSpec, incarnation: number, scope: Scope): unknown {
  const path = childPath(shell, spec.id);
  const facts = shell.facts.get(spec.id);
  shell.facts.delete(spec.id);
  if (!spec.input) return { path, incarnation };
  const keep = (left: unknown): void => {
    if (!scope.closed) shell.facts.set(spec.id, left);
  };
  return spec.input({ path, incarnation, scope, keep, ...(facts === undefined ? {} : { facts }) });
}

function abandon(
  env: SupervisorEnv,
  entry: Entry,
  ref: AnyActorRef | undefined,
  scope: OwnedScope,
  limit: Shutdown,
  reason: ExitReason,
  error: unknown = reason,
): Promise<unknown> | undefined {
  if (ref) reap(ref);
  const closing = closeLife(env, ref, scope, limit, error);
  env.table.ended(entry, reason);
  return closing;
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
  const live = shell.live.get(id);
  // Its end is already under way: the scope closes, then `exited` is fed.
  if (!live || live.ending) return;
  const { shutdown, type } = shell.state.children.get(id)!.policy;
  if (shutdown === 'brutal' || !answersShutdown(live.ref, type)) {
    halt(env, shell, id, live);
    const reason = shutdown === 'brutal' ? 'killed' : 'shutdown';
    if (!close(env, shell, id, live, reason)) return;
    shell.live.set(id, undefined);
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
  shell.toldAlready.add(live.ref.id);
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
  reap(live.ref);
  const entry = shell.entries.get(id);
  if (entry) env.table.ended(entry, reason);
  live.closing = closeLife(env, live.ref, live.scope, shutdownOf(shell, id), reason);
  if (!live.closing) return true;
  const tellClosed = (): void => {
    // Late, of a life that was not waited for: another may have its id and its number.
    if (shell.live.get(id) !== live) return;
    shell.self.send({ type: 'supervisor.closed', id, incarnation: live.incarnation });
  };
  void live.closing.then(tellClosed);
  return false;
}

const shutdownOf = ({ state }: Shell, id: string): Shutdown =>
  state.children.get(id)?.policy.shutdown ?? DEFAULT_SHUTDOWN_MS;

function answersShutdown(ref: AnyActorRef, type: ChildPolicy['type']): boolean {
  if (type === 'supervisor') return true;
  const snapshot = ref.getSnapshot() as { can?: (event: EventObject) => boolean };
  return snapshot.can?.({ type: 'supervisor.shutdown', reason: '', deadlineMs: 0 } as EventObject) ?? false;
}

function killChild(env: SupervisorEnv, shell: Shell, id: string, by: string): void {
  const live = shell.live.get(id);
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
  env.clock.clearTimeout(shell.timers.get(id));
  shell.timers.delete(id);
  const child = shell.state.children.get(id);
  const fire = (): void => {
    // Deleted, and added again in this turn: tokens begin anew.
    if (shell.state.children.get(id) !== child || shell.state.phase === 'ended') return;
    const closing = closingOf(shell, id);
    if (closing) void closing.then(fire);
    else shell.self.send({ type: 'supervisor.timer', id, token });
  };
  if (delayMs <= 0) env.clock.defer(fire);
  else shell.timers.set(id, env.clock.setTimeout(fire, delayMs));
}

function adopt(env: SupervisorEnv, shell: Shell, ticket: number): void {
  shell.spec = shell.changes.get(ticket)!;
  for (const child of shell.spec.children ?? []) {
    shell.specs.set(child.id, child);
    if (!shell.entries.has(child.id)) enter(env, shell, child);
  }
}

function forget(env: SupervisorEnv, shell: Shell, id: string): void {
  const entry = shell.entries.get(id);
  if (entry) env.table.remove(entry);
  shell.entries.delete(id);
  shell.specs.delete(id);
  shell.facts.delete(id);
  shell.live.delete(id);
  env.clock.clearTimeout(shell.timers.get(id));
  shell.timers.delete(id);
}

/** Brutal and in this turn, for a supervisor that itself is stopped or killed: children in reverse, scopes closed. */
export function stopEverything(env: SupervisorEnv, shell: Shell): void {
  cancelTimers(env, shell);
  for (const id of [...shell.state.children.keys()].reverse()) {
    const live = shell.live.get(id);
    if (!live) continue;
    env.clock.clearTimeout(live.overdue);
    if (!live.ending) halt(env, shell, id, live);
    reap(live.ref);
    const closing = live.closing ?? closeLife(env, live.ref, live.scope, shutdownOf(shell, id), 'killed');
    leaveClosing(shell, id, closing);
    const entry = shell.entries.get(id);
    if (entry) env.table.ended(entry, 'killed');
  }
  shell.live.clear();
  for (const child of shell.state.children.values()) child.status = 'stopped';
  for (const reply of shell.tickets.values()) reply({ ok: false, reason: 'stopping' });
  shell.tickets.clear();
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
  for (const timer of shell.timers.values()) env.clock.clearTimeout(timer);
  shell.timers.clear();
}
