import { afterEach, describe, expect, it } from 'vitest';
import { lanePath, sessionPath } from '../../src/actors/paths.ts';
import { openSessions, type Sessions } from './session-house.ts';

let house: Sessions | undefined;
afterEach(async () => {
  await house?.close();
  house = undefined;
});
const open = async (options: Parameters<typeof openSessions>[0]): Promise<Sessions> =>
  (house = await openSessions(options));

describe('sessions in a lane', () => {
  it('two sessions share a lane of one in the order they came, turn by turn', async () => {
    const { say, is, end, settled, starts, lane } = await open({ lanes: { main: 1 } });
    await say('a', 1);
    await is('a', 'working');
    await say('b', 1);
    await is('b', 'requesting');
    await say('a', 2);
    end('a');
    await settled('a', 1);
    await is('b', 'working');
    expect(lane('main').queue).toHaveLength(1);
    end('b');
    await settled('b', 1);
    await is('a', 'working');
    end('a');
    await settled('a', 2);
    await is('a', 'idle');
    expect(starts.map((id) => id.replace('webchat/default/', ''))).toEqual(['a-1', 'b-1', 'a-2']);
    expect(lane('main')).toMatchObject({ queue: [], holders: [] });
  });

  it('a crashed lane comes back with its holders counted, and who waited still waits its turn', async () => {
    const { say, is, end, settled, lane, crash, clock, deps } = await open({ lanes: { main: 1 } });
    await say('a', 1);
    await is('a', 'working');
    await say('b', 1);
    await is('b', 'requesting');
    await crash(lanePath('main'));
    await clock.advanceAsync(1_000);
    expect(deps.registry.incarnation(lanePath('main'))).toBe(2);
    expect(lane('main').holders).toHaveLength(1);
    expect(lane('main').queue).toHaveLength(1);
    end('a');
    await settled('a', 1);
    await is('b', 'working');
    end('b');
    await settled('b', 1);
  });

  it('a lane that comes back smaller than it was counts every holder, and lets nobody in before there is room', async () => {
    const { say, is, end, settled, lane, crash, clock, deps, state } = await open({ lanes: { main: 1 } });
    const wider = { type: 'lane.configure', maxConcurrent: 2 };
    deps.registry.tell(lanePath('main'), wider);
    await say('a', 1);
    await say('b', 1);
    await is('a', 'working');
    await is('b', 'working');
    await say('c', 1);
    await is('c', 'requesting');
    await crash(lanePath('main'));
    await clock.advanceAsync(1_000);
    expect(lane('main')).toMatchObject({ maxConcurrent: 1, queue: [{ sessionKey: 'c' }] });
    expect(lane('main').holders).toHaveLength(2);
    end('a');
    await settled('a', 1);
    await is('a', 'idle');
    expect(state('c')).toContain('requesting');
    end('b');
    await settled('b', 1);
    await is('c', 'working');
  });

  it('a ticket let go while its lane is down is not held in the next life of the lane', async () => {
    const { say, is, end, settled, lane, deps, crash, clock } = await open({ lanes: { main: 1 } });
    await say('a', 1);
    await is('a', 'working');
    await crash(lanePath('main'));
    expect(deps.registry.incarnation(lanePath('main'))).toBeUndefined();
    end('a');
    await settled('a', 1);
    await is('a', 'idle');
    await clock.advanceAsync(1_000);
    expect(deps.registry.incarnation(lanePath('main'))).toBe(2);
    expect(lane('main').holders).toEqual([]);
    await say('b', 1);
    await is('b', 'working');
  });

  it('a killed session gives its ticket back, and the next in line works', async () => {
    const { say, is, crash, lane } = await open({ lanes: { main: 1 } });
    await say('a', 1);
    await is('a', 'working');
    await say('b', 1);
    await is('b', 'requesting');
    await crash(sessionPath('a'));
    await is('b', 'working');
    await is('a', 'requesting');
    expect(lane('main').queue).toHaveLength(1);
  });

  it('whoever asks for a lane that is nowhere is told after a while, in the outcome of the turn', async () => {
    const { say, is, settled, clock, status, deps } = await open({ lanes: { other: 1 } });
    await say('a', 1);
    await is('a', 'requesting');
    await clock.advanceAsync(30_000);
    await settled('a', 1);
    expect(status('a', 1)).toBe('error');
    expect(deps.store.read.run('run-a-1')?.error).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('lane main'),
    });
  });
});
