/**
 * The statecharts of coppice, for any host: each namespace has the machine, its input and effects, `withEffects`
 * and `examples`. Needs xstate alone; no Node, no DOM.
 */
export * as channel from './channel.ts';
export * as gate from './gate.ts';
export * as heartbeat from './heartbeat.ts';
export * as ingress from './ingress.ts';
export * as lane from './lane.ts';
export * as outbox from './outbox.ts';
export * as profile from './profile.ts';
export * as resource from './resource.ts';
export * as restart from './restart.ts';
export * as run from './run.ts';
export * as schedule from './schedule.ts';
export * as session from './session.ts';
export * as toolLoop from './tool-loop.ts';
export { sessionHost } from './session-host.ts';
export type {
  NewMessage,
  SessionChild,
  SessionHost,
  SessionHostOptions,
  SessionNews,
  SessionRecords,
} from './session-host.ts';
export type { ReplyInput } from './session-reply.ts';
export type { SessionLine, SessionRecord } from './session-records.ts';
export { picture } from './picture.ts';
export { diagram } from './diagram.ts';
export { LIMITS, NODES } from './limits.ts';
export type * from './turn.ts';
