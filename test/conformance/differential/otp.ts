/** The real supervisor: one long-lived Erlang process that runs scripts and prints traces. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Script, toTerm } from './script.ts';
import type { Trace } from './trace.ts';

export const INSTALL = 'apt-get install -y erlang-base';
const DRIVER = fileURLToPath(new URL('../erlang/driver.erl', import.meta.url));

export const hasErlang = (): boolean => spawnSync('erl', ['-version']).error === undefined;

export interface Otp {
  /** One at a time: the caller waits for the answer before it asks again. */
  run(script: Script): Promise<Trace>;
  close(): Promise<void>;
}

/** Compiles the driver into a temporary directory and starts it on one scheduler, so that traces have one order. */
export function startOtp(): Otp {
  const directory = mkdtempSync(join(tmpdir(), 'coppice-otp-'));
  const compiled = spawnSync('erlc', ['-o', directory, DRIVER], { encoding: 'utf8' });
  if (compiled.status !== 0) throw new Error(`erlc: ${compiled.stdout}${compiled.stderr}`);
  const erl = spawn('erl', ['+S', '1:1', '-noshell', '-pa', directory, '-s', 'driver', 'main'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: erl.stdout });
  let waiting: { resolve(line: string): void; reject(error: Error): void } | undefined;
  lines.on('line', (line) => waiting?.resolve(line));
  const exited = once(erl, 'exit').then(() => waiting?.reject(new Error('the Erlang driver has ended')));
  return {
    async run(script) {
      const line = await new Promise<string>((resolve, reject) => {
        waiting = { resolve, reject };
        erl.stdin.write(`${toTerm(script)}\n`);
      });
      return line.split('\t').map((step) => step.split(';'));
    },
    async close() {
      waiting = undefined;
      erl.stdin.end();
      await exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
