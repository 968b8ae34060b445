import { encodeSegment } from '../supervisor/index.ts';

/** Where everybody lives. Actors are reached by these, never by a kept ref. */
const core = 'gateway/core';
const work = `${core}/work`;
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
export const sessionPath = (sessionKey: string): string => `${PATHS.sessions}/${encodeSegment(sessionKey)}`;
export const lanePath = (lane: string): string => `${PATHS.lanes}/${encodeSegment(lane)}`;
export const modelPath = (provider: string): string => `${PATHS.models}/${encodeSegment(provider)}`;
