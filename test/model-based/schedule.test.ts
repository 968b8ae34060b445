import { expect, it } from 'vitest';
import { examples, scheduleMachine } from '../../src/machines/schedule.ts';
import type { ScheduleContext } from '../../src/machines/schedule.ts';
import { explore } from '../../src/testing/index.ts';

it('the schedule takes every transition, and every state but the final ones has a timer or a child', () => {
  const explored = explore(scheduleMachine, {
    input: { path: 'gateway/core/edge/schedule', tickMs: 5_000 },
    events: examples,
    serialize: (snapshot) => {
      const { rounds, overruns, error } = snapshot.context as ScheduleContext;
      return JSON.stringify([
        snapshot.value,
        Math.min(rounds, 2),
        Math.min(overruns, 2),
        error?.code ?? error?.message,
      ]);
    },
    invariant: (snapshot) =>
      snapshot.status === 'active' && !('pulse' in snapshot.children) ? 'nobody ticks' : undefined,
  });
  expect([...explored.transitions.missed, ...explored.unhandled, ...explored.violations]).toEqual([]);
  expect(explored.paths.map((path) => (path.state.context as ScheduleContext).error?.code)).toContain(
    'SCHEDULE_SILENT',
  );
});
