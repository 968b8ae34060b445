import { type NormalError, normalizeError } from '../errors.ts';
import { currentOwner } from './owner.ts';

/**
 * The process trap. An error that slipped past every guard fails the effect it came from, if the async context
 * still tells which; its supervisor does the rest. One without an owner is counted; the process goes on while they
 * are few, and is stopped when they are many, because then it cannot be trusted any more.
 *
 * It changes what happens to every error of the whole process, so a program installs it on purpose; no library does.
 */
export interface FaultBudget {
  readonly limit: number;
  readonly periodMs: number;
}

/** Stray errors a process survives in a time: more than these, and it ends. */
export const FAULT_BUDGET: FaultBudget = { limit: 5, periodMs: 60_000 };

/** Counts one more fault at `nowMs`; `spent` when more than `limit` of them happened within the period. */
export function countFault(
  faultsAt: readonly number[],
  nowMs: number,
  budget: FaultBudget = FAULT_BUDGET,
): { readonly faultsAt: readonly number[]; readonly spent: boolean } {
  const recent = [...faultsAt.filter((ms) => nowMs - ms < budget.periodMs), nowMs];
  return { faultsAt: recent, spent: recent.length > budget.limit };
}

/** An error that nobody caught, as plain data. */
export interface ProcessFault {
  readonly error: NormalError;
  readonly source: 'uncaughtException' | 'unhandledRejection';
  /** The id of the actor that owned the code and fails with it, if the async context tells. */
  readonly owner: string | undefined;
  /** Of the node of the tree that the owner is, or works for, where that is known. */
  readonly path: string | undefined;
}

/** Whom the trap tells. */
export interface ProcessTrapOptions {
  /** Told of every fault, once. Should it throw, that counts as one more fault without an owner. */
  onFault(fault: ProcessFault): void;
  /** Told once, when more than `budget` faults had no owner: drain what can be drained, and end the process. */
  onSpent(count: number): void;
  /** Default: 5 within 60 s. */
  readonly budget?: FaultBudget;
}

/** Catches what nobody caught on this process. Returns a remover. */
export function installProcessTrap(options: ProcessTrapOptions): () => void {
  const { budget = FAULT_BUDGET } = options;
  let faultsAt: readonly number[] = [];
  let spent = false;
  const count = (): void => {
    const counted = countFault(faultsAt, performance.now(), budget);
    faultsAt = counted.faultsAt;
    if (!counted.spent || spent) return;
    spent = true;
    options.onSpent(faultsAt.length);
  };
  const told = (fault: ProcessFault): boolean => {
    try {
      options.onFault(fault);
      return true;
    } catch {
      return false;
    }
  };
  const trap = (thrown: unknown, source: ProcessFault['source']): void => {
    const owner = currentOwner();
    const heard = told({ error: normalizeError(thrown), source, owner: owner?.actorId, path: owner?.path });
    owner?.fail(thrown);
    if (!owner) count();
    if (!heard) count();
  };
  const onException = (error: unknown): void => trap(error, 'uncaughtException');
  const onRejection = (reason: unknown): void => trap(reason, 'unhandledRejection');
  process.on('uncaughtException', onException);
  process.on('unhandledRejection', onRejection);
  return () => {
    process.off('uncaughtException', onException);
    process.off('unhandledRejection', onRejection);
  };
}
