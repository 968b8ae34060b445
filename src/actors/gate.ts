import type { AnyEventObject } from 'xstate';
import { normalizeError } from '../errors.ts';
import { callbackEffect } from '../host/index.ts';
import { withEffects } from '../machines/gate.ts';
import type { Admission } from '../machines/gate.ts';
import type { SessionView } from '../machines/inbox-write.ts';
import type { IngressEvent } from '../machines/ingress.ts';
import { LIMITS } from '../machines/limits.ts';
import type { ChildSpec } from '../supervisor/index.ts';
import type { Deps } from './deps.ts';
import type { Door } from './door.ts';
import { PATHS, sessionPath } from './paths.ts';

type GateDeps = Pick<Deps, 'registry' | 'store'> & {
  /** Messages that may wait in one session. */
  readonly maxQueue?: number;
};

/** The gate: opens when the ingress is ready, closes when it goes or when it is told to. */
export function gateChild(deps: GateDeps, door: Pick<Door, 'refuse'>): ChildSpec {
  const logic = withEffects({
    admit: (admission) => admit(deps, door, admission),
    refuse: (refusal) => door.refuse(refusal),
    watchIngress: callbackEffect<AnyEventObject, { readonly path: string }>(({ send, guard }) =>
      deps.registry.watch(PATHS.ingress, {
        up: guard(() => void deps.registry.tell(PATHS.ingress, { type: 'ingress.ask' })),
        down: guard((_incarnation: number, reason: string) =>
          send({ type: 'ingress.lost', reason: `the ingress is down (${reason})` }),
        ),
      }),
    ),
  });
  return { id: 'gate', logic, input: ({ path }) => ({ path }) };
}

function admit(deps: GateDeps, door: Pick<Door, 'refuse'>, { requestId, message, atMs }: Admission): void {
  const refuse = (reason: string): void =>
    door.refuse({
      requestId,
      code: 'UNAVAILABLE',
      details: { what: 'the inbox', reason, retryAfterMs: LIMITS.retryAfterMs },
    });
  try {
    const session = look(deps, message.sessionKey);
    const event: IngressEvent = { type: 'message.admitted', requestId, message, session, atMs };
    if (deps.registry.tell(PATHS.ingress, event) === 'noproc') refuse('the ingress is not running');
  } catch (error) {
    refuse(normalizeError(error).message); // an action must not throw; the sender hears it
  }
}

/** A live session is not held down; only for the others the tree is asked. */
function look(
  { registry, store, maxQueue: limit = LIMITS.queuePerSession }: GateDeps,
  sessionKey: string,
): SessionView {
  const path = sessionPath(sessionKey);
  const pending = store.read.countPending(sessionKey, limit);
  const quarantined = registry.incarnation(path) === undefined && registry.node(path)?.status === 'parked';
  return { path, pending, limit, quarantined };
}
