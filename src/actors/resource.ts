import type { EventObject } from 'xstate';
import { callbackEffect } from '../host/index.ts';
import { withEffects, type ResourceInput } from '../machines/resource.ts';
import type { ChildSpec, Clock, Disposer, Registry } from '../supervisor/index.ts';

/** Whom a resource is opened for. */
export interface OpenContext {
  readonly path: string;
  readonly incarnation: number;
  readonly signal: AbortSignal;
  /** The resource was lost: this actor fails and its supervisor takes over. */
  fail(error: unknown): void;
}

/** How a resource is opened, and how long that may take. */
export interface ResourceSpec {
  readonly id: string;
  /** Opens it and returns how to close it. Called once per incarnation. */
  open(context: OpenContext): Promise<Disposer> | Disposer;
  /** Default 30,000. */
  readonly openMs?: number;
  /** How long closing may take. Default 5,000. */
  readonly shutdown?: number;
  readonly backoff?: ChildSpec['backoff'];
}

interface ResourceDeps {
  readonly clock: Clock;
  readonly registry: Registry;
}

/** An actor that keeps one resource of the outside world open, and is restarted when it is lost. */
export function resourceChild(deps: ResourceDeps, spec: ResourceSpec): ChildSpec {
  const keep = callbackEffect<EventObject, ResourceInput>(({ input, send, signal, fail, guard }) => {
    const { path, incarnation } = input;
    // The scope, not this effect's cleanup, closes it: the next life waits for a scope, also for a slow one.
    const scope = deps.registry.scope(path);
    const opened = guard((dispose: Disposer) => {
      if (scope) scope.add(dispose);
      send({ type: 'resource.opened' });
    });
    const closeLate = (dispose: Disposer): void => void scope?.add(dispose);
    Promise.resolve(signal)
      .then(() => spec.open({ path, incarnation, signal, fail }))
      .then((dispose) => (signal.aborted ? closeLate(dispose) : opened(dispose)))
      .catch(fail);
  });
  return {
    id: spec.id,
    logic: withEffects({ keep }),
    input: ({ path, incarnation }) => ({ path, incarnation, openMs: spec.openMs ?? 30_000 }),
    shutdown: spec.shutdown ?? 5_000,
    ...(spec.backoff ? { backoff: spec.backoff } : {}),
  };
}
