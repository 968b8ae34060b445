/** Numbers from a seed. The same seed gives the same numbers on every machine and in every release. */
export interface Random {
  /** At least 0, below 1. */
  next(): number;
  /** A whole number, at least 0, below `below`. */
  below(below: number): number;
  /** One of them; undefined of none. */
  pick<T>(items: readonly T[]): T | undefined;
}

/**
 * mulberry32 (Tommy Ettinger, public domain): 32 bits of state, a period of 2^32. For choosing paths, not for secrets.
 */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { next, below, pick: (items) => (items.length === 0 ? undefined : items[below(items.length)]) };
}
