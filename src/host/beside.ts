import type { EventObject } from 'xstate';
import type { ChildSpec, Shutdown, StartContext } from '../supervisor/child-spec.ts';
import { GRACE_MS, KILL_MS, lifeLogic, type LifeLogic } from './life.ts';
import { type ProcessCommand, type ProcessEvent, ProcessLife, type ProcessOptions } from './process-life.ts';
import { type ThreadCommand, type ThreadEvent, ThreadLife, type ThreadOptions } from './thread-life.ts';

/**
 * Children that run beside this event loop, under the same child spec as every other. What they compute holds nobody
 * up, what they fill is theirs, and a kill ends them.
 */

export type ProcessLogic = LifeLogic<ProcessCommand, ProcessEvent>;
/** A worker thread, as an actor. */
export type ThreadLogic = LifeLogic<ThreadCommand, ThreadEvent>;

/**
 * A child process. Ends with `{ exit: 'normal' }` for exit code 0, with `shutdown` when told to end; fails with
 * CHILD_PROCESS_SPAWN_FAILED, CHILD_PROCESS_EXITED or KILL_UNVERIFIED. Takes `ProcessCommand`s.
 */
export const processLogic = (options: ProcessOptions): ProcessLogic =>
  lifeLogic((mouth) => new ProcessLife(options, mouth));

/**
 * A worker thread. Its code gets what is posted to it, and `{ type: 'supervisor.shutdown', reason, deadlineMs }`, on
 * `parentPort`, and ends in time by closing that port or by `process.exit`. Fails with WORKER_THREAD_FAILED or
 * KILL_UNVERIFIED. Takes `ThreadCommand`s.
 */
export const threadLogic = (options: ThreadOptions): ThreadLogic =>
  lifeLogic((mouth) => new ThreadLife(options, mouth));

/** A child spec for something that lives outside of our event loop. */
export interface BesideSpec<E extends EventObject> extends Omit<ChildSpec, 'logic' | 'input' | 'type'> {
  /**
   * From being told to end to the kill (default 5,000 ms; `brutal`: none; `infinity`: the options' own grace). The
   * supervisor waits longer than that, until the absence was observed.
   */
  readonly shutdown?: Shutdown;
  /** What it says. A throw or a rejection in here fails the child. */
  readonly onEvent?: (event: E, start: StartContext) => void | Promise<void>;
}

/** The child spec of a process. */
export const processChild = (
  spec: BesideSpec<ProcessEvent> & { readonly process: ProcessOptions },
): ChildSpec => {
  const { process: options, ...rest } = spec;
  return beside(rest, options, processLogic);
};

/** The child spec of a worker thread. */
export const threadChild = (
  spec: BesideSpec<ThreadEvent> & { readonly thread: ThreadOptions },
): ChildSpec => {
  const { thread: options, ...rest } = spec;
  return beside(rest, options, threadLogic);
};

/** Time for the rest, after a kill was observed: what is still in its pipes. */
const MARGIN_MS = 2_000;

function beside<E extends EventObject, O extends { readonly graceMs?: number; readonly killMs?: number }>(
  { onEvent, shutdown = GRACE_MS, ...spec }: BesideSpec<E>,
  options: O,
  logic: (options: O) => ChildSpec['logic'],
): ChildSpec {
  const input = (start: StartContext) => ({
    ...start,
    ...(onEvent ? { onEvent: (event: E) => onEvent(event, start) } : {}),
  });
  if (shutdown === 'infinity') return { ...spec, shutdown, logic: logic(options), input };
  const askedMs = shutdown === 'brutal' ? 0 : shutdown;
  const graceMs = Math.min(askedMs, options.graceMs ?? askedMs);
  const waitMs = askedMs + (options.killMs ?? KILL_MS) + MARGIN_MS;
  return { ...spec, shutdown: waitMs, logic: logic({ ...options, graceMs }), input };
}
