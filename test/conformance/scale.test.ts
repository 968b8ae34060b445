import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { createStage } from './puppets.ts';

/** Processor time per child in microseconds, the best of three: the time of a clock on the wall is our neighbours' too. */
function perChild(count: number, run: (count: number) => () => void): number {
  const times = [1, 2, 3].map(() => {
    const act = run(count);
    const before = process.cpuUsage();
    act();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / count;
  });
  return Math.min(...times);
}

describe('cost', () => {
  it('55 | big start arguments | kept after the start and after the first death? | for a permanent child yes, for a temporary one nothing', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const stage = createStage();
    stage.start({ children: [] });
    const add = (id: string, restart: 'permanent' | 'temporary'): WeakRef<object> => {
      const big = { rows: Array.from({ length: 100_000 }, () => id) };
      const input = (): object => ({ size: big.rows.length });
      stage.add({ id, logic: stage.puppet(id), restart, input });
      return new WeakRef(big);
    };
    const kept = {
      permanent: add('p', 'permanent'),
      temporary: add('t', 'temporary'),
      second: add('u', 'temporary'),
    };
    stage.end('u', 'die');
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(kept.permanent.deref()).toBeDefined();
    expect(kept.temporary.deref()).toBeUndefined();
    expect(kept.second.deref()).toBeUndefined();
    expect(stage.lives()).toEqual({ p: 1, t: 1 });
  });

  it('57 | 300 against 3,000 temporary dynamic children | all terminated one by one | the time per child grows less than five times', () => {
    const terminateAll = (count: number) => {
      const stage = createStage();
      stage.start({ dynamic: true, children: [] });
      const logic = stage.puppet('c');
      for (let i = 0; i < count; i += 1) stage.add({ id: `c${i}`, logic, restart: 'temporary' });
      return () => {
        for (let i = 0; i < count; i += 1) void stage.ask('terminate_child', `c${i}`);
        expect(stage.count().specs).toBe(0);
      };
    };
    expect(perChild(3_000, terminateAll)).toBeLessThan(5 * perChild(300, terminateAll));
  });

  it('58 | 300 against 3,000 children with ids | all started, all stopped | the time per child grows less than ten times', () => {
    const startAndStop = (count: number) => {
      const stage = createStage();
      const logic = stage.puppet('c');
      const children = Array.from({ length: count }, (_, i) => ({ id: `c${i}`, logic }));
      return () => {
        const { root } = stage.start({ children });
        expect(stage.count().active).toBe(count);
        stage.shutdown(root);
        expect(stage.resources()).toBe(0);
      };
    };
    expect(perChild(3_000, startAndStop)).toBeLessThan(10 * perChild(300, startAndStop));
  });
});
