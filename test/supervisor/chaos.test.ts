import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { plans } from './chaos/plan.ts';
import { runPlan } from './chaos/run.ts';

// XState's development build also says on the console that the dead hear nothing.
beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

const RUNS = 250;

describe('a tree of children that fail in every way, under orders at any moment', () => {
  it(`answers every order, and leaves nothing behind, in ${RUNS} random trees`, async () => {
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        expect(await runPlan(plan)).toEqual([]);
      }),
      { numRuns: RUNS, seed: 20261123, endOnFailure: false },
    );
  });
});
