import { sampled } from './pattern-sample.ts';

/** A JSON schema, draft 2020-12, as far as this file reads it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** How deep a schema that refers to itself is followed. */
const DEEPEST = 5;

/**
 * A few values of a schema, the smallest first, then the fullest, then one difference at a time.
 * Throws an Error in words for what it cannot make: a pattern without an example, `not`, an empty enum.
 */
export function valuesOf(schema: unknown, root: JsonSchema, depth = 0): readonly unknown[] {
  if (schema === true || schema === undefined) return [null];
  if (typeof schema !== 'object' || schema === null) throw new Error('a part of the schema allows nothing');
  const own = schema as JsonSchema;
  if (typeof own['$ref'] === 'string') return valuesOf(referred(own['$ref'], root, depth), root, depth + 1);
  const given = own['examples'];
  const known = 'const' in own ? [own['const']] : Array.isArray(own['enum']) ? own['enum'] : undefined;
  if (known) return known;
  if (Array.isArray(given) && given.length > 0) return given;
  const either = own['anyOf'] ?? own['oneOf'];
  if (Array.isArray(either)) return either.flatMap((one) => valuesOf(merged(own, one), root, depth + 1));
  if (Array.isArray(own['allOf']))
    return valuesOf(own['allOf'].reduce<JsonSchema>(merged, omit(own)), root, depth + 1);
  const { type } = own;
  if (Array.isArray(type)) return type.flatMap((one) => valuesOf({ ...own, type: one }, root, depth));
  return ofType(typeof type === 'string' ? type : guessed(own), own, root, depth);
}

export function referred(ref: string, root: JsonSchema, depth = 0): unknown {
  if (depth > DEEPEST) throw new Error('it refers to itself without an end');
  if (!ref.startsWith('#')) throw new Error(`it refers to ${ref}`);
  return ref
    .split('/')
    .slice(1)
    .reduce<unknown>(
      (part, key) => (part as JsonSchema)[key.replaceAll('~1', '/').replaceAll('~0', '~')],
      root,
    );
}

const omit = ({ allOf: _all, anyOf: _any, oneOf: _one, ...rest }: JsonSchema): JsonSchema => rest;

/** Both at once: properties and required fields of both. */
function merged(one: JsonSchema, other: JsonSchema): JsonSchema {
  const properties = { ...(one['properties'] as object), ...(other['properties'] as object) };
  const required = [...((one['required'] ?? []) as string[]), ...((other['required'] ?? []) as string[])];
  return {
    ...omit(one),
    ...other,
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required: [...new Set(required)] } : {}),
  };
}

function guessed(schema: JsonSchema): string {
  if ('properties' in schema || 'additionalProperties' in schema) return 'object';
  return 'items' in schema || 'prefixItems' in schema ? 'array' : 'null';
}

function ofType(type: string, schema: JsonSchema, root: JsonSchema, depth: number): readonly unknown[] {
  if (type === 'null') return [null];
  if (type === 'boolean') return [false, true];
  if (type === 'string') return strings(schema);
  if (type === 'number' || type === 'integer') return numbers(schema, type === 'integer');
  return type === 'array' ? arrays(schema, root, depth) : objects(schema, root, depth);
}

const numberIn = (schema: JsonSchema, key: string): number | undefined =>
  typeof schema[key] === 'number' ? schema[key] : undefined;

/** Both bounds; where there is none, 0 and 1 and a large one. */
function numbers(schema: JsonSchema, whole: boolean): readonly number[] {
  const step = numberIn(schema, 'multipleOf') ?? (whole ? 1 : undefined);
  const [over, under] = [numberIn(schema, 'exclusiveMinimum'), numberIn(schema, 'exclusiveMaximum')];
  const gap = step ?? (over !== undefined && under !== undefined ? (under - over) / 4 : 0.5);
  const least = numberIn(schema, 'minimum') ?? (over === undefined ? undefined : over + gap);
  const most = numberIn(schema, 'maximum') ?? (under === undefined ? undefined : under - gap);
  const huge = (bound: number): boolean => Math.abs(bound) >= Number.MAX_SAFE_INTEGER;
  const low =
    least !== undefined && !huge(least) ? least : Math.min(0, most !== undefined && !huge(most) ? most : 0);
  const high = most !== undefined && !huge(most) ? most : low + 1_000 * (step ?? 1);
  const rounded = (value: number, way: 'ceil' | 'floor'): number =>
    step === undefined ? value : Math[way](value / step) * step;
  return unique([rounded(low, 'ceil'), rounded(high, 'floor'), rounded(low, 'ceil') + gap]).filter(
    (value) => value <= high,
  );
}

