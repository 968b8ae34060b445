import type { Warning } from './problem.ts';
import { get, isRaw, put, without } from './raw.ts';
import type { Raw } from './raw.ts';

/** Keys of the field's best-known gateway that have another place here. */
const MOVED: readonly (readonly [from: string, to: string])[] = [
  ['agents.defaults.tools.loopDetection', 'tools.loopDetection'],
  ['agents.defaults.sandbox', 'tools.sandbox'],
];

export const carriedKeys = (): typeof MOVED => MOVED;

/** Puts carried-over keys where they belong here. What stands in the new place already wins. */
export function carryOver(file: Raw): {
  readonly raw: Raw;
  readonly warnings: readonly Warning[];
  readonly moved: ReadonlyMap<string, string>;
} {
  let raw = file;
  const warnings: Warning[] = [];
  const moved = new Map<string, string>();
  for (const [from, to] of MOVED) {
    const value = get(raw, from.split('.'));
    if (value === undefined) continue;
    raw = without(raw, from.split('.'));
    if (get(raw, to.split('.')) === undefined) {
      raw = put(raw, to.split('.'), value);
      moved.set(to, from);
      warnings.push({ path: from, message: `taken as ${to}` });
    } else {
      warnings.push({ path: from, message: `ignored: ${to} is set as well` });
    }
  }
  return { raw, warnings, moved };
}

/** Accepted, checked, and not acted upon yet. `unless`: the values this version does act upon. */
const NOT_YET: readonly {
  readonly path: string;
  readonly unless?: readonly unknown[];
  readonly message: string;
}[] = [
  { path: 'diagnostics.otel', message: 'accepted; this version does not export telemetry yet' },
  ...[
    'diagnostics.stuckSession',
    'diagnostics.prometheus',
    'models.failover',
    'models.budgets',
    'models.providers.NAME.profiles',
    'tools.mcp',
    'plugins',
    'alerts',
    'audit',
    'cluster',
  ].map((path) => ({ path, message: 'accepted, not effective in this version' })),
  { path: 'diagnostics.flags', message: 'accepted; this version does not show subsystems in detail yet' },
  {
    path: 'tools.sandbox',
    message: 'accepted; this version has no sandbox yet, and its built-in tools stay inside the workspace',
  },
  {
    path: 'diagnostics.enabled',
    unless: [true],
    message: 'accepted; this version always publishes its facts',
  },
  {
    path: 'session.queue.mode',
    unless: ['followup'],
    message: 'accepted; this version queues every message for a turn of its own (followup)',
  },
  {
    path: 'session.queue.drop',
    unless: ['refuse'],
    message: 'accepted; this version refuses what exceeds the cap and tells the sender',
  },
  { path: 'logging.file', message: 'ignored: the log is in the state directory, in logs/' },
];

/** Does this version act upon the key? `path` as `leaves` tells it: `NAME` for a name in a record. */
export const isEffective = (path: readonly string[]): boolean =>
  !NOT_YET.some(
    ({ path: row, unless }) => unless === undefined && `${path.join('.')}.`.startsWith(`${row}.`),
  );

/** What the operator wrote and will not see an effect of. */
export function notYet(written: Raw): Warning[] {
  const warnings = NOT_YET.flatMap(({ path, unless, message }) =>
    named(written, path.split('.')).flatMap((keys) => {
      const value = get(written, keys);
      return value === undefined || unless?.includes(value) ? [] : [{ path: keys.join('.'), message }];
    }),
  );
  const redact = get(written, ['logging', 'redactSensitive']);
  if (redact === 'off')
    warnings.push({ path: 'logging.redactSensitive', message: 'ignored: redaction cannot be switched off' });
  return warnings;
}

/** Every path that `NAME` in `keys` stands for in what was written. */
function named(written: Raw, keys: readonly string[]): string[][] {
  const cut = keys.indexOf('NAME');
  if (cut < 0) return [[...keys]];
  const above = keys.slice(0, cut);
  const found = get(written, above);
  return isRaw(found) ? Object.keys(found).map((name) => [...above, name, ...keys.slice(cut + 1)]) : [];
}
