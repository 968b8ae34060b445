import type { AnyMachineSnapshot } from 'xstate';
import { CoppiceError } from '../errors.ts';
import { plainContext } from './children.ts';
import type { Plain } from './contract.ts';

/** What of a machine's context makes a different state, and what does not. */
export interface AbstractOptions {
  /**
   * Numbers that count as at most this much (below zero: at least minus this much), and lists of which only so many items count, by their place in the
   * context: `attempts`, `turn.crashes`, `items.*.tries` (`*`: every item of a list, every value of a record).
   */
  readonly cap?: Readonly<Record<string, number>>;
  /** Parts of the context that make no other state: times, ids, texts. They are not compared in a replay either. */
  readonly drop?: readonly string[];
  /** Only these parts of the context count. */
  readonly keep?: readonly string[];
}

/** Give it as `serialize`. */
export interface Abstraction {
  (snapshot: AnyMachineSnapshot): string;
  readonly drop: readonly string[];
}

/**
 * Makes many states one: a counter that can grow for ever has no end of states.
 * Throws TEST_OPTION_INVALID for a cap that is no whole number of 0 or more.
 */
export function abstract({ cap = {}, drop = [], keep }: AbstractOptions): Abstraction {
  for (const [place, limit] of Object.entries(cap))
    if (!Number.isInteger(limit) || limit < 0)
      throw new CoppiceError('TEST_OPTION_INVALID', {
        option: `cap.${place}`,
        value: limit,
        expected: 'a whole number of 0 or more',
      });
  const capped = (context: unknown): unknown =>
    Object.entries(cap).reduce<unknown>(
      (all, [place, limit]) => edited(all, place.split('.'), (value) => atMost(value, limit)),
      context,
    );
  const kept = (context: unknown): unknown =>
    keep === undefined ? context : keep.map((place) => at(context, place.split('.')));
  const serialize = (snapshot: AnyMachineSnapshot): string => {
    return JSON.stringify([snapshot.value, kept(capped(without(plainContext(snapshot), drop)))]);
  };
  return Object.assign(serialize, { drop });
}

export const isAbstraction = (serialize: unknown): serialize is Abstraction =>
  typeof serialize === 'function' && 'drop' in serialize;

/** A plain value without some of its parts. */
export const without = (value: unknown, places: readonly string[]): unknown =>
  places.reduce<unknown>((all, place) => edited(all, place.split('.'), () => undefined), value);

function atMost(value: unknown, limit: number): unknown {
  if (typeof value === 'number') return Math.max(-limit, Math.min(value, limit));
  return Array.isArray(value) ? value.slice(0, limit) : value;
}

/** A copy with one place changed; `undefined` removes it. What is not there stays not there. */
function edited(
  value: unknown,
  [first, ...rest]: readonly string[],
  change: (value: unknown) => unknown,
): unknown {
  if (first === undefined) return change(value);
  if (value === null || typeof value !== 'object') return value;
  const touched = (key: string): boolean => first === '*' || key === first;
  if (Array.isArray(value))
    return value.flatMap((item: unknown, index) => {
      const next = touched(String(index)) ? edited(item, rest, change) : item;
      return next === undefined ? [] : [next];
    });
  const entries = Object.entries(value).map(
    ([key, item]) => [key, touched(key) ? edited(item, rest, change) : (item as unknown)] as const,
  );
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

const at = (value: unknown, place: readonly string[]): Plain =>
  place.reduce<Plain>(
    (part, key) =>
      (part !== null && typeof part === 'object' ? (part as Record<string, Plain>)[key] : undefined) ?? null,
    value as Plain,
  );
