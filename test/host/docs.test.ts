import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createStand, eventually, runs } from './stand.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const page = readFileSync(join(ROOT, 'docs/host.md'), 'utf8');
const programs = new Map(
  [...page.matchAll(/<!-- ([\w-]+\.js) -->\n+```js\n([\s\S]*?)```/g)].map(([, name, text]) => [name!, text!]),
);

/** A folder in which the page's programs stand as printed, beside the packages they name. */
const folder = mkdtempSync(join(tmpdir(), 'coppice-host-'));
beforeAll(() => {
  const coppice = join(folder, 'node_modules', 'coppice');
  mkdirSync(coppice, { recursive: true });
  symlinkSync(join(ROOT, 'src'), join(coppice, 'src'));
  symlinkSync(join(ROOT, 'node_modules', 'xstate'), join(folder, 'node_modules', 'xstate'));
  const exports = { './host': './src/host/index.ts', './supervisor': './src/supervisor/index.ts' };
  writeFileSync(join(coppice, 'package.json'), JSON.stringify({ name: 'coppice', type: 'module', exports }));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const [name, text] of programs) writeFileSync(join(folder, name), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs one as a user would. */
function run(name: string): { child: ChildProcess; lines: string[]; exit: Promise<unknown[]> } {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', name], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  return { child, lines, exit: once(child, 'close') };
}

const count = (lines: readonly string[], line: string): number => lines.filter((one) => one === line).length;

it('the process of docs/host.md counts, comes back after kill -9, and goes with its program', async () => {
  const { child, lines, exit } = run('process.js');
  const pids = (): number[] =>
    lines.filter((line) => line.startsWith('process.started ')).map((line) => Number(line.split(' ')[1]));
  await eventually(() => count(lines, 'process.printed hello has 5') === 1);
  process.kill(pids()[0]!, 'SIGKILL');
  await eventually(() => count(lines, 'process.printed hello has 5') === 2);
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  expect([pids().length, pids().filter(runs)]).toEqual([2, []]);
  expect(lines.filter((line) => line.includes('app'))).toEqual([
    'progress app/counter',
    'child_terminated app/counter',
    'restart_scheduled app/counter',
    'progress app/counter',
    'shutdown app',
  ]);
});

it('the thread of docs/host.md answers, is killed in the middle of its loop, and answers again', async () => {
  const { child, lines, exit } = run('thread.js');
  await eventually(() => lines.includes('thread.posted 0'));
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  expect(lines.filter((line) => line.startsWith('thread.posted'))).toEqual([
    'thread.posted 1',
    'thread.posted 4',
    'thread.posted 0',
  ]);
  expect(lines.filter((line) => line.includes('app'))).toEqual([
    'progress app/square',
    'child_terminated app/square',
    'restart_scheduled app/square',
    'progress app/square',
    'shutdown app',
  ]);
});

it('the effect of docs/host.md fails alone, by what its socket brings and by its socket', async () => {
  const { ticker } = (await import(pathToFileURL(join(folder, 'effect.js')).href)) as { ticker: never };
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end('no json');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const stand = createStand([
    { id: 'one', logic: ticker, input: () => ({ port }), restart: 'temporary' },
    { id: 'two', logic: ticker, input: () => ({ port: 1 }), restart: 'temporary' },
  ]);
  await eventually(() => stand.endings('one').length + stand.endings('two').length === 2);
  expect(stand.endings('one')[0]).toContain('is not valid JSON');
  expect(stand.endings('two')).toEqual(['error ECONNREFUSED']);
});

it('each program is at most 20 lines, not counting those that hold a bracket or nothing', () => {
  expect([...programs.keys()]).toEqual(['process.js', 'square.js', 'thread.js', 'effect.js']);
  for (const text of programs.values()) {
    expect(text.split('\n').filter((line) => /\w/.test(line)).length).toBeLessThanOrEqual(20);
  }
});
