/**
 * Every rule of supervision, and nothing else: which child starts, stops, restarts, waits, is parked, and when the
 * supervisor gives up. No clock, no randomness, no actors: time and dice come in with the event, and what is to be
 * done goes out as commands. The rules are OTP's; where they depart (backoff, park, restarts through the clock
 * and never in the failing turn) the comment says so.
 *
 * `decide` is deterministic and without effects, but it *owns* the state it is given and updates it in place:
 * copying a table of 10,000 children at every exit is what makes machines bad supervisors. Keep `cloneState(state)`
 * if you need the old one.
 */
import type { NormalError } from '../errors.ts';
import { admin } from './admin.ts';
import { answer, begin, end, forget, isActive, proceed, report, reportShutdown } from './operation.ts';
import { bystanders, restart, timer } from './restart.ts';
import type { After, Child, Command, Event, ExitReason, Operation, State, Turn } from './state.ts';

/**
 * @param now milliseconds that never run backwards
 * @param random in [0, 1): drawn once per event, used for jitter
 */
export function decide(
  state: State,
  event: Event,
  now: number,
  random: number,
): { readonly state: State; readonly commands: Command[] } {
  const turn: Turn = { state, now, random, commands: [] };
  step(turn, event);
  while (!state.operation && state.later.length > 0 && state.phase !== 'ended')
    step(turn, state.later.shift()!);
  return { state, commands: turn.commands };
}

function step(t: Turn, event: Event): void {
  switch (event.type) {
    case 'boot':
      return boot(t);
    case 'started':
      return started(t, event);
    case 'ignored':
      return ignored(t, event.id);
    case 'start_failed':
      return startFailed(t, event);
    case 'exited':
      return exited(t, event);
    case 'timer':
      return timer(t, event);
    case 'shutdown':
      return end(t, 'shutdown', undefined);
    default:
      return admin(t, event);
  }
}

function boot(t: Turn): void {
  t.state.phase = 'running';
  begin(t, {
    kind: 'boot',
    stop: [],
    waiting: new Set(),
    start: [...t.state.children.keys()],
    then: { kind: 'nothing' },
  });
}

function started(t: Turn, event: Extract<Event, { type: 'started' }>): void {
  const child = t.state.children.get(event.id);
  if (!child || child.status !== 'starting') return;
  child.status = 'running';
  child.startedAt = t.now;
  child.handed = event.handed ?? false;
  report(t, child, { type: 'progress', restarts: child.restarts });
  answer(t, child, { ok: true, incarnation: child.incarnation });
  if (t.state.operation) proceed(t);
}

/** OTP: kept without a process, unless it is temporary or dynamic; nobody is restarted and nothing is counted. */
function ignored(t: Turn, id: string): void {
  const child = t.state.children.get(id);
  if (!child || child.status !== 'starting') return;
  child.status = 'stopped';
  answer(t, child, { ok: true, incarnation: child.incarnation, ignored: true });
  if (child.policy.restart === 'temporary' || t.state.policy.dynamic) forget(t, child);
  if (t.state.operation) proceed(t);
}

function startFailed(t: Turn, event: Extract<Event, { type: 'start_failed' }>): void {
  const { id, error } = event;
  const child = t.state.children.get(id);
  if (!child || child.status !== 'starting') return;
  child.status = 'stopped';
  child.clean = event.handed ?? false;
  report(t, child, { type: 'start_error', error });
  const operation = t.state.operation;
  // OTP: a supervisor whose first start fails does not start. One that parks spares the siblings here too.
  if (operation?.kind === 'boot' && t.state.policy.onExhausted === 'escalate') {
    t.state.operation = undefined;
    t.state.phase = 'ended';
    t.commands.push({ type: 'abort', id, error });
    return;
  }
  if (child.ticket !== undefined) {
    const fresh = child.incarnation === 1;
    answer(t, child, { ok: false, reason: 'start_failed', error });
    if (fresh) forget(t, child);
    return;
  }
  if (operation?.kind === 'boot') {
    restart(t, child, true, []);
    return proceed(t);
  }
  // The rest of the set stays down until this child's retry starts it (OTP cases 37 and 40).
  t.state.operation = undefined;
  restart(t, child, true, []);
}

function exited(t: Turn, event: Extract<Event, { type: 'exited' }>): void {
  const child = t.state.children.get(event.id);
  const alive = child && (child.status === 'running' || child.status === 'stopping');
  if (!child || !alive || child.incarnation !== event.incarnation) {
    const offender = child ?? { id: event.id };
    t.commands.push({
      type: 'report',
      id: offender.id,
      incarnation: event.incarnation,
      body: { type: 'stale_exit' },
    });
    return;
  }
  child.clean = child.handed && diedYoung(t, child);
  const operation = t.state.operation;
  if (operation && (operation.waiting.has(child.id) || operation.due.has(child.id))) {
    return exitedInSet(t, operation, child, event.reason);
  }
  if (child.after) return exitedOnRequest(t, child, child.after, event.reason);
  if (operation) {
    t.state.later.push(event);
    return;
  }
  exitedAlone(t, child, event.reason, event.error);
}

function diedYoung(t: Turn, child: Child): boolean {
  return t.now - child.startedAt < (child.policy.backoff?.resetAfterMs ?? t.state.policy.periodMs);
}

/** Part of a set that is being stopped: its own reason stands, and nobody restarts it. */
function exitedInSet(t: Turn, operation: Operation, child: Child, reason: ExitReason): void {
  child.status = 'stopped';
  // Ended by itself before it was told: OTP hears of it when it comes to stop it.
  if (!operation.waiting.delete(child.id)) return void operation.early.set(child.id, reason);
  reportShutdown(t, child, reason);
  if (child.policy.restart === 'temporary') forget(t, child);
  if (operation.waiting.size === 0) proceed(t);
}

function exitedOnRequest(t: Turn, child: Child, after: After, reason: ExitReason): void {
  child.status = after.kind === 'park' ? 'parked' : 'stopped';
  child.after = undefined;
  // Stopped on purpose: nothing to resume.
  child.clean = true;
  reportShutdown(t, child, reason);
  if (after.kind === 'park') report(t, child, { type: 'parked', reason: 'operator', probeMs: 0 });
  else if (child.policy.restart === 'temporary' || t.state.policy.dynamic) forget(t, child);
  t.commands.push({
    type: 'reply',
    ticket: after.ticket,
    reply: { ok: true, incarnation: child.incarnation },
  });
}

function exitedAlone(t: Turn, child: Child, reason: ExitReason, error: NormalError | undefined): void {
  const { restart: type, significant } = child.policy;
  const killed = child.kill;
  const why: ExitReason = killed ? 'killed' : reason;
  child.status = 'stopped';
  child.kill = undefined;
  const normal = why === 'normal' || why === 'shutdown';
  child.clean ||= normal;
  if (!normal || type === 'permanent')
    report(t, child, { type: 'child_terminated', reason: why, error, restart: type });
  if (type === 'permanent' || (type === 'transient' && !normal)) {
    return restart(t, child, killed ? killed.counted : true, bystanders(t, child));
  }
  if (type === 'temporary' || t.state.policy.dynamic) forget(t, child);
  if (significant) autoShutdown(t);
}

function autoShutdown(t: Turn): void {
  const { autoShutdown: mode } = t.state.policy;
  if (mode === 'never') return;
  const othersLive = [...t.state.children.values()].some((c) => c.policy.significant && isActive(c));
  if (mode === 'any_significant' || !othersLive) end(t, 'shutdown', undefined);
}
