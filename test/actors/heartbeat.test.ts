import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { heartbeatChild, localMinutes } from '../../src/actors/heartbeat.ts';
import type { HeartbeatOptions } from '../../src/actors/heartbeat.ts';
import { PATHS } from '../../src/actors/paths.ts';
import { CoppiceError } from '../../src/errors.ts';
import { heartbeatMachine } from '../../src/machines/heartbeat.ts';
import type { Accepted, Offer } from '../../src/server/port.ts';
import { openHouse } from './house.ts';
import type { House } from './house.ts';

const MINUTE = 60_000;
const every = 30 * MINUTE;
let house: House;
let slots: string[];
let refuse: () => CoppiceError | undefined;
let reply: string;

/** Accepts a slot once, as the inbox does, and settles its run at once. */
const door = {
  async offer(offer: Offer): Promise<Accepted> {
    const error = refuse();
    if (error) throw error;
    const known = slots.includes(offer.platformId);
    const runId = `run-${offer.platformId}`;
    if (known) return { kind: 'known', runId, run: house.store.read.run(runId)! };
    slots.push(offer.platformId);
    const { statements } = house.store;
    const row = {
      ...offer,
      runId,
      messageId: `heartbeat/main/${offer.platformId}`,
      trace: house.deps.ids.trace(),
      receivedAt: 1,
    };
    await house.store.commit([
      ...statements.acceptMessage(row),
      ...statements.settleRun(runId, { status: 'ok', at: 2, result: { text: reply } }),
    ]);
    return { kind: 'accepted', runId, at: 1 };
  },
};

beforeEach(async () => {
  house = await openHouse();
  [slots, refuse, reply] = [[], () => undefined, 'HEARTBEAT_OK'];
});
afterEach(() => house.close());

const start = (more: Partial<HeartbeatOptions> = {}): Promise<void> =>
  house.start(
    {
      edge: [
        heartbeatChild(
          { ...house.deps, door },
          { agentId: 'main', everyMs: every, prompt: 'anything to do?', ...more },
        ),
      ],
    },
    { intensity: 1_000 },
  );
const context = () => house.at(PATHS.heartbeat, heartbeatMachine).context;
const rests = (): Promise<void> =>
  house.until('it rests', () =>
    ['armed', 'disabled'].includes(String(house.at(PATHS.heartbeat, heartbeatMachine)?.value)),
  );
/** Time passes, one tick at its end; then whatever is in hand is settled by further ticks. */
const pass = async (ms: number): Promise<void> => {
  await house.clock.advanceAsync(ms);
  for (let ticks = 0; ticks < 4; ticks += 1) {
    house.deps.registry.tell(PATHS.heartbeat, { type: 'clock.tick', atMs: house.clock.now() } as never);
    await house.until('it waits for a tick', () => {
      const value = house.at(PATHS.heartbeat, heartbeatMachine)?.value;
      return (
        value === 'armed' ||
        value === 'disabled' ||
        (typeof value === 'object' && value.dispatched === 'waiting')
      );
    });
  }
};

