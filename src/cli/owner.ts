import { type LockOwner, readLockOwner } from '../store/index.ts';

export type Owner = LockOwner;

/** The gateway process that owns the state directory at this moment. */
export function findOwner(dir: string): Owner | undefined {
  const state = readLockOwner(dir);
  return state?.held ? state.owner : undefined;
}

/** Where its owner can be reached from this machine. */
export function urlOf(owner: Pick<Owner, 'host' | 'port'>): string | undefined {
  return owner.port ? httpUrl(owner.host ?? '127.0.0.1', owner.port) : undefined;
}

/** An address that means "all of them" is reached by loopback. */
export function httpUrl(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** Its launcher is dead: it stops by itself, and whoever wants its place may wait for it. */
export function isOrphan(owner: Owner): boolean {
  return owner.launcherPid !== undefined && !isAlive(owner.launcherPid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
