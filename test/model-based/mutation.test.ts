import { describe, expect, it } from 'vitest';
import { shippedNames } from '../../src/testing/shipped.ts';
import { check } from '../mutation/check.ts';
import { EQUIVALENT } from '../mutation/equivalent.ts';
import type { Kind, Mutant } from '../mutation/mutant.ts';
import { sample, survives } from '../mutation/score.ts';

const SEED = 20_261_123;
const PER_KIND = 5;
const withoutEquivalents = (machine: string, mutants: readonly Mutant[]): Mutant[] =>
  mutants.filter(({ name }) => EQUIVALENT[machine]?.[name] === undefined);
const KINDS: readonly Kind[] = ['target', 'guard', 'action', 'timer'];

// In one project alone: what is proven here is the tests, not the build of XState.
describe('faults planted into a machine (a sample; all of them: test/long/mutation.ts)', () => {
  it.each(shippedNames)(
    '%s: none survives the tests that are generated from the machine',
    async (name) => {
      const { verdicts, faults } = await check(name, {
        kinds: KINDS,
        choose: (mutants) => sample(withoutEquivalents(name, mutants), PER_KIND, SEED),
        stages: ['near edges', 'every step'],
      });
      expect(faults).toEqual([]);
      expect(verdicts.length).toBeGreaterThanOrEqual(10);
      expect(verdicts.filter(survives).map(({ name: fault }) => fault)).toEqual([]);
    },
    120_000,
  );
});
