/** The control plane on one port: HTTP, and the WebSocket protocol on `/` and `/ws`. */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Fact } from '../bus/events.ts';
import { normalizeError } from '../errors.ts';
import type { Clock } from '../supervisor/clock.ts';
import { createAuthenticator, type GatewayAuth } from './auth.ts';
import { createAuthLimiter } from './auth-limiter.ts';
import { createClients } from './clients.ts';
import type { ServerContext } from './context.ts';
import { createDashboard } from './dashboard-files.ts';
import { createHttpApp } from './http-app.ts';
import { checkShape, faultOf, invalid, refuseRequest, refuseSocket, report } from './http-fault.ts';
import { SERVER_LIMITS, type ServerLimits } from './limits.ts';
import type { GatewayPort } from './port.ts';
import { createRepeats } from './repeats.ts';
import { createRequestGuard } from './request-guard.ts';
import { createRunFeed } from './run-feed.ts';
import { createSessionFeed } from './session-feed.ts';
import type { SocketSource } from './socket-source.ts';
import { createUpgrades, type Upgrades } from './upgrade.ts';
import { createWaits, type Fault } from './throttle.ts';
import { createWatchFeed } from './watch-feed.ts';

export interface ServerOptions {
  readonly port: GatewayPort;
  readonly auth: GatewayAuth;
  /** Origins of pages that may connect, besides the gateway's own. "*" is every page. */
  readonly allowedOrigins?: readonly string[] | (() => readonly string[]);
  readonly limits?: Partial<ServerLimits>;
  readonly clock: Clock;
  /** Owned by somebody who outlives this server. */
  readonly listener: SocketSource;
  report(fact: Fact): void;
}

export interface GatewayServer {
  readonly address: { readonly host: string; readonly port: number };
  /** Clients that passed the handshake. */
  readonly clients: number;
  /**
   * Tells every client `shutdown { reason, restartExpectedMs }`, closes with 1012, and ends within
   * `limits.shutdownMs` whatever they do. New sockets wait in the listener from the first moment on. Idempotent.
   */
  close(reason: string, options?: { readonly restartExpectedMs?: number | null }): Promise<void>;
  /** Ends everything at once, unannounced: for a server whose owner has failed. */
  destroy(): void;
}

/** Throws AUTH_REQUIRED. It serves as soon as it returns. */
export function createServer(options: ServerOptions): GatewayServer {
  const address = options.listener.address();
  const closed = new AbortController();
  const context = createContext(options, address, closed.signal);
  const upgrades = createUpgrades(context);
  const http = createHttp(context, upgrades);
  const sockets = trackSockets(http, context);
  const detach = options.listener.attach(sockets.take);
  const stop = (): void => {
    detach();
    closed.abort();
    context.watch.stop();
    context.runs.stop();
    context.sessions.stop();
    context.waits.stop();
  };
  const destroy = (): void => {
    stop();
    sockets.destroyAll();
    // The server never listened itself, so closing it only ends its timer; the error that says so is expected.
    http.close(() => {});
  };
  let closing: Promise<void> | undefined;
  const shutDown = async (reason: string, restartExpectedMs: number | null): Promise<void> => {
    stop();
    context.clients.broadcast('shutdown', { reason, restartExpectedMs });
    for (const connection of upgrades.open) connection.close(1012, 'service restart');
    http.closeIdleConnections();
    await sockets.empty(context.clock, context.limits.shutdownMs);
    destroy();
  };
  return {
    address,
    get clients() {
      return context.clients.size;
    },
    destroy,
    close: (reason, { restartExpectedMs = null } = {}) => (closing ??= shutDown(reason, restartExpectedMs)),
  };
}

function createContext(
  options: ServerOptions,
  address: GatewayServer['address'],
  closing: AbortSignal,
): ServerContext {
  const { port, clock, report, allowedOrigins = [] } = options;
  const limits = { ...SERVER_LIMITS, ...options.limits };
  const clients = createClients(limits);
  const authenticator = createAuthenticator(options.auth, address.host);
  const fault: Fault = (error, source) =>
    report({ type: 'actor.fault', error: normalizeError(error), source: `server: ${source}` });
  const shared = { port, clock, limits, clients, fault };
  return {
    ...shared,
    address,
    report,
    authenticator,
    limiter: createAuthLimiter(clock, limits),
    guard: createRequestGuard({ bindHost: address.host, allowedOrigins }),
    runs: createRunFeed(shared),
    sessions: createSessionFeed(shared),
    watch: createWatchFeed(shared),
    repeats: createRepeats(clock),
    waits: createWaits(clock),
    closing,
  };
}

function createHttp(context: ServerContext, upgrades: Upgrades): HttpServer {
  const app = createHttpApp(context, createDashboard(context.port.version));
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const answers = new WeakMap<Socket, ServerResponse>();
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    answers.set(request.socket, response);
    try {
      checkShape(request);
    } catch (thrown) {
      report(context, thrown);
      return refuseRequest(response, thrown);
    }
    listener(request, response).catch((error: unknown) => {
      context.fault(error, 'http');
      response.destroy();
    });
  };
  const http = createHttpServer(
    {
      headersTimeout: context.limits.handshakeMs,
      requestTimeout: 3 * context.limits.handshakeMs,
      connectionsCheckingInterval: 2_000,
      maxHeaderSize: 16_384,
      // `checkShape` says what is missing; Node would answer without a word.
      requireHostHeader: false,
    },
    serve,
  );
  http.on('checkExpectation', serve);
  http.on('clientError', (error, socket) => {
    const answer = answers.get(socket as Socket);
    const begun = answer !== undefined && answer.headersSent && !answer.writableFinished;
    // An answer in the middle of another one would be read as a part of it.
    if (!socket.writable || begun || lost(error)) return void socket.destroy();
    const fault = faultOf(error);
    report(context, fault);
    refuseSocket(socket as Socket, fault);
  });
  http.on('connect', (_request, socket) => {
    socket.on('error', () => void socket.destroy());
    const fault = invalid('CONNECT asks for a proxy, and this is none');
    report(context, fault);
    refuseSocket(socket as Socket, fault);
  });
  http.on('upgrade', (request, socket, head) => upgrades.handle(request, socket as Socket, head));
  // Its sockets come from outside and it never listens; Node arms the header and request deadlines on this event.
  http.emit('listening');
  return http;
}

/** Its other end is gone: there is nobody to answer. */
const lost = ({ code }: NodeJS.ErrnoException): boolean => code === 'ECONNRESET' || code === 'EPIPE';

/** Every socket this server was given, so that it can let go of all of them. */
function trackSockets(http: HttpServer, { limits, report }: ServerContext) {
  const sockets = new Set<Socket>();
  let onEmpty: (() => void) | undefined;
  const gone = (socket: Socket): void => {
    sockets.delete(socket);
    if (sockets.size === 0) onEmpty?.();
  };
  return {
    take(socket: Socket): void {
      if (sockets.size >= limits.clients) {
        report({ type: 'client.refused', code: 'OVERLOADED', reason: `${limits.clients} sockets are open` });
        return void socket.destroy();
      }
      sockets.add(socket);
      socket.once('close', () => gone(socket));
      http.emit('connection', socket);
      socket.resume();
    },
    destroyAll(): void {
      for (const socket of sockets) socket.destroy();
    },
    /** Resolves when the last socket is gone, at the latest after `limitMs`. */
    empty(clock: Clock, limitMs: number): Promise<void> {
      if (sockets.size === 0) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = clock.setTimeout(resolve, limitMs);
        onEmpty = () => {
          clock.clearTimeout(timer);
          resolve();
        };
      });
    },
  };
}
