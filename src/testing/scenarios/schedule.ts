import type { AnyStateMachine } from 'xstate';
import { examples, scheduleMachine } from '../../machines/schedule.ts';
import type { ScheduleContext } from '../../machines/schedule.ts';
import { contextOf, scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

export const machine: AnyStateMachine = scheduleMachine;
export const scenarios: readonly Scenario[] = [
  scenario(scheduleMachine, 'a schedule', {
    input: { path: 'gateway/core/edge/schedule', tickMs: 5_000 },
    events: examples,
    serialize: (snapshot) => {
      const { rounds, overruns, error } = contextOf<ScheduleContext>(snapshot);
      const counts = [rounds, overruns].map((count) => Math.min(count, 2));
      return JSON.stringify([snapshot.value, counts, error?.code ?? error?.message]);
    },
  }),
];
