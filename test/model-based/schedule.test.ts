import { expect, it } from 'vitest';
import type { ScheduleContext } from '../../src/machines/schedule.ts';
import * as schedule from '../../src/testing/scenarios/schedule.ts';
import { explored } from './staged.ts';

it('the schedule takes every transition, and every state but the final ones has a timer or a child', () => {
  const found = explored(schedule, 'a schedule', {
    invariant: (snapshot) =>
      snapshot.status === 'active' && !('pulse' in snapshot.children) ? 'nobody ticks' : undefined,
  });
  expect([...found.transitions.missed, ...found.unhandled, ...found.violations]).toEqual([]);
  expect(found.paths.map((path) => (path.state.context as ScheduleContext).error?.code)).toContain(
    'SCHEDULE_SILENT',
  );
});
