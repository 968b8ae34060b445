import type { AnyEventObject, CallbackActorLogic } from 'xstate';
import { callbackEffect } from '../host/index.ts';
import type { AlarmInput } from '../machines/run-contract.ts';
import type { Clock, TimerHandle } from '../supervisor/index.ts';

/** Waited in parts: some clocks fire a wait of more than 24 days at once, and a suspended machine is noticed sooner. */
const LONGEST_WAIT_MS = 3_600_000;

/** Sends `{ type: event, atMs }` once, at or after the absolute time `atMs` of the clock port. */
export const createAlarm = (clock: Clock): CallbackActorLogic<AnyEventObject, AlarmInput> =>
  callbackEffect<AnyEventObject, AlarmInput>(({ input, send, guard }) => {
    let timer: TimerHandle | undefined;
    const wait = guard((): void => {
      const leftMs = input.atMs - clock.now();
      if (leftMs > 0) timer = clock.setTimeout(wait, Math.min(leftMs, LONGEST_WAIT_MS));
      else send({ type: input.event, atMs: clock.now() });
    });
    // Never in this turn: the invoker is still entering its state.
    timer = clock.setTimeout(wait, Math.min(Math.max(0, input.atMs - clock.now()), LONGEST_WAIT_MS));
    return () => clock.clearTimeout(timer);
  });
