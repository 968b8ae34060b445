import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The hand-written tests of the machines. */
const FILES: Readonly<Record<string, string>> = {
  lifeCycle: 'life-cycle.test.ts',
  toolLoop: 'tool-loop.test.ts',
};
const CHILD = fileURLToPath(new URL('hand-child.ts', import.meta.url));
/** Imported files are never forgotten, and each keeps what it explored: so many in one process. */
const PER_PROCESS = 20;

interface Line {
  /** -1: the machine as it should be. */
  readonly number: number;
  readonly reason?: string;
}

/**
 * What the hand-written test says about mutants, by number, as far as the time goes.
 * Throws when it fails on the machine as it should be: then it says nothing about any.
 */
export async function askHandWritten(
  machine: string,
  numbers: readonly number[],
  seconds: number,
  heard: (count: number) => void = () => undefined,
): Promise<ReadonlyMap<number, string | undefined>> {
  const until = performance.now() + seconds * 1_000;
  const answers = new Map<number, string | undefined>();
  for (let at = 0; at < numbers.length && performance.now() < until; at += PER_PROCESS) {
    const left = Math.ceil((until - performance.now()) / 1_000);
    for await (const { number, reason } of child(machine, left, numbers.slice(at, at + PER_PROCESS))) {
      if (number >= 0) answers.set(number, reason);
      else if (reason !== undefined)
        throw new Error(`the test of ${machine} fails without any fault: ${reason}`);
      heard(answers.size);
    }
  }
  return answers;
}

async function* child(machine: string, seconds: number, numbers: readonly number[]): AsyncGenerator<Line> {
  const file = FILES[machine] ?? `${machine}.test.ts`;
  const args = [CHILD, machine, file, String(seconds), ...numbers.map(String)];
  const one = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: one.stdout })) yield JSON.parse(line) as Line;
}
