/** What every request is held against before anything else: Host, Origin, and secrets in the address. */
import { CoppiceError } from '../errors.ts';
import { hostName, isLoopback, isLoopbackName } from './address.ts';

export interface RequestFacts {
  readonly url: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
}

export interface RequestGuard {
  /** Throws TOKEN_IN_URL or HOST_REFUSED. */
  checkRequest(request: RequestFacts): void;
  /** Throws ORIGIN_REFUSED. Programs send no Origin and pass; browsers always send one. */
  checkOrigin(request: RequestFacts): void;
}

const SECRET_NAMES = new Set([
  'token',
  'access_token',
  'accesstoken',
  'auth',
  'auth_token',
  'authtoken',
  'authorization',
  'bearer',
  'gateway_token',
  'gatewaytoken',
  'password',
  'secret',
  'api_key',
  'apikey',
  'api-key',
]);

export function createRequestGuard(options: {
  bindHost: string;
  /** A function is asked at each request. */
  allowedOrigins: readonly string[] | (() => readonly string[]);
}): RequestGuard {
  const { allowedOrigins } = options;
  const origins = (): string[] =>
    (typeof allowedOrigins === 'function' ? allowedOrigins() : allowedOrigins).map((origin) =>
      origin.toLowerCase().replace(/\/$/, ''),
    );
  const loopbackBind = isLoopback(options.bindHost);
  return {
    checkRequest(request) {
      const secret = secretInQuery(request.url);
      if (secret !== undefined) throw new CoppiceError('TOKEN_IN_URL', { parameter: secret });
      // An address as target names its host itself, and then the Host header does not count (RFC 9112, 3.2.2).
      const host = /^[a-z]+:\/\/([^/?#]*)/i.exec(request.url ?? '')?.[1] ?? request.host;
      const name = hostName(host);
      if (name === undefined) throw new CoppiceError('HOST_REFUSED', { host: shown(host || undefined) });
      if (loopbackBind && !isLoopbackName(name) && !origins().map(originHost).includes(name))
        throw new CoppiceError('HOST_REFUSED', { host: name });
    },
    checkOrigin({ origin, host }) {
      if (origin === undefined) return;
      const lower = origin.toLowerCase();
      const allowed = origins();
      if (allowed.includes('*') || allowed.includes(lower) || sameOrigin(lower, host)) return;
      throw new CoppiceError('ORIGIN_REFUSED', { origin: shown(origin) });
    },
  };
}

function secretInQuery(url: string | undefined): string | undefined {
  const at = url?.indexOf('?') ?? -1;
  if (!url || at < 0) return undefined;
  for (const name of new URLSearchParams(url.slice(at + 1)).keys())
    if (SECRET_NAMES.has(name.toLowerCase())) return name;
  return undefined;
}

/** The scheme is not compared: behind a proxy that ends TLS the page is https and this server is not. */
function sameOrigin(origin: string, host: string | undefined): boolean {
  const match = /^https?:\/\/([^/]+)$/.exec(origin);
  return match !== null && host !== undefined && match[1] === host.toLowerCase();
}

function originHost(origin: string): string | undefined {
  return hostName(/^[a-z][a-z0-9+.-]*:\/\/([^/]+)$/.exec(origin)?.[1]);
}

/** Text from outside as it may stand in a message: no control characters, at most 256 of the others. */
export function shown(text: string | undefined): string {
  return (text ?? 'none').slice(0, 256).replaceAll(/[\p{Cc}\u2028\u2029]/gu, '?');
}
