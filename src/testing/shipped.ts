import type { AnyStateMachine } from 'xstate';
import type { Scenario, Shipped } from './scenario.ts';

interface Room {
  readonly machine: AnyStateMachine;
  readonly scenarios: readonly Scenario[];
}

/** Loaded when asked for: whoever tests a machine of their own needs none of ours. */
const ROOMS: Readonly<Record<string, () => Promise<Room>>> = {
  channel: () => import('./scenarios/channel.ts'),
  gate: () => import('./scenarios/gate.ts'),
  heartbeat: () => import('./scenarios/heartbeat.ts'),
  ingress: () => import('./scenarios/ingress.ts'),
  lane: () => import('./scenarios/lane.ts'),
  lifeCycle: () => import('./scenarios/life-cycle.ts'),
  outbox: () => import('./scenarios/outbox.ts'),
  profile: () => import('./scenarios/profile.ts'),
  resource: () => import('./scenarios/resource.ts'),
  restart: () => import('./scenarios/restart.ts'),
  run: () => import('./scenarios/run.ts'),
  schedule: () => import('./scenarios/schedule.ts'),
  session: () => import('./scenarios/session.ts'),
  toolLoop: () => import('./scenarios/tool-loop.ts'),
};

/** The machines of coppice that come with scenarios, by the names of `coppice machines ls`. */
export const shippedNames: readonly string[] = Object.keys(ROOMS);

/** A machine of coppice with its scenarios. Undefined: there is none of that name. */
export async function shipped(name: string): Promise<Shipped | undefined> {
  const load = Object.hasOwn(ROOMS, name) ? ROOMS[name] : undefined;
  if (!load) return undefined;
  const { machine, scenarios } = await load();
  return { name, from: name === 'lifeCycle' ? 'coppice/supervisor' : 'coppice/machines', machine, scenarios };
}
