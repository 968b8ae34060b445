import { afterEach, describe, expect, it } from 'vitest';
import { CHANNELS_SPEC, channelSupervisor } from '../../src/actors/channel.ts';
import { PATHS } from '../../src/actors/paths.ts';
import { createLoopback, defineChannel } from '../../src/channels/index.ts';
import type { Channel, ChannelLeg } from '../../src/channels/index.ts';
import type { CoppiceError } from '../../src/errors.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import type { Accepted, Offer } from '../../src/server/port.ts';
import { openHouse } from './house.ts';
import type { House } from './house.ts';

let house: House;
let offers: Offer[];
let refuse: Error | undefined;
afterEach(() => house.close());

const door = {
  async offer(offer: Offer): Promise<Accepted> {
    if (refuse) throw refuse;
    offers.push(offer);
    return { kind: 'accepted', runId: offer.runId, at: 0 };
  },
};
const legPath = (leg: string, channel = 'chat'): string => `${PATHS.channels}/${channel}/${leg}`;
const stateOf = (leg: string, channel?: string): string =>
  house.deps.registry.node(legPath(leg, channel))?.state ?? 'none';

async function open(...channels: Channel[]): Promise<void> {
  [offers, refuse] = [[], undefined];
  house = await openHouse();
  const children = channels.map((channel) =>
    channelSupervisor({ ...house.deps, door }, channel, house.supervision.supervisor),
  );
  const all = house.supervision.supervisor({ ...CHANNELS_SPEC, children });
  await house.start({ edge: [{ id: 'channels', type: 'supervisor', logic: all }] });
}
const channelOf = (legs: ChannelLeg[], name = 'chat'): Channel =>
  defineChannel({ name, legs, idempotentDelivery: false, deliver: async () => ({ kind: 'sent' }) });
const tick = async (): Promise<void> => {
  house.deps.registry.tell(legPath('inbound'), { type: 'clock.tick', atMs: house.clock.now() } as never);
  await house.clock.settle();
};

