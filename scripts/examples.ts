/**
 * Runs the examples that need something around them, from the sources of this tree:
 *   node scripts/examples.ts browser   bundles the page and serves it on 127.0.0.1
 *   node scripts/examples.ts edge      bundles the script and runs it where there is no Node
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { rolldown } from 'rolldown';
import { sourceOf } from './source-of.ts';

const ROOT = new URL('..', import.meta.url);

/** One file of plain JavaScript for a host without Node; `iife` for hosts that take a
 * script, with what it exports as `coppice`. Fails on any import that is left. */
export async function bundle(entry: string, format: 'esm' | 'iife' = 'esm'): Promise<string> {
  const built = await rolldown({
    input: fileURLToPath(new URL(entry, ROOT)),
    platform: 'browser',
    plugins: [{ name: 'sources', resolveId: (specifier) => pathOf(sourceOf(specifier)) }],
    onLog: (_level, log) => {
      throw new Error(log.message);
    },
  });
  const { output } = await built.generate({ format, name: 'coppice', codeSplitting: false });
  await built.close();
  const [chunk, ...rest] = output;
  const outside = [...chunk.imports, ...chunk.dynamicImports, ...rest.map(({ fileName }) => fileName)];
  if (outside.length > 0) throw new Error(`${entry} needs more than itself: ${outside.join(', ')}`);
  return chunk.code;
}

const pathOf = (file: URL | undefined): string | undefined => file && fileURLToPath(file);

/** What every edge worker has, and nothing of Node. Timers are numbers there. */
function edgeGlobals(print: (line: string) => void): object {
  const write = (...words: unknown[]): void => print(words.map(String).join(' '));
  return {
    console: { log: write, error: write },
    setTimeout: (fn: () => void, delayMs: number) => Number(setTimeout(fn, delayMs)),
    clearTimeout: (timer: number) => clearTimeout(timer),
    ...{ queueMicrotask, structuredClone, performance, AbortController, AbortSignal, Event, EventTarget },
    ...{ URL, URLSearchParams, TextEncoder, TextDecoder, crypto, fetch, Request, Response, Headers },
  };
}

/** Runs a script where there is no `process`, no `Buffer`, no `require` and no module to import. */
export function runAtEdge(code: string, print: (line: string) => void): unknown {
  const context = createContext(edgeGlobals(print), { codeGeneration: { strings: false, wasm: false } });
  return runInContext(code, context, { filename: 'edge.js' });
}

/** The page, with its script bundled in the place of the source it names. Port 0: any that is free. */
export async function servePage(port: number): Promise<Server> {
  const read = (name: string): string => readFileSync(new URL(`examples/browser/${name}`, ROOT), 'utf8');
  const files: Readonly<Record<string, readonly [type: string, text: string]>> = {
    '/': ['text/html', read('index.html')],
    '/style.css': ['text/css', read('style.css')],
    '/drawing.css': ['text/css', read('drawing.css')],
    '/main.ts': ['text/javascript', await bundle('examples/browser/main.ts')],
  };
  const server = createServer((request, response) => {
    const [type, text] = files[request.url ?? ''] ?? ['text/plain', undefined];
    response
      .writeHead(text === undefined ? 404 : 200, { 'content-type': `${type}; charset=utf-8` })
      .end(text);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return server;
}

async function main(name: string | undefined): Promise<number> {
  if (name === 'edge') {
    runAtEdge(await bundle('examples/edge/main.ts', 'iife'), (line) => console.log(line));
    return 0;
  }
  if (name === 'browser') {
    const server = await servePage(Number(process.env['PORT'] ?? 0));
    console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    return 0;
  }
  console.error('Say which: node scripts/examples.ts browser | edge');
  return 2;
}

if (import.meta.main) process.exitCode = await main(process.argv[2]);
