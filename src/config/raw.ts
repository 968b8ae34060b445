/** What was written, before anybody checked it. */
export type Raw = Record<string, unknown>;

export const isRaw = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function get(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (found, key) => (isRaw(found) && Object.hasOwn(found, key) ? found[String(key)] : undefined),
    raw,
  );
}

/** A copy in which `path` has `value`; what stands in the way and is no object is replaced. */
export function put(raw: Raw, path: readonly string[], value: unknown): Raw {
  const [key, ...rest] = path;
  if (key === undefined) return raw;
  const below = raw[key];
  return { ...raw, [key]: rest.length === 0 ? value : put(isRaw(below) ? below : {}, rest, value) };
}

/** A copy without `path`. */
export function without(raw: Raw, path: readonly string[]): Raw {
  const [key, ...rest] = path;
  if (key === undefined || !Object.hasOwn(raw, key)) return raw;
  const { [key]: below, ...others } = raw;
  return rest.length > 0 && isRaw(below) ? { ...others, [key]: without(below, rest) } : others;
}

/** Key by key; lists and single values of `upper` replace those of `lower`. */
export function merge(lower: Raw, upper: Raw): Raw {
  const result: Raw = { ...lower };
  for (const [key, value] of Object.entries(upper)) {
    const below = result[key];
    result[key] = isRaw(below) && isRaw(value) ? merge(below, value) : value;
  }
  return result;
}

/** Paths of everything that is no object, lists counted as one value. */
export function leafPaths(raw: Raw, path: readonly string[] = []): string[][] {
  return Object.entries(raw).flatMap(([key, value]) =>
    isRaw(value) && Object.keys(value).length > 0 ? leafPaths(value, [...path, key]) : [[...path, key]],
  );
}
