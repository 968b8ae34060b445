import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { coordinatorChild } from '../../src/actors/coordinator.ts';
import { createDoor } from '../../src/actors/door.ts';
import type { Door } from '../../src/actors/door.ts';
import { gateChild } from '../../src/actors/gate.ts';
import { ingressChild } from '../../src/actors/ingress.ts';
import { PATHS } from '../../src/actors/paths.ts';
import { gateMachine } from '../../src/machines/gate.ts';
import type { HandedOver } from '../../src/machines/restart.ts';
import { openHouse } from './house.ts';
import type { House } from './house.ts';

let house: House;
let door: Door;
let pending: number;
let handed: HandedOver[];

const start = async (
  more: { restartedAt?: number | null; pendingWork?: () => number } = {},
): Promise<void> => {
  const sessions = { deliver: () => undefined, wake: () => undefined };
  await house.start({
    coordinator: coordinatorChild(house.deps, {
      deferMs: 30_000,
      drainMs: 20_000,
      cooldownMs: 30_000,
      restartedAt: null,
      pendingWork: () => pending,
      handOver: (output) => void handed.push(output),
      ...more,
    }),
    work: [ingressChild(house.deps, door, sessions)],
    gate: gateChild(house.deps, door),
  });
  await house.until('the gate opens', () => gate() === 'open');
};
const gate = () => house.at(PATHS.gate, gateMachine)?.value;
const request = (kind: 'restart' | 'stop', more: object = {}) =>
  house.deps.registry.tell(PATHS.coordinator, {
    type: 'restart.request',
    kind,
    reason: `${kind} please`,
    atMs: house.clock.now(),
    ...more,
  } as never);

beforeEach(async () => {
  house = await openHouse();
  door = createDoor(house.deps);
  [pending, handed] = [0, []];
});
afterEach(async () => {
  door.close();
  await house.close();
});

describe('the restart coordinator', () => {
  it('makes one restart of twenty requests, and names everybody who asked', async () => {
    await start();
    pending = 1;
    for (let by = 0; by < 20; by += 1) request('restart', { by: `asker ${by}` });
    await house.clock.advanceAsync(1_000);
    expect(gate()).toBe('open');
    pending = 0;
    await house.clock.advanceAsync(1_000);
    expect(handed).toHaveLength(1);
    expect(handed[0]).toMatchObject({ kind: 'restart', pendingAtEnd: 0 });
    expect(handed[0]?.requests).toHaveLength(20);
    expect(gate()).toBe('draining');
  });

  it('waits for work to end, but not beyond its deadlines', async () => {
    await start();
    pending = 3;
    request('restart');
    await house.clock.advanceAsync(29_000);
    expect(gate()).toBe('open');
    await house.clock.advanceAsync(2_000);
    expect(gate()).toBe('draining');
    expect(handed).toEqual([]);
    await house.clock.advanceAsync(20_000);
    expect(handed).toMatchObject([{ pendingAtEnd: 3 }]);
  });

  it('keeps a cool-down between restarts, and none for a stop', async () => {
    await start({ restartedAt: house.clock.now() });
    request('restart');
    await house.clock.advanceAsync(25_000);
    expect(handed).toEqual([]);
    request('stop');
    await house.clock.advanceAsync(1_000);
    expect(handed).toMatchObject([{ kind: 'stop' }]);
  });

  it('restarts when the cool-down is over', async () => {
    await start({ restartedAt: house.clock.now() });
    request('restart');
    await house.clock.advanceAsync(31_000);
    expect(handed).toMatchObject([{ kind: 'restart' }]);
  });

  it('shuts the gate at once for a stop, and a second stop does not wait for the work', async () => {
    await start();
    pending = 2;
    request('stop');
    await house.clock.settle();
    expect(gate()).toBe('draining');
    expect(handed).toEqual([]);
    request('stop');
    await house.clock.settle();
    expect(handed).toMatchObject([{ kind: 'stop', pendingAtEnd: 2 }]);
  });

  it('lets a stop win over a restart that waits, whatever comes after', async () => {
    await start();
    pending = 1;
    request('restart');
    request('stop');
    request('restart');
    await house.clock.settle();
    expect(gate()).toBe('draining');
    pending = 0;
    await house.clock.advanceAsync(1_000);
    expect(handed).toMatchObject([{ kind: 'stop', reason: 'stop please' }]);
  });

  it('closes a gate that was born while it drains', async () => {
    await start();
    pending = 1;
    request('stop');
    await house.clock.settle();
    await house.crash(PATHS.gate);
    await house.until('the new gate drains', () => gate() === 'draining');
    expect(handed).toEqual([]);
  });

  it('goes on when nobody can say how much work is left', async () => {
    await start({
      pendingWork: () => {
        throw new Error('the lanes are gone');
      },
    });
    request('restart', { force: true });
    await house.clock.advanceAsync(21_000);
    expect(handed).toHaveLength(1);
  });

  it('has ended for good when it has handed over', async () => {
    await start();
    request('stop');
    await house.clock.advanceAsync(1_000);
    expect(house.deps.registry.incarnation(PATHS.coordinator)).toBeUndefined();
    expect(request('stop')).toBe('noproc');
  });
});
