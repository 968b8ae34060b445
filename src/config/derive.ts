import { join } from 'node:path';
import { DEFAULT_MODELS } from './default-models.ts';
import type { Env } from './env.ts';
import type { Warning } from './problem.ts';
import { get, isRaw } from './raw.ts';
import type { Raw } from './raw.ts';
import { DEFAULT_LANES } from './schema.ts';

/**
 * The defaults that depend on what was written: providers and models from the keys at hand, the workspace from the
 * state directory. They lie below the file, so everything written wins.
 */
export function derive(
  written: Raw,
  env: Env,
  stateDir: string,
): { readonly raw: Raw; readonly warnings: readonly Warning[] } {
  const configured = get(written, ['models', 'providers']);
  const names = isRaw(configured) ? Object.keys(configured) : [];
  const { providers, primary, fallbacks, warnings } =
    names.length > 0 && isRaw(configured) ? fromFile(configured) : fromEnv(env);
  const builtIn = mentionsLoopback(written) ? { loopback: { api: 'loopback' } } : {};
  const model = modelOf(primary, fallbacks ?? [], get(written, ['agents', 'defaults', 'model']));
  const agents = { defaults: { workspace: join(stateDir, 'workspace'), ...model } };
  return {
    raw: { models: { providers: { ...builtIn, ...providers } }, agents, lanes: { ...DEFAULT_LANES } },
    warnings,
  };
}

/** Who names a primary has chosen: nothing else is tried that was not asked for. */
function modelOf(primary: string | undefined, fallbacks: readonly string[], chosen: unknown): Raw {
  if (primary === undefined) return {};
  const named = typeof chosen === 'string' || get(chosen, ['primary']) !== undefined;
  return { model: { primary, ...(named || fallbacks.length === 0 ? {} : { fallbacks }) } };
}

interface Derived {
  readonly providers: Raw;
  readonly primary: string | undefined;
  readonly fallbacks?: readonly string[];
  readonly warnings: readonly Warning[];
}

/** The first model of the first provider that lists one. */
function fromFile(configured: Raw): Derived {
  for (const [name, provider] of Object.entries(configured)) {
    if (get(provider, ['api']) === 'loopback')
      return { providers: {}, primary: `${name}/echo`, warnings: [] };
    const models = get(provider, ['models']);
    const first: unknown = Array.isArray(models) ? models[0] : undefined;
    const id = typeof first === 'string' ? first : get(first, ['id']);
    if (typeof id === 'string') return { providers: {}, primary: `${name}/${id}`, warnings: [] };
  }
  return { providers: {}, primary: undefined, warnings: [] };
}

function fromEnv(env: Env): Derived {
  const rows = DEFAULT_MODELS.filter(({ key }) => env[key]);
  const [primary, ...fallbacks] = rows.map(({ provider, model }) => `${provider}/${model}`);
  if (primary === undefined)
    return { providers: { loopback: { api: 'loopback' } }, primary: 'loopback/echo', warnings: [] };
  return {
    providers: Object.fromEntries(
      rows.map(({ provider, api, baseUrl, key }) => [provider, { api, baseUrl, apiKey: `env:${key}` }]),
    ),
    primary,
    fallbacks,
    warnings: rows.map(({ provider, key }) => ({
      path: `models.providers.${provider}`,
      message: `added, because ${key} is set`,
    })),
  };
}

/** The built-in provider needs no entry of its own. */
function mentionsLoopback(value: unknown): boolean {
  if (typeof value === 'string') return value.startsWith('loopback/');
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(mentionsLoopback);
}
