import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** The server's side of the wire protocol, as far as a command sees it, on a real socket. */
export interface FakeGateway {
  readonly url: string;
  readonly port: number;
  /** The parameters of every `connect`. */
  readonly connects: Record<string, unknown>[];
  readonly sockets: Set<WebSocket>;
  close(): Promise<void>;
}

/** A function of the parameters gives the payload; throwing `{ code, message }` refuses; 'silent' never answers. */
export type Methods = Record<string, ((params: unknown) => unknown) | 'silent'>;

/** `at`: the port of one that was closed, for a gateway that comes back. */
export async function startFakeGateway(token: string, methods: Methods, at = 0): Promise<FakeGateway> {
  const server = new WebSocketServer({ port: at, host: '127.0.0.1' });
  await once(server, 'listening');
  const connects: Record<string, unknown>[] = [];
  const all: Methods = {
    connect: (params) => {
      connects.push(params as Record<string, unknown>);
      const given = (params as { auth?: { token?: string } }).auth?.token;
      if (given !== token) throw { code: 'INVALID_REQUEST', message: 'the token is wrong' };
      return { type: 'hello-ok', protocol: 4 };
    },
    ...methods,
  };
  server.on('connection', (socket) => {
    socket.send(
      JSON.stringify({ type: 'event', event: 'connect.challenge', payload: { nonce: 'n', ts: 0 } }),
    );
    socket.on('message', (data) => void answer(socket, all, JSON.parse(String(data)) as Request));
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    connects,
    sockets: server.clients,
    close: async () => {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Request {
  readonly id: string;
  readonly method: string;
  readonly params: unknown;
}

async function answer(socket: WebSocket, methods: Methods, request: Request): Promise<void> {
  const method = methods[request.method];
  if (method === 'silent') return;
  try {
    if (!method) throw { code: 'INVALID_REQUEST', message: `no method ${request.method}` };
    const payload = await method(request.params);
    socket.send(JSON.stringify({ type: 'res', id: request.id, ok: true, payload }));
  } catch (error) {
    socket.send(JSON.stringify({ type: 'res', id: request.id, ok: false, error }));
  }
}
