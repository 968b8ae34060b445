import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A file that a page shows under its name, and what the page says it prints when it is run. */
export interface Program {
  readonly name: string;
  readonly text: string;
  /** Undefined for a module that others import. */
  readonly prints: string | undefined;
}

const BLOCK = /<!-- ([\w.-]+\.ts) -->\n+```ts\n([\s\S]*?)```\n(?:\n+```text\n([\s\S]*?)```)?/g;

/** Every file of a page: a name in a comment, a block of code, and directly behind it what it prints. */
export const programsOf = (page: string): Program[] =>
  [...page.matchAll(BLOCK)].map(([, name, text, prints]) => ({ name: name!, text: text!, prints }));

export const readPage = (name: string): string => readFileSync(join(ROOT, 'docs', name), 'utf8');

/** A folder of somebody who has installed coppice: the package leads to the sources of this tree. */
export function openFolder(files: readonly { readonly name: string; readonly text: string }[]) {
  const folder = mkdtempSync(join(tmpdir(), 'coppice-docs-'));
  const coppice = join(folder, 'node_modules', 'coppice');
  mkdirSync(coppice, { recursive: true });
  symlinkSync(join(ROOT, 'src'), join(coppice, 'src'));
  for (const name of ['xstate', '@xstate', 'vitest', '@types'])
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  const { exports: doors } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly exports: Readonly<Record<string, unknown>>;
  };
  const exports = Object.fromEntries(
    Object.keys(doors)
      .filter((door) => door !== './package.json')
      .map((door) => [door, `./src/${door === '.' ? '' : `${door.slice(2)}/`}index.ts`]),
  );
  writeFileSync(join(coppice, 'package.json'), JSON.stringify({ name: 'coppice', type: 'module', exports }));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const { name, text } of files) writeFileSync(join(folder, name), text);
  return { folder, close: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one program in a folder and waits for its end. */
export const run = (folder: string, ...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const flags = ['--disable-warning=ExperimentalWarning', ...args];
    execFile(process.execPath, flags, { cwd: folder, timeout: 15_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, stderr: `${stderr}${error?.killed ? 'it took too long' : ''}` });
    });
  });

/** What the compiler has to say about the files of a page, under the strictest of its common settings. */
export function complaints(folder: string, names: readonly string[]): Promise<Ran> {
  const tsc = join(ROOT, 'node_modules/ts7/bin/tsc');
  const flags = '--noEmit --strict --skipLibCheck --allowImportingTsExtensions --module nodenext'.split(' ');
  return run(folder, tsc, ...flags, '--target', 'es2024', '--types', 'node', ...names);
}
