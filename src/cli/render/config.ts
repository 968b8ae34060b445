import type { Imported, LoadedConfig, Origin } from '../../config/index.ts';
import { configSchema, SET, withoutSecrets } from '../../config/index.ts';
import { safe } from './text.ts';

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

export const valueAt = (value: unknown, keys: readonly string[]): unknown =>
  keys.reduce<unknown>(
    (found, key) => (isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined),
    value,
  );

/** Comments, so that the whole is a configuration again. */
export function layerLines({ path, file, stateDir, variables, flags, warnings }: LoadedConfig): string[] {
  const from = [
    'defaults',
    ...(file === undefined ? [] : ['the file']),
    ...(variables.length > 0 ? [`the environment (${variables.join(', ')})`] : []),
    ...(flags.length > 0 ? [`flags (${flags.join(', ')})`] : []),
  ];
  return [
    `// file: ${path}${file === undefined ? ' (there is none)' : ''}`,
    `// layers, the last one wins: ${from.join(', ')}`,
    `// state directory: ${stateDir}`,
    ...warnings
      .filter((warning) => warning.path !== '')
      .map((warning) => `// ${warning.path}: ${warning.message}`),
  ].map(safe);
}

/** By path: of the values at and below `keys`. */
export function originOf({ origins }: LoadedConfig, keys: readonly string[]): Record<string, Origin> {
  const at = keys.join('.');
  const within = (path: string): boolean =>
    at === '' || path === at || path.startsWith(`${at}.`) || at.startsWith(`${path}.`);
  return Object.fromEntries(Object.entries(origins).filter(([path]) => within(path)));
}

/** One line a value: what it is, and who said so. */
export function originLines(loaded: LoadedConfig, keys: readonly string[]): string[] {
  const shown = withoutSecrets(loaded.config, configSchema);
  const rows = Object.entries(originOf(loaded, keys)).map(([path, { layer, where }]) => {
    const value = leafAt(shown, path.split('.'));
    const text = value === SET ? SET : JSON.stringify(value);
    return [`${path} = ${text}`, where === undefined ? layer : `${layer} ${where}`] as const;
  });
  const width = Math.min(60, Math.max(0, ...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => safe(`${left.padEnd(width)}  # ${right}`));
}

/** Names may hold dots: the longest key that fits is taken. */
function leafAt(value: unknown, keys: readonly string[]): unknown {
  if (keys.length === 0) return value;
  for (let length = keys.length; isObject(value) && length > 0; length -= 1) {
    const key = keys.slice(0, length).join('.');
    if (Object.hasOwn(value, key)) return leafAt(value[key], keys.slice(length));
  }
  return undefined;
}

export function importLines({
  from,
  file,
  taken,
  left,
  todo,
  config,
  written,
}: Imported & { from: string; file: string; config: unknown; written: boolean }): string[] {
  const moved = taken.map((one) => (one.from === one.to ? one.from : `${one.from}  as  ${one.to}`));
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`), ''];
  return [
    ...section(`taken from ${from}:`, moved),
    ...section(
      'not taken:',
      left.map(({ path, where, reason }) => `${path} (${where}): ${reason}`),
    ),
    ...section('left for you:', todo),
    written
      ? `written to ${file}`
      : `nothing was written; with --write this goes to ${file}:\n${JSON.stringify(config, null, 2)}`,
  ].map((text) => text.split('\n').map(safe).join('\n'));
}
