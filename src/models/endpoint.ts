import { CoppiceError } from '../errors.ts';
import { createScrub, type Scrub } from './secrets.ts';

export interface EndpointInit {
  readonly name: string;
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The header that carries the key. Default `authorization`, as a bearer token. */
  readonly keyHeader?: 'authorization' | 'x-api-key';
}

/** Where a provider's requests go, with every credential moved to where it cannot be printed. */
export interface Endpoint {
  readonly baseUrl: string;
  readonly query: Record<string, string>;
  readonly headers: Record<string, string>;
  /** Name and host. */
  readonly where: string;
  readonly scrub: Scrub;
}

/** The address itself may hold the secret, so it is named in the error only when it does not parse. */
function parseUrl(name: string, baseUrl: string): URL {
  const expected = 'expected an http or https address such as http://127.0.0.1:11434/v1';
  if (!URL.canParse(baseUrl))
    throw new CoppiceError('PROVIDER_INVALID', { provider: name, field: 'baseUrl', reason: expected });
  const url = new URL(baseUrl);
  if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  throw new CoppiceError('PROVIDER_INVALID', {
    provider: name,
    field: 'baseUrl',
    reason: `${expected}, got ${url.protocol}`,
  });
}

/** `fetch` refuses an address with user and password and prints both, so they become a header. */
function basicAuth(url: URL): string | undefined {
  if (!url.username && !url.password) return undefined;
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

function ownHeaders({ apiKey, keyHeader = 'authorization' }: EndpointInit, url: URL): Record<string, string> {
  const key = apiKey?.trim();
  const basic = basicAuth(url);
  const base: Record<string, string> = basic === undefined ? {} : { authorization: basic };
  if (!key) return base;
  return { ...base, [keyHeader]: keyHeader === 'authorization' ? `Bearer ${key}` : key };
}

/** Names in lower case, so that a configured `Authorization` replaces ours and never stands beside it. */
function allHeaders(init: EndpointInit, url: URL): Record<string, string> {
  const given = Object.entries(init.headers ?? {}).map(([key, value]) => [key.toLowerCase(), value.trim()]);
  return { ...ownHeaders(init, url), ...Object.fromEntries(given) };
}

function secretsOf({ apiKey, headers = {} }: EndpointInit, url: URL): (string | undefined)[] {
  const named = Object.entries(headers).filter(([key]) => /auth|key|token|secret|cookie|password/i.test(key));
  return [
    apiKey,
    ...named.map(([, value]) => value),
    url.username,
    url.password,
    basicAuth(url)?.slice('Basic '.length),
    ...url.searchParams.values(),
  ];
}

/** @throws CoppiceError PROVIDER_INVALID when the address is none. */
export function toEndpoint(init: EndpointInit): Endpoint {
  const url = parseUrl(init.name, init.baseUrl);
  return {
    baseUrl: `${url.origin}${url.pathname.replace(/\/+$/, '')}`,
    query: Object.fromEntries(url.searchParams),
    headers: allHeaders(init, url),
    where: `${init.name} (${url.host})`,
    scrub: createScrub(secretsOf(init, url)),
  };
}
