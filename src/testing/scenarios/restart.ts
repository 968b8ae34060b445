import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { examples, restartMachine } from '../../machines/restart.ts';
import type { RestartContext } from '../../machines/restart.ts';
import { contextOf, scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

const coordinator = (restartedAt: number | null) => ({
  input: {
    path: 'gateway/core/coordinator',
    deferMs: 6_000,
    drainMs: 6_000,
    cooldownMs: 30_000,
    restartedAt,
  },
  events: examples,
  outputs: { pendingWork: [0, 2] },
  serialize: (snapshot: AnyMachineSnapshot) => {
    const { kind, reason, forced, count, pending, error } = contextOf<RestartContext>(snapshot);
    return JSON.stringify([
      snapshot.value,
      kind,
      reason,
      forced,
      Math.min(count, 2),
      pending,
      error !== null,
    ]);
  },
});

export const machine: AnyStateMachine = restartMachine;
export const scenarios: readonly Scenario[] = [
  scenario(restartMachine, 'a gateway that was never restarted', coordinator(null)),
  scenario(restartMachine, 'a gateway that was restarted a moment ago', coordinator(0)),
];
