/** `health`, `status`, `models.list` and `agents.list`: the condition of the gateway and what it offers. */
import { z } from 'zod';
import { defineMethod } from '../method.ts';

export const health = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({ probe: z.boolean().optional() }),
  handle: (_params, { port }) => ({ payload: port.health() }),
});

export const status = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({}),
  handle: (_params, { port, protocol }) => {
    const now = port.now();
    const view = port.health();
    const { ready, reasons } = port.readiness();
    return {
      payload: {
        pid: process.pid,
        startedAt: Math.round(port.startedAt),
        uptimeMs: Math.round(now - port.startedAt),
        version: port.version,
        protocol,
        stateDir: port.stateDir,
        ...(port.configPath === undefined ? {} : { configPath: port.configPath }),
        ready,
        readyReasons: reasons,
        sessions: view.sessions,
        health: view,
      },
    };
  },
});

export const modelsList = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({}),
  handle: (_params, { port }) => ({
    payload: { models: port.models().map((model) => ({ name: model.id, ...model })) },
  }),
});

export const agentsList = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({}),
  handle: (_params, { port }) => {
    const agents = port.agents();
    const defaultId = agents.find((agent) => agent.default)?.id ?? 'main';
    return { payload: { defaultId, mainKey: 'main', scope: 'per-sender', agents } };
  },
});
