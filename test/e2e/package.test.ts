import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Read by npm or by the build. The copy keeps `dist` out of the tree that other tests run from. */
const SOURCES = ['package.json', 'LICENSE', 'README.md', 'bin', 'scripts', 'src', 'tools'];
const CONFIGS = ['tsconfig.base.json', 'tsconfig.json', 'tsconfig.build.json', 'tsconfig.dashboard.json'];

/**
 * Everybody who installs coppice downloads and keeps this. Set a seventh above what was measured, so that a picture, a
 * map of the sources or a test that slips in is noticed; raise it with a reason.
 */
const BUDGET = { packed: 680_000, unpacked: 2_500_000, files: 1_000 };

/** The doors by name, as package.json opens them: `.`, `./machines`, ... */
const { exports: rows } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  exports: Record<string, unknown>;
};
const DOORS = Object.keys(rows).filter((name) => name !== './package.json');
const specifier = (door: string): string => `coppice${door.slice(1)}`;
/** These promise any host, so their declarations must stand without the types of Node. */
const ANYWHERE = ['./machines', './supervisor', './bus'];

const scratch = mkdtempSync(join(tmpdir(), 'coppice-e2e-package-'));
const home = join(scratch, 'home');
const project = join(scratch, 'project');

/** The Node of this process first, so that `npm` and every script it finds by its first line run on it. */
const env = (): NodeJS.ProcessEnv => {
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter);
  // Of an npm that may have started this test only the way to its registry is passed on.
  const ours = /^(npm_(?!config_(registry|cache|cafile|userconfig|\w*proxy)$)|COPPICE_|VITEST|NODE_ENV$)/i;
  const outer = Object.entries(process.env).filter(([name]) => !ours.test(name));
  const kept = Object.fromEntries(outer.filter(([name]) => name !== 'PATH'));
  return { ...kept, PATH: path, XDG_STATE_HOME: join(home, 'state'), XDG_CONFIG_HOME: join(home, 'config') };
};

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(cwd: string, file: string, ...args: string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile(
      file,
      args,
      { cwd, env: env(), timeout: 170_000, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
        resolve({ code, stdout, stderr: `${stderr}${error?.killed ? '\nit took too long' : ''}` });
      },
    );
  });
}

const offline = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|ECONNRESET|ENOTCACHED|E50\d/;

