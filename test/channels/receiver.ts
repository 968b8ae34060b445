import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** What somebody who takes callbacks got. */
export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Receiver {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly Received[];
  /** How the next requests are answered. Default: 200. */
  answer: (response: ServerResponse, nth: number, socket: Socket) => void;
  close(): Promise<void>;
}

/** The same, closed when the test ends. */
export async function openReceiver(port?: number): Promise<Receiver> {
  const receiver = await startReceiver(port);
  onTestFinished(receiver.close);
  return receiver;
}

/** A real HTTP server on loopback that takes callbacks. */
export async function startReceiver(port = 0): Promise<Receiver> {
  const requests: Received[] = [];
  const receiver = { answer: (response: ServerResponse): void => void response.end('thanks') } as Pick<
    Receiver,
    'answer'
  >;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      requests.push({ headers: request.headers, body });
      receiver.answer(response, requests.length, request.socket);
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const own = (server.address() as AddressInfo).port;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return Object.assign(receiver, { url: `http://127.0.0.1:${own}/replies`, port: own, requests, close });
}
