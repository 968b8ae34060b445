import { dirname } from 'node:path';
import type { z } from 'zod';
import { carryOver, notYet } from './carry-over.ts';
import { derive } from './derive.ts';
import { fromText, readEnv } from './env.ts';
import type { Env, EnvLayer } from './env.ts';
import { parseConfigText, readConfigFile } from './file.ts';
import type { ConfigFile } from './file.ts';
import { issueMessage, unknownKeyMessage } from './issue.ts';
import { configPath, stateDir } from './places.ts';
import type { Flags } from './places.ts';
import { configInvalid } from './problem.ts';
import type { Problem, Warning } from './problem.ts';
import { get, leafPaths, merge, put } from './raw.ts';
import type { Raw } from './raw.ts';
import { violations } from './rules.ts';
import type { Violation } from './rules.ts';
import { at } from './schema-keys.ts';
import { configSchema } from './schema.ts';
import type { Config } from './schema.ts';
import { mapSecrets, resolveSecret } from './secrets.ts';

/** Who said it, and where: a line of the file, a variable, a flag. */
export interface Origin {
  readonly layer: 'default' | 'file' | 'env' | 'flag';
  readonly where?: string;
}

/** The configuration in force, and where each value comes from. */
export interface LoadedConfig {
  readonly config: Config;
  /** By dotted path, for every value in force. */
  readonly origins: Readonly<Record<string, Origin>>;
  readonly warnings: readonly Warning[];
  /** The secrets in `config`, for the redactor. */
  readonly secrets: readonly string[];
  /** The file that was read; undefined when there is none. */
  readonly file: string | undefined;
  readonly stateDir: string;
  /** Where the file is, or would be. */
  readonly path: string;
  /** Variables that set something. */
  readonly variables: readonly string[];
  /** Flags that set something. */
  readonly flags: readonly string[];
}

export interface LoadOptions {
  /** Instead of the place the flags and the environment name. */
  readonly path?: string | undefined;
  /** Instead of the file's own text: what would be if it said this. */
  readonly text?: string | undefined;
  readonly env: Env;
  readonly flags?: Flags;
}

/** The flags that have names of their own. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  port: ['gateway', 'port'],
  bind: ['gateway', 'bind'],
  token: ['gateway', 'auth', 'token'],
  logLevel: ['logging', 'level'],
};

/**
 * Defaults, then the file, then the environment, then flags. Throws CoppiceError CONFIG_INVALID with everything that
 * is wrong (`details.list`: Problem[]), so that one look is enough to mend it.
 */
export function loadConfig({ path, text, env, flags = {} }: LoadOptions): LoadedConfig {
  const place = path === undefined ? configPath(env, flags) : { path, named: true };
  const file = text === undefined ? readConfigFile(place.path) : parseConfigText(place.path, text);
  const carried = carryOver(file.raw);
  const layers: Layers = {
    file,
    written: carried.raw,
    moved: carried.moved,
    env: readEnv(env),
    flags: readFlags(flags),
  };
  const written = merge(merge(layers.written, layers.env.raw), layers.flags.raw);
  const state = stateDir(env, flags);
  const derived = derive(written, env, state);
  const { config, secrets } = checked(merge(derived.raw, written), layers, env);

  const missing =
    place.named && file.text === undefined
      ? [{ path: '', message: `there is no file ${place.path}; defaults are used` }]
      : [];
  return {
    config,
    origins: Object.fromEntries(leafPaths(config).map((keys) => [keys.join('.'), originOf(keys, layers)])),
    warnings: [...missing, ...carried.warnings, ...notYet(written), ...derived.warnings],
    secrets,
    file: file.text === undefined ? undefined : file.path,
    stateDir: state,
    path: place.path,
    variables: [...layers.env.names.values()],
    flags: [...layers.flags.names.values()],
  };
}

/** What all layers together say, secrets resolved; throws with everything that is wrong with it. */
function checked(whole: Raw, layers: Layers, env: Env): { config: Config; secrets: string[] } {
  const { file } = layers;
  const problems: Problem[] = [...file.problems, ...layers.env.problems];
  // Of a text that is no JSON only a part was understood: what that part lacks may well be there.
  if (file.broken) throw configInvalid(problems);
  const parsed = configSchema.safeParse(whole);
  if (!parsed.success) {
    const found = parsed.error.issues.flatMap((issue) => fromIssue(issue, whole, layers));
    throw configInvalid([...problems, ...found]);
  }
  const { config, secrets, unresolved } = withSecrets(parsed.data, env, dirname(file.path));
  const wrong = [...unresolved, ...violations(config)].map((violation) => fromViolation(violation, layers));
  if (problems.length + wrong.length > 0) throw configInvalid([...problems, ...wrong]);
  return { config, secrets };
}

