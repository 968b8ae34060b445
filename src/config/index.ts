/** What the operator said: one plain object, with the origin of every value. */
export { agentConfigs } from './agents.ts';
export type { AgentConfig } from './agents.ts';
export { parseDuration } from './duration.ts';
export { envKeys, envName } from './env.ts';
export type { Env } from './env.ts';
export { loadConfig } from './load.ts';
export type { LoadedConfig, LoadOptions, Origin } from './load.ts';
export { nearest } from './nearest.ts';
export { configPath, stateDir } from './places.ts';
export type { Flags } from './places.ts';
export type { Problem, Warning } from './problem.ts';
export { bindAddress, isLoopback } from './rules.ts';
export { configSchema } from './schema.ts';
export type { Config } from './schema.ts';
export { defaultOf, leaves, metaOf, optionsOf, typeOf } from './schema-keys.ts';
