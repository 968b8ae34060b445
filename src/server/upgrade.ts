/** From an HTTP upgrade request to a WebSocket connection, or to an HTTP refusal before any upgrade. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { CoppiceError } from '../errors.ts';
import { budgetKey, isLoopback, plainAddress } from './address.ts';
import { openConnection, type Connection } from './connection.ts';
import type { ServerContext } from './context.ts';
import { checkShape, invalid, refuseSocket, report } from './http-fault.ts';

const PATHS: ReadonlySet<string> = new Set(['/', '/ws']);

export interface Upgrades {
  handle(request: IncomingMessage, socket: Socket, head: Buffer): void;
  /** Connections of every stage. */
  readonly open: ReadonlySet<Connection>;
}

export function createUpgrades(context: ServerContext): Upgrades {
  const { limits } = context;
  const wss = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.preAuthFrameBytes,
    maxFragments: limits.fragmentsPerFrame,
  });
  const open = new Set<Connection>();
  const strangers = createStrangers(context);
  const refuse = (socket: Socket, thrown: unknown): void => {
    report(context, thrown);
    refuseSocket(socket, thrown, ['sec-websocket-version: 13']);
  };
  wss.on('wsClientError', (error, socket) => refuse(socket as Socket, invalid(error.message)));
  const accept = (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    const remote = plainAddress(socket.remoteAddress);
    admit(request, remote, context, open.size);
    const leave = strangers.enter(remote);
    socket.once('close', leave);
    wss.handleUpgrade(request, socket, head, (ws) => {
      const connection = openConnection({ ws, socket, remote, settled: leave }, context);
      open.add(connection);
      ws.once('close', () => open.delete(connection));
    });
  };
  return {
    open,
    handle(request, socket, head) {
      const ignore = (): void => void socket.destroy();
      // Until `ws` has the socket nobody else listens for its errors.
      socket.on('error', ignore);
      try {
        accept(request, socket, head);
      } catch (thrown) {
        refuse(socket, thrown);
      }
    },
  };
}

function admit(request: IncomingMessage, remote: string, context: ServerContext, open: number): void {
  checkShape(request);
  const { host, origin } = request.headers;
  const facts = { url: request.url, host, origin };
  const path = (request.url ?? '').split('?')[0] ?? '';
  context.guard.checkRequest(facts);
  if (!PATHS.has(path))
    throw new CoppiceError('PAGE_NOT_FOUND', { method: 'WebSocket', path: path.slice(0, 128) });
  context.guard.checkOrigin(facts);
  const blockedMs = context.limiter.blockedMs(remote);
  if (blockedMs > 0) throw new CoppiceError('AUTH_LOCKED', { retryAfterMs: Math.ceil(blockedMs) });
  if (open >= context.limits.clients)
    throw new CoppiceError('OVERLOADED', {
      where: 'the gateway',
      limit: `${context.limits.clients} clients`,
    });
}

/** Counts connections that have not passed the handshake, per address. */
function createStrangers({ limits }: ServerContext) {
  const counts = new Map<string, number>();
  const change = (key: string, by: number): void => {
    const next = (counts.get(key) ?? 0) + by;
    if (next > 0) counts.set(key, next);
    else counts.delete(key);
  };
  return {
    /** Returns the way out, to be called at least once. */
    enter(remote: string): () => void {
      const key = isLoopback(remote) ? 'loopback' : budgetKey(remote);
      const most = key === 'loopback' ? limits.preAuthLoopback : limits.preAuthPerAddress;
      if ((counts.get(key) ?? 0) >= most)
        throw new CoppiceError('OVERLOADED', {
          where: 'the door for this address',
          limit: `${most} connections without a handshake`,
        });
      change(key, 1);
      let inside = true;
      return () => {
        if (inside) change(key, -1);
        inside = false;
      };
    },
  };
}
