import {
  configJsonSchema,
  configPath,
  configSchema,
  diff,
  editConfig,
  importConfig,
  loadConfig,
  parseKeyPath,
  parseValue,
  readConfigText,
  withoutSecrets,
  writeConfigText,
  type Edit,
  type Effect,
  type LoadedConfig,
  type Problem,
} from '../../config/index.ts';
import { CoppiceError } from '../../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import { findOwner } from '../owner.ts';
import type { CommonOptions } from '../options.ts';
import { importLines, layerLines, originLines, originOf, valueAt } from '../render/config.ts';

export interface ConfigOptions extends CommonOptions {
  readonly config?: string;
}

/** `token` and `url` are for commands that talk to a gateway: none of these does. */
const load = (io: Io, { config, stateDir }: ConfigOptions): LoadedConfig =>
  loadConfig({ env: io.env, flags: { config, stateDir } });

/** `coppice config show [PATH]`. */
export function show(
  io: Io,
  path: string | undefined,
  options: ConfigOptions & { readonly origin?: boolean },
): number {
  const loaded = load(io, options);
  const keys = path === undefined ? [] : keysOf(path);
  const value = valueAt(withoutSecrets(loaded.config, configSchema), keys);
  if (value === undefined && path !== undefined) throw noValue(loaded, path, keys);
  const { file, path: place, stateDir, variables, flags, warnings } = loaded;
  if (options.json) {
    const origins = options.origin ? { origins: originOf(loaded, keys) } : {};
    const found = { file: place, found: file !== undefined, stateDir, variables, flags, warnings };
    writeJson(io.stdout, { ...found, ...(path === undefined ? {} : { path }), value, ...origins });
    return EXIT.ok;
  }
  const body = options.origin ? originLines(loaded, keys) : [JSON.stringify(value, null, 2)];
  writeLines(io.stdout, [...layerLines(loaded), ...body]);
  return EXIT.ok;
}

function keysOf(path: string): string[] {
  const keys = parseKeyPath(path);
  if (keys) return keys;
  throw new CoppiceError('USAGE', {
    reason: `"${path}" is no path of a key; write it as gateway.port, agents.list[0].id or lanes["my lane"].maxConcurrent`,
  });
}

/** Known and not set, or not known at all: the schema's own words say which. */
function noValue(loaded: LoadedConfig, path: string, keys: readonly string[]): CoppiceError {
  try {
    editConfig('{}', { keys, value: {} }, { path: loaded.path, env: {} });
  } catch (error) {
    const reason = error instanceof CoppiceError ? String(error.details['reason']) : '';
    const unknown = /unknown key .*/.exec(reason)?.[0];
    if (unknown) return new CoppiceError('USAGE', { reason: `${path}: ${unknown}` });
  }
  return new CoppiceError('USAGE', { reason: `${path} is not set and has no default` });
}

/** `coppice config check [FILE]`. Rejects CONFIG_INVALID, which ends with 78. */
export function check(io: Io, file: string | undefined, options: ConfigOptions): number {
  const flags = file === undefined ? options : { ...options, config: file };
  try {
    const { path, file: found, warnings } = load(io, flags);
    if (file !== undefined && found === undefined)
      throw new CoppiceError('USAGE', { reason: `there is no file ${path}` });
    if (options.json) writeJson(io.stdout, { ok: true, file: path, problems: [], warnings });
    else
      writeLines(io.stdout, [
        found === undefined ? `there is no file ${path}; the defaults are valid` : `${path} is valid`,
        ...warnings
          .filter((warning) => warning.path !== '')
          .map((warning) => `  ${warning.path}: ${warning.message}`),
      ]);
    return EXIT.ok;
  } catch (error) {
    if (!options.json || !(error instanceof CoppiceError) || error.code !== 'CONFIG_INVALID') throw error;
    writeJson(io.stdout, { ok: false, problems: error.details['list'] as Problem[], warnings: [] });
    return EXIT.config;
  }
}

/** `coppice config set PATH VALUE`. */
export function set(io: Io, path: string, value: string, options: ConfigOptions): number {
  const keys = keysOf(path);
  return change(io, path, { keys, value: parseValue(value, keys) }, options);
}

/** `coppice config unset PATH`. */
export function unset(io: Io, path: string, options: ConfigOptions): number {
  return change(io, path, { keys: keysOf(path), value: undefined }, options);
}

