/** Any value as plain JSON of bounded size, for looking at. Never throws, whatever it is given. */

export interface ViewLimits {
  readonly depth: number;
  /** Entries shown of one object or list. */
  readonly entries: number;
  /** Characters shown of one text. */
  readonly chars: number;
  /** Values shown in all. */
  readonly values: number;
}

const LIMITS: ViewLimits = { depth: 5, entries: 50, chars: 500, values: 1_000 };

export function plainView(value: unknown, limits: Partial<ViewLimits> = {}): unknown {
  return show(value, { ...LIMITS, ...limits }, { left: limits.values ?? LIMITS.values }, 0);
}

/** One line of at most `chars` characters. */
export function plainLine(value: unknown, chars: number): string {
  return cut(JSON.stringify(plainView(value, { chars, values: 100 })) ?? 'undefined', chars);
}

const cut = (text: string, chars: number): string =>
  text.length > chars ? `${text.slice(0, chars)}[+${text.length - chars} characters]` : text;

function show(value: unknown, limits: ViewLimits, budget: { left: number }, depth: number): unknown {
  budget.left -= 1;
  if (typeof value === 'string') return cut(value, limits.chars);
  if (value === null || value === undefined || typeof value === 'boolean') return value ?? null;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return `${cut(String(value), limits.chars)}n`;
  if (typeof value !== 'object') return `[${typeof value}]`;
  if (depth >= limits.depth || budget.left <= 0) return Array.isArray(value) ? '[list]' : '[object]';
  try {
    return showObject(value, limits, budget, depth);
  } catch {
    // A proxy or getter that fails: what it holds cannot be shown, which is the answer.
    return '[unreadable]';
  }
}

function showObject(value: object, limits: ViewLimits, budget: { left: number }, depth: number): unknown {
  const inner = (entry: unknown): unknown => show(entry, limits, budget, depth + 1);
  if (value instanceof Error) return cut(`${value.name}: ${value.message}`, limits.chars);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[no date]' : value.toISOString();
  if (value instanceof Map) return `[map of ${value.size}]`;
  if (value instanceof Set) return `[set of ${value.size}]`;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  // An actor shows its whole system; its name is enough.
  if ('getSnapshot' in value && 'send' in value)
    return cut(`[actor ${String((value as { id?: unknown }).id)}]`, limits.chars);
  if (Array.isArray(value)) return showList(value, limits, budget, inner);
  return showFields(value as Record<string, unknown>, limits, budget, inner);
}

type Inner = (entry: unknown) => unknown;

function showList(
  list: readonly unknown[],
  limits: ViewLimits,
  budget: { left: number },
  inner: Inner,
): unknown {
  const shown: unknown[] = [];
  for (const entry of list.slice(0, limits.entries)) {
    if (budget.left <= 0) break;
    shown.push(inner(entry));
  }
  return shown.length < list.length ? [...shown, `[+${list.length - shown.length} more]`] : shown;
}

function showFields(
  fields: Record<string, unknown>,
  limits: ViewLimits,
  budget: { left: number },
  inner: Inner,
): unknown {
  const names = Object.keys(fields);
  const shown: [string, unknown][] = [];
  for (const name of names.slice(0, limits.entries)) {
    if (budget.left <= 0) break;
    shown.push([cut(name, limits.chars), inner(fields[name])]);
  }
  const rest = names.length - shown.length;
  return Object.fromEntries(rest > 0 ? [...shown, ['[more]', rest]] : shown);
}
