import type { AnyEventObject } from 'xstate';
import { normalizeError } from '../errors.ts';
import { callbackEffect, promiseEffect } from '../host/index.ts';
import type { GateEvent } from '../machines/gate.ts';
import { withEffects } from '../machines/restart.ts';
import type { HandedOver } from '../machines/restart.ts';
import type { ChildSpec } from '../supervisor/index.ts';
import type { Deps } from './deps.ts';
import { PATHS } from './paths.ts';

/** The waits of a planned restart, and who carries it out. */
export interface CoordinatorOptions {
  readonly deferMs: number;
  readonly drainMs: number;
  readonly cooldownMs: number;
  /** When the last planned restart ended, or null. */
  readonly restartedAt: number | null;
  /** Admitted work that has not ended: messages queued and turns running. */
  pendingWork(): number;
  /** Called in a turn of its own, after the coordinator has ended: run the stop. */
  handOver(output: HandedOver): void;
}

type CoordinatorDeps = Pick<Deps, 'clock' | 'registry' | 'report'>;
type Place = { readonly path: string };

/** The restart coordinator. It asks for nothing but `restart.request`; its life ends at `handed_over`. */
export function coordinatorChild(deps: CoordinatorDeps, options: CoordinatorOptions): ChildSpec {
  const { clock, registry } = deps;
  const logic = withEffects({
    pendingWork: promiseEffect<number, Place>(async () => options.pendingWork()),
    watchGate: callbackEffect<AnyEventObject, Place>(({ send, guard }) =>
      registry.watch(PATHS.gate, { up: guard(() => send({ type: 'gate.up' })) }),
    ),
    // No gate is as good as a closed one; a new one is told when it comes.
    closeGate: ({ reason }) =>
      tellGate(registry, { type: 'gate.close', reason, atMs: Math.round(clock.now()) }),
    handOver: (output) => clock.defer(() => handOver(deps, options, output)),
  });
  return {
    id: 'coordinator',
    logic,
    restart: 'transient',
    // Asked at every start: the times are those in force then.
    input({ path }) {
      const { deferMs, drainMs, cooldownMs, restartedAt } = options;
      return { path, deferMs, drainMs, cooldownMs, restartedAt };
    },
  };
}

const tellGate = (registry: Deps['registry'], event: GateEvent): void =>
  void registry.tell(PATHS.gate, event);

function handOver({ report }: CoordinatorDeps, options: CoordinatorOptions, output: HandedOver): void {
  try {
    options.handOver(output);
  } catch (error) {
    report({
      type: 'actor.fault',
      error: normalizeError(error),
      source: 'handing the stop over to the gateway',
    });
  }
}
