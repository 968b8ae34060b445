import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { Io } from '../io.ts';
import { PROGRAM } from '../own-gateway.ts';
import { bePart, type Part, startPart } from './part.ts';

/**
 * The floor: a process that sends every message back and does nothing else. It says its address. The same program in
 * its hidden part, so that floor and gateway run on the same Node and the same sockets.
 */
export function startEcho(io: Io): Promise<Part> {
  return startPart(io, [PROGRAM, 'bench', '--floor']);
}

/** What that process does. */
export async function runEcho(io: Io): Promise<void> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data, { binary: false })));
  await once(server, 'listening');
  await bePart(io, `ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  for (const socket of server.clients) socket.terminate();
  server.close();
}

export interface EchoClient {
  /** Resolves when the message is back. */
  send(message: string): Promise<void>;
  close(): void;
}

/** A lost connection rejects whatever waits for its message. */
export async function connectEcho(url: string): Promise<EchoClient> {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const gone = once(socket, 'close').then(() => {
    throw new Error('the echo process is gone');
  });
  // Nobody may be waiting when it goes.
  gone.catch((error: unknown) => error);
  return {
    async send(message) {
      socket.send(message);
      await Promise.race([once(socket, 'message'), gone]);
    },
    close: () => socket.close(),
  };
}
