import { CoppiceError, type ErrorCode, normalizeError } from '../errors.ts';
import { EXIT } from './exit-codes.ts';

/** Codes that end a command with something else than 1. */
const EXIT_OF: Partial<Record<ErrorCode, number>> = {
  USAGE: EXIT.usage,
  GATEWAY_NOT_RUNNING: EXIT.unavailable,
  GATEWAY_UNREACHABLE: EXIT.unavailable,
  REQUEST_TIMED_OUT: EXIT.again,
  STOP_TIMED_OUT: EXIT.again,
  DRAINING: EXIT.again,
  UNAVAILABLE: EXIT.again,
  OVERLOADED: EXIT.again,
  NOT_PERMITTED: EXIT.notPermitted,
  PORT_IN_USE: EXIT.config,
  BIND_FAILED: EXIT.config,
  STATE_DIR_UNUSABLE: EXIT.config,
  LOCK_HELD: EXIT.config,
  AUTH_REQUIRED: EXIT.config,
  STORE_UNWRITABLE: EXIT.config,
  STORE_NEWER: EXIT.config,
  STORE_DAMAGED: EXIT.config,
  MODEL_NOT_CONFIGURED: EXIT.config,
  PROVIDER_INVALID: EXIT.config,
  TOOL_INVALID: EXIT.config,
  CRASH_LOOP: EXIT.fault,
  FAULT_BUDGET_SPENT: EXIT.fault,
};

/** The exit code for an error that ended a command: that of the first error in its chain of causes that has one. */
export function exitCodeOf(thrown: unknown, otherwise: number = EXIT.error): number {
  for (let at = thrown, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    const code = at instanceof CoppiceError ? codeFor(at.code) : undefined;
    if (code !== undefined) return code;
  }
  return otherwise;
}

function codeFor(code: ErrorCode): number | undefined {
  return EXIT_OF[code] ?? (code.startsWith('CONFIG_') ? EXIT.config : undefined);
}

/** What failed, why, what to do, code: in a few lines for people, or as one JSON document. */
export function complaint(thrown: unknown, json: boolean): string {
  const known = thrown instanceof CoppiceError ? thrown : undefined;
  const error = normalizeError(thrown);
  const code = known?.publicCode ?? 'COPPICE_UNEXPECTED';
  const remedy = known?.remedy ?? 'This is a defect of coppice; please report it with the lines above.';
  const why = causes(thrown);
  if (json) return JSON.stringify({ error: { code, message: error.message, causes: why, remedy } });
  const lines = [`coppice: ${error.message}`, ...why.map((cause) => `  because ${cause}`)];
  if (!known && error.stack) lines.push(error.stack);
  return [...lines, `  ${remedy}`, `  ${code}`].join('\n');
}

function causes(thrown: unknown): string[] {
  const found: string[] = [];
  let at = thrown instanceof Error ? thrown.cause : undefined;
  let above = normalizeError(thrown).message;
  for (let depth = 0; at !== undefined && depth < 5; depth += 1) {
    const { message } = normalizeError(at);
    // Many templates hold the reason already.
    if (!above.includes(message)) found.push(message);
    above = message;
    at = at instanceof Error ? at.cause : undefined;
  }
  return found;
}
