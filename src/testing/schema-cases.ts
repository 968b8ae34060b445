import type { AnyEventObject } from 'xstate';
import { CoppiceError } from '../errors.ts';
import type { EventSchema } from './contract.ts';
import { referred, valuesOf } from './schema-values.ts';
import type { JsonSchema } from './schema-values.ts';

interface Standard {
  readonly validate?: (value: unknown) => unknown;
  readonly jsonSchema?: { input(options: { target: string }): unknown };
}

/**
 * A few events of one type from the schema of their payload: the smallest, the fullest, then each field alone at its
 * other values: bounds of numbers and lengths, members of enums and unions, optional fields absent and present.
 * `type` is set, whether the schema knows it or not. At most `most` (default 24). The first ones are the most telling.
 * Throws TEST_SCHEMA_UNSUPPORTED where nothing can be made that the schema itself accepts.
 */
export function schemaCases(type: string, schema: EventSchema, most = 24): readonly AnyEventObject[] {
  const standard = (schema as { '~standard'?: Standard })['~standard'];
  const json = jsonSchemaOf(type, schema, standard);
  const made = attempt(type, () => valuesOf(json, json));
  const events = made.map((value) => ({ ...(isRecord(value) ? value : {}), type }));
  const accepted = events.filter((event) => accepts(standard, event));
  if (accepted.length === 0) throw unsupported(type, 'the schema refuses every value that was made from it');
  return accepted.slice(0, most);
}

/** Something that describes values, not a record of such things by event type. */
export const isSchema = (value: object): boolean =>
  '~standard' in value || typeof (value as { toJSONSchema?: unknown }).toJSONSchema === 'function';

/** The members of a union by their `type`, each as a JSON schema of its own. Throws TEST_SCHEMA_UNSUPPORTED. */
export function typesOf(union: EventSchema): readonly (readonly [string, JsonSchema])[] {
  const root = jsonSchemaOf('any event', union, (union as { '~standard'?: Standard })['~standard']);
  return membersOf(root, root).flatMap((member) => {
    const types = valuesOf((member['properties'] as JsonSchema | undefined)?.['type'] ?? {}, root);
    return types.map((type) => {
      if (typeof type !== 'string')
        throw unsupported('any event', 'not every member of the union says its type in words');
      return [type, { $defs: root['$defs'], ...member }] as const;
    });
  });
}

function membersOf(schema: JsonSchema, root: JsonSchema, depth = 0): readonly JsonSchema[] {
  if (typeof schema['$ref'] === 'string' && depth < 10)
    return membersOf(referred(schema['$ref'], root) as JsonSchema, root, depth + 1);
  const either = schema['anyOf'] ?? schema['oneOf'];
  return Array.isArray(either)
    ? either.flatMap((one) => membersOf(one as JsonSchema, root, depth + 1))
    : [schema];
}

function jsonSchemaOf(type: string, schema: EventSchema, standard: Standard | undefined): JsonSchema {
  const { toJSONSchema } = schema as { toJSONSchema?: (options: { io: 'input' }) => unknown };
  const made = attempt(type, () => {
    if (standard?.jsonSchema) return standard.jsonSchema.input({ target: 'draft-2020-12' });
    if (typeof toJSONSchema === 'function') return toJSONSchema.call(schema, { io: 'input' });
    if (standard) throw new Error('it is a Standard Schema without a JSON schema');
    return schema;
  });
  if (!isRecord(made)) throw unsupported(type, 'it is no JSON schema and gives none');
  return made;
}

function attempt<T>(type: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw unsupported(type, error instanceof Error ? error.message : String(error), error);
  }
}

const unsupported = (event: string, reason: string, cause?: unknown): CoppiceError =>
  new CoppiceError('TEST_SCHEMA_UNSUPPORTED', { event, reason }, { cause });

/** Schemas that validate asynchronously are believed. */
function accepts(standard: Standard | undefined, event: AnyEventObject): boolean {
  const result = standard?.validate?.(event);
  if (!isRecord(result) || result instanceof Promise) return true;
  return result['issues'] === undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
