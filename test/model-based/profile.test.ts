import { describe, expect, it } from 'vitest';
import type { AnyMachineSnapshot } from 'xstate';
import { LIMITS } from '../../src/machines/limits.ts';
import { examples, profileMachine } from '../../src/machines/profile.ts';
import type { ProfileContext, ProfileEvent } from '../../src/machines/profile.ts';
import { explore, replay } from '../../src/testing/index.ts';

const events = ({ context }: AnyMachineSnapshot): ProfileEvent[] => {
  const { nowMs, untilAt } = context as ProfileContext;
  return [
    { ...examples['profile.failed'], atMs: nowMs },
    { ...examples['profile.failed passing'], atMs: nowMs },
    { type: 'profile.failed', class: 'overloaded', atMs: nowMs },
    { ...examples['profile.succeeded'], atMs: nowMs },
    { type: 'clock.tick', atMs: nowMs },
    { type: 'clock.tick', atMs: untilAt ?? nowMs },
    examples['supervisor.shutdown'],
  ];
};
const key = ({ value, context }: AnyMachineSnapshot): string => {
  const { failures, class: cause, untilAt, nowMs } = context as ProfileContext;
  return JSON.stringify([
    value,
    Math.min(failures, 3),
    cause,
    (untilAt ?? nowMs) - nowMs > LIMITS.backoffStepMs,
  ]);
};

describe('every path of the health of a provider', () => {
  const input = { provider: 'openai' };
  const found = explore(profileMachine, {
    input,
    events,
    serialize: key,
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
    for (const path of found.paths) expect(key(replay(profileMachine, path, input))).toBe(path.key);
  });
});
