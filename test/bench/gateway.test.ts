import { describe, expect, test } from 'vitest';
import { median, medianRatios } from '../../bench/gateway/median.ts';
import { gatewayImports } from '../../bench/gateway/bare.ts';
import { sharesOf } from '../../bench/gateway/samples.ts';
import { Traffic } from '../../bench/gateway/traffic.ts';
import type { Measurement } from '../../src/cli/bench/measure.ts';

const measurement = (perSecond: number): Measurement => ({
  count: 1,
  perSecond,
  p50Ms: 1,
  p99Ms: 1,
  cpuMsEach: null,
  rssMb: 1,
});

describe('a median', () => {
  test('is the middle one, or lies between the two in the middle', () => {
    expect([median([9, 1, 2]), median([4, 1, 3, 2])]).toEqual([2, 2.5]);
  });

  test('of ratios pairs each round with the floor of its own round', () => {
    const slow = [100, 10, 50].map(measurement);
    const floors = [1_000, 100, 50].map(measurement);
    expect(medianRatios(slow, floors)).toMatchObject({ throughput: 10, cpu: null });
  });
});

describe('traffic', () => {
  const setUp = () => {
    const said: { sessionKey: string; runId: string }[] = [];
    const traffic = new Traffic('t');
    traffic.add({ say: (sessionKey, runId) => void said.push({ sessionKey, runId }), close: () => {} });
    return { traffic, said };
  };

  test('holds a turn back while its place is taken, and counts from when it was due', () => {
    const { traffic, said } = setUp();
    traffic.offer(1);
    traffic.offer(2);
    expect([said.length, traffic.unfinished]).toEqual([1, 2]);
    traffic.ended(said[0]!.runId);
    traffic.ended(said[1]!.runId);
    expect(traffic.ends.map(({ dueMs }) => dueMs)).toEqual([1, 2]);
    expect(traffic.unfinished).toBe(0);
  });

  test('takes a new session after twenty turns', () => {
    const { traffic, said } = setUp();
    for (let turn = 0; turn < 21; turn += 1) {
      traffic.offer(turn);
      traffic.ended(said.at(-1)!.runId);
    }
    expect(new Set(said.slice(0, 20).map(({ sessionKey }) => sessionKey)).size).toBe(1);
    expect(said[20]!.sessionKey).not.toBe(said[0]!.sessionKey);
  });

  test('counts an end twice told once', () => {
    const { traffic, said } = setUp();
    traffic.offer(1);
    traffic.ended(said[0]!.runId);
    traffic.ended(said[0]!.runId);
    expect(traffic.ends).toHaveLength(1);
  });
});

test('the bare process has the packages that a start imports, and none that is loaded later', () => {
  const packages = gatewayImports();
  expect(packages).toEqual(expect.arrayContaining(['ws', 'xstate', 'zod', 'pino', 'node:sqlite']));
  expect(packages.some((name) => name.startsWith('.'))).toBe(false);
  expect(packages).not.toContain('typescript');
});

describe('the samples of a profile', () => {
  const frame = (functionName: string, url = '') => ({ functionName, url });
  const profile = {
    startTime: 1_000,
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 3] },
      { id: 2, callFrame: frame('(idle)') },
      { id: 3, callFrame: frame('actor$session'), children: [4] },
      { id: 4, callFrame: frame('macrostep', 'file:///node_modules/xstate/a.js'), children: [5, 6] },
      { id: 5, callFrame: frame('actor$run'), children: [7] },
      { id: 6, callFrame: frame('writev') },
      { id: 7, callFrame: frame('microstep', 'file:///node_modules/xstate/a.js') },
    ],
    samples: [4, 7, 2, 6, 4],
    timeDeltas: [0, 1_000, 2_000, 4_000, 8_000],
  };

  test('are given to the group whose code ran and to the innermost actor; idle time is nobody’s', () => {
    const { groups, actors } = sharesOf(profile, 0, 100_000);
    expect(groups).toEqual([
      { group: 'sockets', ms: 8 },
      { group: 'XState', ms: 3 },
    ]);
    expect(actors).toEqual([
      { group: 'run', ms: 2 },
      { group: 'session', ms: 1 },
    ]);
  });

  test('count only within the time that is asked for', () => {
    expect(sharesOf(profile, 1_500, 3_000).groups).toEqual([{ group: 'XState', ms: 2 }]);
  });
});
