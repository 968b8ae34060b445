import type { Plain } from './contract.ts';

/** Names an actor inside a value; by default by its id. */
export type NameActor = (ref: { readonly id: string }) => string;

const byId: NameActor = (ref) => ref.id;

/**
 * Any value as JSON. What JSON has no word for becomes an object with one key: `$error` `{ name, message, ... }`,
 * `$date`, `$map`, `$set`, `$bigint`, `$number` (NaN, Infinity), `$bytes`, `$undefined` (inside lists), `$actor`,
 * `$function`, `$again` (a value inside itself). Keys whose value is undefined are left out. Never throws.
 */
export function toPlain(value: unknown, nameActor: NameActor = byId): Plain {
  return plainOf(value, nameActor, []);
}

function plainOf(value: unknown, nameActor: NameActor, above: readonly object[]): Plain {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : { $number: String(value) };
  if (value === undefined) return { $undefined: true };
  if (typeof value === 'bigint') return { $bigint: String(value) };
  if (typeof value === 'function') return { $function: value.name };
  if (typeof value === 'symbol') return { $symbol: value.description ?? '' };
  if (above.includes(value)) return { $again: true };
  return ofObject(value, nameActor, [...above, value]);
}

function ofObject(value: object, nameActor: NameActor, above: readonly object[]): Plain {
  const plain = (part: unknown): Plain => plainOf(part, nameActor, above);
  if (Array.isArray(value)) return value.map(plain);
  if (isActor(value)) return { $actor: nameActor(value) };
  if (value instanceof Error)
    return { $error: { name: value.name, message: value.message, ...entriesOf(value, plain) } };
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? '' : value.toISOString() };
  if (value instanceof Map) return { $map: [...value].map(([key, one]) => [plain(key), plain(one)]) };
  if (value instanceof Set) return { $set: [...value].map(plain) };
  if (ArrayBuffer.isView(value))
    return { $bytes: [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)] };
  return 'toJSON' in value && typeof value.toJSON === 'function'
    ? plain(value.toJSON())
    : entriesOf(value, plain);
}

function entriesOf(value: object, plain: (part: unknown) => Plain): Record<string, Plain> {
  const entries = Object.entries(value).filter(([, part]) => part !== undefined && !isTrace(part));
  return Object.fromEntries(entries.map(([key, part]) => [key, plain(part)]));
}

/** Where an error was made differs from run to run. */
const isTrace = (part: unknown): boolean => typeof part === 'string' && /\n {4}at /.test(part);

/** An actor ref: what `spawn` gives, and what XState puts into `children`. */
export function isActor(value: object): value is { readonly id: string; readonly sessionId: string } {
  return 'sessionId' in value && 'send' in value && 'getSnapshot' in value;
}

/** The value again. Errors come back as `Error` with their name and fields; actors and functions do not come back. */
export function fromPlain(plain: Plain): unknown {
  if (plain === null || typeof plain !== 'object') return plain;
  if (Array.isArray(plain)) return plain.map(fromPlain);
  const entries = Object.entries(plain as Record<string, Plain>);
  const [tag, body] = entries.length === 1 ? entries[0]! : ['', null];
  const revive = REVIVE[tag];
  return revive ? revive(body) : Object.fromEntries(entries.map(([key, part]) => [key, fromPlain(part)]));
}

const list = (body: Plain): unknown[] => fromPlain(body) as unknown[];
const REVIVE: Readonly<Record<string, (body: Plain) => unknown>> = {
  $undefined: () => undefined,
  $number: Number,
  $bigint: (body) => BigInt(String(body)),
  $date: (body) => new Date(String(body)),
  $map: (body) => new Map(list(body) as [unknown, unknown][]),
  $set: (body) => new Set(list(body)),
  $bytes: (body) => Uint8Array.from(body as number[]),
  $error: (body) => {
    const { message, ...fields } = fromPlain(body) as { message?: unknown };
    return Object.assign(new Error(String(message)), fields);
  },
};

/** Two values are the same if this text is: keys in order. */
export function stableText(plain: Plain): string {
  return JSON.stringify(plain, (_key, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

/** Eight hexadecimal digits of a text (FNV-1a, 32 bits): tells apart, does not protect. */
export function digestOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
