import type { z } from 'zod';
import { nearest } from './nearest.ts';
import { at, defaultOf, leaves, metaOf, optionsOf, shapeOf } from './schema-keys.ts';
import { configSchema } from './schema.ts';

/** What zod found, in words for whoever wrote the file: what is wrong, what was expected, what to do. */

type Issue = z.core.$ZodIssue;

const WANTED: Readonly<Record<string, string>> = {
  string: 'text in "quotes"',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object: { ... }',
  record: 'an object: { ... }',
  array: 'a list: [ ... ]',
};

/** Keys at the top of the field's best-known gateway that have no place of this name here. */
const FOREIGN = new Set(
  'messages cron commands hooks bindings auth env meta wizard skills browser talk ui web discovery canvasHost identity agent routing memory mcp acp'.split(
    ' ',
  ),
);

/** What zod says of nothing at all. A bare `model` is nothing where its `primary` would stand, and yet is there. */
const ABSENT = new Set(['invalid_type', 'invalid_value', 'invalid_union']);

/** `value`: what was written there, to be described and, where it is no secret, to be repeated. */
export function issueMessage(issue: Issue, value: unknown): string {
  const schema = at(configSchema, issue.path);
  // The key that decides about all the others: which kinds there are.
  if ('options' in issue && Array.isArray(issue.options))
    return wrongKind(issue.options.map(String), value, issue);
  if (value === undefined && ABSENT.has(issue.code)) return missing(issue, schema);
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, value, schema);
    case 'invalid_union':
      return `expected ${unionOf(issue, schema)}, not ${kindOf(value)}`;
    case 'invalid_value':
      return wrongValue(issue.values.map(String), value, schema);
    case 'invalid_key':
      return `${JSON.stringify(issue.path.at(-1))} cannot be a name here: ${issue.issues[0]?.message ?? 'choose another'}`;
    case 'too_small':
      return issue.origin === 'string'
        ? 'it is empty; write a value, or delete the key'
        : `it must be at least ${issue.minimum}${defaultHint(schema)}`;
    case 'too_big':
      return `it must be at most ${issue.maximum}${defaultHint(schema)}`;
    default:
      return issue.message.replace(/^Invalid (?:input|option): /, '');
  }
}

function wrongKind(options: readonly string[], value: unknown, issue: Issue): string {
  if (value !== undefined) return wrongValue(options, value, undefined);
  return `"${String(issue.path.at(-1))}" is missing; add it: one of ${quoted(options)}`;
}

function missing(issue: Issue, schema: z.ZodType | undefined): string {
  if (issue.path.join('.') === 'agents.defaults.model')
    return 'no provider lists its models: name one as "provider/model"';
  const options = schema ? optionsOf(schema) : [];
  const wanted =
    options.length > 0
      ? `one of ${quoted(options)}`
      : issue.code === 'invalid_type'
        ? (WANTED[issue.expected] ?? issue.expected)
        : 'a value';
  return `"${String(issue.path.at(-1))}" is missing; add it: ${wanted}`;
}

function wrongType(expected: string, value: unknown, schema: z.ZodType | undefined): string {
  const wanted = WANTED[expected] ?? expected;
  return `expected ${wanted}, not ${kindOf(value)}${mend(expected, value, schema)}`;
}

/** The likeliest slip, mended. */
function mend(expected: string, value: unknown, schema: z.ZodType | undefined): string {
  if (value === null) return '; delete the key to take the default';
  const open = !schema || !metaOf(schema).secret;
  if (typeof value === 'string' && value.trim() !== '' && open) {
    if ((expected === 'number' || expected === 'int') && Number.isFinite(Number(value)))
      return `; write ${Number(value)} without the quotes`;
    if (expected === 'boolean' && /^(?:true|false)$/.test(value))
      return `; write ${value} without the quotes`;
    if (expected === 'array') return `; write [${JSON.stringify(value)}]`;
  }
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean') && open)
    return `; write "${value}"`;
  if (expected === 'int' && typeof value === 'number') return `; write ${Math.round(value)}`;
  return defaultHint(schema);
}

function unionOf(issue: Extract<Issue, { code: 'invalid_union' }>, schema: z.ZodType | undefined): string {
  if (schema && metaOf(schema).kind === 'duration') return 'a duration such as "30m", "60s" or "1h30m"';
  const kinds = issue.errors.flatMap(([first]) =>
    first?.code === 'invalid_type' ? [WANTED[first.expected] ?? first.expected] : [],
  );
  return kinds.length > 0 ? kinds.join(', or ') : 'another value';
}

function wrongValue(options: readonly string[], value: unknown, schema: z.ZodType | undefined): string {
  const meant = typeof value === 'string' ? nearest(value, options) : undefined;
  const advice = meant ? `; did you mean "${meant}"?` : defaultHint(schema);
  return `expected one of ${quoted(options)}${advice}`;
}

const quoted = (options: readonly string[]): string =>
  options.map((option) => JSON.stringify(option)).join(', ');

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return (
    { string: 'text', number: 'a number', boolean: 'true or false' }[String(typeof value)] ?? 'an object'
  );
}

function defaultHint(schema: z.ZodType | undefined): string {
  const value = schema && defaultOf(schema);
  return value === undefined || typeof value === 'object' ? '' : ` (default: ${JSON.stringify(value)})`;
}

/** What to do about a key nobody knows at `path`. */
export function unknownKeyMessage(key: string, path: readonly PropertyKey[]): string {
  const schema = at(configSchema, path);
  const known = Object.keys((schema && shapeOf(schema)) ?? {}).filter((name) => name !== '$schema');
  const meant = nearest(key, known);
  if (meant) return `unknown key "${key}"; did you mean "${meant}"?`;
  const elsewhere = elsewhereAs(key);
  if (elsewhere) return `unknown key "${key}"; it belongs to ${elsewhere}`;
  const foreign =
    path.length === 0 && FOREIGN.has(key)
      ? '; a file of another gateway is carried over by `coppice config import FILE`'
      : '';
  return `unknown key "${key}"; known here: ${known.join(', ')}${foreign}`;
}

/** `port` at the top of the file is most likely `gateway.port`; told only when there is no doubt. */
function elsewhereAs(key: string): string | undefined {
  const found = leaves(configSchema).filter(({ path }) => path.at(-1) === key && !path.includes('NAME'));
  return found.length === 1 ? found[0]?.path.join('.').replaceAll('.[]', '[]') : undefined;
}
