/** Our errors in the words of OpenAI's API: a status, headers that say when to come back, and `{ error }`. */
import { CoppiceError, type ErrorCode } from '../../errors.ts';
import type { RunRow } from '../../store/contract.ts';

export interface Problem {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: {
    readonly error: {
      readonly message: string;
      readonly type: string;
      readonly param: string | null;
      readonly code: string;
    };
  };
}

interface Kind {
  readonly status: number;
  /** Default: our own public code. */
  readonly code?: string;
  /** What official clients are told, who repeat on 409, 429 and 5xx by themselves. Default: by status. */
  readonly again?: boolean;
}

const KINDS: Partial<Record<ErrorCode, Kind>> = {
  COMPLETION_INVALID: { status: 400, code: 'invalid_value' },
  COMPLETION_UNSUPPORTED: { status: 400, code: 'unsupported_parameter' },
  ATTACHMENT_REFUSED: { status: 400, code: 'invalid_value' },
  TOKEN_IN_URL: { status: 400 },
  AUTH_FAILED: { status: 401, code: 'invalid_api_key' },
  HOST_REFUSED: { status: 403 },
  ORIGIN_REFUSED: { status: 403 },
  MODEL_UNKNOWN: { status: 404, code: 'model_not_found' },
  PAGE_NOT_FOUND: { status: 404, code: 'unknown_url' },
  COMPLETION_ABORTED: { status: 409, code: 'run_aborted', again: false },
  BODY_TOO_LARGE: { status: 413, code: 'request_too_large' },
  BODY_TYPE_REFUSED: { status: 415, code: 'unsupported_media_type' },
  AUTH_LOCKED: { status: 429 },
  OVERLOADED: { status: 429 },
  SESSION_QUARANTINED: { status: 503, again: false },
  // Coppice has tried again, and elsewhere, before it says so; a client that repeats it all only waits longer.
  MODEL_FAILED: { status: 502, again: false },
  MODEL_NOT_CONFIGURED: { status: 502, again: false },
  ANSWER_DIVERGED: { status: 502 },
  RUN_DEADLINE: { status: 504, again: false },
};

const DEFAULT_WAIT_MS = 1_000;

/** `internal` is set when what was thrown is not meant for the caller: report it, the caller is told nothing of it. */
export function problemOf(thrown: unknown): { readonly problem: Problem; readonly internal: boolean } {
  if (!(thrown instanceof CoppiceError)) return { problem: INTERNAL, internal: true };
  const { code, details, message, remedy, publicCode, retryable } = thrown;
  const kind = KINDS[code] ?? { status: retryable ? 503 : 500 };
  const param = typeof details['param'] === 'string' ? details['param'] : null;
  const text = `${message}. ${remedy}`;
  return { problem: problem(kind, { text, code: kind.code ?? publicCode, param }, details), internal: false };
}

/** Of a run that has no good end. Its message was made for people, with what to do about it. */
export function problemOfRun(run: RunRow): Problem {
  if (run.status === 'aborted')
    return problemOf(new CoppiceError('COMPLETION_ABORTED', { runId: run.runId })).problem;
  const { code, message } = run.error ?? {
    code: 'RUN_FAILED',
    message: 'the run failed without a reason on record',
  };
  const kind = KINDS[code as ErrorCode] ?? {
    status: code === 'UNAVAILABLE' ? 503 : 500,
    again: code === 'UNAVAILABLE',
  };
  return problem(kind, { text: message, code: kind.code ?? `COPPICE_${code}`, param: null }, {});
}

function problem(
  { status, again }: Kind,
  { text, code, param }: { readonly text: string; readonly code: string; readonly param: string | null },
  { retryAfterMs }: Readonly<Record<string, unknown>>,
): Problem {
  const waitMs = typeof retryAfterMs === 'number' ? retryAfterMs : DEFAULT_WAIT_MS;
  const waits = (status === 429 || status === 503) && again !== false;
  return {
    status,
    headers: {
      ...(waits ? { 'retry-after': String(Math.ceil(waitMs / 1_000)) } : {}),
      ...(again === undefined ? {} : { 'x-should-retry': String(again) }),
    },
    body: { error: { message: text, type: typeOf(status), param, code } },
  };
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

const INTERNAL = problem(
  { status: 500, again: false },
  {
    text: 'the gateway failed while it answered; its log has the cause',
    code: 'COPPICE_INTERNAL',
    param: null,
  },
  {},
);
