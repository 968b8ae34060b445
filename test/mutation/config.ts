/** A machine's definition as a tree of records, for reading and rebuilding; XState's own types forbid both. */
export type Config = Readonly<Record<string, unknown>>;
/** Keys and indexes from the root of a definition to one part of it. */
export type Place = readonly (string | number)[];

/** A transition in its long form. */
export interface Transition extends Config {
  readonly target?: string | readonly string[];
  readonly guard?: unknown;
  readonly actions?: readonly unknown[];
  readonly reenter?: boolean;
}

const isRecord = (value: unknown): value is Config => typeof value === 'object' && value !== null;
const asList = (value: unknown): readonly unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];
const mapped = (record: unknown, change: (value: unknown) => unknown): Config =>
  Object.fromEntries(Object.entries(record ?? {}).map(([key, value]) => [key, change(value)]));

const transitions = (list: unknown): readonly Transition[] =>
  asList(list).map((one) => {
    const long: Config = isRecord(one) ? one : { target: one };
    return { ...long, ...('actions' in long ? { actions: asList(long['actions']) } : {}) };
  });

const LONG: Readonly<Record<string, (value: unknown) => unknown>> = {
  entry: asList,
  exit: asList,
  always: transitions,
  onDone: transitions,
  onError: transitions,
  onSnapshot: transitions,
  on: (on) => mapped(on, transitions),
  after: (after) => mapped(after, transitions),
  invoke: (invoke) => asList(invoke).map((one) => longForm(one)),
  states: (states) => mapped(states, longForm),
};

/** The same definition with every list written as a list: what is planted into is then always at the same place. */
export function longForm(config: unknown): Config {
  return Object.fromEntries(
    Object.entries(config as Config)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, LONG[key]?.(value) ?? value]),
  );
}

/** A part of a definition. */
export const partAt = (config: unknown, place: Place): unknown =>
  place.reduce((part, key) => (part as Readonly<Record<string | number, unknown>>)[key], config);

/** A copy with one part changed; `undefined` takes it out. */
export function edited(config: unknown, place: Place, change: (part: unknown) => unknown): unknown {
  const [first, ...rest] = place;
  if (first === undefined) return change(config);
  const part = edited((config as Readonly<Record<string | number, unknown>>)[first], rest, change);
  if (Array.isArray(config))
    return config.flatMap((item: unknown, at) =>
      at === first ? (part === undefined ? [] : [part]) : [item],
    );
  const { [first]: _old, ...others } = config as Readonly<Record<string | number, unknown>>;
  if (part === undefined) return others;
  // Order counts: the keys of `states` say which state is another's neighbour.
  return Object.fromEntries(
    Object.entries(config as Config).map(([key, value]) => [key, key === String(first) ? part : value]),
  );
}
