/** `sessions.changed`, for the connections that asked with `sessions.subscribe`. */
import type { RunSignal } from '../channels/contract.ts';
import type { Clients } from './clients.ts';
import type { GatewayPort } from './port.ts';
import { guarded, type Fault } from './throttle.ts';

export type SessionChange = 'reset' | 'new' | 'delete';

export interface SessionFeed {
  /** An operator's change; the turns of a session are watched here. */
  changed(sessionKey: string, reason: SessionChange): void;
  stop(): void;
}

export function createSessionFeed(deps: { port: GatewayPort; clients: Clients; fault: Fault }): SessionFeed {
  const { port, clients, fault } = deps;
  /** Who has no client pays nothing: the row is read only when somebody listens. */
  const say = (sessionKey: string, what: object): void => {
    if (!clients.sessionsWanted) return;
    const row = port.session(sessionKey);
    const identity = row && { sessionId: row.sessionId, agentId: row.agentId, updatedAt: row.updatedAt };
    const payload = { sessionKey, ts: Math.round(port.now()), ...identity, ...what };
    clients.broadcast('sessions.changed', payload, { scope: 'operator.read', sessionsOnly: true });
  };
  const hear = (signal: RunSignal): void => {
    const phase = phaseOf(signal);
    if (phase) say(signal.sessionKey, { phase, runId: signal.runId });
  };
  const stop = port.onRunSignal(guarded(fault, 'session event', hear));
  return { changed: (sessionKey, reason) => say(sessionKey, { reason }), stop };
}

function phaseOf(signal: RunSignal): 'start' | 'end' | 'error' | undefined {
  if (signal.kind === 'started') return 'start';
  if (signal.kind !== 'ended') return undefined;
  return signal.status === 'error' ? 'error' : 'end';
}