interface FlagLayer {
  readonly raw: Raw;
  readonly names: ReadonlyMap<string, string>;
}

interface Layers {
  readonly file: ConfigFile;
  /** The file's content, carried-over keys in their new places. */
  readonly written: Raw;
  readonly moved: ReadonlyMap<string, string>;
  readonly env: EnvLayer;
  readonly flags: FlagLayer;
}

function readFlags(flags: Flags): FlagLayer {
  const names = new Map<string, string>();
  let raw: Raw = {};
  const take = (keys: readonly string[], name: string, value: unknown): void => {
    if (value === undefined) return;
    const schema = at(configSchema, keys);
    names.set(keys.join('.'), name);
    raw = put(raw, keys, typeof value === 'string' && schema ? fromText(value, { schema }) : value);
  };
  for (const [name, keys] of Object.entries(FLAGS))
    take(keys, `--${name.replace('L', '-l')}`, flags[name as 'port']);
  for (const [dotted, value] of Object.entries(flags.set ?? {}))
    take(dotted.split('.'), `--set ${dotted}`, value);
  return { raw, names };
}

function originOf(keys: readonly string[], layers: Layers): Origin {
  const dotted = keys.join('.');
  if (get(layers.flags.raw, keys) !== undefined) return named('flag', layers.flags.names.get(dotted));
  if (get(layers.env.raw, keys) !== undefined) return named('env', layers.env.names.get(dotted));
  const written = fromShorthand(keys, layers.written);
  if (get(layers.written, written) === undefined) return { layer: 'default' };
  return { layer: 'file', where: layers.file.where(beforeMove(written, layers)) };
}

const named = (layer: 'flag' | 'env', where: string | undefined): Origin =>
  where === undefined ? { layer } : { layer, where };

/** `model: "a/b"` stands for `model: { primary: "a/b" }`. */
function fromShorthand(keys: readonly string[], written: Raw): readonly string[] {
  const above = keys.slice(0, -1);
  return keys.at(-1) === 'primary' && typeof get(written, above) === 'string' ? above : keys;
}

/** Where the operator wrote it, if it was moved. */
function beforeMove(keys: readonly PropertyKey[], layers: Layers): readonly PropertyKey[] {
  const dotted = keys.map(String).join('.');
  for (const [to, from] of layers.moved) {
    if (dotted === to || dotted.startsWith(`${to}.`))
      return [...from.split('.'), ...keys.slice(to.split('.').length)];
  }
  return keys;
}

function whereOf(keys: readonly PropertyKey[], layers: Layers): string {
  const origin = originOf(keys.map(String), layers);
  if (origin.where !== undefined) return origin.where;
  if (get(layers.written, keys.slice(0, 1)) !== undefined) return layers.file.where(beforeMove(keys, layers));
  return keys.map(String).join('.');
}

function fromViolation({ path, message }: Violation, layers: Layers): Problem {
  return { where: whereOf(path, layers), path: path.join('.'), message, ...sourceOf(path, 'entry', layers) };
}

/** The line in the file, when the file is where it was said. */
function sourceOf(
  keys: readonly PropertyKey[],
  mark: 'key' | 'entry',
  layers: Layers,
): Pick<Problem, 'source'> {
  if (!whereOf(keys, layers).startsWith(`${layers.file.path}:`)) return {};
  return { source: layers.file.excerpt(beforeMove(keys, layers), mark) };
}

/** One problem per unknown key, each with the name it was probably meant to be. */
function fromIssue(issue: z.core.$ZodIssue, whole: Raw, layers: Layers): Problem[] {
  if (issue.code !== 'unrecognized_keys') {
    const message = issueMessage(issue, valueAt(whole, issue.path));
    return [fromViolation({ path: issue.path.map(String), message }, layers)];
  }
  return issue.keys.map((key) => {
    const keys = [...issue.path, key];
    return {
      where: whereOf(keys, layers),
      path: keys.map(String).join('.'),
      message: unknownKeyMessage(key, issue.path),
      ...sourceOf(keys, 'key', layers),
    };
  });
}

/** Like `get`, and into lists as well. */
function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (found, key) => (Array.isArray(found) ? found[Number(key)] : get(found, [key])),
    raw,
  );
}

function withSecrets(
  parsed: Config,
  env: Env,
  folder: string,
): { config: Config; secrets: string[]; unresolved: Violation[] } {
  const secrets: string[] = [];
  const unresolved: Violation[] = [];
  const config = mapSecrets(parsed, configSchema, (reference, path) => {
    const result = resolveSecret(reference, env, folder);
    if ('value' in result) {
      secrets.push(result.value);
      return result.value;
    }
    unresolved.push({ path, message: result.reason });
    return reference;
  });
  // A copy of the same shape, with other strings in it.
  return { config: config as Config, secrets, unresolved };
}
