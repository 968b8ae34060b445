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
import { climb, diedYoung, QUARANTINED } from './hand-over.ts';
import {
  answer,
  begin,
  end,
  forget,
  isActive,
  isHeldUp,
  proceed,
  report,
  reportShutdown,
} from './operation.ts';
import { bystanders, restart, setAside, timer } from './restart.ts';
import type { After, Child, Command, Event, ExitReason, Operation, State, Turn } from './state.ts';

/**
 * What follows from an event: the state after it, and what the shell is to do. Every rule of supervision is in here.
 *
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
  const before = state.operation;
  step(turn, event);
  for (let next = nextOf(turn, before); next; next = nextOf(turn, before)) step(turn, next);
  return { state, commands: turn.commands };
}

/** What waited and is due now. A start is answered first: until then nobody knows what its child is. */
function nextOf({ state, commands }: Turn, before: Operation | undefined): Event | undefined {
  const { operation, later } = state;
  if (later.length === 0 || state.phase === 'ended' || commands.some(isStart)) return undefined;
  // An operation that has just begun may wait for somebody whose end was heard before.
  if (operation && operation === before) return undefined;
  const at = later.findIndex((e) =>
    operation ? e.type === 'exited' && isMember(operation, e.id) : !isHeldUp(state, e),
  );
  return at < 0 ? undefined : later.splice(at, 1)[0];
}

const isStart = ({ type }: Command): boolean => type === 'start';
const isMember = ({ waiting, due }: Operation, id: string): boolean => waiting.has(id) || due.has(id);

function step(t: Turn, event: Event): void {
  switch (event.type) {
    case 'boot':
      return boot(t);
    case 'started':
      return started(t, event);
    case 'ignored':
      return ignored(t, event);
    case 'closed':
      return void t.state.closing.delete(event.id);
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
function ignored(t: Turn, { id, closing }: Extract<Event, { type: 'ignored' }>): void {
  if (closing) t.state.closing.add(id);
  const child = t.state.children.get(id);
  if (!child || child.status !== 'starting') return;
  child.status = 'stopped';
  answer(t, child, { ok: true, incarnation: child.incarnation, ignored: true });
  if (child.policy.restart === 'temporary' || t.state.policy.dynamic) forget(t, child);
  if (t.state.operation) proceed(t);
}

function startFailed(t: Turn, event: Extract<Event, { type: 'start_failed' }>): void {
  const { id, error } = event;
  if (event.closing) t.state.closing.add(id);
  const child = t.state.children.get(id);
  if (!child || child.status !== 'starting') return;
  child.status = 'stopped';
  const next = climb(child, { young: true, handed: event.handed ?? false, normal: false, counted: true });
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
  if (next === 'quarantine') return setAside(t, child, QUARANTINED);
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
  const operation = t.state.operation;
  if (operation && isMember(operation, child.id)) return exitedInSet(t, operation, child, event.reason);
  if (child.after) return exitedOnRequest(t, child, child.after, event.reason);
  if (operation) {
    t.state.later.push(event);
    return;
  }
  exitedAlone(t, child, event.reason, event.error);
}

/** Part of a set that is being stopped: its own reason stands, and nobody restarts it. */
function exitedInSet(t: Turn, operation: Operation, child: Child, reason: ExitReason): void {
  if (child.after) {
    // An operator's order was there first, and is answered.
    exitedOnRequest(t, child, child.after, reason);
    if (operation.waiting.delete(child.id) && operation.waiting.size === 0) proceed(t);
    return;
  }
  child.status = 'stopped';
  // Ended by itself before it was told: OTP hears of it when it comes to stop it.
  if (!operation.waiting.delete(child.id)) {
    lastWord(t, child, reason, true);
    return void operation.early.set(child.id, reason);
  }
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
  const normal = isNormal(why);
  const counted = killed?.counted ?? true;
  const next = lastWord(t, child, why, counted);
  if (!normal || type === 'permanent')
    report(t, child, { type: 'child_terminated', reason: why, error, restart: type });
  if (type === 'permanent' || (type === 'transient' && !normal)) {
    if (next === 'quarantine') return setAside(t, child, QUARANTINED);
    return restart(t, child, counted, bystanders(t, child));
  }
  if (type === 'temporary' || t.state.policy.dynamic) forget(t, child);
  if (significant) autoShutdown(t);
}

const isNormal = (reason: ExitReason): boolean => reason === 'normal' || reason === 'shutdown';

/** A death of its own, and what it means for the facts it was given. */
function lastWord(t: Turn, child: Child, reason: ExitReason, counted: boolean): ReturnType<typeof climb> {
  const { handed } = child;
  return climb(child, { young: diedYoung(t, child), handed, normal: isNormal(reason), counted });
}

function autoShutdown(t: Turn): void {
  const { autoShutdown: mode } = t.state.policy;
  if (mode === 'never') return;
  const othersLive = [...t.state.children.values()].some((c) => c.policy.significant && isActive(c));
  if (mode === 'any_significant' || !othersLive) end(t, 'shutdown', undefined);
}
