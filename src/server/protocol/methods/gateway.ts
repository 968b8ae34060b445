/** The condition of the gateway, who is connected, and what it offers. */
import { z } from 'zod';
import { isLoopback } from '../../address.ts';
import { fullHealth } from '../health-view.ts';
import { defineMethod } from '../method.ts';
import { words } from './fields.ts';

export const health = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({ probe: z.boolean().optional() }),
  handle: (_params, { port }) => ({ payload: fullHealth(port) }),
});

export const status = defineMethod({
  scope: 'operator.read',
  // There is no summary of channels to leave out: `health` has them.
  params: z.strictObject({ includeChannelSummary: words.flag }),
  handle: (_params, { port, protocol }) => {
    const now = port.now();
    const view = fullHealth(port);
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

/** The channels as `health` has them, in the shape clients list them in: one account each. */
export const channelsStatus = defineMethod({
  scope: 'operator.read',
  // What the supervision tree knows is fresh: there is nothing to probe for and nothing to wait for.
  params: z.strictObject({
    probe: words.flag,
    timeoutMs: z.number().min(0).optional(),
    channel: words.word,
  }),
  handle({ channel }, { port }) {
    const view = port.health();
    const order = view.channelOrder.filter((name) => channel === undefined || name === channel);
    const each = (of: (name: string) => unknown): object =>
      Object.fromEntries(order.map((name) => [name, of(name)]));
    return {
      payload: {
        ts: view.ts,
        channelOrder: order,
        channelLabels: each((name) => view.channelLabels[name]),
        channels: each((name) => view.channels[name]),
        channelAccounts: each((name) => [accountOf(view.channels[name])]),
        channelDefaultAccountId: each((name) => accountOf(view.channels[name]).accountId),
      },
    };
  },
});

function accountOf(state: unknown) {
  const {
    accountId = 'default',
    status,
    linked,
  } = (state ?? {}) as {
    accountId?: string;
    status?: string;
    linked?: boolean;
  };
  return {
    accountId,
    enabled: true,
    configured: true,
    running: status === 'running',
    linked: linked === true,
  };
}

export const modelsList = defineMethod({
  scope: 'operator.read',
  // Every agent may use every model.
  params: z.strictObject({ agentId: words.word }),
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

/** A plain list, without an envelope. */
export const systemPresence = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({}),
  handle: (_params, call) => ({ payload: call.presence() }),
});

/** The part of the configuration this server itself enforces, and where the file is. Holds no secret. */
export const configGet = defineMethod({
  scope: 'operator.read',
  params: z.strictObject({}),
  handle: (_params, { port, own }) => ({
    payload: {
      path: port.configPath ?? null,
      exists: port.configPath !== undefined,
      valid: true,
      issues: [],
      warnings: [],
      legacyIssues: [],
      partial: true,
      config: {
        gateway: {
          mode: 'local',
          bind: isLoopback(own.host) ? 'loopback' : own.host,
          port: own.port,
          auth: { mode: own.authMode },
        },
      },
    },
  }),
});
