import { constants } from 'node:os';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';

/**
 * A listening socket that nobody has accepted from yet. The launcher binds it and keeps it for its whole life; each
 * gateway child gets it as a file descriptor and listens on it (`listen({ fd })`, the path of systemd's socket
 * activation). While no child lives, connections wait in the kernel's backlog instead of being refused.
 */
export interface BoundSocket {
  readonly fd: number;
  readonly host: string;
  /** The real one, also when 0 was asked for. */
  readonly port: number;
  close(): void;
}

export interface BindFailure {
  /** The system's name: EADDRINUSE, EACCES, EADDRNOTAVAIL, ... */
  readonly code: string;
}

/** What `net._createServerHandle` returns: bound, not listening. */
interface TcpHandle {
  readonly fd: number;
  getsockname(out: object): number;
  close(): void;
}

type CreateHandle = (
  address: string | null,
  port: number,
  addressType: 4 | 6,
  fd: number,
  flags: number,
) => TcpHandle | number;

const createHandle = (net as unknown as { _createServerHandle?: CreateHandle })._createServerHandle;

/**
 * Binds `host:port` (an address, not a name) without accepting.
 *
 * Node has no public way to do this: `server.listen()` binds, listens and accepts in one go, and what the launcher
 * accepts is lost when it has nobody to hand it to. `net._createServerHandle` is what node:cluster's own primary
 * process calls for the same purpose (lib/internal/cluster/shared_handle.js).
 *
 * Danger: libuv does not report EADDRINUSE from bind; it keeps it until listen. A child that then calls
 * `listen({ fd })` has a fresh handle that knows nothing of it: the kernel would bind that *unbound* socket to a
 * random free port, silently. getsockname reports the kept error, so it is asked at once.
 *
 * Two processes may both bind a port on which nobody listens yet (SO_REUSEADDR). The later of their children then
 * fails in listen with EADDRINUSE, which the gateway process reports and ends with 78.
 */
export function bindWithoutAccepting(host: string, port: number): BoundSocket | BindFailure {
  if (!createHandle) return { code: 'ENOSYS' };
  const handle = createHandle(host, port, net.isIPv6(host) ? 6 : 4, -1, 0);
  if (typeof handle === 'number') return { code: nameOf(handle) };
  const bound: { port?: number } = {};
  const status = handle.getsockname(bound);
  if (status === 0 && bound.port)
    return { fd: handle.fd, host, port: bound.port, close: () => handle.close() };
  handle.close();
  return { code: nameOf(status) };
}

function nameOf(status: number): string {
  return getSystemErrorName(status < 0 ? status : -constants.errno.EADDRINUSE);
}

export function isBound(result: BoundSocket | BindFailure): result is BoundSocket {
  return 'fd' in result;
}

/**
 * Where a descriptor that was handed over is bound; undefined when it is no TCP socket. Danger: the handle made to
 * ask is never closed, because closing it would close the descriptor under whoever listens on it. So: once a process.
 */
export function addressOf(fd: number): { readonly host: string; readonly port: number } | undefined {
  const handle = createHandle?.(null, 0, 4, fd, 0);
  if (handle === undefined || typeof handle === 'number') return undefined;
  const bound: { address?: string; port?: number } = {};
  const known = typeof handle.getsockname === 'function' && handle.getsockname(bound) === 0;
  return known && bound.address && bound.port ? { host: bound.address, port: bound.port } : undefined;
}

/** The first descriptor systemd passes by socket activation (sd_listen_fds(3)). */
const FIRST_PASSED_FD = 3;

/**
 * The descriptor a parent handed to this very process: COPPICE_LISTEN_FD from the launcher, or systemd's
 * LISTEN_FDS when LISTEN_PID names this process. Undefined when there is none.
 */
export function passedListenFd(env: Readonly<NodeJS.ProcessEnv>, pid: number): number | undefined {
  const ours = env['COPPICE_LISTEN_FD'];
  if (ours !== undefined && /^\d+$/.test(ours)) return Number(ours);
  const count = Number(env['LISTEN_FDS'] ?? 0);
  return env['LISTEN_PID'] === String(pid) && count >= 1 ? FIRST_PASSED_FD : undefined;
}
