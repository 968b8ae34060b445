import { readdir, readFile } from 'node:fs/promises';
import type { Clock } from '../supervisor/clock.ts';
import { pause } from './pause.ts';

/**
 * A process and what it started, as one thing that can be told to end and be seen to be gone. The group has the
 * pid of its leader; the kernel gives that number to nobody else while a member lives.
 */

/** `refused`: members exist, and none of them may be signalled by this user. */
export function signalGroup(pgid: number, signal: NodeJS.Signals | 0): 'sent' | 'absent' | 'refused' {
  try {
    process.kill(-pgid, signal);
    return 'sent';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH') return 'absent';
    // macOS says EPERM of a group of which only zombies are left.
    if (code === 'EPERM') return process.platform === 'darwin' ? 'absent' : 'refused';
    throw error;
  }
}

const LONGEST_PAUSE_MS = 100;
/** Looking for zombies reads the whole process table: not worth it for a group that is about to go. */
const ZOMBIES_AFTER_MS = 16;

/** Watches a group until nothing of it is left: true, or false when something is after `limitMs`. */
export async function untilAbsent(pgid: number, clock: Clock, limitMs: number): Promise<boolean> {
  const untilMs = clock.now() + limitMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    if (signalGroup(pgid, 0) === 'absent') return true;
    if (pauseMs >= ZOMBIES_AFTER_MS && (await isDead(pgid))) return true;
    if (clock.now() >= untilMs) return false;
    await pause(clock, pauseMs);
  }
}

/**
 * Are only zombies left of a group that still answers? An orphan's zombie stays for as long as process 1 does not
 * reap it, and in a container process 1 may be a program that never does.
 */
async function isDead(pgid: number): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const states = await Promise.all(pids.map((pid) => stateIn(pgid, pid)));
  return states.every((state) => state === undefined || state === 'Z' || state === 'X');
}

/** The state letter of a process, if it is a member; undefined for others and for one that ended meanwhile. */
async function stateIn(pgid: number, pid: string): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // `pid (name) state ppid pgrp ...`; the name may hold brackets and blanks.
  const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(group) === pgid ? state : undefined;
}

const open = new Set<number>();
let sweeps = false;

/** From now on the end of this process by `exit` takes the group along. Returns the way back. */
export function tieGroup(pgid: number): () => void {
  open.add(pgid);
  if (!sweeps) process.on('exit', sweep);
  sweeps = true;
  return () => void open.delete(pgid);
}

function sweep(): void {
  for (const pgid of open) signalGroup(pgid, 'SIGKILL');
}
