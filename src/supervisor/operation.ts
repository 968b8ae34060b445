/** Sets of children on their way down and up again, and the few steps every rule is made of. */
import type { NormalError } from '../errors.ts';
import type {
  Child,
  Event,
  ExitReason,
  Operation,
  Refusal,
  Reply,
  ReportBody,
  State,
  Turn,
} from './state.ts';

export function begin(t: Turn, plan: Omit<Operation, 'due' | 'early'>): void {
  t.state.operation = { ...plan, due: new Set(plan.stop.flat()), early: new Map() };
  proceed(t);
}

export function proceed(t: Turn): void {
  const operation = t.state.operation;
  if (!operation || operation.waiting.size > 0) return;
  while (operation.stop.length > 0) {
    for (const id of operation.stop.shift()!) stopMember(t, operation, id);
    if (operation.waiting.size > 0) return;
  }
  while (operation.start.length > 0) {
    const child = t.state.children.get(operation.start.shift()!);
    if (child?.status === 'stopped') return start(t, child);
  }
  t.state.operation = undefined;
  finish(t, operation);
}

/** Groups of one: each waits for the one before. */
export const oneByOne = (ids: readonly string[]): string[][] => ids.map((id) => [id]);

function stopMember(t: Turn, operation: Operation, id: string): void {
  operation.due.delete(id);
  const child = t.state.children.get(id);
  if (!child) return;
  const early = operation.early.get(id);
  if (early) reportShutdown(t, child, early);
  if (child.status === 'running') {
    stop(t, child);
    operation.waiting.add(id);
  } else if (child.status === 'stopping') {
    operation.waiting.add(id);
  } else if (child.status !== 'parked' || operation.kind === 'exit') {
    child.token += 1;
    child.status = 'stopped';
    if (child.policy.restart === 'temporary') forget(t, child);
  }
}

export function stop(t: Turn, child: Child): void {
  child.status = 'stopping';
  t.commands.push({ type: 'stop', id: child.id });
}

function finish(t: Turn, { then }: Operation): void {
  if (then.kind === 'end') {
    t.state.phase = 'ended';
    t.state.later = [];
    t.commands.push({ type: 'end', exit: then.exit, error: then.error });
  } else if (then.kind === 'retry') {
    const child = t.state.children.get(then.id);
    if (child?.status === 'backing-off') arm(t, child, then.delayMs);
  }
}

export function arm(t: Turn, child: Child, delayMs: number): void {
  child.token += 1;
  t.commands.push({ type: 'arm', id: child.id, token: child.token, delayMs });
}

/** Stops everything in reverse start order (dynamic children in parallel), then ends. Overrides what is under way. */
export function end(t: Turn, exit: ExitReason, error: NormalError | undefined): void {
  if (t.state.phase !== 'running') return;
  t.state.phase = 'stopping';
  const { later } = t.state;
  t.state.later = later.filter((event) => event.type === 'exited');
  for (const event of later) if ('ticket' in event) refuse(t, event.ticket, 'stopping');
  const ids = [...t.state.children.keys()].reverse();
  const waiting = new Set(ids.filter((id) => t.state.children.get(id)!.status === 'stopping'));
  for (const id of waiting) settleAfter(t, t.state.children.get(id)!);
  begin(t, {
    kind: 'exit',
    stop: t.state.policy.dynamic ? [ids] : oneByOne(ids),
    waiting,
    start: [],
    then: { kind: 'end', exit, error },
  });
}

function settleAfter(t: Turn, child: Child): void {
  if (child.after) refuse(t, child.after.ticket, 'stopping');
  child.after = undefined;
}

export function start(t: Turn, child: Child): void {
  child.incarnation += 1;
  child.status = 'starting';
  child.kill = undefined;
  child.after = undefined;
  t.commands.push({
    type: 'start',
    id: child.id,
    incarnation: child.incarnation,
    clean: child.clean,
  });
  child.handed = false;
  child.clean = false;
}

/**
 * Nobody starts while a start of it that failed still holds something; where children depend on each other, not while
 * any such start does.
 */
export function isHeldUp({ closing, policy }: State, event: Event): boolean {
  if (closing.size === 0 || event.type === 'change') return false;
  if (event.type === 'timer' || event.type === 'park')
    return policy.strategy !== 'one_for_one' || closing.has(event.id);
  return 'ticket' in event && closing.has(event.id);
}

export const isActive = (child: Child): boolean =>
  child.status === 'running' ||
  child.status === 'starting' ||
  child.status === 'backing-off' ||
  child.status === 'stopping';

export function forget(t: Turn, child: Child): void {
  t.state.children.delete(child.id);
  t.commands.push({ type: 'forget', id: child.id });
}

export function report(t: Turn, child: Child, body: ReportBody): void {
  t.commands.push({ type: 'report', id: child.id, incarnation: child.incarnation, body });
}

export function reportShutdown(t: Turn, child: Child, reason: ExitReason): void {
  const { restart, shutdown } = child.policy;
  const gentle = reason === 'shutdown' || reason === 'normal';
  // OTP: a permanent child has no normal end, not even when it is being stopped.
  const asTold =
    reason === (shutdown === 'brutal' ? 'killed' : 'shutdown') ||
    (gentle && restart !== 'permanent') ||
    (reason === 'killed' && child.kill);
  child.kill = undefined;
  if (!asTold) report(t, child, { type: 'shutdown_error', reason });
}

export function answer(t: Turn, child: Child, reply: Reply): void {
  if (child.ticket === undefined) return;
  t.commands.push({ type: 'reply', ticket: child.ticket, reply });
  child.ticket = undefined;
}

export const refuse = (t: Turn, ticket: number, reason: Refusal): void => {
  t.commands.push({ type: 'reply', ticket, reply: { ok: false, reason } });
};
