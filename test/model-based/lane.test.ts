import { describe, expect, it } from 'vitest';
import type { AnyMachineSnapshot } from 'xstate';
import { withEffects } from '../../src/machines/lane.ts';
import type { LaneInput } from '../../src/machines/lane.ts';
import { explore, replay } from '../../src/testing/index.ts';
import * as lane from '../../src/testing/scenarios/lane.ts';
import { explored, scenarioOf } from './staged.ts';

const LIVES = [
  [1, 'a lane in its first life'],
  [2, 'a lane that was restarted and asks who holds its slots'],
] as const;

interface Ticket {
  readonly ticketId: string;
}
const neverIdleWithWaiters = ({ value, context }: AnyMachineSnapshot): string | undefined => {
  const held = new Set(context.holders.map(({ ticketId }: Ticket) => ticketId));
  if (value === 'open' && context.queue.length > 0 && held.size < context.maxConcurrent)
    return 'somebody waits although a slot is free';
  // Those a restarted lane let queue for a slot that a late holder then took stay: the bound is passed by that much.
  const spare = context.incarnation > 1 ? context.maxConcurrent : 0;
  if (context.queue.length > context.maxQueue + spare) return 'the queue is longer than its bound';
  if (context.queue.some(({ ticketId }: Ticket) => held.has(ticketId))) return 'a ticket waits and is held';
  return undefined;
};

describe('every path of the lane', () => {
  for (const [incarnation, scenario] of LIVES) {
    const found = explored(lane, scenario, {
      invariant: neverIdleWithWaiters,
      unreachable:
        incarnation === 1
          ? ['starting always [isLater]', 'gathering after(gather)', ...outcomesOf('gathering')]
          : ['starting always [isLater] refused', 'starting always#1'],
    });

    it(`takes every transition of incarnation ${incarnation}, both ways of each guard, and never leaves a free slot to waiters`, () => {
      expect(found.violations, String(found)).toEqual([]);
      expect(found.transitions.missed, String(found)).toEqual([]);
      expect(found.unhandled, String(found)).toEqual([]);
      expect(found.states.length).toBeGreaterThan(20);
    });

    it(`of incarnation ${incarnation}, walked by a live lane, ends where the model says`, () => {
      const live = withEffects({ grant: () => 'sent', refuse: () => 'sent', revoke: () => 'sent' });
      const { input, serialize } = scenarioOf(lane, scenario).options;
      for (const path of found.paths)
        expect(serialize?.(replay(live, path, input as LaneInput))).toBe(path.key);
    });
  }
});

function outcomesOf(state: string): string[] {
  const { all } = explore(lane.machine, {
    input: { name: 'x', maxConcurrent: 1, maxQueue: 1, incarnation: 1, atMs: 0 },
    events: [],
    ignorable: ['*'],
  }).transitions;
  return all.filter((name) => name.startsWith(`${state} lane.`) || name.startsWith(`${state} clock.`));
}