const FORMATS: Readonly<Record<string, readonly string[]>> = {
  email: ['ann@example.org', 'b.long-name+tag@sub.example.com'],
  uuid: ['3b241101-e2bb-4255-8caf-4136c566a962', '9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d'],
  uri: ['https://example.org', 'https://example.org/a/b?c=d'],
  url: ['https://example.org'],
  'date-time': ['2026-01-31T09:30:00Z', '2000-02-29T23:59:59Z'],
  date: ['2026-01-31', '2000-02-29'],
  time: ['09:30:00', '23:59:59'],
  duration: ['PT1H'],
  ipv4: ['192.0.2.1'],
  ipv6: ['2001:db8::1'],
  base64: ['', 'YQ=='],
  base64url: ['', 'YQ'],
  e164: ['+15555550100'],
  jwt: ['eyJhbGciOiJIUzI1NiJ9.e30.c2ln'],
};
function strings(schema: JsonSchema): readonly string[] {
  const least = numberIn(schema, 'minLength') ?? 0;
  const most = numberIn(schema, 'maxLength');
  const format = FORMATS[String(schema['format'])];
  const sized = [word(least), word(most ?? least + 8), ...(least === 0 ? [word(1)] : [])];
  const pattern = typeof schema['pattern'] === 'string' ? new RegExp(schema['pattern'], 'u') : undefined;
  const fitting = unique([...(format ?? sized), ...(pattern ? sampled(pattern.source) : [])]).filter(
    (value) =>
      (pattern?.test(value) ?? true) && value.length >= least && (most === undefined || value.length <= most),
  );
  if (fitting.length === 0) throw new Error(`nothing that was tried fits the pattern ${schema['pattern']}`);
  return fitting.slice(0, 3);
}

/** Long bounds are cut: a text of a megabyte proves no more than one of a few hundred characters. */
const word = (length: number): string => 'abcdefghij'.repeat(30).slice(0, Math.min(300, length));

/** As short as may be, one item each, and as long as may be (at most three more than the least). */
function arrays(schema: JsonSchema, root: JsonSchema, depth: number): readonly unknown[] {
  const fixed = Array.isArray(schema['prefixItems']) ? schema['prefixItems'] : [];
  const head = fixed.map((item) => valuesOf(item, root, depth + 1)[0]);
  const least = Math.max(numberIn(schema, 'minItems') ?? 0, head.length);
  const most = Math.min(numberIn(schema, 'maxItems') ?? least + 2, least + 3);
  const hasItems = schema['items'] !== false && (fixed.length === 0 || 'items' in schema);
  const rest =
    most > head.length && hasItems && depth < DEEPEST
      ? valuesOf(schema['items'] ?? true, root, depth + 1)
      : [];
  const filled = (length: number): unknown[] => [
    ...head,
    ...Array.from({ length: length - head.length }, (_, at) => rest[at % rest.length]),
  ];
  if (rest.length === 0) return [head];
  return uniqueJson([
    filled(least),
    filled(most),
    ...rest.map((item) => [...filled(least), item].slice(0, most)),
  ]);
}

/** The required fields alone, everything, then one difference at a time. */
function objects(schema: JsonSchema, root: JsonSchema, depth: number): readonly unknown[] {
  const required = new Set((schema['required'] ?? []) as string[]);
  const fields = Object.entries((schema['properties'] ?? {}) as JsonSchema)
    .filter(([name]) => required.has(name) || depth < DEEPEST)
    .map(([name, field]) => [name, valuesOf(field, root, depth + 1)] as const);
  const least = Object.fromEntries(
    fields.filter(([name]) => required.has(name)).map(([name, [value]]) => [name, value]),
  );
  const most = Object.fromEntries(fields.map(([name, values]) => [name, values[1] ?? values[0]]));
  const single = fields.flatMap(([name, values]) => values.map((value) => ({ ...least, [name]: value })));
  const more = additional(schema, root, depth).map((extra) => ({ ...least, ...extra }));
  return uniqueJson([least, most, ...single, ...more]);
}

/** One more key, where keys are free (a record). */
function additional(schema: JsonSchema, root: JsonSchema, depth: number): readonly object[] {
  const free = schema['additionalProperties'];
  if (typeof free !== 'object' || free === null || depth >= DEEPEST) return [];
  const names =
    schema['propertyNames'] === undefined ? ['key'] : valuesOf(schema['propertyNames'], root, depth + 1);
  const name = names.find((one) => one !== '') ?? 'key';
  return valuesOf(free, root, depth + 1)
    .slice(0, 2)
    .map((value) => ({ [String(name)]: value }));
}

const unique = <T>(values: readonly T[]): readonly T[] => [...new Set(values)];
const uniqueJson = (values: readonly unknown[]): readonly unknown[] => [
  ...new Map(values.map((value) => [JSON.stringify(value), value])).values(),
];
