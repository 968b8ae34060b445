import { type NormalError, normalizeError } from '../errors.ts';
import { currentOwner } from '../host/index.ts';

/**
 * The process trap. An error that slipped past every guard fails the effect it came from, if the async context
 * still tells which; its supervisor does the rest. One without an owner is counted; the process goes on while they
 * are few, and is stopped when they are many, because then it cannot be trusted any more. Installed by the command
 * line alone, never by the library.
 */
export interface FaultBudget {
  readonly limit: number;
  readonly periodMs: number;
}

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

export interface FaultTrap {
  /** One fault, as plain data, and the actor that owned the code, if it is known. */
  report(error: NormalError, source: string, owner: string | undefined): void;
  /** Called once, when the budget is spent. */
  spent(count: number): void;
}

/** Catches what nobody caught on this process. Returns a remover. */
export function trapFaults(trap: FaultTrap, budget: FaultBudget = FAULT_BUDGET): () => void {
  let faultsAt: readonly number[] = [];
  let spent = false;
  const onFault = (thrown: unknown, source: string): void => {
    const owner = currentOwner();
    trap.report(normalizeError(thrown), source, owner?.actorId);
    if (owner) return owner.fail(thrown);
    const counted = countFault(faultsAt, performance.now(), budget);
    faultsAt = counted.faultsAt;
    if (!counted.spent || spent) return;
    spent = true;
    trap.spent(faultsAt.length);
  };
  const onException = (error: unknown): void => onFault(error, 'uncaughtException');
  const onRejection = (reason: unknown): void => onFault(reason, 'unhandledRejection');
  process.on('uncaughtException', onException);
  process.on('unhandledRejection', onRejection);
  return () => {
    process.off('uncaughtException', onException);
    process.off('unhandledRejection', onRejection);
  };
}
