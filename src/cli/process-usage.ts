import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** What a process has used. */
export interface Usage {
  /** User and system time, milliseconds. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** Of a tick in /proc; the same on every Linux that Node runs on. */
const TICK_MS = 10;

/** Undefined where neither /proc nor `ps` tells. */
export async function usageOf(pid: number): Promise<Usage | undefined> {
  try {
    return process.platform === 'linux' ? await fromProc(pid) : await fromPs(pid);
  } catch {
    // No such process any more, or no such tool: the caller shows the measurement as unknown.
    return undefined;
  }
}

async function fromProc(pid: number): Promise<Usage> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
  ]);
  // The name in parentheses may hold blanks; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const rssKb = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
  return { cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS, rssBytes: rssKb * 1_024 };
}

async function fromPs(pid: number): Promise<Usage> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=,time=', '-p', String(pid)]);
  const [rssKb = '', time = ''] = stdout.trim().split(/\s+/);
  return { cpuMs: clockMs(time), rssBytes: Number(rssKb) * 1_024 };
}

/** `[[hours:]minutes:]seconds`, with or without a fraction. */
export function clockMs(time: string): number {
  return Math.round(time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1_000);
}
