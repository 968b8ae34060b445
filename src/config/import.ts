import { basename } from 'node:path';
import { DEFAULT_MODELS } from './default-models.ts';
import { derive } from './derive.ts';
import { readConfigFile } from './file.ts';
import type { ConfigFile } from './file.ts';
import { IMPORT_ROWS } from './import-table.ts';
import type { ImportRow } from './import-table.ts';
import { issueMessage, unknownKeyMessage } from './issue.ts';
import { configInvalid } from './problem.ts';
import { get, isRaw, merge, put } from './raw.ts';
import type { Raw } from './raw.ts';
import { violations } from './rules.ts';
import { at } from './schema-keys.ts';
import { configSchema } from './schema.ts';

export interface Taken {
  readonly from: string;
  readonly to: string;
}
export interface Left {
  readonly path: string;
  readonly where: string;
  readonly reason: string;
}
export interface Imported {
  /** What would be written. It holds secrets. */
  readonly raw: Raw;
  readonly text: string;
  readonly taken: readonly Taken[];
  /** Not taken, each with its line and the reason. */
  readonly left: readonly Left[];
  /** What is missing before the gateway can start with it. */
  readonly todo: readonly string[];
}

type Keys = readonly string[];
interface Found {
  readonly from: Keys;
  readonly value: unknown;
}
interface Move extends Found {
  readonly to: Keys;
}

/** A configuration of the field's best-known gateway, in our words. Writes nothing. Throws CONFIG_INVALID when it cannot be read. */
export function importConfig(path: string): Imported {
  const file = readConfigFile(path);
  if (file.text === undefined || file.problems.length > 0) {
    const missing = { where: path, path: '', message: 'there is no such file' };
    throw configInvalid(file.problems.length > 0 ? file.problems : [missing]);
  }
  const left: Left[] = [];
  const leave = (from: Keys, reason: string): void =>
    void left.push({ path: from.join('.'), where: file.where(from.map(placeOf)), reason });
  const moves = found(file.raw, []).flatMap((one) => {
    const move = moveOf(one);
    if ('to' in move) return [move];
    leave(one.from, move.reason);
    return [];
  });
  const { kept, raw, todo } = settle(moves, leave);
  return {
    raw,
    text: textOf(file, raw),
    taken: kept.map(({ from, to }) => ({ from: from.join('.'), to: to.join('.') })),
    left: left.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    todo,
  };
}

const placeOf = (key: string): PropertyKey => (/^\d+$/.test(key) ? Number(key) : key);

/** Single values; of lists only that of the agents is looked into. */
function found(value: unknown, from: Keys): Found[] {
  const reference = secretReference(value);
  if (reference !== undefined) return [{ from, value: reference }];
  const row = rowFor(from);
  if (row && row.to === undefined && !hasRowsBelow(from)) return [{ from, value }];
  if (isRaw(value) && Object.keys(value).length > 0)
    return Object.entries(value).flatMap(([key, item]) => found(item, [...from, key]));
  if (Array.isArray(value) && from.join('.') === 'agents.list')
    return value.flatMap((item, index) => found(item, [...from, String(index)]));
  return [{ from, value }];
}

/** `${NAME}` and `{ source: "env", id: "NAME" }` are `env:NAME` here. */
function secretReference(value: unknown): string | undefined {
  if (typeof value === 'string') {
    const name = /^\$\{([A-Z_][A-Z0-9_]*)\}$/.exec(value)?.[1];
    return name && `env:${name}`;
  }
  const source = get(value, ['source']);
  const id = get(value, ['id']);
  return source === 'env' && typeof id === 'string' ? `env:${id}` : undefined;
}

/** Some of what is below goes somewhere. */
const hasRowsBelow = (from: Keys): boolean =>
  IMPORT_ROWS.some((row) => {
    const pattern = row.from.split('.');
    return pattern.length > from.length && fits(pattern.slice(0, from.length), from);
  });

const rowFor = (from: Keys): ImportRow | undefined =>
  IMPORT_ROWS.find((row) => fits(row.from.split('.'), from));
const fits = (pattern: Keys, keys: Keys): boolean =>
  pattern.length <= keys.length && pattern.every((key, index) => key === '*' || key === keys[index]);

