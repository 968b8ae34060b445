import { describe, expect, it } from 'vitest';
import { createThrottle } from '../../src/server/throttle.ts';
import { createSimulatedClock } from '../../src/testing/index.ts';

const counted = (atOnce: boolean) => {
  const clock = createSimulatedClock();
  const ran: number[] = [];
  const from = clock.now();
  const throttle = createThrottle(clock, 100, () => void ran.push(clock.now() - from), { atOnce });
  return { clock, throttle, ran };
};

describe('a throttle', () => {
  it('runs in the turn after the first poke, and gathers what follows', () => {
    const { clock, throttle, ran } = counted(false);
    throttle.poke();
    expect(ran).toEqual([]);
    clock.advance(0);
    throttle.poke();
    throttle.poke();
    clock.advance(1_000);
    expect(ran).toEqual([0, 100]);
  });

  it('that is told to runs in the turn of the first poke, and never more often for it', () => {
    const { clock, throttle, ran } = counted(true);
    throttle.poke();
    throttle.poke();
    expect(ran).toEqual([0]);
    clock.advance(1_000);
    expect(ran).toEqual([0, 100]);
    throttle.poke();
    expect(ran).toEqual([0, 100, 1_000]);
  });
});
