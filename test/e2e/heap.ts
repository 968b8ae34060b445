import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './wire.ts';

/** A way to ask a gateway process, from outside, what it holds after a collection. */
export interface HeapProbe {
  /** For the environment of the gateway. */
  readonly env: { readonly NODE_OPTIONS: string };
  /** Bytes in use after two collections. For ratios only: no absolute number means anything on another machine. */
  used(): Promise<number>;
}

/** Looked at by the main thread alone: the writer thread is loaded with the same options. */
const PRELOAD = `
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
if (isMainThread) {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  const look = () => {
    if (!existsSync(FILE + '.ask')) return;
    rmSync(FILE + '.ask');
    gc(); gc();
    writeFileSync(FILE + '.new', String(process.memoryUsage().heapUsed));
    renameSync(FILE + '.new', FILE);
  };
  setInterval(look, 50).unref();
}`;

let probes = 0;

/** One gateway without a launcher per probe. */
export function heapProbe(): HeapProbe {
  const file = join(tmpdir(), `coppice-heap-${process.pid}-${(probes += 1)}`);
  const source = PRELOAD.replaceAll('FILE', JSON.stringify(file));
  const url = `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`;
  return {
    env: { NODE_OPTIONS: `--import ${url}` },
    async used() {
      rmSync(file, { force: true });
      writeFileSync(`${file}.ask`, '');
      const text = await eventually('the heap of the gateway', () =>
        existsSync(file) ? readFileSync(file, 'utf8') : undefined,
      );
      rmSync(file, { force: true });
      return Number(text);
    },
  };
}
