import { join } from 'node:path';
import type { Env } from './env.ts';
import type { Warning } from './problem.ts';
import { get, isRaw } from './raw.ts';
import type { Raw } from './raw.ts';
import { DEFAULT_LANES } from './schema.ts';

/** A long-lived, cheap model, only for the case that nobody named one. */
const OPENAI_MODEL = 'openai/gpt-4o-mini';

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
  const { providers, primary, warnings } =
    names.length > 0 && isRaw(configured) ? fromFile(configured) : fromEnv(env);
  const builtIn = mentionsLoopback(written) ? { loopback: { api: 'loopback' } } : {};
  const model = primary === undefined ? {} : { model: { primary } };
  const agents = { defaults: { workspace: join(stateDir, 'workspace'), ...model } };
  return {
    raw: { models: { providers: { ...builtIn, ...providers } }, agents, lanes: { ...DEFAULT_LANES } },
    warnings,
  };
}

interface Derived {
  readonly providers: Raw;
  readonly primary: string | undefined;
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
  if (env['OPENAI_API_KEY']) {
    const openai = {
      api: 'openai-completions',
      baseUrl: 'https://api.openai.com/v1',
      apiKey: 'env:OPENAI_API_KEY',
    };
    return {
      providers: { openai },
      primary: OPENAI_MODEL,
      warnings: [{ path: 'models.providers.openai', message: 'added, because OPENAI_API_KEY is set' }],
    };
  }
  const warnings = env['ANTHROPIC_API_KEY']
    ? [
        {
          path: 'models.providers',
          message:
            'ANTHROPIC_API_KEY is set, but this version speaks openai-completions only; the built-in loopback model answers',
        },
      ]
    : [];
  return { providers: { loopback: { api: 'loopback' } }, primary: 'loopback/echo', warnings };
}

/** The built-in provider needs no entry of its own. */
function mentionsLoopback(value: unknown): boolean {
  if (typeof value === 'string') return value.startsWith('loopback/');
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some(mentionsLoopback);
}
