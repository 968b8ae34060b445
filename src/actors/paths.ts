import { encodeSegment } from '../supervisor/index.ts';

const core = 'gateway/core';
const work = `${core}/work`;
/** Where everybody lives. Actors are reached by these, never by a kept ref. */
export const PATHS = {
  root: 'gateway',
  watch: 'gateway/watch',
  control: 'gateway/control',
  server: 'gateway/control/server',
  core,
  foundation: `${core}/foundation`,
  store: `${core}/foundation/store`,
  config: `${core}/foundation/config`,
  work,
  lanes: `${work}/lanes`,
  models: `${work}/models`,
  tools: `${work}/tools`,
  sessions: `${work}/sessions`,
  outbox: `${work}/outbox`,
  ingress: `${work}/ingress`,
  edge: `${core}/edge`,
  channels: `${core}/edge/channels`,
  heartbeat: `${core}/edge/heartbeat`,
  gate: `${core}/gate`,
  coordinator: `${core}/coordinator`,
} as const;

/** How the keys of sessions begin that live for one message. */
export const EPHEMERAL = 'ephemeral:';
/** Where the session of that key lives, when it lives. */
export const sessionPath = (sessionKey: string): string => `${PATHS.sessions}/${encodeSegment(sessionKey)}`;
/** Where the lane of that name lives. */
export const lanePath = (lane: string): string => `${PATHS.lanes}/${encodeSegment(lane)}`;
/** Where the health of that provider lives. */
export const modelPath = (provider: string): string => `${PATHS.models}/${encodeSegment(provider)}`;
