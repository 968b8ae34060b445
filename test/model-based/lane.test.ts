import { describe, expect, it } from 'vitest';
import type { AnyMachineSnapshot } from 'xstate';
import {
  examples,
  laneMachine,
  withEffects,
  type LaneEvent,
  type LaneInput,
} from '../../src/machines/lane.ts';
import { explore, replay } from '../../src/testing/index.ts';

const ids = ['t1', 't2', 't3'];
const ask = (ticketId: string, more: object = {}): LaneEvent => ({
  type: 'lane.request',
  ticketId,
  holder: `sessions/${ticketId}`,
  sessionKey: ticketId,
  ancestry: [],
  atMs: 1_000,
  ...more,
});
const events: LaneEvent[] = [
  ...ids.map((id) => ask(id)),
  ask('t3', { ancestry: ['t2'] }),
  ask('t2', { held: true, holdMs: 10 }),
  ...ids.map((ticketId): LaneEvent => ({ type: 'lane.release', ticketId, atMs: 1_000 })),
  examples['lane.configure'],
  examples['lane.clear'],
  { type: 'clock.tick', atMs: 2_000 },
  examples['supervisor.shutdown'],
];
const key = ({ value, context: { queue, holders, maxConcurrent, atMs } }: AnyMachineSnapshot): string =>
  JSON.stringify([
    value,
    queue.map((waiting: { ticketId: string }) => waiting.ticketId),
    Object.keys(holders).toSorted(),
    maxConcurrent,
    atMs,
  ]);

const neverIdleWithWaiters = ({ value, context }: AnyMachineSnapshot): string | undefined => {
  const active = Object.keys(context.holders).length;
  if (value === 'open' && context.queue.length > 0 && active < context.maxConcurrent)
    return 'somebody waits although a slot is free';
  // Those a restarted lane let queue for a slot that a late holder then took stay: the bound is passed by that much.
  const spare = context.incarnation > 1 ? context.maxConcurrent : 0;
  if (context.queue.length > context.maxQueue + spare) return 'the queue is longer than its bound';
  if (context.queue.some((waiting: { ticketId: string }) => waiting.ticketId in context.holders))
    return 'a ticket waits and is held';
  return undefined;
};

describe('every path of the lane', () => {
  for (const incarnation of [1, 2]) {
    const input: LaneInput = { name: 'main', maxConcurrent: 1, maxQueue: 1, incarnation, atMs: 1_000 };
    const found = explore(laneMachine, {
      input,
      events,
      serialize: key,
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
      for (const path of found.paths) expect(key(replay(live, path, input))).toBe(path.key);
    });
  }
});

function outcomesOf(state: string): string[] {
  const { all } = explore(laneMachine, {
    input: { name: 'x', maxConcurrent: 1, maxQueue: 1, incarnation: 1, atMs: 0 },
    events: [],
    ignorable: ['*'],
  }).transitions;
  return all.filter((name) => name.startsWith(`${state} lane.`) || name.startsWith(`${state} clock.`));
}
