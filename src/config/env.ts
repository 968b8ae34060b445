import { leaves, metaOf, typeOf } from './schema-keys.ts';
import type { Key } from './schema-keys.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { put } from './raw.ts';
import type { Raw } from './raw.ts';
import { configSchema } from './schema.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** Short names for what is set most. */
const ALIASES: Readonly<Record<string, string>> = {
  COPPICE_PORT: 'gateway.port',
  COPPICE_TOKEN: 'gateway.auth.token',
  COPPICE_LOG_LEVEL: 'logging.level',
};

/** Ours, but no key of the configuration: where things are, and what the launcher reads for itself. */
const OTHERS = [
  'COPPICE_CONFIG',
  'COPPICE_STATE_DIR',
  'COPPICE_WATCHDOG_MS',
  'COPPICE_STOP_MS',
  'COPPICE_LISTEN_FD',
  'COPPICE_LAUNCHER_PID',
];

const SCALARS = new Set(['string', 'number', 'int', 'boolean', 'enum', 'union']);

/** `gateway.auth.rateLimit` is COPPICE_GATEWAY_AUTH_RATE_LIMIT. */
export function envName(path: readonly string[]): string {
  return `COPPICE_${path.map((key) => key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join('_')}`;
}

/** Every scalar under fixed keys, by the name of its variable. */
export function envKeys(): ReadonlyMap<string, Key> {
  const fixed = leaves(configSchema).filter(
    ({ path, schema }) =>
      !path.includes('NAME') && !path.includes('[]') && path[0] !== '$schema' && SCALARS.has(typeOf(schema)),
  );
  const byPath = new Map(fixed.map((key) => [key.path.join('.'), key]));
  const aliases = Object.entries(ALIASES).flatMap(([name, path]) => {
    const key = byPath.get(path);
    return key ? [[name, key] as const] : [];
  });
  return new Map([...fixed.map((key) => [envName(key.path), key] as const), ...aliases]);
}

export interface EnvLayer {
  readonly raw: Raw;
  /** Which variable set a path. */
  readonly names: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

/** The layer of the environment. An empty variable counts as not set. */
export function readEnv(env: Env): EnvLayer {
  const keys = envKeys();
  const names = new Map<string, string>();
  const problems: Problem[] = [];
  let raw: Raw = {};
  for (const [name, value] of Object.entries(env).toSorted(([a], [b]) => a.localeCompare(b))) {
    if (!name.startsWith('COPPICE_') || OTHERS.includes(name) || value === undefined || value === '')
      continue;
    const key = keys.get(name);
    if (!key) {
      const meant = nearest(name, [...keys.keys(), ...OTHERS]);
      problems.push({
        where: name,
        path: '',
        message: `there is no such variable${meant ? `; did you mean ${meant}?` : ''}`,
      });
      continue;
    }
    const path = key.path.join('.');
    const other = names.get(path);
    if (other !== undefined && env[other] !== value)
      problems.push({ where: name, path, message: `it contradicts ${other}; set one of them` });
    names.set(path, name);
    raw = put(raw, key.path, fromText(value, key));
  }
  return { raw, names, problems };
}

/** What cannot be read stays a string, and the schema says what it expected. */
export function fromText(value: string, { schema }: Pick<Key, 'schema'>): unknown {
  const type = typeOf(schema);
  if (metaOf(schema).kind === 'duration') return value;
  if ((type === 'number' || type === 'int') && value.trim() !== '' && Number.isFinite(Number(value)))
    return Number(value);
  if (type === 'boolean' && /^(?:1|true|yes|on)$/i.test(value)) return true;
  if (type === 'boolean' && /^(?:0|false|no|off)$/i.test(value)) return false;
  return value;
}
