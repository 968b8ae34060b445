/** The configuration, translated into what each room asks for. Pure. */
import type { CoordinatorOptions } from '../actors/coordinator.ts';
import type { HeartbeatOptions } from '../actors/heartbeat.ts';
import type { LaneOptions } from '../actors/lanes.ts';
import type { RunOptions } from '../actors/run.ts';
import type { SessionsOptions } from '../actors/sessions.ts';
import { agentConfigs, bindAddress, type AgentConfig, type Config } from '../config/index.ts';
import type { PortFacts } from './port.ts';
import { parseMinutes } from '../machines/active-hours.ts';
import type { Candidate, TurnMessage } from '../machines/turn.ts';
import type { WebhookOptions } from '../channels/index.ts';
import type { ModelsConfig } from '../models/index.ts';
import type { GatewayAuth, ServerLimits } from '../server/index.ts';
import type { LogOptions } from '../telemetry/log/index.ts';

export interface GatewaySettings {
  readonly listen: { readonly host: string; readonly port: number };
  readonly auth: GatewayAuth;
  readonly allowedOrigins: readonly string[];
  readonly limits: Partial<ServerLimits>;
  readonly models: ModelsConfig;
  readonly webhooks: readonly WebhookOptions[];
  /** What each agent may use: a name must pass every list of `allow` and none of `deny`. */
  toolPolicy(agentId: string): AgentConfig['tools'];
  readonly lanes: readonly LaneOptions[];
  readonly heartbeats: readonly HeartbeatOptions[];
  readonly runs: Pick<
    RunOptions,
    'candidates' | 'systemPrompt' | 'workspace' | 'loop' | 'retry' | 'idleMs' | 'firstByteMs'
  >;
  readonly sessions: Pick<SessionsOptions, 'agentOf' | 'idleMs' | 'turnTimeoutMs' | 'laneOf' | 'maxQueue'>;
  readonly coordinator: Pick<CoordinatorOptions, 'deferMs' | 'drainMs' | 'cooldownMs'>;
  readonly log: Omit<LogOptions, 'dir'>;
  readonly facts: Pick<PortFacts, 'agents' | 'candidates' | 'heartbeatSeconds' | 'providers' | 'models'>;
  /** The folders of the agents' tools. Absolute. */
  readonly workspaces: readonly string[];
  /** Restart limits the operator set, by path. */
  readonly supervision: Config['supervision'];
}

/** The longest silence of a model, and the longest wait for its first word: hosted reasoning models take a minute or two. */
const MODEL_IDLE_MS = 120_000;
const MODEL_FIRST_BYTE_MS = 180_000;

export function settingsOf(config: Config): GatewaySettings {
  const agents = agentConfigs(config);
  const standard = agents.find((agent) => agent.default)!;
  const agent = (id: string): AgentConfig => agents.find((one) => one.id === id) ?? standard;
  const { gateway, models, session, lanes, restart } = config;
  return {
    listen: { host: bindAddress(gateway.bind), port: gateway.port },
    auth:
      gateway.auth.mode === 'none' ? { mode: 'none' } : { mode: 'token', token: gateway.auth.token ?? '' },
    allowedOrigins: gateway.allowedOrigins,
    limits: limitsOf(gateway),
    models: { providers: models.providers },
    webhooks: Object.entries(config.channels).flatMap(([name, channel]) =>
      channel.enabled ? [{ name, ...channel }] : [],
    ),
    toolPolicy: (id) => agent(id).tools,
    lanes: Object.entries(lanes).map(([name, { maxConcurrent }]) => ({ name, maxConcurrent })),
    // One of every agent, also where it is off: it may be switched on while the gateway runs.
    heartbeats: agents.map(heartbeatOf),
    runs: {
      candidates: (id, message) => candidatesOf(agent(id), message),
      systemPrompt: (id) => agent(id).systemPrompt ?? '',
      workspace: (id) => agent(id).workspace,
      loop: (id) => agent(id).loopDetection,
      retry: { ...config.retry, ...withoutUndefined(models.retry) },
      idleMs: MODEL_IDLE_MS,
      firstByteMs: MODEL_FIRST_BYTE_MS,
    },
    sessions: {
      agentOf: (sessionKey) => agentIdOf(sessionKey) ?? standard.id,
      idleMs: Math.round(session.idleMinutes * 60_000),
      turnTimeoutMs: (id) => agent(id).timeoutMs,
      maxQueue: session.queue.cap,
    },
    coordinator: { deferMs: restart.deferMs, drainMs: restart.drainMs, cooldownMs: restart.cooldownMs },
    log: logOf(config),
    facts: {
      agents: agents.map(({ id, name, default: isDefault }) => ({
        id,
        default: isDefault,
        ...(name ? { name } : {}),
      })),
      heartbeatSeconds: Math.round(standard.heartbeat.every / 1_000),
      providers: [
        ...new Set(
          [standard.model.primary, ...standard.model.fallbacks].map((ref) => candidateOf(ref).provider),
        ),
      ],
      models: [...new Set(agents.flatMap(({ model }) => [model.primary, ...model.fallbacks]))],
      candidates: [standard.model.primary, ...standard.model.fallbacks].map(candidateOf),
    },
    workspaces: agents.map((one) => one.workspace),
    supervision: config.supervision,
  };
}

