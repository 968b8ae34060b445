/** What an operator may ask of a supervisor, answered as OTP answers it in every state of the child. */
import { begin, forget, isHeldUp, refuse, report, start, stop } from './operation.ts';
import { restartSet } from './restart.ts';
import { newChild, type Admin, type Child, type Refusal, type Turn } from './state.ts';

export function admin(t: Turn, event: Admin): void {
  // A crash may come at any time: it may be the only way to go on.
  if (event.type === 'kill') return kill(t, event);
  if (t.state.phase !== 'running') return refuse(t, event.ticket, 'stopping');
  if (t.state.operation || isHeldUp(t.state, event)) {
    t.state.later.push(event);
    return;
  }
  if (event.type === 'start_child') return startChild(t, event);
  if (event.type === 'change') return change(t, event);
  const child = t.state.children.get(event.id);
  if (!child) return refuse(t, event.ticket, 'not_found');
  switch (event.type) {
    case 'terminate_child':
      return terminate(t, child, event.ticket);
    case 'restart_child':
      return restartChild(t, child, event.ticket);
    case 'delete_child':
      return deleteChild(t, child, event.ticket);
    case 'park':
      return park(t, child, event.ticket);
    case 'unpark':
      return unpark(t, child, event.ticket);
  }
}

function startChild(t: Turn, event: Extract<Admin, { type: 'start_child' }>): void {
  const present = t.state.children.get(event.id);
  if (present)
    return refuse(t, event.ticket, present.status === 'running' ? 'already_started' : 'already_present');
  if (t.state.children.size >= t.state.policy.maxChildren) return refuse(t, event.ticket, 'max_children');
  const child = newChild(event.id, event.policy);
  child.ticket = event.ticket;
  t.state.children.set(child.id, child);
  start(t, child);
}

/**
 * OTP's `code_change`: flags and specs hold for what happens from now on. A child that is new is not started, one that
 * is no longer named is neither stopped nor forgotten; it stands behind the others.
 */
function change(t: Turn, event: Extract<Admin, { type: 'change' }>): void {
  const { state } = t;
  const old = new Map(state.children);
  state.policy = event.policy;
  state.children.clear();
  for (const { id, policy } of event.children) {
    const child = old.get(id) ?? newChild(id, policy);
    child.policy = policy;
    state.children.set(id, child);
  }
  for (const child of old.values()) if (!state.children.has(child.id)) state.children.set(child.id, child);
  t.commands.push({ type: 'adopt', ticket: event.ticket });
  t.commands.push({ type: 'reply', ticket: event.ticket, reply: { ok: true, incarnation: 0 } });
}

function terminate(t: Turn, child: Child, ticket: number): void {
  if (child.status === 'stopping') return refuse(t, ticket, 'stopping');
  if (child.status === 'running') {
    child.after = { kind: 'terminate', ticket };
    return stop(t, child);
  }
  child.token += 1;
  child.status = 'stopped';
  child.clean = true;
  if (child.policy.restart === 'temporary' || t.state.policy.dynamic) forget(t, child);
  t.commands.push({ type: 'reply', ticket, reply: { ok: true, incarnation: child.incarnation } });
}

function restartChild(t: Turn, child: Child, ticket: number): void {
  const refusal = whyNotStopped(child);
  if (refusal) return refuse(t, ticket, refusal);
  child.ticket = ticket;
  child.suspect = false;
  start(t, child);
}

function deleteChild(t: Turn, child: Child, ticket: number): void {
  const refusal = whyNotStopped(child);
  if (refusal) return refuse(t, ticket, refusal);
  forget(t, child);
  t.commands.push({ type: 'reply', ticket, reply: { ok: true, incarnation: child.incarnation } });
}

function whyNotStopped(child: Child): Refusal | undefined {
  if (child.status === 'stopped') return undefined;
  if (child.status === 'backing-off' || child.status === 'parked') return 'restarting';
  return child.status === 'stopping' ? 'stopping' : 'running';
}

/** An operator's kill: the exit follows the strategy, and counts towards intensity only if asked to. */
function kill(t: Turn, event: Extract<Admin, { type: 'kill' }>): void {
  const child = t.state.children.get(event.id);
  if (t.state.phase === 'ended') return refuse(t, event.ticket, 'stopping');
  if (!child) return refuse(t, event.ticket, 'not_found');
  if (child.status !== 'running' && child.status !== 'stopping')
    return refuse(t, event.ticket, 'not_running');
  child.kill = { counted: event.counted };
  t.commands.push({
    type: 'reply',
    ticket: event.ticket,
    reply: { ok: true, incarnation: child.incarnation },
  });
  t.commands.push({ type: 'kill', id: child.id, by: event.by });
}

function park(t: Turn, child: Child, ticket: number): void {
  if (child.status === 'stopping') return refuse(t, ticket, 'stopping');
  if (child.status === 'running') {
    // It could not come back: what its start was given is not kept.
    if (child.policy.restart === 'temporary') return refuse(t, ticket, 'not_restartable');
    child.after = { kind: 'park', ticket };
    return stop(t, child);
  }
  const others = child.status === 'backing-off' ? restartSet(t, child) : [];
  child.token += 1;
  child.status = 'parked';
  child.clean = true;
  report(t, child, { type: 'parked', reason: 'operator', probeMs: 0 });
  t.commands.push({ type: 'reply', ticket, reply: { ok: true, incarnation: child.incarnation } });
  // They wait for its restart, which is not to come: they live on without it, as beside one parked while it ran.
  begin(t, { kind: 'restart', stop: [], waiting: new Set(), start: others, then: { kind: 'nothing' } });
}

function unpark(t: Turn, child: Child, ticket: number): void {
  if (child.status !== 'parked') return refuse(t, ticket, 'not_parked');
  child.token += 1;
  child.log = [];
  child.streak = 0;
  child.probes = 0;
  child.suspect = false;
  report(t, child, { type: 'unparked', by: 'operator' });
  // Answered before the start: a start that fails is an ordinary failure with its own restarts.
  t.commands.push({ type: 'reply', ticket, reply: { ok: true, incarnation: child.incarnation + 1 } });
  start(t, child);
}
