/** Our errors in the codes of the wire protocol. The stable code of the house rides in `details.code`. */
import { CoppiceError, type ErrorCode } from '../../errors.ts';
import type { WireError } from './frames.ts';

export type ProtocolCode =
  | 'NOT_LINKED'
  | 'NOT_PAIRED'
  | 'AGENT_TIMEOUT'
  | 'INVALID_REQUEST'
  | 'UNAVAILABLE'
  | 'FORBIDDEN';

/** The caller can mend these by asking differently; everything else is our condition. */
const CALLERS_FAULT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'FRAME_INVALID',
  'METHOD_UNKNOWN',
  'PARAMS_INVALID',
  'HANDSHAKE_INVALID',
  'PROTOCOL_MISMATCH',
  'DEVICE_PROOF_INVALID',
  'AUTH_FAILED',
  'ACTOR_NOT_FOUND',
  'ACTOR_REFUSES',
  'REPLY_TOO_LARGE',
  'ATTACHMENT_REFUSED',
  'TOKEN_IN_URL',
  'HOST_REFUSED',
  'ORIGIN_REFUSED',
]);

/** Words that clients of this protocol already look for in `details.code`. */
const KNOWN_DETAIL: Partial<Record<ErrorCode, string>> = {
  SCOPE_MISSING: 'MISSING_SCOPE',
  AUTH_LOCKED: 'AUTH_RATE_LIMITED',
  PROTOCOL_MISMATCH: 'PROTOCOL_MISMATCH',
};

const DEFAULT_RETRY_MS = 1_000;

/** `internal` is set when the thrown value was not meant for the caller: report it, the caller is told nothing of it. */
export function wireError(thrown: unknown): { readonly error: WireError; readonly internal: boolean } {
  if (!(thrown instanceof CoppiceError)) return { error: internalError(), internal: true };
  const { retryAfterMs: wait, code: own, ...rest } = thrown.details;
  const error: WireError = {
    code: protocolCode(thrown),
    message: thrown.message,
    details: {
      ...rest,
      code: typeof own === 'string' ? own : (KNOWN_DETAIL[thrown.code] ?? thrown.publicCode),
      coppiceCode: thrown.publicCode,
      remedy: thrown.remedy,
    },
    retryable: thrown.retryable,
    ...(thrown.retryable ? { retryAfterMs: typeof wait === 'number' ? wait : DEFAULT_RETRY_MS } : {}),
  };
  return { error, internal: false };
}

function protocolCode(error: CoppiceError): ProtocolCode {
  if (error.code === 'SCOPE_MISSING') return 'FORBIDDEN';
  return CALLERS_FAULT.has(error.code) ||
    (/_UNKNOWN$|_NOT_FOUND$/.test(error.code) && !error.code.startsWith('STORE'))
    ? 'INVALID_REQUEST'
    : 'UNAVAILABLE';
}

function internalError(): WireError {
  return {
    code: 'UNAVAILABLE',
    message: 'the gateway failed while it answered; its log has the cause',
    details: { code: 'COPPICE_INTERNAL', coppiceCode: 'COPPICE_INTERNAL' },
    retryable: false,
  };
}
