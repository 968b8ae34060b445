/** Requests that HTTP itself forbids, and bytes that are no request: a typed answer for each, and nothing left open. */
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CoppiceError } from '../errors.ts';
import { hostName } from './address.ts';
import type { ServerContext } from './context.ts';
import { errorBody, errorStatus } from './http-error.ts';
import { shown } from './request-guard.ts';

/** Throws HTTP_INVALID for what Node lets through although two readers of it would understand two things. */
export function checkShape({ headers, rawHeaders, url = '' }: IncomingMessage): void {
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length;
  if (hosts > 1) throw invalid('it has more than one Host header');
  if (!headers.host) throw invalid('it has no Host header');
  if (hostName(headers.host) === undefined) throw invalid('its Host header is no host name');
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue')
    throw invalid(`nobody here meets the expectation "${shown(headers.expect).slice(0, 64)}"`);
  if (!url.startsWith('/') && !/^https?:\/\//.test(url))
    throw invalid(`its target "${shown(url).slice(0, 64)}" is neither a path nor an http address`);
}

export const invalid = (reason: string): CoppiceError => new CoppiceError('HTTP_INVALID', { reason });

export function report(context: ServerContext, thrown: unknown): void {
  if (thrown instanceof CoppiceError)
    context.report({ type: 'client.refused', code: thrown.code, reason: thrown.message });
  else context.fault(thrown, 'http');
}

/** The whole answer, and the end of the connection: what follows on it may be the rest of an attack. */
export function refuseRequest(response: ServerResponse, thrown: unknown): void {
  const body = JSON.stringify(errorBody(thrown));
  response.writeHead(errorStatus(thrown), {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  });
  response.end(body);
}

/** The same where there is a socket and no response. */
export function refuseSocket(socket: Socket, thrown: unknown, headers: readonly string[] = []): void {
  const status = errorStatus(thrown);
  const body = JSON.stringify(errorBody(thrown));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    ...headers,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroySoon());
}

/** What the parser of Node could not read, in our words. */
export function faultOf(error: NodeJS.ErrnoException & { readonly reason?: string }): CoppiceError {
  if (error.code === 'HPE_HEADER_OVERFLOW') return new CoppiceError('HTTP_HEADERS_TOO_LARGE');
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return new CoppiceError('HTTP_TIMED_OUT');
  return invalid(shown(error.reason ?? error.message));
}
