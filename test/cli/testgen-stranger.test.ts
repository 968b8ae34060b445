import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const inRoot = (path: string): string => join(ROOT, path);

/** The project of somebody else: three machines coppice never saw, and xstate, zod and vitest installed. */
let project: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'coppice-stranger-'));
  mkdirSync(join(project, 'node_modules'));
  for (const name of ['xstate', 'zod', 'vitest'])
    symlinkSync(inRoot(`node_modules/${name}`), join(project, 'node_modules', name));
  cpSync(inRoot('test/fixtures/machines'), join(project, 'src'), { recursive: true });
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }\n');
  const alias = [{ find: String.raw`^coppice/(\w+)$`, replacement: `${ROOT}/src/$1/index.ts` }];
  const config = `export default { resolve: { alias: ${JSON.stringify(alias)}.map((one) => ({ ...one, find: new RegExp(one.find) })) } };\n`;
  writeFileSync(join(project, 'vitest.config.mjs'), config);
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

async function node(...args: string[]): Promise<Ended> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !/^(VITEST|NODE_(ENV|OPTIONS|TEST))/.test(key)),
  );
  const child = spawn(process.execPath, args, { cwd: project, env: { ...env, NO_COLOR: '1' } });
  const [out, err] = [text(child.stdout), text(child.stderr)];
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, said: (await out) + (await err) };
}

const coppice = (...args: string[]): Promise<Ended> => node(inRoot('bin/coppice.js'), ...args);
const runVitest = (file: string): Promise<Ended> =>
  node(inRoot('node_modules/vitest/vitest.mjs'), 'run', file);
const runNode = (file: string): Promise<Ended> =>
  node('--import', inRoot('test/examples/resolve-source.ts'), '--test', file);

const PLANTED = {
  'credit-check': [
    "target: 'unknown', actions: { type: 'sayWhy'",
    "target: 'rated', actions: { type: 'sayWhy'",
  ],
  'video-player': ["after: { 3_000: 'alone' }", "after: { 3_000: '#player.picture.over' }"],
  pomodoro: ["target: 'longBreak'", "target: 'shortBreak'"],
} as const;

describe.each(['credit-check', 'video-player', 'pomodoro'] as const)('a stranger, %s,', (name) => {
  const from = `src/${name}.ts`;
  const forVitest = `${name}.test.ts`;
  const forNode = `${name}.node-test.mjs`;

  test('gets a suite for vitest and one for node:test, and both pass', { timeout: 120_000 }, async () => {
    // A machine that counts for ever has no end of states.
    const bound = ['--max-states', '2000'];
    const written = await coppice('testgen', '--from', from, ...bound, '--out', forVitest);
    expect(written).toEqual({
      code: 0,
      said: expect.stringMatching(/Covered: (\d+) of \1 states, (\d+) of \2 trans/),
    });
    expect(await coppice('testgen', '--from', from, '--format', 'node', '--out', forNode)).toMatchObject({
      code: 0,
    });
    expect(await runVitest(forVitest)).toEqual({
      code: 0,
      said: expect.stringMatching(/Tests {2}\d+ passed/),
    });
    expect(await runNode(forNode)).toEqual({ code: 0, said: expect.stringMatching(/pass [1-9]\d*\n/) });
    expect(await coppice('testgen', '--from', from, '--out', forNode, '--check')).toMatchObject({ code: 0 });
  });

  test(
    'that gets a wrong target is found out by both suites and by --check',
    { timeout: 120_000 },
    async () => {
      const [right, wrong] = PLANTED[name];
      const file = join(project, from);
      const before = readFileSync(file, 'utf8');
      expect(before).toContain(right);
      writeFileSync(file, before.replace(right, wrong));
      const [vitest, byNode, check] = [
        await runVitest(forVitest),
        await runNode(forNode),
        await coppice('testgen', '--from', from, '--out', forVitest, '--check'),
      ];
      writeFileSync(file, before);
      expect(vitest).toEqual({ code: 1, said: expect.stringContaining('is not as expected') });
      expect(byNode).toEqual({ code: 1, said: expect.stringContaining('is not as expected') });
      expect(check).toEqual({
        code: 1,
        said: expect.stringMatching(/first in path "\d+: .*COPPICE_TESTGEN_STALE/s),
      });
    },
  );
});

test('Ctrl-C in the middle of a long generation leaves no file, whole or half', async () => {
  const argv = ['testgen', '--from', 'src/credit-check.ts', '--strategy', 'simple', '--max-paths', '1000000'];
  const child = spawn(
    process.execPath,
    [inRoot('bin/coppice.js'), ...argv, '--max-steps', '10000000', '--out', 'long.test.ts'],
    { cwd: project, stdio: 'ignore' },
  );
  await new Promise((done) => setTimeout(done, 2_500));
  expect(child.exitCode).toBeNull();
  child.kill('SIGINT');
  expect(await once(child, 'close')).toEqual([null, 'SIGINT']);
  expect(readdirSync(project).filter((name) => name.includes('long'))).toEqual([]);
});
