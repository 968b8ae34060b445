import { describe, expect, it } from 'vitest';
import { createCallWatch } from '../../src/models/call-watch.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';

const IDLE_MS = 1_000;

function watched() {
  const clock = createSimulatedClock();
  const watch = createCallWatch({
    clock,
    signal: new AbortController().signal,
    firstByteMs: 10_000,
    idleMs: IDLE_MS,
    where: 'here',
  });
  watch.heard();
  const chunkIn = (ms: number) =>
    watch.wait(new Promise<void>((resolve) => void clock.setTimeout(resolve, ms)));
  return { clock, watch, chunkIn };
}

describe('the watch over a stream', () => {
  it('counts silence from the last chunk, however many there were', async () => {
    const { clock, watch, chunkIn } = watched();
    for (const ms of [400, 700, 300]) {
      const chunk = chunkIn(ms);
      await clock.advanceAsync(ms);
      await chunk;
    }
    const silence = chunkIn(60_000).catch((error: unknown) => error);
    await clock.advanceAsync(IDLE_MS - 1);
    expect(watch.verdict).toBeUndefined();
    await clock.advanceAsync(1);
    expect(await silence).toMatchObject({ class: 'timeout' });
    watch.close();
  });

  it('forgives a consumer that is slow, and leaves no timer when it is closed', async () => {
    const { clock, watch, chunkIn } = watched();
    const first = chunkIn(1);
    await clock.advanceAsync(1);
    await first;
    await clock.advanceAsync(5 * IDLE_MS);
    const second = chunkIn(IDLE_MS - 1);
    await clock.advanceAsync(IDLE_MS - 1);
    await second;
    expect(watch.verdict).toBeUndefined();
    watch.close();
    expect(clock.pending).toBe(0);
  });
});
