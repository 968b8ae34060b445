import type { Endpoint } from './endpoint.ts';

/** One answer of a model fits many times into this; a server that sends more is broken or hostile. */
const RESPONSE_LIMIT = 32 * 1024 * 1024;
const ERROR_BODY_LIMIT = 64 * 1024;

/** A 2xx answer that is no event stream: an error body, or the page of a proxy. */
export class NotAStreamError extends Error {
  readonly data: unknown;
  constructor(contentType: string, data: unknown) {
    super(`the server answered with ${contentType} instead of an event stream; check baseUrl`);
    this.name = 'NotAStreamError';
    this.data = data;
  }
}

class TooLongError extends Error {
  constructor(limit: number) {
    super(`the answer is longer than ${limit} bytes`);
    this.name = 'TooLongError';
  }
}

/** Passes bytes through until `limit`, then fails the stream, which closes the connection. */
function limited(body: ReadableStream<Uint8Array>, limit: number): ReadableStream<Uint8Array> {
  let total = 0;
  const count = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      total += chunk.byteLength;
      if (total > limit) controller.error(new TooLongError(limit));
      else controller.enqueue(chunk);
    },
  });
  return body.pipeThrough(count);
}

function rebuilt(response: Response, limit: number): Response {
  if (response.body === null) return response;
  const { status, statusText, headers } = response;
  return new Response(limited(response.body, limit), { status, statusText, headers });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(0, 500); // not JSON: its beginning says enough
  }
}

async function refuseOtherTypes(response: Response): Promise<void> {
  const type = (response.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/json' && type !== 'text/html') return;
  throw new NotAStreamError(type, parse(await rebuilt(response, ERROR_BODY_LIMIT).text()));
}

/**
 * Node's `fetch` sends a request whose body it can replay once more after a 421. A stream cannot be replayed; its
 * length is told all the same, because not every server takes chunked requests.
 */
function onceOnly(init: RequestInit | undefined): RequestInit {
  const headers = new Headers(init?.headers);
  if (typeof init?.body !== 'string') return { ...init, headers, redirect: 'manual' };
  const body = Buffer.from(init.body);
  headers.set('content-length', String(body.byteLength));
  return { ...init, headers, redirect: 'manual', body: new Blob([body]).stream(), duplex: 'half' };
}

/** The SDKs want a key and read one from the environment where none is given; what they put here is not ours. */
const CREDENTIAL_HEADERS = ['authorization', 'x-api-key'];

function addressed(input: string | URL | Request, { query }: Endpoint): URL {
  const url = new URL(input instanceof Request ? input.url : input);
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
  return url;
}

function withCredentials(init: RequestInit, { headers: own }: Endpoint): RequestInit {
  const headers = new Headers(init.headers);
  for (const name of CREDENTIAL_HEADERS) headers.delete(name);
  for (const [name, value] of Object.entries(own)) headers.set(name, value);
  return { ...init, headers };
}

/**
 * `fetch` as a model call needs it: one request (a redirect is an answer, not an order to send the conversation and
 * the credential elsewhere), a bounded body, and a 2xx answer that is no stream is an error that can be classified.
 * The endpoint's headers and query are put on here, so the SDK that builds the request never holds a credential and
 * a key from the environment never goes to a host it was not meant for.
 */
export function createSend(endpoint: Endpoint): typeof fetch {
  return async (input, init) => {
    const request = withCredentials(onceOnly(init), endpoint);
    const response = await fetch(addressed(input, endpoint), request);
    if (response.ok) await refuseOtherTypes(response);
    return rebuilt(response, response.ok ? RESPONSE_LIMIT : ERROR_BODY_LIMIT);
  };
}
