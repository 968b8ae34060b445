/**
 * The machines of coppice joined to the world, each as a child spec for a supervisor of your own: lanes, tickets, sessions
 * and runs, the way in and the way out, channels, resources, heartbeats, the regular tick.
 *
 * ```ts
 * const supervision = createSupervision({ clock, random: Math.random, report });
 * const deps = { clock, registry: supervision.registry };
 * const lanes = supervision.supervisor({
 *   strategy: 'one_for_one',
 *   intensity: 5,
 *   periodMs: 60_000,
 *   children: [laneChild(deps, { name: 'main', maxConcurrent: 4 })],
 * });
 * ```
 *
 * Every maker names the part of `Deps` it needs. They reach each other by the paths of `PATHS`, so a tree of your own
 * puts them there. Needs Node: effects are written through `coppice/host`.
 */
export { channelSupervisor, CHANNELS_SPEC } from './channel.ts';
export { coordinatorChild } from './coordinator.ts';
export type { CoordinatorOptions } from './coordinator.ts';
export type { Deps, Ids } from './deps.ts';
export { createDoor } from './door.ts';
export type { Door } from './door.ts';
export { gateChild } from './gate.ts';
export { heartbeatChild } from './heartbeat.ts';
export type { HeartbeatOptions } from './heartbeat.ts';
export { ingressChild } from './ingress.ts';
export { laneChild } from './lanes.ts';
export type { LaneOptions } from './lanes.ts';
export { orderCandidates, profileChild, profileState, tellProfile } from './models.ts';
export type { ProfileState } from './models.ts';
export { outboxChild } from './outbox.ts';
export { lanePath, modelPath, PATHS, sessionPath } from './paths.ts';
export { resourceChild } from './resource.ts';
export type { OpenContext, ResourceSpec } from './resource.ts';
export { runLogic } from './run.ts';
export type { RunOptions } from './run-options.ts';
export { scheduleChild } from './schedule.ts';
export type { ScheduleOptions } from './schedule.ts';
export { sessionsDoor } from './sessions.ts';
export type { SessionsDoor, SessionsOptions } from './sessions.ts';
export { createSignalSeq } from './signal-seq.ts';
export type { SignalSeq } from './signal-seq.ts';
export { createStoreHolder } from './store-holder.ts';
export type { StoreHolder } from './store-holder.ts';
export { createTicket } from './ticket.ts';
