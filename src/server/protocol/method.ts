/** What a method is: closed parameters, a scope, and a handler over the read model. */
import { z } from 'zod';
import type { Trace } from '../../bus/trace.ts';
import { CoppiceError } from '../../errors.ts';
import type { ServerLimits } from '../limits.ts';
import type { FactFilter, GatewayPort } from '../port.ts';
import { shown } from '../request-guard.ts';
import type { WireError } from './frames.ts';
import { brokenText } from './json.ts';
import { nearest } from './nearest.ts';
import type { SessionChange } from '../session-feed.ts';
import type { Scope } from './scopes.ts';

/** What a handler may touch. */
export interface Call {
  readonly port: GatewayPort;
  readonly limits: ServerLimits;
  readonly connId: string;
  readonly protocol: number;
  readonly trace: Trace | undefined;
  /** Aborted when the connection is gone: stop waiting. */
  readonly signal: AbortSignal;
  /** When that run started, if this server saw it. */
  runStartedAt(runId: string): number | undefined;
  /** Sends a first answer on the same request id; the returned one is the last. */
  early(payload: unknown): void;
  /** From now on this connection gets `tree` events. */
  subscribeTree(): void;
  /** From now on this connection gets these facts as `fact` events, instead of those it asked for before. */
  subscribeFacts(filter: FactFilter): void;
  /** From now on this connection gets `sessions.changed` events, or no more of them. */
  subscribeSessions(on: boolean): void;
  /**
   * From now on this connection gets what runs say in the sessions it follows, and no longer in all of them. Before an
   * offer, or the first words of its answer may be missed.
   */
  follow(sessionKey: string): void;
  /** Tells those who subscribed. */
  sessionChanged(sessionKey: string, reason: SessionChange): void;
  /** Who is connected, the gateway itself first. */
  presence(): object[];
  /** How this server is reached. */
  readonly own: { readonly host: string; readonly port: number; readonly authMode: string };
}

/** An answer. With `error` it is a failure that still carries a payload. */
export interface Reply {
  readonly payload: unknown;
  readonly error?: WireError;
}

export interface Method {
  readonly scope: Scope;
  /** Throws PARAMS_INVALID before anything is done. */
  run(name: string, params: unknown, call: Call): Reply | Promise<Reply>;
}

export function defineMethod<S extends z.ZodObject>(row: {
  scope: Scope;
  params: S;
  handle(params: z.output<S>, call: Call): Reply | Promise<Reply>;
}): Method {
  const known = Object.keys(row.params.shape);
  return {
    scope: row.scope,
    run(name, params, call) {
      const parsed = row.params.safeParse(params);
      if (!parsed.success)
        throw new CoppiceError('PARAMS_INVALID', { method: name, reason: faults(parsed.error, known) });
      const broken = brokenText(params);
      if (broken !== undefined)
        throw new CoppiceError('PARAMS_INVALID', { method: name, reason: `${broken || 'params'}: ${HALF}` });
      return row.handle(parsed.data, call);
    },
  };
}

/** Of what is no Unicode. */
export const HALF = 'it has half a character (a lone surrogate)';

/** The first three things that are wrong, by name. */
export function faults(error: z.ZodError, known: readonly string[] = []): string {
  return error.issues
    .slice(0, 3)
    .map((issue) =>
      issue.code === 'unrecognized_keys'
        ? unknownKeys(issue.keys, known)
        : `${issue.path.join('.') || 'params'}: ${issue.message}`,
    )
    .join('; ');
}

function unknownKeys(keys: readonly string[], known: readonly string[]): string {
  const hint = (key: string): string => {
    const near = nearest(key, known);
    return near === undefined ? '' : ` (the nearest known one is "${near}")`;
  };
  return keys
    .slice(0, 3)
    .map((key) => `unknown parameter "${shown(key).slice(0, 64)}"${hint(key)}`)
    .join(', ');
}
