/** Judging the first frame of a connection. Pure but for the limiter it counts failures in. */
import { CoppiceError } from '../errors.ts';
import type { About } from './clients.ts';
import type { ServerContext } from './context.ts';
import { deviceProofFault } from './device-proof.ts';
import { commonProtocol, connectParams, type ConnectParams, type Protocol } from './protocol/connect.ts';
import type { RequestFrame } from './protocol/frames.ts';
import { faults } from './protocol/method.ts';
import { grantScopes } from './protocol/scopes.ts';

export interface Grant {
  readonly protocol: Protocol;
  readonly scopes: readonly string[];
  readonly role: 'operator';
  readonly clientId: string;
  readonly about: Omit<About, 'remote' | 'since'>;
}

export type ConnectVerdict =
  | { readonly ok: true; readonly grant: Grant }
  /** The answer is to be held back for `delayMs`. */
  | {
      readonly ok: false;
      readonly error: CoppiceError;
      readonly closeCode: number;
      readonly delayMs: number;
    };

export interface Greeting {
  readonly nonce: string;
  readonly remote: string;
}

export function judgeConnect(
  frame: RequestFrame,
  greeting: Greeting,
  context: ServerContext,
): ConnectVerdict {
  if (frame.method !== 'connect')
    return refusal(new CoppiceError('HANDSHAKE_INVALID', { reason: 'the first request must be connect' }));
  const parsed = connectParams.safeParse(frame.params);
  if (!parsed.success)
    return refusal(new CoppiceError('HANDSHAKE_INVALID', { reason: `connect: ${faults(parsed.error)}` }));
  const params = parsed.data;
  const protocol = commonProtocol(params);
  if (protocol === undefined) return refusal(mismatch(params), 1002);
  if (params.role !== 'operator')
    return refusal(
      new CoppiceError('HANDSHAKE_INVALID', { reason: `this gateway has no role "${params.role}"` }),
    );
  return authenticate(params, greeting, context) ?? { ok: true, grant: grant(params, protocol) };
}

function grant(params: ConnectParams, protocol: Protocol): Grant {
  const clientId = params.client.id;
  return { protocol, role: 'operator', scopes: grantScopes(params.scopes), clientId, about: aboutOf(params) };
}

function aboutOf({ client, device }: ConnectParams): Grant['about'] {
  const { id, displayName, ...rest } = client;
  return { name: displayName ?? id, ...rest, ...(device ? { deviceId: device.id } : {}) };
}

function mismatch({ minProtocol, maxProtocol }: ConnectParams): CoppiceError {
  return new CoppiceError('PROTOCOL_MISMATCH', {
    minProtocol,
    maxProtocol,
    expectedProtocol: 4,
    supported: [3, 4],
  });
}

/** Token first, then the device proof: a proof adds to a token and never stands for it. */
function authenticate(
  params: ConnectParams,
  greeting: Greeting,
  context: ServerContext,
): ConnectVerdict | undefined {
  const { authenticator, limiter, clock, limits } = context;
  const blockedMs = limiter.blockedMs(greeting.remote);
  if (blockedMs > 0) return refusal(new CoppiceError('AUTH_LOCKED', { retryAfterMs: Math.ceil(blockedMs) }));
  const verdict = authenticator.check(params.auth?.token, greeting.remote);
  if (!verdict.ok) return unauthorized(verdict.reason, greeting.remote, context);
  const fault = deviceProofFault(params, {
    nonce: greeting.nonce,
    now: clock.now(),
    skewMs: limits.proofSkewMs,
  });
  return fault === undefined
    ? undefined
    : refusal(new CoppiceError('DEVICE_PROOF_INVALID', { reason: fault, authReason: fault }));
}

/** A missing token is a mistake; a wrong one may be a guess, and counts. */
function unauthorized(
  reason: 'token_missing' | 'token_mismatch',
  remote: string,
  context: ServerContext,
): ConnectVerdict {
  const error = authFailed(reason);
  if (reason === 'token_missing') return refusal(error);
  return { ok: false, error, closeCode: 1008, delayMs: context.limiter.failed(remote) };
}

export function authFailed(reason: 'token_missing' | 'token_mismatch'): CoppiceError {
  return reason === 'token_missing'
    ? new CoppiceError('AUTH_FAILED', {
        reason: 'gateway token missing',
        code: 'AUTH_TOKEN_MISSING',
        authReason: reason,
      })
    : new CoppiceError('AUTH_FAILED', {
        reason: 'gateway token mismatch',
        code: 'AUTH_TOKEN_MISMATCH',
        authReason: reason,
      });
}

function refusal(error: CoppiceError, closeCode = 1008): ConnectVerdict {
  return { ok: false, error, closeCode, delayMs: 0 };
}
