import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Env } from './env.ts';

/** What the command line says. `set` takes any key by its dotted path. */
export interface Flags {
  readonly config?: string | undefined;
  readonly stateDir?: string | undefined;
  readonly port?: number | string | undefined;
  readonly bind?: string | undefined;
  readonly token?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly set?: Readonly<Record<string, unknown>> | undefined;
}

const home = (env: Env): string => env['HOME'] || homedir();

/** --state-dir, else COPPICE_STATE_DIR, else $XDG_STATE_HOME/coppice, else ~/.local/state/coppice. Absolute. */
export function stateDir(env: Env, flags: Pick<Flags, 'stateDir'> = {}): string {
  const named = flags.stateDir || env['COPPICE_STATE_DIR'];
  return resolve(named || join(env['XDG_STATE_HOME'] || join(home(env), '.local', 'state'), 'coppice'));
}

/** --config, else COPPICE_CONFIG, else $XDG_CONFIG_HOME/coppice/config.jsonc, else ~/.config/coppice/config.jsonc. Absolute. */
export function configPath(
  env: Env,
  flags: Pick<Flags, 'config'> = {},
): { readonly path: string; readonly named: boolean } {
  const named = flags.config || env['COPPICE_CONFIG'];
  const path = named || join(env['XDG_CONFIG_HOME'] || join(home(env), '.config'), 'coppice', 'config.jsonc');
  return { path: resolve(path), named: Boolean(named) };
}
