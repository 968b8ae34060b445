import { childOf, typeOf } from './schema-keys.ts';
import { configSchema } from './schema.ts';

/** `agents.list[0].id`, `lanes.main.maxConcurrent`, `supervision["gateway/core/edge"].intensity` as keys; undefined when it is none. */
export function parseKeyPath(text: string): string[] | undefined {
  const keys: string[] = [];
  const part = /\.?(?:\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]"]+))/gy;
  while (part.lastIndex < text.length) {
    const match = part.exec(text);
    if (!match) return undefined;
    const [, quoted, index, bare] = match;
    keys.push(quoted?.replaceAll(/\\(.)/g, '$1') ?? index ?? bare ?? '');
  }
  return keys.length > 0 ? keys : undefined;
}

/** The same with numbers where the schema has a list. */
export function typedKeys(keys: readonly string[]): (string | number)[] {
  let schema: ReturnType<typeof childOf> = configSchema;
  return keys.map((key) => {
    const list = schema !== undefined && typeOf(schema) === 'array' && /^\d+$/.test(key);
    schema = schema && childOf(schema, key);
    return list ? Number(key) : key;
  });
}
