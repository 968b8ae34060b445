import type { Config } from './schema.ts';

type Defaults = Config['agents']['defaults'];
type Agent = Config['agents']['list'][number];
type LoopDetection = Config['tools']['loopDetection'];

/** One agent with the defaults filled in. */
export interface AgentConfig {
  readonly id: string;
  readonly name: string | undefined;
  readonly default: boolean;
  readonly model: Defaults['model'];
  readonly workspace: string;
  readonly timeoutMs: number;
  readonly heartbeat: Defaults['heartbeat'];
  readonly systemPrompt: string | undefined;
  /** The gateway's policy narrowed by the agent's: `allow` must be met in both, `deny` in either. */
  readonly tools: { readonly allow: readonly (readonly string[])[]; readonly deny: readonly string[] };
  readonly loopDetection: LoopDetection;
}

/** Every agent. With no list there is one, `main`. Exactly one is the default: the marked one, else the first. */
export function agentConfigs(config: Config): AgentConfig[] {
  const { defaults, list } = config.agents;
  const agents: Config['agents']['list'] = list.length > 0 ? list : [{ id: 'main' }];
  const chosen = agents.find((agent) => agent.default) ?? agents[0];
  // As in the field: once one agent has a heartbeat of its own, only such agents have one; else only the default has.
  const some = agents.some((agent) => agent.heartbeat);
  return agents.map((agent) => ({
    id: agent.id,
    name: agent.name,
    default: agent === chosen,
    model: agent.model ?? defaults.model,
    workspace: agent.workspace ?? defaults.workspace,
    timeoutMs: agent.timeoutMs ?? defaults.timeoutMs,
    heartbeat: heartbeatOf(
      defaults.heartbeat,
      agent.heartbeat,
      some ? agent.heartbeat !== undefined : agent === chosen,
    ),
    systemPrompt: agent.systemPrompt ?? defaults.systemPrompt,
    tools: {
      allow: [config.tools.allow, agent.tools?.allow ?? defaults.tools.allow].filter(
        (names) => names !== undefined,
      ),
      deny: [...config.tools.deny, ...(agent.tools?.deny ?? defaults.tools.deny ?? [])],
    },
    loopDetection: loopDetectionOf(config, agent),
  }));
}

/** The gateway's, and key by key what the agent says instead. */
export function loopDetectionOf({ tools }: Config, agent: Agent): LoopDetection {
  const { detectors = {}, ...own } = agent.tools?.loopDetection ?? {};
  const standard = tools.loopDetection;
  return { ...over(standard, own), detectors: over(standard.detectors, detectors) };
}

function heartbeatOf(
  defaults: Defaults['heartbeat'],
  own: Agent['heartbeat'],
  enabled: boolean,
): Defaults['heartbeat'] {
  const merged = over(defaults, own ?? {});
  return enabled ? merged : { ...merged, every: 0 };
}

function over<T extends object>(standard: T, own: { readonly [K in keyof T]?: T[K] | undefined }): T {
  const given = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...standard, ...Object.fromEntries(given) };
}
