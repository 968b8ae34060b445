import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { complaints, openFolder, programsOf, readPage, run } from './page.ts';

const source = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe.each(['from-otp.md', 'from-xstate.md'])('docs/%s', (name) => {
  const page = readPage(name);
  const programs = programsOf(page);
  const { folder, close } = openFolder(programs);
  afterAll(close);

  it('shows no block of TypeScript that is not run, and none under the name of another', () => {
    expect(page.match(/```ts\n/g)).toHaveLength(programs.length);
    expect(new Set(programs.map((program) => program.name)).size).toBe(programs.length);
    const silent = programs.filter(({ prints }) => prints === undefined).map((program) => program.name);
    expect(silent).toEqual(name === 'from-xstate.md' ? ['stand.ts'] : []);
  });

  it.each(programs.filter(({ prints }) => prints !== undefined))(
    '$name prints what stands below it',
    async (program) => {
      const { code, stdout, stderr } = await run(folder, program.name);
      expect(stdout, stderr).toBe(program.prints);
      expect(code, stderr).toBe(0);
    },
  );

  it('compiles, strictly', { timeout: 60_000 }, async () => {
    const { stdout, stderr } = await complaints(
      folder,
      programs.map((program) => program.name),
    );
    expect(stdout + stderr).toBe('');
  });
});

describe('docs/from-otp.md', () => {
  const page = readPage('from-otp.md');
  const words = page.replaceAll(/\s+/g, ' ');

  it('has every case of OTP in its table, but for those that do not apply', () => {
    const rows = page.split('## What is the same')[1]!.matchAll(/^\| .*? \| ([\dX, to]+?) +\|$/gm);
    const listed = [...rows].flatMap(([, numbers]) => numbers!.split(', ').flatMap(expanded));
    const outside = [...words.matchAll(/(?<=why: |\), )(\d+) \(/g)].map(([, number]) => Number(number));
    const notApplicable = source('test/conformance/complete.test.ts').matchAll(/^ {2}(\d+): '/gm);
    expect(outside).toEqual([...notApplicable].map(([, number]) => Number(number)));
    const all = Array.from({ length: 69 }, (_, index) => index + 1);
    expect(new Set(listed)).toEqual(new Set(all.filter((number) => !outside.includes(number))));
  });

  it('tells the number of random trees that are compared with Erlang', () => {
    const trees = /TREES = ([\d_]+)/.exec(source('test/conformance/differential.test.ts'))![1]!;
    expect(words).toContain(`${trees.replace('_', ',')} random trees`);
  });
});

/** `3 to 11`, `68`; a case of our own is none of OTP. */
function expanded(text: string): number[] {
  if (text.startsWith('X')) return [];
  const [from, to = from] = text.split(' to ').map(Number);
  return Array.from({ length: to! - from! + 1 }, (_, index) => from! + index);
}

describe('docs/from-xstate.md', () => {
  const page = readPage('from-xstate.md');

  it('names the oldest XState that the suites run on, and the newest with which its traps were found', () => {
    const { peerDependencies, devDependencies } = JSON.parse(source('package.json')) as Record<
      'peerDependencies' | 'devDependencies',
      Record<string, string>
    >;
    const oldest = devDependencies['xstate-oldest']!.replace('npm:xstate@', '');
    expect(peerDependencies['xstate']).toBe(`>=${oldest} <6`);
    expect(page).toContain(`\`>=${oldest} <6\``);
    expect(page).toContain(`XState ${devDependencies['xstate']!}`);
  });

  it('names every private part of XState that the package reads', () => {
    const permits = source('test/tidy/line-rules.ts').matchAll(
      /'src\/(machines|supervisor|testing|bus)\/\S+ \.(_\w+)'/g,
    );
    const names = new Set([...permits].map(([, , name]) => name!));
    expect([...page.matchAll(/`(_\w+)`/g)].map(([, name]) => name)).toEqual(
      expect.arrayContaining([...names]),
    );
    expect(names.size).toBe(3);
  });
});
