/** Everything a thrown value says about itself, gathered from it and from what it wraps. */
export interface Evidence {
  /** The first HTTP status found, outermost first. */
  readonly status: number | undefined;
  readonly names: readonly string[];
  /** System and API codes (`ECONNRESET`, `insufficient_quota`, `overloaded_error`), lower-cased. */
  readonly codes: readonly string[];
  /** All messages and bodies, lower-cased, bounded. */
  readonly text: string;
  readonly headers: readonly unknown[];
}

const DEEPEST = 12;
const TEXT_LIMIT = 4_000;
const NESTED = ['cause', 'error', 'data', 'reason', 'lastError', 'response'] as const;

interface Draft {
  status: number | undefined;
  names: string[];
  codes: string[];
  texts: string[];
  headers: unknown[];
  seen: Set<object>;
}

/** Reads what may be a getter that throws. */
function read(node: object, key: string): unknown {
  try {
    return (node as Record<string, unknown>)[key];
  } catch {
    return undefined; // a property that cannot be read says nothing
  }
}

function statusOf(value: unknown): number | undefined {
  const status = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
  return typeof status === 'number' && Number.isInteger(status) && status >= 100 && status <= 599
    ? status
    : undefined;
}

function note(draft: Draft, node: object): void {
  // `code` is a status in the error events of several routers; `status` is a word in those of others.
  for (const key of ['statusCode', 'status', 'code']) draft.status ??= statusOf(read(node, key));
  for (const key of ['code', 'type', 'status', 'errno']) {
    const value = read(node, key);
    if (typeof value === 'string' && value.length <= 100) draft.codes.push(value.toLowerCase());
  }
  const name = read(node, 'name');
  if (typeof name === 'string') draft.names.push(name);
  for (const key of ['message', 'responseBody', 'detail']) {
    const value = read(node, key);
    if (typeof value === 'string') draft.texts.push(value.slice(0, TEXT_LIMIT).toLowerCase());
  }
  for (const key of ['responseHeaders', 'headers']) {
    const value = read(node, key);
    if (typeof value === 'object' && value !== null) draft.headers.push(value);
  }
}

function walk(draft: Draft, value: unknown, depth: number): void {
  if (typeof value === 'string') draft.texts.push(value.slice(0, TEXT_LIMIT).toLowerCase());
  if (typeof value !== 'object' || value === null || depth > DEEPEST || draft.seen.has(value)) return;
  draft.seen.add(value);
  note(draft, value);
  for (const key of NESTED) walk(draft, read(value, key), depth + 1);
  const errors = read(value, 'errors');
  if (Array.isArray(errors)) for (const each of errors.slice(0, DEEPEST)) walk(draft, each, depth + 1);
}

/** Never throws, whatever it is given: cycles, throwing getters, primitives, null. */
export function gather(thrown: unknown): Evidence {
  const draft: Draft = { status: undefined, names: [], codes: [], texts: [], headers: [], seen: new Set() };
  walk(draft, thrown, 0);
  const { status, names, codes, headers } = draft;
  return { status, names, codes, headers, text: draft.texts.join('\n').slice(0, 4 * TEXT_LIMIT) };
}
