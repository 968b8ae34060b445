/** Our errors as HTTP: a status, and a body that says what failed and what to do. */
import { CoppiceError, type ErrorCode } from '../errors.ts';

const STATUS: Partial<Record<ErrorCode, number>> = {
  TOKEN_IN_URL: 400,
  HOOK_BODY: 400,
  HTTP_INVALID: 400,
  AUTH_FAILED: 401,
  HOOK_SIGNATURE: 401,
  HOOK_STALE: 401,
  HOST_REFUSED: 403,
  ORIGIN_REFUSED: 403,
  PAGE_NOT_FOUND: 404,
  ACTOR_NOT_FOUND: 404,
  HOOK_NOT_FOUND: 404,
  HTTP_TIMED_OUT: 408,
  HOOK_TOO_LARGE: 413,
  AUTH_LOCKED: 429,
  HTTP_HEADERS_TOO_LARGE: 431,
};

export function errorStatus(thrown: unknown): number {
  if (!(thrown instanceof CoppiceError)) return 500;
  return STATUS[thrown.code] ?? (thrown.retryable ? 503 : 500);
}

export function errorBody(thrown: unknown): { readonly error: Readonly<Record<string, unknown>> } {
  if (!(thrown instanceof CoppiceError)) {
    return {
      error: {
        code: 'COPPICE_INTERNAL',
        message: 'the gateway failed while it answered',
        remedy: 'The log of the gateway has the cause.',
      },
    };
  }
  const { retryAfterMs } = thrown.details;
  return {
    error: {
      code: thrown.publicCode,
      message: thrown.message,
      remedy: thrown.remedy,
      ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
    },
  };
}
