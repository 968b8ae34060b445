import type { z } from 'zod';

/** What of zod's definitions this file reads. zod publishes `def`; its type differs from schema to schema. */
interface Def {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly out?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly valueType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly entries?: Readonly<Record<string, string>>;
  readonly values?: readonly unknown[];
  readonly options?: readonly z.ZodType[];
  readonly discriminator?: string;
  readonly defaultValue?: unknown;
}

const defOf = (schema: z.ZodType): Def => schema.def as unknown as Def;

export interface KeyMeta {
  readonly description?: string;
  readonly secret?: boolean;
  readonly kind?: 'duration';
}

/** The schema below optional, prefault, preprocess and transform. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const def = defOf(schema);
  if (def.type === 'pipe' && def.in && def.out)
    return unwrap(defOf(def.in).type === 'transform' ? def.out : def.in);
  return def.innerType ? unwrap(def.innerType) : schema;
}

export const metaOf = (schema: z.ZodType): KeyMeta => (unwrap(schema).meta() ?? {}) as KeyMeta;
export const typeOf = (schema: z.ZodType): string => defOf(unwrap(schema)).type;
export const optionsOf = (schema: z.ZodType): string[] => {
  const { entries = {}, values = [] } = defOf(unwrap(schema));
  return [...Object.values(entries), ...values.map(String)];
};
/** Of a union whose `type` decides: the keys of all its kinds together. */
export const shapeOf = (schema: z.ZodType): Readonly<Record<string, z.ZodType>> | undefined => {
  const { shape, options, discriminator } = defOf(unwrap(schema));
  if (discriminator === undefined || !options) return shape;
  return Object.assign({}, ...options.map(shapeOf)) as Readonly<Record<string, z.ZodType>>;
};

/** The default as the operator would write it; undefined when there is none. */
export function defaultOf(schema: z.ZodType): unknown {
  const def = defOf(schema);
  if (def.type === 'prefault' || def.type === 'default') return def.defaultValue;
  return def.innerType ? defaultOf(def.innerType) : undefined;
}

/** The schema of one step down: a key, a name in a record, a place in a list. */
export function childOf(schema: z.ZodType, key: PropertyKey): z.ZodType | undefined {
  const { valueType, element } = defOf(unwrap(schema));
  const shape = shapeOf(schema);
  if (shape) return Object.hasOwn(shape, key) ? shape[String(key)] : undefined;
  return valueType ?? element;
}

export const at = (schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType | undefined =>
  path.reduce<z.ZodType | undefined>((found, key) => found && childOf(found, key), schema);

export interface Key {
  /** `NAME` stands for any name in a record, `[]` for any place in a list. */
  readonly path: readonly string[];
  readonly schema: z.ZodType;
}

/** Every leaf below `schema`, in order. */
export function leaves(schema: z.ZodType, path: readonly string[] = []): Key[] {
  const { valueType, element } = defOf(unwrap(schema));
  const shape = shapeOf(schema);
  if (shape) return Object.entries(shape).flatMap(([key, child]) => leaves(child, [...path, key]));
  if (valueType && shapeOf(valueType)) return leaves(valueType, [...path, 'NAME']);
  if (element && shapeOf(element)) return leaves(element, [...path, '[]']);
  return [{ path, schema }];
}
