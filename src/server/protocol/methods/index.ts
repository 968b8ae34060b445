/** Every method this gateway answers. `connect` is not among them: it is the handshake. */
import type { Method } from '../method.ts';
import { actorExplain, actorKill, treeGet, treeSubscribe } from './actors.ts';
import { agent, agentWait } from './agent.ts';
import { chatAbort, chatHistory, chatSend } from './chat.ts';
import { agentsList, health, modelsList, status } from './gateway.ts';
import { sessionsDelete, sessionsList, sessionsReset } from './sessions.ts';

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
    'sessions.reset': sessionsReset,
    'sessions.delete': sessionsDelete,
    'models.list': modelsList,
    'agents.list': agentsList,
    'tree.get': treeGet,
    'tree.subscribe': treeSubscribe,
    'actor.explain': actorExplain,
    'actor.kill': actorKill,
  } satisfies Record<string, Method>),
);

export const METHOD_NAMES: readonly string[] = ['connect', ...METHODS.keys()];
export const EVENT_NAMES: readonly string[] = [
  'connect.challenge',
  'agent',
  'chat',
  'tick',
  'health',
  'tree',
  'shutdown',
];
