import { bindAddress, type Config, loadConfig } from '../config/index.ts';
import type { CommonOptions } from './options.ts';
import type { Io } from './io.ts';

export interface RunOptions extends CommonOptions {
  readonly port?: number;
  readonly bind?: string;
  readonly config?: string;
  readonly foreground?: boolean;
  /** Default true. */
  readonly launcher?: boolean;
}

/** What running a gateway needs to know of its configuration. */
export interface RunConfig {
  /** The address to listen on; the port may be 0. */
  readonly host: string;
  readonly port: number;
  readonly stateDir: string;
  readonly config: Config;
  /** The file that was read, if there was one. */
  readonly file: string | undefined;
  readonly warnings: readonly string[];
}

/** Throws CONFIG_INVALID with everything that is wrong. */
export function readRunConfig(io: Io, options: RunOptions): RunConfig {
  const { port, bind, token, config: file, stateDir } = options;
  const loaded = loadConfig({ env: io.env, flags: { port, bind, token, config: file, stateDir } });
  const { gateway } = loaded.config;
  return {
    host: bindAddress(gateway.bind),
    port: gateway.port,
    stateDir: loaded.stateDir,
    config: loaded.config,
    file: loaded.file,
    warnings: loaded.warnings.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)),
  };
}

/** A token is required, and nobody has said which: the gateway makes its own. */
export function needsOwnToken({ config: { gateway } }: RunConfig): boolean {
  return gateway.auth.mode === 'token' && gateway.auth.token === undefined;
}

/** The same configuration with that token. */
export function withToken({ config }: RunConfig, token: string): Config {
  return { ...config, gateway: { ...config.gateway, auth: { ...config.gateway.auth, token } } };
}
