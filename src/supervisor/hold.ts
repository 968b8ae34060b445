/** What a suspended actor does with its events: keeps them, in order, until it is resumed. */
import type { AnyActorRef, EventObject } from 'xstate';

/** Events that may wait for one suspended actor. */
export const HELD_LIMIT = 1_000;

export interface Hold {
  readonly events: EventObject[];
  /** Resumed; what was held is on its way, and what arrives waits behind it. */
  draining: boolean;
  /** Notices in the actor's own mailbox, each of which takes out one event. */
  notices: number;
  overflowed: number;
}

export const newHold = (): Hold => ({ events: [], draining: false, notices: 0, overflowed: 0 });

/** To the actor itself: now the next of those that were held. Never seen by its logic. */
const NEXT = 'supervisor.next';

/** As OTP's system messages: handled while suspended. */
const SYSTEM = new Set(['supervisor.shutdown', 'supervisor.kill', 'supervisor.fail', 'xstate.stop']);
export const isSystemEvent = (event: EventObject): boolean => SYSTEM.has(event.type);

/** How what a machine started has ended, and its timers: as many as it has, and lost, they leave it waiting for ever. */
const BOUNDED = /^xstate\.(?:done|error|after|promise)\./;

/** Sends as many notices as there are events without one. */
export function drain(hold: Hold, self: AnyActorRef): void {
  hold.draining = true;
  const missing = hold.events.length - hold.notices;
  hold.notices += missing;
  for (let i = 0; i < missing; i += 1) self.send({ type: NEXT });
}

/**
 * What the actor takes now instead of `event`; undefined when that waits. A shutdown overtakes what was held, and
 * ends the suspension. `refuse` gets what found no room.
 */
export function pass(
  hold: Hold,
  self: AnyActorRef,
  event: EventObject,
  refuse: (event: EventObject) => void,
): EventObject | undefined {
  if (event.type === NEXT) {
    hold.notices -= 1;
    return hold.draining ? hold.events.shift() : undefined;
  }
  if (isSystemEvent(event)) {
    drain(hold, self);
    return event;
  }
  if (hold.events.length < HELD_LIMIT || BOUNDED.test(event.type)) {
    hold.events.push(event);
    if (hold.draining) drain(hold, self);
  } else {
    hold.overflowed += 1;
    refuse(event);
  }
  return undefined;
}

export const isEmpty = (hold: Hold): boolean =>
  hold.draining && hold.events.length === 0 && hold.notices === 0;
