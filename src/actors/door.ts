import type { ErrorCode } from '../errors.ts';
import { CoppiceError, normalizeError } from '../errors.ts';
import type { GateEvent } from '../machines/gate.ts';
import type { Answer } from '../machines/ingress.ts';
import { LIMITS } from '../machines/limits.ts';
import type { OfferedMessage, Refusal } from '../machines/offered.ts';
import type { Accepted, Offer } from '../server/port.ts';
import { encodeSegment } from '../supervisor/index.ts';
import type { TimerHandle } from '../supervisor/index.ts';
import type { Deps } from './deps.ts';
import { PATHS } from './paths.ts';

/**
 * Where a caller's promise waits while gate and ingress decide. Every offer is answered once: by them, by its
 * deadline, or because one of them died with it.
 */
export interface Door {
  /** Resolves when the message is committed to the inbox, or known to be. Rejects with CoppiceError (UNAVAILABLE, DRAINING, OVERLOADED, SESSION_QUARANTINED). */
  offer(offer: Offer): Promise<Accepted>;
  /** For the ingress: the commit is on disk. */
  answer(answer: Answer): void;
  /** For gate and ingress. */
  refuse(refusal: Refusal): void;
  readonly waiting: number;
  /** Refuses whoever waits, and watches nobody any more. */
  close(): void;
}

interface Waiting {
  resolve(accepted: Accepted): void;
  reject(error: unknown): void;
  readonly timer: TimerHandle;
  /** The lives of gate and ingress it depends on. */
  readonly gate: number | undefined;
  readonly ingress: number | undefined;
}

type DoorDeps = Pick<Deps, 'clock' | 'ids' | 'registry' | 'store'>;

/** The way in: offers a message to the gate, and settles with its answer, whatever dies meanwhile. */
export function createDoor(deps: DoorDeps, options: { readonly deadlineMs?: number } = {}): Door {
  const { clock, ids, registry, store } = deps;
  const deadlineMs = options.deadlineMs ?? LIMITS.offerDeadlineMs;
  const waiting = new Map<string, Waiting>();
  let stopped = false;

  const leave = (requestId: string): Waiting | undefined => {
    const found = waiting.get(requestId);
    waiting.delete(requestId);
    clock.clearTimeout(found?.timer);
    return found;
  };
  const refuse = (requestId: string, code: ErrorCode, details: Refusal['details']): void =>
    leave(requestId)?.reject(new CoppiceError(code, details));
  const unavailable = (requestId: string, reason: string): void =>
    refuse(requestId, 'UNAVAILABLE', { what: 'the intake', reason, retryAfterMs: LIMITS.retryAfterMs });

  const watch = (which: 'gate' | 'ingress'): (() => void) =>
    registry.watch(PATHS[which], {
      up: () => {
        if (which === 'gate') stopped = false;
      },
      down: (incarnation, reason) => {
        if (which === 'gate' && reason === 'shutdown') stopped = true;
        for (const [requestId, one] of waiting)
          if (one[which] === incarnation) unavailable(requestId, `the ${which} ended: ${reason}`);
      },
    });
  const unwatch = [watch('gate'), watch('ingress')];

  return {
    offer: (offer) =>
      new Promise((resolve, reject) => {
        const requestId = ids.id();
        const timer = clock.setTimeout(
          () => unavailable(requestId, `no answer within ${deadlineMs} ms`),
          deadlineMs,
        );
        const [gate, ingress] = [registry.incarnation(PATHS.gate), registry.incarnation(PATHS.ingress)];
        waiting.set(requestId, { resolve, reject, timer, gate, ingress });
        if (gate === undefined) {
          return stopped
            ? refuse(requestId, 'DRAINING', { retryAfterMs: LIMITS.retryAfterMs })
            : unavailable(requestId, 'the gate is not running');
        }
        const event: GateEvent = {
          type: 'message.offered',
          requestId,
          message: messageOf(offer, deps),
          atMs: Math.round(clock.now()),
        };
        registry.tell(PATHS.gate, event);
      }),
    answer({ requestId, kind, runId, atMs }) {
      if (kind === 'accepted') return leave(requestId)?.resolve({ kind, runId, at: atMs });
      try {
        const run = store.read.run(runId);
        if (run) leave(requestId)?.resolve({ kind, runId, run });
        else unavailable(requestId, `run ${runId} is not on record`);
      } catch (error) {
        // It must not fail the ingress, which only passes the answer on.
        unavailable(requestId, normalizeError(error).message);
      }
    },
    refuse: ({ requestId, code, details }) => refuse(requestId, code, details),
    get waiting() {
      return waiting.size;
    },
    close() {
      for (const stop of unwatch) stop();
      for (const requestId of waiting.keys()) unavailable(requestId, 'the gateway ended');
    },
  };
}

function messageOf({ trace, ...offer }: Offer, { ids }: DoorDeps): OfferedMessage {
  const { channel, account, platformId } = offer;
  return {
    ...offer,
    messageId: `${encodeSegment(channel)}/${encodeSegment(account)}/${platformId}`,
    trace: trace ?? ids.trace(),
  };
}