describe('the published package, installed by npm into an empty project', () => {
  let files: string[] = [];
  let packed: { filename: string; size: number; unpackedSize: number };
  const tarball = (): Buffer => readFileSync(join(scratch, packed.filename));
  /** Why nothing could be installed, if it is not our fault. */
  let unreachable: string | undefined;

  beforeAll(async () => {
    const copy = join(scratch, 'copy');
    mkdirSync(copy);
    mkdirSync(project);
    for (const name of [...SOURCES, ...CONFIGS]) {
      if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    const { code, stdout, stderr } = await run(copy, 'npm', 'pack', '--json', '--pack-destination', scratch);
    if (code !== 0) throw new Error(`npm pack failed:\n${stdout}\n${stderr}`);
    // The build writes to the same stream, before the list.
    const [told] = JSON.parse(stdout.slice(stdout.search(/^\[/m))) as [
      typeof packed & { files: { path: string }[] },
    ];
    packed = told;
    files = told.files.map(({ path }) => path);
    writeFileSync(join(project, 'package.json'), '{ "name": "host", "private": true, "type": "module" }');
    const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=1'];
    const installed = await run(project, 'npm', 'install', ...flags, join(scratch, packed.filename));
    if (installed.code === 0) return;
    if (!offline.test(installed.stderr)) throw new Error(`npm install failed:\n${installed.stderr}`);
    unreachable = `npm reaches no registry: ${installed.stderr.match(offline)?.[0]}`;
  }, 360_000);
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test('holds what is built and nothing else: no sources, no tests, no Node', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'package.json',
        'LICENSE',
        'bin/coppice.js',
        'dist/index.js',
        'dist/index.d.ts',
      ]),
    );
    expect(files).toEqual(
      expect.arrayContaining(['dist/server/dashboard/index.html', 'dist/store/writer-worker.js']),
    );
    const expected = /^(dist\/|bin\/|package\.json$|LICENSE$|README\.md$)/;
    expect(files.filter((path) => !expected.test(path))).toEqual([]);
    expect(
      files.filter((path) => /(^|\/)(test|node_modules)\/|\.test\.|(?<!\.d)\.ts$|\/node$/.test(path)),
    ).toEqual([]);
  });

  test('weighs no more than its budget', () => {
    expect(packed.size).toBeLessThan(BUDGET.packed);
    expect(packed.unpackedSize).toBeLessThan(BUDGET.unpacked);
    expect(files.length).toBeLessThan(BUDGET.files);
    expect(packed.size, 'the budget is far from the truth: lower it').toBeGreaterThan(BUDGET.packed / 2);
  });

  test('has nothing that publint would change', async () => {
    const { buffer, byteOffset, byteLength } = tarball();
    const data = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    const { messages, pkg } = await publint({ pack: { tarball: data }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  test('has the right types behind every door, for all who can import ESM', async () => {
    const checked = await checkPackage(createPackageFromTarballData(tarball()));
    if (!checked.types) throw new Error('it has no types');
    expect(Object.keys(checked.entrypoints).toSorted()).toEqual(Object.keys(rows).toSorted());
    // Who resolves as Node 10 did, or requires from CommonJS, is told so by Node itself: coppice is ESM for Node 24.
    const elsewhere = new Set(['node10', 'node16-cjs']);
    const problems = checked.problems.filter(
      (problem) => !('resolutionKind' in problem && elsewhere.has(problem.resolutionKind)),
    );
    expect(problems).toEqual([]);
  });

  test('brings no Node of its own and runs as `npx coppice`', async ({ skip }) => {
    if (unreachable) return skip(unreachable);
    expect(existsSync(join(project, 'node_modules', 'node'))).toBe(false);
    expect(existsSync(join(project, 'node_modules', 'coppice', 'src'))).toBe(false);
    const { code, stdout, stderr } = await run(project, 'npx', '--no-install', 'coppice', '--version');
    expect([code, stdout.trim()], stderr).toEqual([0, '0.1.0']);
  });

  test('runs a gateway that gets ready, and stops at SIGTERM with 0', async ({ skip }) => {
    if (unreachable) return skip(unreachable);
    const bin = join(project, 'node_modules', '.bin', 'coppice');
    const args = ['run', '--no-launcher', '--port', '0', '--state-dir', join(scratch, 'state')];
    const child = spawn(bin, args, { cwd: project, env: env(), stdio: ['ignore', 'pipe', 'pipe'] });
    try {
      let output = '';
      const url = await new Promise<string>((resolve, reject) => {
        const hear = (chunk: Buffer): void => {
          output += String(chunk);
          const found = /is up at (http:\S+)/.exec(output)?.[1];
          if (found) resolve(found);
        };
        child.stdout.on('data', hear);
        child.stderr.on('data', hear);
        child.once('exit', (code) => reject(new Error(`it ended with ${code}:\n${output}`)));
      });
      expect((await fetch(`${url}/readyz`)).status, output).toBe(200);
      const page = await fetch(url);
      expect([page.status, page.headers.get('content-type')]).toEqual([
        200,
        expect.stringContaining('text/html'),
      ]);
      expect(await page.text()).toContain('/dashboard/main.js');
      expect((await fetch(`${url}/dashboard/main.js`)).status).toBe(200);
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      expect((await ended)[0], output).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test.for(DOORS)('opens %s to an import, and says what is behind it', async (door, { skip }) => {
    if (unreachable) return skip(unreachable);
    const code = `const { default: _, ...named } = await import('${specifier(door)}'); console.log(Object.keys(named).length)`;
    const { stdout, stderr } = await run(project, process.execPath, '--input-type=module', '-e', code);
    expect(Number(stdout), stderr).toBeGreaterThan(0);
  });

  test('compiles against, on Node through every door, and in a browser through those for any host', async ({
    skip,
  }) => {
    if (unreachable) return skip(unreachable);
    const lines = (doors: readonly string[]): string =>
      doors
        .map((door, n) => `import * as door${n} from '${specifier(door)}';\nexport { door${n} };\n`)
        .join('');
    writeFileSync(join(project, 'node.ts'), lines(DOORS));
    writeFileSync(join(project, 'browser.ts'), lines(ANYWHERE));
    const tsc = [join(ROOT, 'node_modules/ts7/bin/tsc'), '--noEmit', '--strict', '--module', 'nodenext'];
    const types = ['--typeRoots', join(ROOT, 'node_modules/@types'), '--types'];
    const onNode = await run(
      project,
      process.execPath,
      ...tsc,
      '--skipLibCheck',
      ...types,
      'node',
      'node.ts',
    );
    expect(onNode.stdout).toBe('');
    const browser = ['--lib', 'ES2023,DOM', '--skipLibCheck', 'false', ...types, ''];
    expect((await run(project, process.execPath, ...tsc, ...browser, 'browser.ts')).stdout).toBe('');
  });

  test('is a library: a host starts and stops a gateway', async ({ skip }) => {
    if (unreachable) return skip(unreachable);
    writeFileSync(
      join(project, 'host.js'),
      `import { createGateway, loadConfig } from 'coppice';
       import { readdirSync } from 'node:fs';
       const stateDir = process.argv[2];
       const { config } = loadConfig({ env: {}, flags: { stateDir, port: 0, token: 'a-token-0123456789' } });
       const gateway = createGateway(config, { stateDir, log: false });
       await gateway.start();
       const response = await fetch('http://127.0.0.1:' + gateway.port + '/readyz');
       const { clean } = await gateway.stop('done');
       console.log(JSON.stringify({ status: response.status, clean, files: readdirSync(stateDir) }));`,
    );
    const stateDir = join(scratch, 'library-state');
    mkdirSync(stateDir);
    const { code, stdout, stderr } = await run(project, process.execPath, 'host.js', stateDir);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      status: 200,
      clean: true,
      files: expect.arrayContaining(['coppice.db']),
    });
  });
});
