import { afterEach, expect, it } from 'vitest';
import { scheduleChild } from '../../src/actors/schedule.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import { scheduleMachine } from '../../src/machines/schedule.ts';
import type { Deps } from '../../src/actors/deps.ts';
import { openHouse } from './house.ts';
import type { House } from './house.ts';

const PATH = 'gateway/core/schedule';
let house: House;
afterEach(() => house.close());

async function open(receivers: () => string[], told: (path: string) => void): Promise<void> {
  house = await openHouse();
  const registry: Deps['registry'] = {
    ...house.deps.registry,
    tell: (path) => {
      told(path);
      return 'sent';
    },
  };
  await house.start({ schedule: scheduleChild({ clock: house.deps.clock, registry }, { receivers }) });
}

it('the schedule tells every receiver at every tick, without drift', async () => {
  const told: [string, number][] = [];
  await open(
    () => ['a', 'b'],
    (path) => told.push([path, house.clock.now()]),
  );
  const begin = house.clock.now();
  await house.clock.advanceAsync(3 * LIMITS.scheduleTickMs);
  expect(told.map(([path, at]) => [path, at - begin])).toEqual([
    ['a', 5_000],
    ['b', 5_000],
    ['a', 10_000],
    ['b', 10_000],
    ['a', 15_000],
    ['b', 15_000],
  ]);
});

it('the schedule lets everything else run between two slices of many receivers', async () => {
  const slices: number[] = [];
  let inThisTurn = 0;
  await open(
    () => Array.from({ length: 1_001 }, (_, index) => `r${index}`),
    () => void (inThisTurn += 1),
  );
  const watch = setInterval(() => undefined, 1_000);
  house.clock.setTimeout(function look(): void {
    if (inThisTurn > 0) slices.push(inThisTurn);
    inThisTurn = 0;
    if (slices.length < 6) house.clock.defer(look);
  }, LIMITS.scheduleTickMs);
  await house.clock.advanceAsync(LIMITS.scheduleTickMs);
  clearInterval(watch);
  expect(slices.reduce((sum, count) => sum + count, 0)).toBe(1_001);
  expect(Math.max(...slices)).toBeLessThanOrEqual(LIMITS.scheduleSlice);
});

it('the schedule is restarted when asking for its receivers throws, and ticks again', async () => {
  let [asked, told] = [0, 0];
  await open(
    () => {
      asked += 1;
      if (asked === 1) throw new Error('the tree is not there');
      return ['a'];
    },
    () => void (told += 1),
  );
  await house.clock.advanceAsync(2 * LIMITS.scheduleTickMs + 1_000);
  expect(house.deps.registry.incarnation(PATH)).toBe(2);
  expect(told).toBe(1);
  expect(house.at(PATH, scheduleMachine).context.rounds).toBe(1);
});