function change(io: Io, path: string, edit: Edit, options: ConfigOptions): number {
  const { config, stateDir } = options;
  const flags = { config, stateDir };
  const { file, before } = target(io, flags);
  const edited = editConfig(before, edit, { path: file, env: io.env, flags });
  const changed = edited.text !== before;
  const backup = changed ? writeConfigText(file, edited.text, before).backup : undefined;
  const effect = edited.loaded && changed ? effectOf(io, { file, before }, edited.loaded) : undefined;
  const overruled = edited.loaded ? overruledBy(edited.loaded, edit) : undefined;
  if (options.json) {
    const remaining = edited.remaining;
    writeJson(io.stdout, { file, path, changed, backup, effect, overruledBy: overruled, remaining });
    return EXIT.ok;
  }
  const said = changed
    ? `${edit.value === undefined ? 'took out' : 'set'} ${path} in ${file}${backup ? ` (before: ${backup})` : ''}`
    : `${file} says so already; nothing was written`;
  writeLines(io.stdout, [
    said,
    ...(overruled === undefined ? [] : [`  ${overruled} says something else, and wins over the file`]),
    ...(effect === undefined ? [] : adviceLines(edited.loaded, effect)),
    ...(edited.remaining.length > 0
      ? [`  ${edited.remaining.length} mistake(s) are left: run \`coppice config check\``]
      : []),
  ]);
  return EXIT.ok;
}

interface Target {
  readonly file: string;
  readonly before: string;
}

/** The file that would be used, and its text, whether or not it is valid. */
function target(io: Io, flags: { readonly config: string | undefined }): Target {
  const file = configFile(io, flags.config);
  return { file, before: readConfigText(file) };
}

const configFile = (io: Io, named: string | undefined): string => configPath(io.env, { config: named }).path;

function effectOf(io: Io, { file, before }: Target, after: LoadedConfig): Effect | undefined {
  try {
    const old = loadConfig({ path: file, text: before, env: io.env, flags: { stateDir: after.stateDir } });
    const effects = new Set(diff(old.config, after.config).map(({ effect }) => effect));
    return (['stop', 'restart', 'live'] as const).find((effect) => effects.has(effect));
  } catch (error) {
    // It was invalid before: then no gateway runs with it.
    if (error instanceof CoppiceError && error.code === 'CONFIG_INVALID') return undefined;
    throw error;
  }
}

/** A variable that says something else than what was just written. */
function overruledBy(loaded: LoadedConfig, { keys }: Edit): string | undefined {
  const origin = loaded.origins[keys.join('.')];
  return origin?.layer === 'env' ? origin.where : undefined;
}

const ADVICE: Readonly<Record<Effect, string>> = {
  live: 'it takes this without a restart',
  restart: 'it takes this with a planned restart',
  stop: 'this needs a full stop and start',
};

/** Said only while a gateway of that state directory runs. */
function adviceLines(loaded: LoadedConfig | undefined, effect: Effect): string[] {
  const owner = loaded && findOwner(loaded.stateDir);
  if (!owner) return [];
  const how = effect === 'stop' ? '`coppice stop`, then `coppice run`' : `\`kill -HUP ${owner.pid}\``;
  return [`  a gateway is running; ${ADVICE[effect]}: ${how}`];
}

/** `coppice config schema`. */
export function schema(io: Io, _options: ConfigOptions): number {
  io.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  return EXIT.ok;
}

/** `coppice config import FILE`. Writes only with `write`, and only where no file is. Rejects CONFIG_PRESENT. */
export function importFile(
  io: Io,
  from: string,
  options: ConfigOptions & { readonly write?: boolean },
): number {
  const imported = importConfig(from);
  const file = configFile(io, options.config);
  if (options.write) {
    if (readConfigText(file).trim() !== '') throw new CoppiceError('CONFIG_PRESENT', { file });
    writeConfigText(file, imported.text, readConfigText(file));
  }
  const { taken, left, todo } = imported;
  const config = withoutSecrets(imported.raw, configSchema);
  if (options.json)
    writeJson(io.stdout, { from, file, written: options.write === true, taken, left, todo, config });
  else
    writeLines(io.stdout, importLines({ ...imported, from, file, config, written: options.write === true }));
  return EXIT.ok;
}
