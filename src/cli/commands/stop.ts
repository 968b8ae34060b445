import { setTimeout as delay } from 'node:timers/promises';
import { CoppiceError } from '../../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import { findOwner, type Owner } from '../owner.ts';
import type { CommonOptions } from '../options.ts';
import { stateDirectory } from '../state-directory.ts';

/** A little more than the launcher gives the gateway before it kills it. */
const WAIT_MS = 105_000;
const LOOK_EVERY_MS = 50;

/**
 * `coppice stop`: SIGTERM to the gateway process, which drains and ends with 0, so its launcher ends too. Waits
 * until the lock of the state directory is free. Rejects: GATEWAY_NOT_RUNNING, NOT_PERMITTED, STOP_TIMED_OUT.
 */
export async function stop(io: Io, options: CommonOptions, waitMs = WAIT_MS): Promise<number> {
  if (options.url) {
    throw new CoppiceError('USAGE', {
      reason: 'stop works on this machine only; name the gateway by --state-dir, not by --url',
    });
  }
  const dir = stateDirectory(options.stateDir, io.env);
  const owner = findOwner(dir);
  if (!owner) throw new CoppiceError('GATEWAY_NOT_RUNNING', { where: dir });
  const startedMs = performance.now();
  if (!options.json) writeLines(io.stdout, [`stopping the gateway process ${owner.pid}`]);
  sendStop(owner.pid);
  await untilGone(dir, owner, waitMs);
  const tookMs = Math.round(performance.now() - startedMs);
  if (options.json) writeJson(io.stdout, { stopped: true, pid: owner.pid, tookMs });
  else writeLines(io.stdout, [`stopped after ${(tookMs / 1_000).toFixed(1)} s`]);
  return EXIT.ok;
}

function sendStop(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    // ESRCH: it has just ended by itself, which is what was asked for.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw new CoppiceError(
      'NOT_PERMITTED',
      { what: `stopping process ${pid}`, reason: 'it belongs to another user' },
      { cause: error },
    );
  }
}

async function untilGone(dir: string, owner: Owner, waitMs: number): Promise<void> {
  const deadlineMs = performance.now() + waitMs;
  while (findOwner(dir)?.pid === owner.pid) {
    if (performance.now() > deadlineMs) throw new CoppiceError('STOP_TIMED_OUT', { pid: owner.pid, waitMs });
    await delay(LOOK_EVERY_MS);
  }
}
