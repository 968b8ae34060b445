import type { AnyEventObject, CallbackActorLogic } from 'xstate';
import { callbackEffect } from '../host/index.ts';
import type { AlarmInput } from '../machines/run-contract.ts';
import type { Clock, TimerHandle } from '../supervisor/index.ts';

/** Waited in parts: some clocks fire a wait of more than 24 days at once, and a suspended machine is noticed sooner. */
const LONGEST_WAIT_MS = 3_600_000;

/** Calls `fire` once, at or after the absolute time `atMs` of the clock, never in this turn. Returns its remover. */
export function callAt(clock: Clock, atMs: number, fire: (nowMs: number) => void): () => void {
  let timer: TimerHandle | undefined;
  const arm = (leftMs: number): void => {
    timer = clock.setTimeout(look, Math.min(Math.max(0, leftMs), LONGEST_WAIT_MS));
  };
  const look = (): void => {
    const nowMs = clock.now();
    if (nowMs < atMs) arm(atMs - nowMs);
    else fire(nowMs);
  };
  arm(atMs - clock.now());
  return () => clock.clearTimeout(timer);
}

/** Sends `{ type: event, atMs }` once, at or after the absolute time `atMs` of the clock port. */
export const createAlarm = (clock: Clock): CallbackActorLogic<AnyEventObject, AlarmInput> =>
  callbackEffect<AnyEventObject, AlarmInput>(({ input, send, guard }) =>
    callAt(
      clock,
      input.atMs,
      guard((atMs: number) => send({ type: input.event, atMs })),
    ),
  );
