import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { Clock } from '../supervisor/clock.ts';
import { pause } from './pause.ts';

/**
 * What a process has started carries its mark in the environment, also where it has left the group (`setsid`, a
 * daemon), unless it wipes it. Linux shows the environment of a process to its own user; elsewhere nothing is found.
 */
const NAME = '_COPPICE_LIFE';

export const newMark = (): string => randomBytes(8).toString('hex');

/** The environment with a mark. Marks of lives around this one stay in it, so that those find what this one has left. */
export const withMark = (env: Readonly<NodeJS.ProcessEnv>, mark: string): NodeJS.ProcessEnv => ({
  ...env,
  [NAME]: `${process.env[NAME] ?? ''}/${mark}`,
});

/** Kills whatever carries the mark, until nothing does: true, or false when something still does after `limitMs`. */
export async function killMarked(mark: string, clock: Clock, limitMs: number): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const untilMs = clock.now() + limitMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    const pids = await markedWith(mark);
    if (pids.length === 0) return true;
    for (const pid of pids) kill(pid);
    if (clock.now() >= untilMs) return false;
    await pause(clock, pauseMs);
  }
}

async function markedWith(mark: string): Promise<number[]> {
  const names = await readdir('/proc').catch(() => []); // a place without it shows nobody
  const pids = names.filter((name) => /^\d+$/.test(name));
  const carried = await Promise.all(pids.map((pid) => carries(mark, pid)));
  return pids.filter((_, at) => carried[at]).map(Number);
}

/** Not those of other users, nor one that ended meanwhile: a zombie has no environment any more. */
async function carries(mark: string, pid: string): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
  const entry = environment.split('\0').find((one) => one.startsWith(`${NAME}=`));
  return (
    entry
      ?.slice(NAME.length + 1)
      .split('/')
      .includes(mark) === true
  );
}

/** One that is gone is what is wanted; one that may not be killed is found again, until time is up. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}
