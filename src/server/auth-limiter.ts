/**
 * Guessing is slow. Beyond loopback an address that fails too often is locked out; on loopback each wrong answer
 * comes later than the one before, so that a page or program guessing there cannot lock out the machine's owner.
 * The table is bounded: when it is full, all newcomers share one budget.
 */
import type { Clock } from '../supervisor/clock.ts';
import { budgetKey, isLoopback } from './address.ts';
import type { ServerLimits } from './limits.ts';

interface Entry {
  failures: number[];
  lockedUntil: number;
  /** Until when each wrong answer is held back; whether its asker still waits for it makes no difference. */
  held: number[];
}

export interface AuthLimiter {
  /** Milliseconds until this address may try again; 0 now. While it is above 0 no token must be looked at. */
  blockedMs(address: string): number;
  /** Counts a failure; returns for how many milliseconds to hold the answer back. */
  failed(address: string): number;
  readonly size: number;
}

export function createAuthLimiter(clock: Clock, limits: ServerLimits): AuthLimiter {
  const table = new Map<string, Entry>();
  const overflow = fresh();
  const loopback = fresh();
  const recent = (entry: Entry): number[] => {
    const since = clock.now() - limits.authWindowMs;
    return entry.failures.filter((at) => at > since);
  };
  const stillHeld = (entry: Entry): number[] => entry.held.filter((until) => until > clock.now());
  const spent = (entry: Entry): boolean =>
    recent(entry).length === 0 && entry.lockedUntil <= clock.now() && stillHeld(entry).length === 0;
  const prune = (): void => {
    for (const [key, entry] of table) if (spent(entry)) table.delete(key);
  };
  const find = (address: string): Entry | undefined =>
    isLoopback(address) ? loopback : (table.get(budgetKey(address)) ?? (full() ? overflow : undefined));
  const full = (): boolean => table.size >= limits.authAddresses;
  const create = (address: string): Entry => {
    if (full()) prune();
    if (full()) return overflow;
    const entry = fresh();
    table.set(budgetKey(address), entry);
    return entry;
  };
  return {
    get size() {
      return table.size;
    },
    blockedMs(address) {
      const entry = find(address);
      if (!entry) return 0;
      if (entry === loopback) return stillHeld(entry).length >= limits.authHeld ? limits.authDelayMaxMs : 0;
      return Math.max(0, entry.lockedUntil - clock.now());
    },
    failed(address) {
      const entry = isLoopback(address) ? loopback : (table.get(budgetKey(address)) ?? create(address));
      entry.failures = [...recent(entry), clock.now()].slice(-limits.authAttempts);
      if (entry.failures.length >= limits.authAttempts)
        entry.lockedUntil = clock.now() + limits.authLockoutMs;
      if (entry !== loopback) return 0;
      const delayMs = Math.min(
        limits.authDelayMinMs * 2 ** (entry.failures.length - 1),
        limits.authDelayMaxMs,
      );
      entry.held = [...stillHeld(entry), clock.now() + delayMs];
      return delayMs;
    },
  };
}

function fresh(): Entry {
  return { failures: [], lockedUntil: 0, held: [] };
}
