import { execFile } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { complaints, openFolder, readPage } from './page.ts';

/** What the reader does, in the order of the page: writes a file, appends to it, changes a line of it, runs a command. */
interface Act {
  readonly kind: 'written' | 'appended' | 'changed' | 'run';
  /** The name of a file, or a command. */
  readonly what: string;
  /** The text of the file, or what the command prints. */
  readonly text: string;
}

const page = readPage('tutorial.md');
const BLOCK = /(?:<!-- ([\w.]+)(, at its end|, changed)? -->\n+)?```(ts|diff|console)\n([\s\S]*?)```/g;

const acts: Act[] = [...page.matchAll(BLOCK)].flatMap(([, name, how, language, text]): Act[] => {
  if (language === 'console')
    return text!
      .split(/^\$ /m)
      .slice(1)
      .map((one) => ({
        kind: 'run',
        what: one.slice(0, one.indexOf('\n')),
        text: one.slice(one.indexOf('\n') + 1),
      }));
  const kind = how === undefined ? 'written' : how.endsWith('end') ? 'appended' : 'changed';
  return [{ kind, what: name!, text: text! }];
});

const { folder, close } = openFolder([]);
afterAll(close);

/** `npx coppice` in a folder that has it installed, from the sources of this tree. */
beforeAll(() => {
  const bin = fileURLToPath(new URL('../../bin/coppice.js', import.meta.url));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin', 'npx'), `#!/bin/sh\nshift\nexec node '${bin}' "$@"\n`);
  chmodSync(join(folder, 'bin', 'npx'), 0o755);
});

let lastCode = 0;

/** Runs it in a shell, which is told how the command before ended. */
function shell(command: string): Promise<string> {
  const PATH = [join(folder, 'bin'), dirname(process.execPath), process.env['PATH']].join(':');
  const script = `exec 2>&1\n(exit ${lastCode})\n${command}`;
  const options = { cwd: folder, env: { PATH, HOME: folder, NO_COLOR: '1' }, timeout: 30_000 };
  return new Promise((resolve) => {
    execFile('sh', ['-c', script], options, (error, stdout) => {
      lastCode = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
      resolve(stdout);
    });
  });
}

/** Durations are what they are. */
const timeless = (text: string): string => text.replaceAll(/\d+(\.\d+)?ms/g, 'N ms').trimEnd();

/** What the page says is printed. `...` on a line of its own is any lines, at the end of a line the rest of it. */
function printed(text: string): RegExp {
  const lines = timeless(text)
    .split('\n')
    .map((line) => line.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .map((line) => (line === '\\.\\.\\.' ? '(?:.*\\n)*?' : `${line.replace(/(\\\.){3}$/, '.*')}\\n`));
  return new RegExp(`^${lines.join('')}$`);
}

function apply({ kind, what, text }: Act): void {
  const file = join(folder, what);
  if (kind === 'written') return writeFileSync(file, text);
  if (kind === 'appended') return appendFileSync(file, `\n${text}`);
  const before = readFileSync(file, 'utf8');
  const lines = (mark: string): string =>
    text
      .split('\n')
      .filter((line) => line.startsWith(mark))
      .map((line) => `${line.slice(1)}\n`)
      .join('');
  expect(before.split(lines('-'))).toHaveLength(2);
  writeFileSync(file, before.replace(lines('-'), lines('+')));
}

describe('docs/tutorial.md, by a stranger in an empty folder', () => {
  it('shows every file and every command in a form that is run here', () => {
    expect(page.match(/^```(ts|diff|console)$/gm)).toHaveLength(page.match(/^```(?!sh)\w+$/gm)!.length);
    expect(acts.filter(({ kind }) => kind === 'run').length).toBeGreaterThan(7);
    expect(page.split('```sh')).toHaveLength(3);
    const [, , ci] = page.split('```sh\n');
    const commands = ci!.split('```')[0]!.trim().split('\n');
    const run = acts.map(({ what }) => what);
    expect(commands.filter((command) => !run.includes(command))).toEqual([]);
  });

  // One after the other, in one folder.
  acts.forEach((act, index) => {
    it(`${index + 1}. ${act.kind}: ${act.what}`, { timeout: 40_000 }, async () => {
      if (act.kind !== 'run') return apply(act);
      const output = await shell(act.what);
      expect(`${timeless(output)}\n`).toMatch(printed(act.text));
      // A failure is shown as such: the next command asks for it.
      if (acts[index + 1]?.what !== 'echo $?') expect(lastCode, output).toBe(0);
    });
  });

  it('and what stands in the folder then compiles, strictly', { timeout: 60_000 }, async () => {
    const { stdout, stderr } = await complaints(folder, [
      'mailer.ts',
      'app.ts',
      'prove.ts',
      'mailer.test.ts',
    ]);
    expect(stdout + stderr).toBe('');
  });

  it('and the bug, put back, is seen by the file and by the check', { timeout: 60_000 }, async () => {
    const change = acts.find(({ kind }) => kind === 'changed')!;
    const back = change.text.replace(/^\+/m, '?').replace(/^-/m, '+').replace(/^\?/m, '-');
    apply({ ...change, text: back });
    expect(await shell('node --test')).toContain('it sends, and there is no letter');
    expect(lastCode).toBe(1);
    await shell('npx coppice testgen --from ./mailer.ts --out mailer.test.ts --check');
    expect(lastCode).toBe(1);
  });
});
