import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A real launcher around a child script, in a process group of its own, as a terminal would have it. */
export interface Launched {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly port: number;
  /** Everything the launcher and its children said so far. */
  readonly output: () => string;
  /** Resolves with the match when the output holds it. Rejects with the output after 10 s. */
  readonly said: (pattern: RegExp) => Promise<RegExpMatchArray>;
  /** Resolves with the launcher's exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  readonly get: (path: string) => Promise<string>;
}

const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
const running: Launched[] = [];

export async function startLauncher(mode: string, options: object = {}): Promise<Launched> {
  const child = spawn(
    process.execPath,
    [fixture('launch.ts'), JSON.stringify({ child: [fixture('child.ts'), mode], ...options })],
    { stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  );
  let output = '';
  const gather = (chunk: Buffer): void => {
    output += String(chunk);
    child.emit('said');
  };
  child.stdout!.on('data', gather);
  child.stderr!.on('data', gather);
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  const said = (pattern: RegExp): Promise<RegExpMatchArray> => until(child, pattern, () => output);
  const port = Number((await said(/port (\d+)/))[1]);
  const get = async (path: string): Promise<string> =>
    (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  const launched = { process: child, pid: child.pid!, port, output: () => output, said, ended, get };
  running.push(launched);
  return launched;
}

function until(child: ChildProcess, pattern: RegExp, output: () => string): Promise<RegExpMatchArray> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${String(pattern)} was not said:\n${output()}`)),
      40_000,
    );
    const look = (): void => {
      const match = output().match(pattern);
      if (!match) return;
      clearTimeout(timer);
      child.off('said', look);
      resolve(match);
    };
    child.on('said', look);
    look();
  });
}

/** Ends what a test left behind, by pid. */
export async function endLaunchers(): Promise<void> {
  for (const launched of running.splice(0)) {
    const pids = [...launched.output().matchAll(/up (\d+)/g)].map((match) => Number(match[1]));
    for (const pid of [launched.pid, ...pids]) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    await launched.ended;
  }
}

/** A process that is dead and not yet reaped by its new parent counts as dead, where /proc tells. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, 'utf8'));
}

/** Resolves when `condition` holds; rejects after 40 s. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 40_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never came true: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
