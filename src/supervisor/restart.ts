/** When a child comes back, with whom, after how long, and when its supervisor gives up. */
import { arm, begin, end, isHeldUp, oneByOne, report } from './operation.ts';
import type { Child, Event, Turn } from './state.ts';

/**
 * Counts the restart, stops the bystanders of the strategy, and arms the retry. The start itself always comes through
 * the clock: a restart in the failing turn livelocks (5,000 respawns inside one send were measured).
 */
export function restart(t: Turn, child: Child, counted: boolean, set: string[]): void {
  if (counted && exceeded(t, child)) return exhausted(t, child);
  const delayMs = counted ? backoffMs(child, t.now, t.random) : 0;
  if (counted) child.streak += 1;
  child.restarts += 1;
  child.status = 'backing-off';
  report(t, child, { type: 'restart_scheduled', delayMs, attempt: child.streak });
  const operation = t.state.operation;
  if (operation) return arm(t, child, delayMs);
  begin(t, {
    kind: 'restart',
    stop: oneByOne(set),
    waiting: new Set(),
    start: [],
    then: { kind: 'retry', id: child.id, delayMs },
  });
}

export function timer(t: Turn, event: Extract<Event, { type: 'timer' }>): void {
  const child = t.state.children.get(event.id);
  if (!child || child.token !== event.token) return;
  if (t.state.operation || isHeldUp(t.state, event)) {
    t.state.later.push(event);
    return;
  }
  if (child.status === 'parked') {
    report(t, child, { type: 'unparked', by: 'probe' });
    child.status = 'stopped';
    // Half-open: one failure within the period parks it again.
    child.log = Array.from({ length: t.state.policy.intensity }, () => t.now);
    return begin(t, {
      kind: 'restart',
      stop: [],
      waiting: new Set(),
      start: [child.id],
      then: { kind: 'nothing' },
    });
  }
  if (child.status !== 'backing-off') return;
  child.status = 'stopped';
  // OTP re-enters the strategy here: one_for_all stops again whoever was restarted before this one failed (case 37).
  begin(t, {
    kind: 'restart',
    stop: oneByOne(bystanders(t, child)),
    waiting: new Set(),
    start: restartSet(t, child),
    then: { kind: 'nothing' },
  });
}

/** More than `intensity` restarts within `periodMs`: a sliding log. Where exhausting parks, each child has its own. */
function exceeded(t: Turn, child: Child): boolean {
  const { intensity, periodMs, onExhausted } = t.state.policy;
  const owner = onExhausted === 'park' ? child : t.state;
  owner.log.push(t.now);
  const stale = firstSince(owner.log, t.now - periodMs);
  const inPeriod = owner.log.length - stale;
  // Half of it at a time: taking one from the front of a long log moves all the rest.
  if (stale > inPeriod) owner.log.splice(0, stale);
  return inPeriod > intensity;
}

/** Where in a rising list the first is that is not before `since`. */
function firstSince(log: readonly number[], since: number): number {
  let [low, high] = [0, log.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (log[middle]! < since) low = middle + 1;
    else high = middle;
  }
  return low;
}

function exhausted(t: Turn, child: Child): void {
  const { intensity, periodMs, onExhausted } = t.state.policy;
  if (onExhausted === 'escalate') {
    const message = `${child.id} brought the restarts over ${intensity} in ${periodMs} ms`;
    // OTP: the supervisor ends with `shutdown`; its own parent applies its strategy to that.
    return end(t, 'shutdown', { name: 'CoppiceError', code: 'INTENSITY_EXCEEDED', message });
  }
  setAside(t, child, `more than ${intensity} restarts in ${periodMs} ms`);
}

/** Held down, its siblings spared, and tried again after a while that grows with each probe that fails. */
export function setAside(t: Turn, child: Child, reason: string): void {
  const { probeMs } = t.state.policy;
  child.status = 'parked';
  const waitMs = Math.min(probeMs * 2 ** child.probes, probeMs * 10);
  child.probes += 1;
  report(t, child, { type: 'parked', reason, probeMs: waitMs });
  arm(t, child, waitMs);
}

/** min * 2^n, capped, with jitter on top. The first restart after a quiet time waits `minMs`. */
function backoffMs(child: Child, now: number, random: number): number {
  const { backoff } = child.policy;
  if (!backoff) return 0;
  if (child.startedAt > 0 && now - child.startedAt >= backoff.resetAfterMs) {
    child.streak = 0;
    child.probes = 0;
  }
  // Beyond all numbers after a thousand failures in a row; and nothing times that is no number.
  const growth = Math.min(backoff.factor ** child.streak, Number.MAX_VALUE);
  const base = Math.min(backoff.minMs * growth, backoff.maxMs);
  return base * (1 + random * backoff.jitter);
}

/** Who goes down with `child`, in stop order. */
export function bystanders(t: Turn, child: Child): string[] {
  const { strategy } = t.state.policy;
  if (strategy === 'one_for_one') return [];
  const ids = [...t.state.children.keys()];
  const affected =
    strategy === 'one_for_all' ? ids.filter((id) => id !== child.id) : ids.slice(ids.indexOf(child.id) + 1);
  return affected.reverse();
}

/** Who comes up with `child`, in start order: OTP starts the whole set, also what had ended normally. */
export function restartSet(t: Turn, child: Child): string[] {
  if (t.state.policy.strategy === 'one_for_one') return [child.id];
  const affected = new Set([child.id, ...bystanders(t, child)]);
  return [...t.state.children.keys()].filter((id) => affected.has(id));
}
