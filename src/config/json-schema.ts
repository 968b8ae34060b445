import { z } from 'zod';
import { get, isRaw, put } from './raw.ts';
import type { Raw } from './raw.ts';
import { carriedKeys } from './carry-over.ts';
import { configSchema } from './schema.ts';

export const SCHEMA_ID = 'urn:coppice:config';

/** Keys that are filled in from elsewhere when nobody writes them. */
const DERIVED = [[], ['agents'], ['agents', 'defaults']] as const;

/** What may be written, as JSON Schema (draft 2020-12), for editors. Says nothing of what is in force. */
export function configJsonSchema(): Raw {
  const made = z.toJSONSchema(configSchema, {
    target: 'draft-2020-12',
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => tidy(jsonSchema),
  }) as Raw;
  const open = DERIVED.reduce<Raw>((schema, path) => optional(schema, path), made);
  const {
    $schema,
    title: _title,
    description: _description,
    ...rest
  } = carriedKeys().reduce(withMoved, open);
  return {
    $schema,
    $id: SCHEMA_ID,
    title: 'coppice configuration',
    description: 'What an operator may say to coppice. Comments and trailing commas are allowed.',
    ...rest,
  };
}

/** Our own notes become words that editors know. */
function tidy(schema: Record<string, unknown>): void {
  if (schema['secret'] === true) {
    schema['description'] =
      `${String(schema['description'])} A literal, env:NAME or file:PATH. Never printed.`;
    schema['writeOnly'] = true;
  }
  if (schema['kind'] === 'duration') schema['examples'] = ['30m', '60s', '1h30m', 0];
  delete schema['secret'];
  delete schema['kind'];
  if (isModelChoice(schema)) {
    const { description, ...object } = { ...schema };
    for (const key of Object.keys(schema)) delete schema[key];
    const primary = get(object, ['properties', 'primary', 'pattern']);
    Object.assign(schema, { description, anyOf: [{ type: 'string', pattern: primary }, object] });
  }
}

/** A bare string stands for the primary; zod does not see that behind `preprocess`. */
const isModelChoice = (schema: Record<string, unknown>): boolean =>
  get(schema, ['properties', 'primary']) !== undefined &&
  get(schema, ['properties', 'fallbacks']) !== undefined;

const propertiesOf = (path: readonly string[]): string[] => path.flatMap((key) => ['properties', key]);

function optional(schema: Raw, path: readonly string[]): Raw {
  const found = path.length === 0 ? schema : get(schema, propertiesOf(path));
  if (!isRaw(found)) return schema;
  const { required: _required, ...rest } = found;
  return path.length === 0 ? rest : put(schema, propertiesOf(path), rest);
}

/** The old places of carried-over keys are valid too. */
function withMoved(schema: Raw, [from, to]: readonly [string, string]): Raw {
  const target = get(schema, propertiesOf(to.split('.')));
  if (!isRaw(target)) return schema;
  return put(schema, propertiesOf(from.split('.')), {
    ...target,
    deprecated: true,
    description: `Taken as ${to}.`,
  });
}
