import { setTimeout as delay } from 'node:timers/promises';
import { CoppiceError } from '../errors.ts';
import { type BindFailure, bindWithoutAccepting, type BoundSocket, isBound } from './listen.ts';
import { findOwner, isOrphan } from './owner.ts';
import { describePortOwner } from './port-owner.ts';

export interface Claim {
  readonly host: string;
  readonly port: number;
}

/** Binds the port of this gateway. Throws PORT_IN_USE, naming who has it, or BIND_FAILED. */
export function claimPort({ host, port }: Claim): BoundSocket {
  const bound = bindWithoutAccepting(host, port);
  if (isBound(bound)) return bound;
  throw refusal({ host, port }, bound);
}

function refusal({ host, port }: Claim, failure: BindFailure): CoppiceError {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (failure.code === 'EADDRINUSE')
    return new CoppiceError('PORT_IN_USE', { address, host, port, owner: describePortOwner(port) });
  return new CoppiceError('BIND_FAILED', { address, host, port, reason: failure.code });
}

export interface Patience {
  readonly waitMs: number;
  readonly say: (line: string) => void;
}

/**
 * The same, after a gateway of this state directory whose launcher is dead (killed, say, and restarted by a service
 * manager at once) has finished its stop: it still has the port, and then the lock. Without this wait the new
 * launcher would end with 78, after which no service manager tries again.
 */
export async function claimPortAfterOrphan(
  claim: Claim,
  stateDir: string,
  patience: Patience,
): Promise<BoundSocket> {
  const deadlineMs = performance.now() + patience.waitMs;
  let told = false;
  for (
    let pid = orphanPid(stateDir);
    pid !== undefined && performance.now() < deadlineMs;
    pid = orphanPid(stateDir)
  ) {
    if (!told)
      patience.say(`gateway process ${pid}, whose launcher is gone, is still stopping; waiting for it`);
    told = true;
    await delay(100);
  }
  return claimPort(claim);
}

function orphanPid(stateDir: string): number | undefined {
  const owner = findOwner(stateDir);
  return owner && isOrphan(owner) ? owner.pid : undefined;
}
