/**
 * The listening handle, owned by somebody who outlives the server. A server attaches to be given sockets; while none
 * is attached they wait, unread, in bounded number and for a bounded time, so that restarting the server refuses
 * nobody.
 */
import { createServer, type AddressInfo, type ListenOptions, type Server, type Socket } from 'node:net';
import type { Fact } from '../bus/events.ts';
import { CoppiceError } from '../errors.ts';
import type { Clock, TimerHandle } from '../supervisor/clock.ts';
import { SERVER_LIMITS, type ServerLimits } from './limits.ts';

export interface SocketSource {
  /** Hands over every accepted socket, paused: resume it once it has a reader. Returns the detacher. One at a time: the last wins. */
  attach(onSocket: (socket: Socket) => void): () => void;
  address(): { readonly host: string; readonly port: number };
}

export interface ListeningSource extends SocketSource {
  /** How many sockets wait for a server. */
  readonly waiting: number;
  /** Stops listening and ends the sockets nobody took. Sockets already handed over stay with their server. */
  close(): Promise<void>;
}

export type ListenTarget = { readonly host: string; readonly port: number } | { readonly fd: number };

export interface ListenDeps {
  readonly clock: Clock;
  report?(fact: Fact): void;
  readonly limits?: Partial<Pick<ServerLimits, 'waitingSockets' | 'waitingSocketMs'>>;
}

/** Resolves when the handle listens. Rejects with PORT_IN_USE or BIND_FAILED. */
export async function listenOn(target: ListenTarget, deps: ListenDeps): Promise<ListeningSource> {
  const server = createServer({ pauseOnConnect: true, noDelay: true });
  const room = createWaitingRoom(deps);
  let take: ((socket: Socket) => void) | undefined;
  server.on('connection', (socket) => (take ? take(socket) : room.admit(socket)));
  await listening(server, target);
  server.on('error', (error) =>
    deps.report?.({ type: 'client.refused', code: 'ACCEPT_FAILED', reason: error.message }),
  );
  const { address, port } = server.address() as AddressInfo;
  return {
    get waiting() {
      return room.size;
    },
    address: () => ({ host: address, port }),
    attach(onSocket) {
      take = onSocket;
      room.leave(onSocket);
      return () => {
        if (take === onSocket) take = undefined;
      };
    },
    close() {
      take = undefined;
      room.leave((socket) => socket.destroy());
      // Not its callback: that waits for the sockets that belong to a server now.
      server.close();
      return new Promise((resolve) => void setImmediate(resolve));
    },
  };
}

function listening(server: Server, target: ListenTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => reject(listenError(error, target));
    server.once('error', refuse);
    server.listen(
      { ...target, ...('port' in target ? { exclusive: true } : {}) } satisfies ListenOptions,
      () => {
        server.off('error', refuse);
        resolve();
      },
    );
  });
}

function listenError(error: NodeJS.ErrnoException, target: ListenTarget): CoppiceError {
  const address = 'fd' in target ? `file descriptor ${target.fd}` : `${target.host}:${target.port}`;
  return error.code === 'EADDRINUSE'
    ? new CoppiceError('PORT_IN_USE', { address, owner: 'another process', ...target }, { cause: error })
    : new CoppiceError('BIND_FAILED', { address, reason: error.message, ...target }, { cause: error });
}

interface Waiting {
  readonly timer: TimerHandle;
  readonly drop: () => void;
}

/** Sockets between two servers. Each has a deadline and, because nobody else listens yet, an error listener. */
function createWaitingRoom(deps: ListenDeps) {
  const limits = { ...SERVER_LIMITS, ...deps.limits };
  const waiting = new Map<Socket, Waiting>();
  const forget = (socket: Socket): void => {
    const entry = waiting.get(socket);
    if (!entry) return;
    waiting.delete(socket);
    deps.clock.clearTimeout(entry.timer);
    socket.off('error', entry.drop).off('close', entry.drop);
  };
  const refuse = (socket: Socket, reason: string): void => {
    deps.report?.({ type: 'client.refused', code: 'UNAVAILABLE', reason });
    socket.destroy();
  };
  return {
    get size() {
      return waiting.size;
    },
    admit(socket: Socket): void {
      if (waiting.size >= limits.waitingSockets)
        return refuse(socket, `${limits.waitingSockets} sockets wait for the server already`);
      const drop = (): void => {
        forget(socket);
        socket.destroy();
      };
      const expire = (): void => {
        drop();
        refuse(socket, `no server came within ${limits.waitingSocketMs} ms`);
      };
      waiting.set(socket, { drop, timer: deps.clock.setTimeout(expire, limits.waitingSocketMs) });
      socket.on('error', drop).on('close', drop);
    },
    /** Everybody leaves, in order of arrival. */
    leave(to: (socket: Socket) => void): void {
      for (const socket of [...waiting.keys()]) {
        forget(socket);
        to(socket);
      }
    },
  };
}
