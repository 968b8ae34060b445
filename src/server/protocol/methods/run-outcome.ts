import type { RunRow } from '../../../store/contract.ts';

/** Why a run has no good end, in one shape for aborted and failed ones. */
export function runError(run: RunRow): { readonly code: string; readonly message: string } {
  if (run.error) return run.error;
  return run.status === 'aborted'
    ? { code: 'ABORTED', message: 'the run was aborted' }
    : { code: 'RUN_FAILED', message: 'the run failed without a reason on record' };
}
