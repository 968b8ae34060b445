import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { z } from 'zod';
import { normalizeError } from '../errors.ts';
import type { Env } from './env.ts';
import { childOf, metaOf } from './schema-keys.ts';
import { isRaw } from './raw.ts';

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
  if (!isRaw(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const child = childOf(schema, key);
      return [key, child ? mapSecrets(item, child, each, [...path, key]) : item];
    }),
  );
}
