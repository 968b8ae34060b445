import type { HeartbeatContext, HeartbeatInput } from './heartbeat-contract.ts';

/** The first slot after `atMs`. */
export function nextSlot(dueAt: number, everyMs: number, atMs: number): number {
  return dueAt > atMs ? dueAt : dueAt + (Math.floor((atMs - dueAt) / everyMs) + 1) * everyMs;
}

/** A due time from a checkpoint stands unless the interval or the clock has changed so that it lies too far ahead. */
export const firstDue = (input: HeartbeatInput): number => {
  const latest = input.atMs + input.everyMs;
  return input.checkpoint !== null && input.checkpoint.dueAt <= latest ? input.checkpoint.dueAt : latest;
};

/** Slots that passed while this one was in hand, or while the gateway slept. */
export function missedSlots({ dueAt, everyMs, atMs }: HeartbeatContext): number {
  return Math.max(0, (nextSlot(dueAt, everyMs, atMs) - dueAt) / everyMs - 1);
}
