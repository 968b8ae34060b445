import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CHANNELS_SPEC } from '../../src/actors/channel.ts';
import type { Io } from '../../src/cli/io.ts';
import { createProgram } from '../../src/cli/program.ts';
import { NODES } from '../../src/machines/limits.ts';
import { EVENT_NAMES, METHODS } from '../../src/server/protocol/methods/index.ts';
import { commandFaults, linkFaults, namedFileFaults } from './page-rules.ts';
import { ROOT } from './parsed.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const exists = (path: string): boolean => existsSync(join(ROOT, path));
/** The API reference is made, and in no clone. */
const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => !name.startsWith('reference'))
  .map((name) => `docs/${name}`);
const pages = [...readdirSync(ROOT), ...docs]
  .filter((path) => path.endsWith('.md'))
  .map((path) => ({ path, text: read(path) }));

const silent = { stdout: { write: () => true }, stderr: { write: () => true }, env: {} };
const commands = createProgram(silent as unknown as Io, () => {}).commands.map((one) => one.name());

const textOf = (path: string): string => pages.find((page) => page.path === path)?.text ?? read(path);
const sectionOf = (text: string, heading: string): string =>
  text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
/** The first two cells of every row that begins with a name in code. */
const rowsOf = (text: string): (readonly [string, string])[] =>
  [...text.matchAll(/^\| `([\w.-]+)` +\| (.*?) +\|/gm)].map(([, name, next]) => [name!, next!] as const);

describe('the pages a newcomer reads', () => {
  test('are read', () => expect(pages.length).toBeGreaterThan(25));

  test('link to what is there', () => expect(linkFaults(pages, exists)).toEqual([]));

  test('name files that are there', () => expect(namedFileFaults(pages, exists)).toEqual([]));

  test('show commands that are there', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: object };
    const known = { commands: new Set([...commands, 'help']), scripts: new Set(Object.keys(scripts)) };
    expect(commandFaults(pages, known)).toEqual([]);
  });

  test('tell of every command in the README', () => {
    const told = sectionOf(textOf('README.md'), 'Commands');
    expect(commands.filter((name) => !told.includes(`\`${name}`))).toEqual([]);
  });

  test('tell of every method of the wire with its scope, and of every event', () => {
    const page = textOf('docs/protocol.md');
    const methods = [...METHODS].map(([name, { scope }]) => `${name} ${scope.replace('operator.', '')}`);
    expect(rowsOf(sectionOf(page, 'Methods')).map(([name, scope]) => `${name} ${scope}`)).toEqual(methods);
    expect(rowsOf(sectionOf(page, 'Events')).map(([name]) => name)).toEqual(EVENT_NAMES);
  });

  test('tell of the restart limits of every supervisor as they are', () => {
    const rows = sectionOf(textOf('docs/operations.md'), 'Restart limits').matchAll(
      /^\| `(gateway[\w/]*)` +\| (\w+) +\| (\d+) +\| ([\d,]+) s +\| (.*?) +\|$/gm,
    );
    const told = [...rows].map(([, path, strategy, intensity, seconds, then]) => [
      path === 'gateway' ? 'root' : path!.split('/').at(-1),
      strategy,
      Number(intensity),
      Number(seconds!.replace(',', '')) * 1_000,
      then!.startsWith('parks'),
    ]);
    const meant = Object.entries({ ...NODES, channels: CHANNELS_SPEC }).map(([name, spec]) => [
      name,
      spec.strategy,
      spec.intensity,
      spec.periodMs,
      'onExhausted' in spec,
    ]);
    expect(told).toEqual(meant);
  });
});

describe('a planted fault is caught:', () => {
  const page = (text: string) => [{ path: 'docs/a.md', text }];
  const there = (path: string): boolean => ['docs/a.md', 'docs/b.md', 'src/bus/tap.ts'].includes(path);

  test('a link to a page or a heading that is gone', () => {
    const links = (text: string): number => linkFaults(page(text), there).length;
    expect(links('[b](b.md) [b](b.md#x) [web](https://x.y/#z) `[c](c.md)`')).toBe(0);
    expect(links('[c](c.md) and [d](../d.md#e)')).toBe(2);
    expect(links('# Why `a` is so\n[w](#why-a-is-so)')).toBe(0);
    expect(links('# Why\n## Why\n[w](#why-1) [x](#why-2)')).toBe(1);
  });

  test('a file that was moved', () => {
    const named = (text: string): number => namedFileFaults(page(text), there).length;
    expect(named('`src/bus/tap.ts` and `bus/tap.ts`, `./own.ts`, `tap.ts`')).toBe(0);
    expect(named('`src/bus/tip.ts`, `node test/long/gone.ts --x`')).toBe(2);
  });

  test('a command that nobody has', () => {
    const known = { commands: new Set(['run']), scripts: new Set(['docs']) };
    const shown = (text: string): number => commandFaults(page(text), known).length;
    expect(shown('`coppice run`, `npm run docs`, and coppice mends nothing in prose')).toBe(0);
    expect(shown('```text\n$ coppice run\ncoppice owns it\n```\n`npm install coppice other`')).toBe(0);
    expect(shown('```text\n$ coppice mend\n```')).toBe(1);
    expect(shown('`coppice mend`\n```sh\nnpm run -s coppice -- mend\nnpm run dcos\n```')).toBe(4);
  });
});
