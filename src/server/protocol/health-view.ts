/** The port's health with what clients of this protocol read of every agent: its heartbeat and its sessions. */
import type { GatewayPort, HealthView } from '../port.ts';

const RECENT = 5;
/** With several agents their sessions are counted among this many, the most recently active ones. */
const COUNTED = 1_000;

export function fullHealth(port: GatewayPort): HealthView {
  const view = port.health();
  return {
    ...view,
    agents: port.agents().map(({ id, name, default: isDefault }) => ({
      agentId: id,
      name: name ?? id,
      isDefault,
      // The view knows the interval of the default agent alone.
      ...(isDefault ? { heartbeat: heartbeat(view.heartbeatSeconds) } : {}),
      sessions: agentSessions(port, view, id),
    })),
  };
}

function heartbeat(seconds: number): object {
  return { enabled: seconds > 0, everyMs: seconds * 1_000 };
}

function agentSessions(port: GatewayPort, view: HealthView, agentId: string): HealthView['sessions'] {
  if (view.agents.length <= 1) return view.sessions;
  const rows = port.sessions({ agentId, limit: COUNTED });
  const recent = rows.slice(0, RECENT).map(({ sessionKey, updatedAt }) => ({
    key: sessionKey,
    updatedAt,
    age: Math.max(0, Math.round(view.ts - updatedAt)),
  }));
  return { path: view.sessions.path, count: rows.length, recent };
}
