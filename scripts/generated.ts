/**
 * The generated suites of the machines coppice ships: one file each in test/generated, made by `coppice testgen`.
 *   node scripts/generated.ts           writes them, and formats them as everything else
 *   node scripts/generated.ts --check   ends with 1 and says where file and machine disagree
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { main } from '../src/cli/main.ts';
import { shippedNames } from '../src/testing/shipped.ts';

const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, 'test', 'generated');

const fileOf = (name: string): string =>
  join(FOLDER, `${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.test.ts`);

/** The suites by the names of their machines. */
export const SUITES: ReadonlyMap<string, string> = new Map(shippedNames.map((name) => [name, fileOf(name)]));

async function run(check: boolean): Promise<number> {
  mkdirSync(FOLDER, { recursive: true });
  const io = { stdout: process.stdout, stderr: process.stderr, env: process.env };
  const codes: number[] = [];
  for (const [name, file] of SUITES)
    codes.push(await main(['testgen', name, '--out', file, ...(check ? ['--check'] : [])], io));
  if (!check) codes.push(format());
  return codes.some((code) => code !== 0) ? 1 : 0;
}

function format(): number {
  const oxfmt = join(ROOT, 'node_modules', '.bin', 'oxfmt');
  return spawnSync(oxfmt, [FOLDER], { stdio: 'inherit' }).status ?? 1;
}

if (import.meta.main) process.exitCode = await run(process.argv.includes('--check'));
