/** Every method this gateway answers. `connect` is not among them: it is the handshake. */
import type { Method } from '../method.ts';
import { actorExplain, actorKill, actorPark, actorUnpark, treeGet, treeSubscribe } from './actors.ts';
import { agent, agentWait } from './agent.ts';
import { chatAbort, chatHistory, chatSend } from './chat.ts';
import { eventsQuery, eventsSubscribe } from './events.ts';
import { machinesGet, machinesList } from './machines.ts';
import { restartRequest, restartStatus } from './restart.ts';
import {
  agentsList,
  channelsStatus,
  configGet,
  health,
  modelsList,
  status,
  systemPresence,
} from './gateway.ts';
import {
  sessionsDelete,
  sessionsDescribe,
  sessionsList,
  sessionsReset,
  sessionsSubscribe,
  sessionsUnsubscribe,
} from './sessions.ts';

export const METHODS: ReadonlyMap<string, Method> = new Map(
  Object.entries({
    health,
    status,
    agent,
    'agent.wait': agentWait,
    'chat.send': chatSend,
    'chat.history': chatHistory,
    'chat.abort': chatAbort,
    'sessions.list': sessionsList,
    'sessions.describe': sessionsDescribe,
    'sessions.subscribe': sessionsSubscribe,
    'sessions.unsubscribe': sessionsUnsubscribe,
    'sessions.reset': sessionsReset,
    'sessions.delete': sessionsDelete,
    'models.list': modelsList,
    'agents.list': agentsList,
    'channels.status': channelsStatus,
    'system-presence': systemPresence,
    'config.get': configGet,
    'tree.get': treeGet,
    'tree.subscribe': treeSubscribe,
    'actor.explain': actorExplain,
    'actor.kill': actorKill,
    'actor.park': actorPark,
    'actor.unpark': actorUnpark,
    'events.query': eventsQuery,
    'events.subscribe': eventsSubscribe,
    'machines.list': machinesList,
    'machines.get': machinesGet,
    'restart.request': restartRequest,
    'restart.status': restartStatus,
  } satisfies Record<string, Method>),
);

export const METHOD_NAMES: readonly string[] = ['connect', ...METHODS.keys()];
export const EVENT_NAMES: readonly string[] = [
  'connect.challenge',
  'agent',
  'chat',
  'tick',
  'health',
  'sessions.changed',
  'tree',
  'fact',
  'shutdown',
];
