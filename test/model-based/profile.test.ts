import { describe, expect, it } from 'vitest';
import { profileMachine } from '../../src/machines/profile.ts';
import type { ProfileInput } from '../../src/machines/profile.ts';
import { replay } from '../../src/testing/index.ts';
import * as profile from '../../src/testing/scenarios/profile.ts';
import { explored, scenarioOf } from './staged.ts';

const SCENARIO = 'the health of a provider';

describe('every path of the health of a provider', () => {
  const found = explored(profile, SCENARIO, {
    invariant: ({ value, context }) => {
      if ((value === 'ready') !== (context.untilAt === null) && value !== 'stopped')
        return 'ready and cooling at once';
      return value === 'ready' && context.failures > 0 ? 'ready, but it remembers failures' : undefined;
    },
  });

  it('takes every transition, both ways of each guard', () => {
    expect(found.violations, String(found)).toEqual([]);
    expect(found.transitions.missed, String(found)).toEqual([]);
    expect(found.unhandled, String(found)).toEqual([]);
    expect(found.states.length).toBeGreaterThan(8);
  });

  it('walked by a live actor, ends where the model says', () => {
    const { input, serialize } = scenarioOf(profile, SCENARIO).options;
    for (const path of found.paths)
      expect(serialize?.(replay(profileMachine, path, input as ProfileInput))).toBe(path.key);
  });
});
