import type { NormalError } from '../errors.ts';
import { LIMITS } from './limits.ts';
import type { OfferedMessage, Refusal } from './offered.ts';

/** What its session looks like at admission: rows pending in the inbox, and whether the session is held down. */
export interface SessionView {
  readonly path: string;
  readonly pending: number;
  /** How many may wait. */
  readonly limit: number;
  readonly quarantined: boolean;
}

export interface MessageAdmitted {
  readonly type: 'message.admitted';
  readonly requestId: string;
  readonly message: OfferedMessage;
  readonly session: SessionView;
  readonly atMs: number;
}

/** The inbox has the row. `known`: it had it before; `first` is the message as it came first, if it still waits for its turn. */
export interface JournalCommitted {
  readonly type: 'journal.committed';
  readonly requestId: string;
  readonly kind: 'accepted' | 'known';
  readonly runId: string;
  readonly first?: { readonly message: OfferedMessage; readonly receivedAt: number };
}

export interface JournalFailed {
  readonly type: 'journal.failed';
  readonly requestId: string;
  readonly error: NormalError;
}

export interface JournalWrite {
  readonly type: 'journal.write';
  readonly requestId: string;
  readonly message: OfferedMessage;
  readonly receivedAt: number;
  /** From the second on the inbox may have the row from the attempt before. */
  readonly attempt: number;
}

export interface Write {
  readonly requestId: string;
  readonly message: OfferedMessage;
  readonly receivedAt: number;
  readonly attempt: number;
  /** Its place in its session: 1 when nothing is in front of it. */
  readonly depth: number;
}

export const find = (queue: readonly Write[], requestId: string): Write | undefined =>
  queue.find((write) => write.requestId === requestId);

export const without = (queue: readonly Write[], requestId: string): readonly Write[] =>
  queue.filter((write) => write.requestId !== requestId);

/** Its place in its session, the writes under way included. */
export const depthOf = (queue: readonly Write[], { message, session }: MessageAdmitted): number =>
  session.pending + queue.filter((write) => write.message.sessionKey === message.sessionKey).length + 1;

/** Why this message cannot be taken now; null when it can. */
export function refusalOf(queue: readonly Write[], event: MessageAdmitted): Refusal | null {
  const { requestId, message, session } = event;
  const retryAfterMs = LIMITS.retryAfterMs;
  const full = (where: string, limit: number): Refusal => ({
    requestId,
    code: 'OVERLOADED',
    details: { where, limit, retryAfterMs },
  });
  if (session.quarantined)
    return {
      requestId,
      code: 'SESSION_QUARANTINED',
      details: { sessionKey: message.sessionKey, path: session.path },
    };
  if (queue.length >= LIMITS.writesInFlight) return full('the inbox', LIMITS.writesInFlight);
  if (depthOf(queue, event) > session.limit) return full(`session ${message.sessionKey}`, session.limit);
  return null;
}

export const unavailable = (requestId: string, reason: string): Refusal => ({
  requestId,
  code: 'UNAVAILABLE',
  details: { what: 'the inbox', reason, retryAfterMs: LIMITS.retryAfterMs },
});

/** Of this attempt or one before it nobody knows whether it was written. */
export const mayStand = ({ attempt }: Write, { code }: NormalError): boolean =>
  attempt > 1 || code === 'STORE_UNKNOWN';

/** The writer died under it: it may be written or not, and writing it again does no harm. */
export const mayWriteAgain = (queue: readonly Write[], { requestId, error }: JournalFailed): boolean =>
  error.code === 'STORE_UNKNOWN' &&
  (find(queue, requestId)?.attempt ?? LIMITS.writeAttempts) < LIMITS.writeAttempts;
