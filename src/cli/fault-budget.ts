import type { NormalError } from '../errors.ts';
import { type FaultBudget, installProcessTrap } from '../host/index.ts';

/** What the command line does about errors that nobody caught. The rules are those of the host's process trap. */
export interface FaultTrap {
  /** One fault, as plain data, and the actor that owned the code, if it is known. */
  report(error: NormalError, source: string, owner: string | undefined): void;
  /** Called once, when the budget is spent. */
  spent(count: number): void;
}

/** Installs the trap on this process. Returns a remover. */
export const trapFaults = (trap: FaultTrap, budget?: FaultBudget): (() => void) =>
  installProcessTrap({
    onFault: ({ error, source, owner, path }) =>
      trap.report(error, source, path === undefined ? owner : `${owner} of ${path}`),
    onSpent: (count) => trap.spent(count),
    ...(budget ? { budget } : {}),
  });

export { countFault } from '../host/index.ts';
