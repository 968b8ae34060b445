import { isDeepStrictEqual } from 'node:util';

/**
 * As much of the test runner as the hand-written model-based tests ask for: it collects the tests of a file instead of
 * running them, so that the same file can be asked again and again about one mutant after the other.
 */
export interface Collected {
  readonly name: string;
  readonly run: () => unknown;
}
let collected: Collected[] = [];
/** The tests of the file that was imported last. */
export const takeTests = (): Collected[] => collected.splice(0);

type Title = string | number;
export const describe = (_title: Title, fill: () => void): void => fill();
const one = (name: Title, run: () => unknown): void => void collected.push({ name: String(name), run });
const each =
  (rows: readonly unknown[]) =>
  (name: Title, run: (...values: unknown[]) => unknown): void => {
    for (const row of rows)
      one(`${name}: ${String(Array.isArray(row) ? row[0] : row)}`, () =>
        run(...(Array.isArray(row) ? row : [row])),
      );
  };
export const it = Object.assign(one, { each });
export const test = it;

class Containing {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** Undefined properties count as absent, as in `toEqual`. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (value instanceof Set || value instanceof Map || value instanceof Error) return value;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .map(([key, part]) => [key, bare(part)]),
  );
}

const same = (one_: unknown, other: unknown): boolean => isDeepStrictEqual(bare(one_), bare(other));
const equals = (actual: unknown, wanted: unknown): boolean =>
  wanted instanceof Containing
    ? Array.isArray(actual) && wanted.items.every((item) => actual.some((got) => same(got, item)))
    : same(actual, wanted);
const matches = (actual: unknown, wanted: unknown): boolean =>
  typeof wanted === 'object' && wanted !== null
    ? typeof actual === 'object' &&
      actual !== null &&
      Object.entries(wanted).every(([key, part]) => matches((actual as Record<string, unknown>)[key], part))
    : same(actual, wanted);
const has = (actual: unknown, item: unknown): boolean =>
  typeof actual === 'string'
    ? actual.includes(String(item))
    : [...(actual as Iterable<unknown>)].includes(item);

function demand(holds: boolean, words: string, actual: unknown, wanted: unknown): void {
  if (!holds) throw new Error(`${brief(actual)} is expected ${words} ${brief(wanted)}`);
}
const brief = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 400);

export const expect = Object.assign(
  (actual: unknown, _message?: string) => ({
    toBe: (wanted: unknown) => demand(Object.is(actual, wanted), 'to be', actual, wanted),
    toEqual: (wanted: unknown) => demand(equals(actual, wanted), 'to equal', actual, wanted),
    toMatchObject: (wanted: unknown) => demand(matches(actual, wanted), 'to match', actual, wanted),
    toContain: (wanted: unknown) => demand(has(actual, wanted), 'to contain', actual, wanted),
    toBeGreaterThan: (wanted: number) =>
      demand((actual as number) > wanted, 'to be more than', actual, wanted),
  }),
  { arrayContaining: (items: readonly unknown[]) => new Containing(items) },
);
