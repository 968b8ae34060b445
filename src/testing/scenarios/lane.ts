import type { AnyStateMachine } from 'xstate';
import { examples, laneMachine } from '../../machines/lane.ts';
import type { LaneEvent } from '../../machines/lane.ts';
import { abstract } from '../abstract.ts';
import { scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

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

const lane = (incarnation: number) => ({
  input: { name: 'main', maxConcurrent: 1, maxQueue: 1, incarnation, atMs: 1_000 },
  events,
  serialize: abstract({ keep: ['queue', 'holders', 'maxConcurrent', 'atMs'] }),
});

export const machine: AnyStateMachine = laneMachine;
export const scenarios: readonly Scenario[] = [
  scenario(laneMachine, 'a lane in its first life', lane(1)),
  scenario(laneMachine, 'a lane that was restarted and asks who holds its slots', lane(2)),
];
