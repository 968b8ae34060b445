/** The answer to `connect`: what this gateway is and does. Nothing in it is promised that is not there. */
import type { ServerContext } from './context.ts';
import type { Grant } from './handshake.ts';
import { EVENT_NAMES, METHOD_NAMES } from './protocol/methods/index.ts';

export function helloOk(context: ServerContext, connId: string, grant: Grant): object {
  const { port, limits, watch } = context;
  const now = port.now();
  const health = watch.recentHealth();
  return {
    type: 'hello-ok',
    protocol: grant.protocol,
    server: { version: port.version, connId },
    features: { methods: METHOD_NAMES, events: EVENT_NAMES },
    snapshot: {
      presence: [],
      health,
      stateVersion: { presence: 0, health: watch.healthVersion },
      uptimeMs: Math.round(now - port.startedAt),
      stateDir: port.stateDir,
      ...(port.configPath === undefined ? {} : { configPath: port.configPath }),
      sessionDefaults: {
        defaultAgentId: health.defaultAgentId,
        mainKey: 'main',
        mainSessionKey: 'agent:main:main',
        scope: 'per-sender',
      },
      authMode: context.authenticator.mode,
    },
    auth: { role: grant.role, scopes: grant.scopes, issuedAtMs: Math.round(now) },
    policy: {
      maxPayload: limits.frameBytes,
      maxBufferedBytes: limits.backlogBytes,
      tickIntervalMs: limits.tickMs,
    },
  };
}
