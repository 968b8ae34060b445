import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { z } from 'zod';
import { normalizeError } from '../errors.ts';
import type { Env } from './env.ts';
import { at, childOf, metaOf } from './schema-keys.ts';
import { isRaw } from './raw.ts';
import { configSchema } from './schema.ts';

/** What stands where a secret is. */
export const SET = '(set)';

/** Names of secrets under keys that the schema does not know: those of channels and plugins. */
const SECRET_NAME = /token|secret|passw|api_?-?key|auth|credential|private|cookie|signing|webhook/i;
const URL_PASSWORD = /(\w:\/\/)[^/\s@]+@/g;

/** Known to the schema and no secret: anything else may be one, a misspelt key's value above all. */
export function mayShow(path: readonly PropertyKey[], value: unknown): boolean {
  const schema = at(configSchema, path);
  if (!schema || metaOf(schema).secret || path.some((key) => SECRET_NAME.test(String(key)) && key !== 'auth'))
    return false;
  return typeof value !== 'string' || value.search(URL_PASSWORD) < 0;
}

/** A copy that may be printed: of secrets only that they are set. */
export function withoutSecrets(value: unknown, schema: z.ZodType | undefined, name = ''): unknown {
  if (schema && metaOf(schema).secret) return value === undefined ? undefined : SET;
  if (Array.isArray(value))
    return value.map((item, index) => withoutSecrets(item, schema && childOf(schema, index), name));
  if (isRaw(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        withoutSecrets(item, schema && childOf(schema, key), key),
      ]),
    );
  }
  if (typeof value !== 'string') return value;
  return !schema && SECRET_NAME.test(name) ? SET : value.replaceAll(URL_PASSWORD, '$1***@');
}

/** Resolves `env:NAME` and `file:PATH` (relative to the configuration's folder); anything else is the secret itself. */
export function resolveSecret(
  reference: string,
  env: Env,
  folder: string,
): { readonly value: string } | { readonly reason: string } {
  if (reference.startsWith('env:')) {
    const name = reference.slice(4);
    const value = env[name];
    return value ? { value } : { reason: `the environment variable ${name} is not set` };
  }
  if (!reference.startsWith('file:')) return { value: reference };
  const path = reference.slice(5);
  try {
    const value = readFileSync(isAbsolute(path) ? path : join(folder, path), 'utf8').trim();
    return value === '' ? { reason: `the file ${path} is empty` } : { value };
  } catch (error) {
    return { reason: `the file ${path} cannot be read: ${normalizeError(error).message}` };
  }
}

/** Calls `each` for every secret in `value` and returns a copy with what it gave back. */
export function mapSecrets(
  value: unknown,
  schema: z.ZodType,
  each: (secret: string, path: readonly string[]) => string,
  path: readonly string[] = [],
): unknown {
  if (typeof value === 'string') return metaOf(schema).secret ? each(value, path) : value;
  if (Array.isArray(value)) {
    return value.map((item, index) => {
      const child = childOf(schema, index);
      return child ? mapSecrets(item, child, each, [...path, String(index)]) : item;
    });
  }
  if (!isRaw(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const child = childOf(schema, key);
      return [key, child ? mapSecrets(item, child, each, [...path, key]) : item];
    }),
  );
}
