import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { Io } from '../io.ts';
import { ownEnvironment, PROGRAM } from '../own-gateway.ts';

/** The floor: a process that sends every message back and does nothing else. */
export interface Echo {
  readonly pid: number;
  readonly url: string;
  close(): Promise<void>;
}

/** The same program in its hidden part, so that floor and gateway run on the same Node and the same sockets. */
export async function startEcho(io: Io): Promise<Echo> {
  const child = spawn(process.execPath, [PROGRAM, 'bench', '--floor'], {
    env: ownEnvironment(io),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const url = await firstLine(child, ended);
  return {
    pid: child.pid!,
    url,
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

async function firstLine(child: ChildProcess, ended: Promise<unknown>): Promise<string> {
  const first = await Promise.race([once(child.stdout!, 'data'), ended.then(() => undefined)]);
  if (!first) throw new Error('the echo process ended before it listened');
  return String(first[0]).trim();
}

/** What that process does: listens, prints its address, and ends with its standard input. */
export async function runEcho(io: Io): Promise<void> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => socket.on('message', (data) => socket.send(data, { binary: false })));
  await once(server, 'listening');
  io.stdout.write(`ws://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
  io.stdin!.resume();
  await once(io.stdin!, 'end');
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
