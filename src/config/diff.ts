import { isRaw } from './raw.ts';
import type { Config } from './schema.ts';

/** What a changed key asks for: nothing but its use, a planned restart, or a full stop and start of the launcher too. */
export type Effect = 'live' | 'restart' | 'stop';

export interface Change {
  /** Dotted; a place in a list is its number. */
  readonly path: string;
  readonly effect: Effect;
}

/**
 * Who may change while the gateway runs. `*` stands for one name or place; the longest row that fits decides, and
 * what no row names needs a restart: a key that becomes live gets its row when it is read at each use.
 */
const RULES: readonly (readonly [pattern: string, effect: Effect])[] = [
  ['$schema', 'live'],
  ['logging', 'live'],
  ['diagnostics.flags', 'live'],
  // The launcher owns the socket, and keeps it through a planned restart.
  ['gateway.port', 'stop'],
  ['gateway.bind', 'stop'],
  ['gateway.allowedOrigins', 'live'],
  ['models.retry', 'live'],
  ['retry', 'live'],
  ['agents.defaults.model', 'live'],
  ['agents.defaults.systemPrompt', 'live'],
  ['agents.defaults.heartbeat', 'live'],
  ['agents.defaults.tools', 'live'],
  ['agents.defaults.timeoutMs', 'live'],
  ['agents.list.*.name', 'live'],
  ['agents.list.*.model', 'live'],
  ['agents.list.*.systemPrompt', 'live'],
  ['agents.list.*.heartbeat', 'live'],
  ['agents.list.*.tools', 'live'],
  ['agents.list.*.timeoutMs', 'live'],
  ['tools.allow', 'live'],
  ['tools.deny', 'live'],
  ['tools.loopDetection', 'live'],
  ['lanes.*.maxConcurrent', 'live'],
  ['session.idleMinutes', 'live'],
  ['session.queue.cap', 'live'],
  ['restart', 'live'],
];
const PATTERNS = RULES.map(([pattern, effect]) => ({ keys: pattern.split('.'), effect })).toSorted(
  (a, b) => b.keys.length - a.keys.length,
);

/** Every key whose value differs, and what it takes to use the new one. Pure; sorted by path. */
export function diff(old: Config, next: Config): Change[] {
  return changed(old, next, [])
    .map((keys) => ({ path: keys.join('.'), effect: changeOf(keys) }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** What a change of this key asks for. */
export function changeOf(keys: readonly string[]): Effect {
  const fits = (pattern: readonly string[]): boolean =>
    pattern.length <= keys.length && pattern.every((key, at) => key === '*' || key === keys[at]);
  return PATTERNS.find(({ keys: pattern }) => fits(pattern))?.effect ?? 'restart';
}

function changed(old: unknown, next: unknown, path: readonly string[]): string[][] {
  if (same(old, next)) return [];
  const below = entries(old, next);
  if (below === undefined) return [[...path]];
  return below.flatMap(([key, before, after]) => changed(before, after, [...path, key]));
}

/** Keys of both sides. Undefined: compared as one value. */
function entries(old: unknown, next: unknown): [string, unknown, unknown][] | undefined {
  if (isRaw(old) && isRaw(next)) {
    const keys = new Set([...Object.keys(old), ...Object.keys(next)]);
    return [...keys].map((key) => [key, old[key], next[key]]);
  }
  // Lists of objects (the agents) by place, as long as nobody came or went; other lists as one value.
  if (!Array.isArray(old) || !Array.isArray(next) || old.length !== next.length) return undefined;
  if (![...old, ...next].every(isRaw)) return undefined;
  return old.map((value, at) => [String(at), value, next[at]]);
}

const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);

/** JSON with sorted keys; a key without value is as good as none. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    isRaw(item) ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1))) : item,
  );
}