describe('the heartbeat', () => {
  it('fires once per slot and settles it by its reply', async () => {
    await start();
    await pass(every - MINUTE);
    expect(slots).toEqual([]);
    await pass(MINUTE);
    reply = 'The disk is nearly full.';
    await pass(every);
    expect(slots).toHaveLength(2);
    expect(house.factsOf('heartbeat.settled')).toMatchObject([{ status: 'ok-token' }, { status: 'sent' }]);
    expect(house.factsOf('heartbeat.fired')).toHaveLength(2);
  });

  it('catches up one slot after a long sleep, counts the others, and keeps its rhythm', async () => {
    await start();
    const due = context().dueAt;
    await pass(8 * 60 * MINUTE + 10 * MINUTE);
    expect(slots).toHaveLength(1);
    expect(context().counts).toEqual({ settled: 1, skipped: 0, missed: 15 });
    expect((context().dueAt - due) % every).toBe(0);
    expect(context().dueAt - house.clock.now()).toBeLessThanOrEqual(every);
  });

  it('skips a slot outside the active hours with its reason, and is there for the next one', async () => {
    const now = localMinutes(house.clock.now(), 'UTC');
    const quiet = { start: (now + 45) % 1_440, end: (now + 75) % 1_440, timeZone: 'UTC' };
    await start({ activeHours: quiet });
    await pass(every);
    expect(house.factsOf('heartbeat.settled')).toMatchObject([{ status: 'skipped', reason: 'quiet-hours' }]);
    await pass(every);
    expect(slots).toHaveLength(1);
  });

  it('tries a slot again while the gateway is busy, and only then skips it', async () => {
    await start();
    refuse = () => new CoppiceError('OVERLOADED', { where: 'the inbox', limit: 1 });
    await pass(every);
    expect(house.factsOf('heartbeat.settled')).toEqual([]);
    refuse = () => undefined;
    await pass(MINUTE);
    expect(slots).toHaveLength(1);
    refuse = () => new CoppiceError('DRAINING');
    await pass(every - MINUTE);
    await pass(6 * MINUTE);
    expect(house.factsOf('heartbeat.settled')).toMatchObject([
      { status: 'ok-token' },
      { status: 'skipped', reason: 'DRAINING' },
    ]);
    refuse = () => undefined;
    await pass(every);
    expect(slots).toHaveLength(2);
  });

  it('after a crash with a slot in hand asks for the same slot, which is known, and settles it once', async () => {
    await start();
    await house.clock.advanceAsync(every);
    house.deps.registry.tell(PATHS.heartbeat, { type: 'clock.tick', atMs: house.clock.now() } as never);
    await house.until(
      'it is dispatched',
      () => typeof house.at(PATHS.heartbeat, heartbeatMachine)?.value === 'object',
    );
    await house.until(
      'the slot is saved',
      () => house.store.read.checkpoint('heartbeat', 'main')?.facts['slot'] !== null,
    );
    await house.crash(PATHS.heartbeat);
    await pass(0);
    await rests();
    expect(slots).toHaveLength(1);
    expect(house.factsOf('heartbeat.settled')).toHaveLength(1);
    expect(house.factsOf('heartbeat.fired')).toHaveLength(1);
  });

  it('is not put off by a restart: the due time stands', async () => {
    await start();
    const due = context().dueAt;
    await pass(20 * MINUTE);
    await house.until('it is saved', () => house.store.read.checkpoint('heartbeat', 'main') !== undefined);
    await house.crash(PATHS.heartbeat);
    await rests();
    expect(context().dueAt).toBe(due);
  });

  it('can be switched off and on, and loses no rhythm by it', async () => {
    await start();
    const set = (enabled: boolean) =>
      house.deps.registry.tell(PATHS.heartbeat, {
        type: 'heartbeat.set',
        enabled,
        atMs: house.clock.now(),
      } as never);
    set(false);
    await pass(3 * every);
    expect(slots).toEqual([]);
    set(true);
    await pass(every);
    expect(slots).toHaveLength(1);
  });

  it('accounts for every slot of thirty days of sleeps, crashes and busy hours', async () => {
    const begin = house.clock.now();
    await start();
    const first = context().dueAt;
    let seed = 7;
    const roll = (n: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % n;
    let [fired, skipped, missed] = [0, 0, 0];
    const bank = (): void => {
      const { counts } = context();
      [fired, skipped, missed] = [fired + counts.settled, skipped + counts.skipped, missed + counts.missed];
    };
    while (house.clock.now() < begin + 30 * 24 * 60 * MINUTE) {
      const busy = roll(10) === 0;
      refuse = () => (busy ? new CoppiceError('OVERLOADED', { where: 'the inbox', limit: 1 }) : undefined);
      await pass(roll(20) === 0 ? 8 * 60 * MINUTE : 10 * MINUTE);
      if (roll(40) !== 0) continue;
      await rests();
      await house.until(
        'it is saved',
        () => house.store.read.checkpoint('heartbeat', 'main')?.facts['dueAt'] === context().dueAt,
      );
      bank();
      await house.crash(PATHS.heartbeat);
      await rests();
    }
    refuse = () => undefined;
    await pass(6 * MINUTE);
    await rests();
    bank();
    expect(fired + skipped + missed).toBe((context().dueAt - first) / every);
    expect(new Set(slots).size).toBe(slots.length);
    expect([fired, skipped, missed].every((count) => count > 0)).toBe(true);
  }, 60_000);
});

describe('local minutes', () => {
  it('follow the zone, over a change to summer time', () => {
    expect(localMinutes(Date.UTC(2026, 2, 29, 0, 30), 'Europe/Berlin')).toBe(90);
    expect(localMinutes(Date.UTC(2026, 2, 29, 1, 30), 'Europe/Berlin')).toBe(210);
    expect(localMinutes(Date.UTC(2026, 0, 1, 0, 0), 'UTC')).toBe(0);
  });
});