/** `agent:ID:...` names its agent; any other key belongs to the default one. */
const agentIdOf = (sessionKey: string): string | undefined => /^agent:([^:]+):/.exec(sessionKey)?.[1];

function candidatesOf({ model, heartbeat }: AgentConfig, { source, options }: TurnMessage): Candidate[] {
  const asked = options['model'];
  const first =
    typeof asked === 'string' && asked.includes('/')
      ? asked
      : source === 'heartbeat'
        ? heartbeat.model
        : undefined;
  const references = [...(first ? [first] : []), model.primary, ...model.fallbacks];
  return [...new Set(references)].map(candidateOf);
}

/** "provider/model"; a model's own name may contain slashes. */
function candidateOf(reference: string): Candidate {
  const cut = reference.indexOf('/');
  return { provider: reference.slice(0, cut), model: reference.slice(cut + 1) };
}

function heartbeatOf({ id, default: isDefault, heartbeat }: AgentConfig): HeartbeatOptions {
  const { every, prompt, activeHours, ackMaxChars, target } = heartbeat;
  return {
    ...(isDefault ? {} : { id: `heartbeat:${id}` }),
    agentId: id,
    everyMs: every,
    prompt,
    ackMaxChars,
    turn: { target },
    ...(activeHours ? { activeHours: hoursOf(activeHours) } : {}),
  };
}

function hoursOf({
  start,
  end,
  timezone,
}: NonNullable<AgentConfig['heartbeat']['activeHours']>): NonNullable<HeartbeatOptions['activeHours']> {
  const named = timezone === 'local' || timezone === 'user' ? {} : { timeZone: timezone };
  // The schema has checked both.
  return { start: parseMinutes(start) ?? 0, end: parseMinutes(end) ?? 0, ...named };
}

function limitsOf({ limits, auth }: Config['gateway']): Partial<ServerLimits> {
  const { maxAttempts, windowMs, lockoutMs } = auth.rateLimit;
  return { ...limits, authAttempts: maxAttempts, authWindowMs: windowMs, authLockoutMs: lockoutMs };
}

function logOf({ logging, gateway, models, channels }: Config): Omit<LogOptions, 'dir'> {
  const { level, consoleLevel, consoleStyle, redactPatterns, maxFileMb, maxTotalMb } = logging;
  const keys = Object.values(models.providers).flatMap(({ apiKey, headers }) => [
    apiKey,
    ...Object.values(headers ?? {}),
  ]);
  const signed = Object.values(channels).map(({ secret }) => secret);
  const secrets = [gateway.auth.token, ...keys, ...signed].filter((secret) => secret !== undefined);
  return { level, consoleLevel, consoleStyle, redactPatterns, maxFileMb, maxTotalMb, secrets };
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
