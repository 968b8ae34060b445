import { agentConfigs, loopDetectionOf } from './agents.ts';
import { nearest } from './nearest.ts';
import type { Config } from './schema.ts';

export interface Violation {
  readonly path: readonly string[];
  readonly message: string;
}

/** Does this bind reach nobody but this machine? */
export function isLoopback(bind: string): boolean {
  return bind === 'loopback' || bind === 'localhost' || bind === '::1' || bind.startsWith('127.');
}

/** The address to listen on. */
export function bindAddress(bind: string): string {
  if (bind === 'loopback' || bind === 'localhost') return '127.0.0.1';
  return bind === 'lan' ? '0.0.0.0' : bind;
}

/** What no single key can know. */
export function violations(config: Config): Violation[] {
  return [
    ...exposure(config),
    ...logSizes(config),
    ...references(config),
    ...agentIds(config),
    ...profileIds(config),
    ...channelRules(config),
    ...loopThresholds(config),
  ];
}

/** A gateway that others can reach runs tools for whoever asks: never without a token. */
function exposure({ gateway: { bind, auth } }: Config): Violation[] {
  if (isLoopback(bind)) return [];
  if (auth.mode === 'none')
    return [
      {
        path: ['gateway', 'auth', 'mode'],
        message: `"none" is for a loopback bind only, and gateway.bind is "${bind}"; write "token", or bind to "loopback"`,
      },
    ];
  if (auth.token === undefined)
    return [
      {
        path: ['gateway', 'bind'],
        message: `"${bind}" can be reached from other machines: set gateway.auth.token (or COPPICE_TOKEN), or bind to "loopback"`,
      },
    ];
  return [];
}

function logSizes({ logging }: Config): Violation[] {
  if (logging.maxTotalMb >= logging.maxFileMb) return [];
  return [
    {
      path: ['logging', 'maxTotalMb'],
      message: `it is less than one file; make it at least ${logging.maxFileMb} (logging.maxFileMb), or make that smaller`,
    },
  ];
}

/** A warning comes before an end, and one loop ends before all calls are held to be one. */
function loopThresholds(config: Config): Violation[] {
  const { tools, agents } = config;
  return [
    ...thresholdsIn(['tools', 'loopDetection'], tools.loopDetection),
    ...agents.list.flatMap((agent, index) => {
      const own = agent.tools?.loopDetection;
      if (!own) return [];
      const path = ['agents', 'list', String(index), 'tools', 'loopDetection'];
      return thresholdsIn(path, loopDetectionOf(config, agent), own);
    }),
  ];
}

const THRESHOLDS = ['warningThreshold', 'criticalThreshold', 'globalCircuitBreakerThreshold'] as const;

/** `own`: what was said in this place; the rest comes from elsewhere. */
function thresholdsIn(
  path: readonly string[],
  policy: Config['tools']['loopDetection'],
  own: { readonly [K in (typeof THRESHOLDS)[number]]?: number | undefined } = policy,
): Violation[] {
  return THRESHOLDS.slice(1).flatMap((key, at) => {
    const below = THRESHOLDS[at] ?? 'warningThreshold';
    const said = own[key] !== undefined || own[below] !== undefined;
    if (!said || policy[key] > policy[below]) return [];
    const message = `${policy[key]} is not more than ${below} (${policy[below]}); make it at least ${policy[below] + 1}, or make ${below} smaller`;
    return [{ path: [...path, key], message }];
  });
}

/** Every model named anywhere has a provider. */
function references({ agents, models }: Config): Violation[] {
  const known = Object.keys(models.providers);
  const { defaults, list } = agents;
  const named: [string[], string | undefined][] = [
    [['agents', 'defaults', 'model', 'primary'], defaults.model.primary],
    ...defaults.model.fallbacks.map((name, index): [string[], string] => [
      ['agents', 'defaults', 'model', 'fallbacks', String(index)],
      name,
    ]),
    [['agents', 'defaults', 'heartbeat', 'model'], defaults.heartbeat.model],
    ...list.flatMap((agent, index): [string[], string | undefined][] => [
      [['agents', 'list', String(index), 'model'], agent.model?.primary],
      ...(agent.model?.fallbacks ?? []).map((name): [string[], string] => [
        ['agents', 'list', String(index), 'model'],
        name,
      ]),
      [['agents', 'list', String(index), 'heartbeat', 'model'], agent.heartbeat?.model],
    ]),
  ];
  return named.flatMap(([path, name]) => {
    const provider = name?.split('/')[0];
    if (provider === undefined || known.includes(provider)) return [];
    const meant = nearest(provider, known);
    return [
      {
        path,
        message: `there is no provider "${provider}" under models.providers; ${meant ? `did you mean "${meant}"?` : `add it there, or name one of: ${known.join(', ')}`}`,
      },
    ];
  });
}

function agentIds({ agents: { list } }: Config): Violation[] {
  const repeated = list.flatMap((agent, index) =>
    list.findIndex((other) => other.id === agent.id) < index
      ? [
          {
            path: ['agents', 'list', String(index), 'id'],
            message: `there is another agent "${agent.id}"; give one of them another id`,
          },
        ]
      : [],
  );
  if (list.filter((agent) => agent.default).length <= 1) return repeated;
  return [
    ...repeated,
    {
      path: ['agents', 'list'],
      message: 'more than one agent is marked default; leave "default": true on one',
    },
  ];
}

function profileIds({ models: { providers } }: Config): Violation[] {
  return Object.entries(providers).flatMap(([name, { apiKey, profiles = [] }]) => {
    const path = ['models', 'providers', name, 'profiles'];
    const both =
      apiKey !== undefined && profiles.length > 0
        ? [{ path, message: 'apiKey and profiles are both set; move the key into profiles' }]
        : [];
    const repeated = profiles.flatMap(({ id }, index) =>
      profiles.findIndex((other) => other.id === id) < index
        ? [{ path: [...path, String(index), 'id'], message: `there is another profile "${id}"; rename one` }]
        : [],
    );
    return [...both, ...repeated];
  });
}

/** Channels that share a name with what is built in would take its messages for their own. */
const BUILT_IN = ['webchat'];

function channelRules(config: Config): Violation[] {
  const agents = agentConfigs(config).map(({ id }) => id);
  return Object.entries(config.channels).flatMap(([name, { agentId }]) => {
    const path = ['channels', name];
    const taken = BUILT_IN.includes(name)
      ? [{ path, message: `"${name}" is the gateway's own chat; choose another name` }]
      : [];
    if (agentId === undefined || agents.includes(agentId)) return taken;
    const message = `there is no agent "${agentId}"; name one of: ${agents.join(', ')}`;
    return [...taken, { path: [...path, 'agentId'], message }];
  });
}
