/**
 * coppice as a library: a supervised agent gateway inside your own process.
 *
 * ```ts
 * const { config } = loadConfig({ env: {}, flags: { stateDir: './state', port: 0 } });
 * const gateway = createGateway(config, { stateDir: './state' });
 * await gateway.start();
 * ```
 *
 * Several may live in one process; nothing is process-global. No signal handler and no process trap is installed.
 */
import type { Channel } from './channels/index.ts';
import { bindAddress, type Config } from './config/index.ts';
import { CoppiceError } from './errors.ts';
import { createHandle, type GatewayHandle } from './gateway/handle.ts';
import { createLiveConfig } from './gateway/config.ts';
import { systemPorts, type GatewayPorts } from './gateway/ports.ts';
import type { Provider } from './models/index.ts';
import type { Clock } from './supervisor/index.ts';
import type { Tool } from './tools/index.ts';

/** What a host hands to its gateway. */
export interface GatewayOverrides {
  /** Where the durable store and the log live. One gateway at a time: take `acquireLock` if others may come. */
  readonly stateDir: string;
  readonly configPath?: string;
  readonly version?: string;
  /** A bound socket to listen on instead of `gateway.bind` and `gateway.port`. */
  readonly listenFd?: number | undefined;
  /** The world: clock, ids, chance, disk, net. What is not given is the real one; a simulator may stand behind each. */
  readonly ports?: Partial<GatewayPorts>;
  /** Short for `ports.clock`. */
  readonly clock?: Clock;
  /** Aborting it asks for a drained stop. */
  readonly signal?: AbortSignal;
  /** Default true: log files in the state directory and lines on the console, as configured. */
  readonly log?: boolean;
  /** Beside the configured ones; one of the same name wins over the configuration. */
  readonly providers?: readonly Provider[];
  readonly tools?: readonly Tool[];
  readonly channels?: readonly Channel[];
}

/**
 * A gateway that does nothing until `start()`.
 *
 * @throws CoppiceError AUTH_REQUIRED when it would listen beyond loopback without a token, PROVIDER_INVALID, TOOL_INVALID
 */
export function createGateway(config: Config, overrides: GatewayOverrides): GatewayHandle {
  const { gateway } = config;
  if (gateway.auth.mode === 'token' && !gateway.auth.token) {
    throw new CoppiceError('AUTH_REQUIRED', { host: bindAddress(gateway.bind), reason: 'no token is set' });
  }
  const {
    stateDir,
    configPath,
    version = '0.0.0',
    listenFd,
    clock,
    ports,
    signal,
    log = true,
    providers,
    tools,
    channels,
  } = overrides;
  return createHandle({
    live: createLiveConfig(config),
    stateDir,
    configPath,
    version,
    listenFd,
    ports: { ...systemPorts(), ...ports, ...(clock ? { clock } : {}) },
    signal,
    log,
    providers,
    tools,
    channels,
  });
}

export { defineChannel, type Channel } from './channels/index.ts';
export { loadConfig, stateDir, type Config, type LoadedConfig } from './config/index.ts';
export { CoppiceError, ERRORS, type ErrorCode } from './errors.ts';
export type { Reconfigured } from './gateway/config.ts';
export type { GatewayHandle } from './gateway/handle.ts';
export type { Ended } from './gateway/life.ts';
export { systemPorts, type GatewayPorts } from './gateway/ports.ts';
export {
  defineProvider,
  ModelFailure,
  type ModelPart,
  type ModelRequest,
  type Provider,
} from './models/index.ts';
export { defineTool, type Tool, type ToolContext } from './tools/index.ts';
export { acquireLock } from './store/index.ts';
export type { TreeNode } from './supervisor/index.ts';