describe('a channel', () => {
  it('brings its legs up and offers what it receives, acknowledged only when the offer is', async () => {
    const loopback = createLoopback({ name: 'chat' });
    await open(loopback.channel);
    expect([stateOf('inbound'), stateOf('outbound')]).toEqual([
      'attempting.connected',
      'attempting.connected',
    ]);
    await loopback.say({ account: 'default', platformId: 'p1', target: 'ann', text: 'hello' });
    expect(offers).toMatchObject([
      {
        sessionKey: 'agent:main:chat:ann',
        agentId: 'main',
        channel: 'chat',
        platformId: 'p1',
        source: 'user',
      },
    ]);
    await loopback.say({
      account: 'default',
      platformId: 'p2',
      target: 'ann',
      text: 'hello',
      sessionKey: 'agent:work:main',
    });
    expect(offers[1]).toMatchObject({ sessionKey: 'agent:work:main', agentId: 'work' });
  });

  it('does not acknowledge what was refused', async () => {
    const loopback = createLoopback({ name: 'chat' });
    await open(loopback.channel);
    refuse = new Error('draining');
    await expect(loopback.say({ account: 'a', platformId: 'p', target: 't', text: 'x' })).rejects.toThrow(
      'draining',
    );
  });

  it('gives up a start that hangs, fences it, and is connected by the next attempt', async () => {
    let starts = 0;
    let late: ((reason: string) => void) | undefined;
    const stale: Promise<string>[] = [];
    await open(
      channelOf([
        {
          name: 'inbound',
          start: ({ lost, receive, signal }) => {
            starts += 1;
            if (starts > 1) return Promise.resolve();
            late = lost;
            const message = { account: 'a', platformId: 'old', target: 't', text: 'from the dead' };
            signal.addEventListener('abort', () =>
              stale.push(
                receive(message).then(
                  () => 'taken',
                  (error: CoppiceError) => error.code,
                ),
              ),
            );
            return new Promise(() => undefined);
          },
        },
      ]),
    );
    expect(stateOf('inbound')).toBe('attempting.starting');
    await house.clock.advanceAsync(LIMITS.legStartMs + LIMITS.legLadderMs[0] + 1);
    expect(stateOf('inbound')).toBe('attempting.connected');
    late?.('too late to matter');
    await house.clock.settle();
    expect(stateOf('inbound')).toBe('attempting.connected');
    expect(await stale[0]).toBe('UNAVAILABLE');
    expect(offers).toEqual([]);
  });

  it('with a socket that is half dead is suspect after one failed probe, and restarted after two', async () => {
    let alive = true;
    let starts = 0;
    await open(
      channelOf([
        {
          name: 'inbound',
          start: async () => {
            starts += 1;
            alive = true;
          },
          probe: async () => {
            if (!alive) throw new Error('silence');
          },
        },
      ]),
    );
    await house.clock.advanceAsync(LIMITS.legProbeEveryMs);
    await tick();
    expect(stateOf('inbound')).toBe('attempting.connected');
    alive = false;
    await house.clock.advanceAsync(LIMITS.legProbeEveryMs);
    await tick();
    expect(stateOf('inbound')).toBe('attempting.suspect');
    await tick();
    expect(stateOf('inbound')).toBe('reconnecting');
    await house.clock.advanceAsync(LIMITS.legLadderMs[0]);
    expect(stateOf('inbound')).toBe('attempting.connected');
    expect(starts).toBe(2);
    expect(house.factsOf('channel.state').map((fact) => 'state' in fact && fact.state)).toEqual([
      'starting',
      'connected',
      'suspect',
      'reconnecting',
      'starting',
      'connected',
    ]);
  });

  it('treats a probe that hangs as a failed one', async () => {
    await open(
      channelOf([
        { name: 'inbound', start: async () => undefined, probe: () => new Promise(() => undefined) },
      ]),
    );
    await house.clock.advanceAsync(LIMITS.legProbeEveryMs);
    await tick();
    await house.clock.advanceAsync(LIMITS.legProbeMs);
    expect(stateOf('inbound')).toBe('attempting.suspect');
    await house.clock.advanceAsync(LIMITS.legProbeMs * 2);
    expect(stateOf('inbound')).toBe('reconnecting');
  });

  it('that fails on every start is parked after bounded attempts, the other channels stay connected, and it comes back when it is cured', async () => {
    let [ill, starts] = [true, 0];
    const broken = channelOf([
      {
        name: 'inbound',
        start: async () => {
          starts += 1;
          if (ill) throw new Error('the token is wrong');
        },
      },
    ]);
    await open(broken, createLoopback({ name: 'good' }).channel);
    await house.clock.advanceAsync(600_000);
    expect(house.deps.registry.node(`${PATHS.channels}/chat`)?.status).toBe('parked');
    const perLife = 2 * (LIMITS.legLadderMs.length + 1);
    expect(starts).toBeGreaterThanOrEqual(3 * perLife);
    // Three lives, and the few probes a parked channel gets in ten minutes.
    expect(starts).toBeLessThanOrEqual(7 * perLife);
    expect(stateOf('inbound', 'good')).toBe('attempting.connected');
    expect(
      house.factsOf('channel.state').some((fact) => 'reason' in fact && fact.reason === 'the token is wrong'),
    ).toBe(true);
    ill = false;
    await house.clock.advanceAsync(600_000);
    expect(stateOf('inbound')).toBe('attempting.connected');
  });

  it('whose one leg crashes gets both legs anew', async () => {
    const loopback = createLoopback({ name: 'chat' });
    await open(loopback.channel);
    await house.crash(legPath('outbound'));
    await house.clock.advanceAsync(5_000);
    expect([stateOf('inbound'), stateOf('outbound')]).toEqual([
      'attempting.connected',
      'attempting.connected',
    ]);
    expect(house.deps.registry.incarnation(legPath('inbound'))).toBe(2);
    await loopback.say({ account: 'default', platformId: 'p1', target: 'ann', text: 'still there?' });
    expect(offers).toHaveLength(1);
  });

  it('stops when told, and its signal says so', async () => {
    let stopped = false;
    await open(
      channelOf([
        {
          name: 'inbound',
          start: async ({ signal }) => signal.addEventListener('abort', () => void (stopped = true)),
        },
      ]),
    );
    house.deps.registry.tell(legPath('inbound'), {
      type: 'supervisor.shutdown',
      reason: 'stop',
      deadlineMs: 1_000,
    } as never);
    expect(stopped).toBe(true);
    expect(house.factsOf('channel.state').at(-1)).toMatchObject({ state: 'stopped' });
  });
});
