import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Io } from '../io.ts';
import { ownEnvironment } from '../own-gateway.ts';

/** A process of a measurement: it says one line when it is ready, and ends with its standard input. */
export interface Part {
  readonly pid: number;
  /** What it said: an address, mostly. */
  readonly line: string;
  close(): Promise<void>;
}

/** Starts `process.execPath` with `command`. Rejects when it ends before it has said its line. */
export async function startPart(io: Io, command: readonly string[]): Promise<Part> {
  const child = spawn(process.execPath, command, {
    env: ownEnvironment(io),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const line = await firstLine(child, ended);
  return {
    pid: child.pid!,
    line,
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

async function firstLine(child: ChildProcess, ended: Promise<unknown>): Promise<string> {
  const first = await Promise.race([once(child.stdout!, 'data'), ended.then(() => undefined)]);
  if (!first) throw new Error('a process of the measurement ended before it was ready');
  return String(first[0]).trim();
}

/** In that process: says the line, and resolves when it is to end. */
export async function bePart(io: Io, line: string): Promise<void> {
  outliveCtrlC();
  io.stdout.write(`${line}\n`);
  io.stdin!.resume();
  await once(io.stdin!, 'end');
}

/** Ctrl-C reaches every process of a terminal; a part is ended by whoever started it, in order. */
export function outliveCtrlC(): void {
  process.on('SIGINT', () => {});
}
