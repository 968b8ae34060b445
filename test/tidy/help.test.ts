import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const scripts = ['test/long', 'bench']
  .flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`))
  .filter((file) => file.endsWith('.ts') && readFileSync(file, 'utf8').includes(`node ${file}`));

test('there are long tests and measurements to ask', () => expect(scripts.length).toBeGreaterThan(9));

test.each(scripts)('%s --help says how it is used, and does nothing', async (file) => {
  const { stdout, stderr } = await run(process.execPath, [file, '--help']);
  expect(stdout).toMatch(new RegExp(`^\\s*\`?node ${file}`, 'm'));
  expect([stdout.includes('*'), stderr]).toEqual([false, '']);
});