function moveOf({ from, value }: Found): Move | { readonly reason: string } {
  const row = rowFor(from);
  if (row) {
    const taken = row.to === undefined ? undefined : (row.value ?? same)(value);
    if (row.to === undefined || taken === undefined)
      return { reason: row.why ?? 'its value has no equal here' };
    const pattern = row.from.split('.');
    const stars = from.filter((_, index) => pattern[index] === '*');
    const to = row.to.split('.').map((key) => (key === '*' ? (stars.shift() ?? key) : key));
    return { from, value: taken, to: [...to, ...from.slice(pattern.length)] };
  }
  if (typeof value === 'string' && value.includes('${'))
    return { reason: 'a variable inside a text is not filled in here; write the text' };
  if (from.length === 1 && !isRaw(value)) return { reason: unknownKeyMessage(from[0] ?? '', []) };
  const known = at(configSchema, from);
  if (known) return { from, value, to: from };
  const unknownAt = from.findIndex((_, index) => !at(configSchema, from.slice(0, index + 1)));
  return { reason: reasonOf(from[unknownAt] ?? '', from.slice(0, unknownAt)) };
}

const same = (value: unknown): unknown => value;
const reasonOf = (key: string, above: Keys): string =>
  above.length === 0
    ? `coppice has no "${key}"`
    : unknownKeyMessage(key, above.map(placeOf)).replace('unknown key', 'coppice has no');

interface Settled {
  readonly kept: readonly Move[];
  readonly raw: Raw;
  readonly todo: readonly string[];
}

/** Takes out, one by one, what our rules refuse, until what is left would load. */
function settle(moves: readonly Move[], leave: (from: Keys, reason: string) => void): Settled {
  let kept = [...moves];
  for (;;) {
    const { raw, added } = withProviders(build(kept));
    const problems = problemsOf(raw);
    const about = (move: Move, wide: boolean): Refusal | undefined =>
      problems.find(({ path }) => touches(path, move.to) || (wide && lies(move.to, holderOf(path))));
    const refusedBy = (wide: boolean): { move: Move; problem: Refusal }[] =>
      kept.flatMap((move) => {
        const problem = about(move, wide);
        return problem ? [{ move, problem }] : [];
      });
    const single = refusedBy(false);
    const bad = single.length > 0 ? single : refusedBy(true);
    if (bad.length === 0) {
      const rest = problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
      return { kept, raw, todo: [...added, ...rest] };
    }
    for (const { move, problem } of bad) leave(move.from, problem.message);
    kept = kept.filter((move) => !bad.some((one) => one.move === move));
  }
}

/** The problem is about this value, or inside it. */
const touches = (problem: Keys, to: Keys): boolean =>
  to.every((key, index) => problem[index] === key) && problem.length >= to.length;

/** What cannot do without the key that is missing: one provider, one agent. Undefined: nothing smaller than a group. */
const holderOf = (problem: Keys): Keys | undefined => (problem.length > 3 ? problem.slice(0, 3) : undefined);
const lies = (keys: Keys, holder: Keys | undefined): boolean => holder !== undefined && touches(keys, holder);

interface Refusal {
  readonly path: Keys;
  readonly message: string;
}

function problemsOf(raw: Raw): Refusal[] {
  const whole = merge(derive(raw, {}, '/').raw, raw);
  const parsed = configSchema.safeParse(whole);
  if (parsed.success) return violations(parsed.data).map(({ path, message }) => ({ path, message }));
  return parsed.error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ path: [...path, key], message: unknownKeyMessage(key, issue.path) }));
    return [{ path, message: issueMessage(issue, valueAt(whole, issue.path)) }];
  });
}

const valueAt = (raw: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (Array.isArray(value) ? value[Number(key)] : get(value, [key])), raw);

/** Later moves do not displace earlier ones. */
function build(moves: readonly Move[]): Raw {
  let raw: Raw = {};
  for (const { to, value } of moves) if (get(raw, to) === undefined) raw = put(raw, to, value);
  const list = get(raw, ['agents', 'list']);
  return isRaw(list) ? put(raw, ['agents', 'list'], Object.values(list)) : raw;
}

/** There the best-known providers need no entry; here each has one. */
function withProviders(raw: Raw): { readonly raw: Raw; readonly added: readonly string[] } {
  const named = new Set(modelNames(raw).map((name) => name.split('/')[0]));
  const missing = DEFAULT_MODELS.filter(
    ({ provider }) => named.has(provider) && get(raw, ['models', 'providers', provider]) === undefined,
  );
  const whole = missing.reduce<Raw>(
    (result, { provider, api, baseUrl, key }) =>
      put(result, ['models', 'providers', provider], { api, baseUrl, apiKey: `env:${key}` }),
    raw,
  );
  return {
    raw: whole,
    added: missing.map(
      ({ provider, key }) => `models.providers.${provider} was added: set ${key} in the environment`,
    ),
  };
}

function modelNames(value: unknown, under = false): string[] {
  if (typeof value === 'string') return under ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => modelNames(item, under || key === 'model'));
}

function textOf({ path }: ConfigFile, raw: Raw): string {
  return `// Carried over from ${basename(path)} by \`coppice config import\`.\n${JSON.stringify(raw, null, 2)}\n`;
}
