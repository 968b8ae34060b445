import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { steps, walk } from './composed/walk.ts';

const SEED = 20_261_123;

it('session, lane, run, inbox and outbox together: whatever fails on the way, each message is answered once', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(), async (plan, seed) => {
      expect(await walk(plan, seed)).toEqual([]);
    }),
    { seed: SEED, numRuns: 25, endOnFailure: true },
  );
}, 120_000);
