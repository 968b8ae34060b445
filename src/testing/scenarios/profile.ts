import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { LIMITS } from '../../machines/limits.ts';
import { examples, profileMachine } from '../../machines/profile.ts';
import type { ProfileContext, ProfileEvent } from '../../machines/profile.ts';
import { contextOf, scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

const events = (snapshot: AnyMachineSnapshot): ProfileEvent[] => {
  const { nowMs, untilAt } = contextOf<ProfileContext>(snapshot);
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

export const machine: AnyStateMachine = profileMachine;
export const scenarios: readonly Scenario[] = [
  scenario(profileMachine, 'the health of a provider', {
    input: { provider: 'openai' },
    events,
    serialize: (snapshot) => {
      const { failures, class: cause, untilAt, nowMs } = contextOf<ProfileContext>(snapshot);
      const far = (untilAt ?? nowMs) - nowMs > LIMITS.backoffStepMs;
      return JSON.stringify([snapshot.value, Math.min(failures, 3), cause, far]);
    },
  }),
];
