import type { AnyActorRef, AnyEventObject } from 'xstate';

/** A delayed event that is on its way to the machine: an `after`, a delayed `raise`, a delayed `sendTo` itself. */
export interface Timer {
  readonly id: string;
  readonly event: AnyEventObject;
  readonly leftMs: number;
  /** XState knows one timer by each id, the last one set; the others fire all the same, and cannot be cancelled. */
  readonly known: boolean;
}

/** What an action of XState did to timers and to the mailbox; `params` as XState resolves them. */
export interface Asked {
  readonly type: string;
  readonly params: unknown;
  /** Whom a `sendTo` goes to, when it is none of its children. */
  readonly target?: 'self' | 'parent';
}
interface SendParams {
  readonly to?: unknown;
  readonly event: AnyEventObject;
  readonly id?: string;
  readonly delay?: number;
  readonly sendId?: string;
}

/** The timers after an action, in the order in which they were set. */
export function withAction(
  timers: readonly Timer[],
  { type, params }: Asked,
  self: AnyActorRef,
): readonly Timer[] {
  const given = (params ?? {}) as SendParams;
  if (type === 'xstate.cancel') return timers.filter(({ id, known }) => id !== given.sendId || !known);
  const own = type === 'xstate.raise' || (type === 'xstate.sendTo' && given.to === self);
  if (!own || typeof given.delay !== 'number') return timers;
  const { event, id, delay } = given;
  const timer = { event, leftMs: Math.max(0, delay) };
  // XState makes an id up where none is given: nothing can cancel such a timer, and it takes no other's place.
  if (id === undefined) return [...timers, { ...timer, id: `(${event.type})`, known: false }];
  return [...forgotten(timers, id), { ...timer, id, known: true }];
}

/** An action with whom it is sent to; `to` alone is another object in every run. */
export function withTarget({ type, params }: Asked, self: unknown, parent: unknown): Asked {
  const { to } = (params ?? {}) as { to?: unknown };
  if (type !== 'xstate.sendTo' || (to !== self && to !== parent)) return { type, params };
  return { type, params, target: to === self ? 'self' : 'parent' };
}

const forgotten = (timers: readonly Timer[], id: string): readonly Timer[] =>
  timers.map((timer) => (timer.id === id && timer.known ? { ...timer, known: false } : timer));

/** Events a machine sends to itself at once, through its own mailbox. */
export function sentToItself({ type, params }: Asked, self: AnyActorRef): readonly AnyEventObject[] {
  const given = (params ?? {}) as SendParams;
  return type === 'xstate.sendTo' && given.to === self && given.delay === undefined ? [given.event] : [];
}

/** The timer that fires next: the earliest, and of several the one that was set first. */
export function nextTimer(timers: readonly Timer[]): Timer | undefined {
  return timers.reduce<Timer | undefined>(
    (best, timer) => (best === undefined || timer.leftMs < best.leftMs ? timer : best),
    undefined,
  );
}

/** The others, when this one fired. */
export const afterFiring = (timers: readonly Timer[], fired: Timer): readonly Timer[] =>
  forgotten(
    timers.filter((timer) => timer !== fired),
    fired.id,
  ).map((timer) => ({ ...timer, leftMs: timer.leftMs - fired.leftMs }));
