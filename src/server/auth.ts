/** Who may come in: one shared token, or nobody is asked (loopback only). */
import { createHash, timingSafeEqual } from 'node:crypto';
import { CoppiceError } from '../errors.ts';
import { isLoopback } from './address.ts';

export type GatewayAuth = { readonly mode: 'token'; readonly token: string } | { readonly mode: 'none' };

export type AuthVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: 'token_missing' | 'token_mismatch' };

export interface Authenticator {
  readonly mode: GatewayAuth['mode'];
  /** Takes the same time for every wrong token. */
  check(token: string | undefined, remote: string): AuthVerdict;
}

/** Throws AUTH_REQUIRED when the bind reaches beyond this machine and no token stands in front of it. */
export function createAuthenticator(auth: GatewayAuth, bindHost: string): Authenticator {
  if (auth.mode === 'none') return openDoor(bindHost);
  if (auth.token.length === 0)
    throw new CoppiceError('AUTH_REQUIRED', { host: bindHost, reason: 'the token is empty' });
  const expected = digest(auth.token);
  return {
    mode: 'token',
    check(token) {
      if (!token) return { ok: false, reason: 'token_missing' };
      return timingSafeEqual(digest(token), expected)
        ? { ok: true }
        : { ok: false, reason: 'token_mismatch' };
    },
  };
}

function openDoor(bindHost: string): Authenticator {
  if (!isLoopback(bindHost))
    throw new CoppiceError('AUTH_REQUIRED', { host: bindHost, reason: 'auth.mode is "none"' });
  return {
    mode: 'none',
    check: (_token, remote) => (isLoopback(remote) ? { ok: true } : { ok: false, reason: 'token_missing' }),
  };
}

/** Both sides are hashed, so that neither length nor content shows in the time the comparison takes. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The token of an `Authorization: Bearer` header. */
export function bearer(header: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];
}
