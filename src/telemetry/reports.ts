import type { Fact } from '../bus/index.ts';
import type { Report } from '../supervisor/index.ts';

/** A supervisor's report as a fact of the catalogue. */
export function factOf({ childPath, childIncarnation, body }: Report): Fact {
  const child = { childPath, childIncarnation };
  switch (body.type) {
    case 'progress':
      return { type: 'supervisor.progress', ...child, restarts: body.restarts };
    case 'child_terminated':
      return {
        type: 'supervisor.child_terminated',
        ...child,
        reason: body.reason,
        restart: body.restart,
        ...(body.error ? { error: body.error } : {}),
      };
    case 'start_error':
      return { type: 'supervisor.start_error', ...child, error: body.error };
    case 'shutdown_error':
      return { type: 'supervisor.shutdown_error', ...child, reason: body.reason };
    case 'stale_exit':
      return { type: 'supervisor.stale_exit', ...child };
    case 'restart_scheduled':
      return {
        type: 'supervisor.restart_scheduled',
        ...child,
        delayMs: Math.round(body.delayMs),
        attempt: body.attempt,
      };
    case 'parked':
      return { type: 'supervisor.parked', ...child, reason: body.reason, probeMs: body.probeMs };
    case 'unparked':
      return { type: 'supervisor.unparked', ...child, by: body.by };
    case 'shutdown':
      return { type: 'supervisor.shutdown', reason: body.reason };
    case 'kill_error':
      return { type: 'supervisor.kill_error', ...child, error: body.error };
    case 'disposer_failed':
      return { type: 'supervisor.disposer_failed', ...child, error: body.error };
  }
}
