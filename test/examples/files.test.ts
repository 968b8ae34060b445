import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { copiesOf, withCopies } from '../../scripts/copied.ts';
import { PAGES } from '../../scripts/docs.ts';
import { sourceOf } from '../../scripts/source-of.ts';
import { imports, parse, ROOT } from '../tidy/parsed.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const folders = readdirSync(join(ROOT, 'examples')).filter((name) =>
  statSync(join(ROOT, 'examples', name)).isDirectory(),
);
const files = folders.flatMap((folder) =>
  readdirSync(join(ROOT, 'examples', folder)).map((name) => `examples/${folder}/${name}`),
);
const pkg = JSON.parse(read('package.json')) as { readonly exports: Readonly<Record<string, unknown>> };

describe.each(files.filter((path) => /\.(ts|html|css)$/.test(path)))('%s', (path) => {
  test('is shorter than 80 lines', () => expect(read(path).trimEnd().split('\n').length).toBeLessThan(80));
});

describe.each(files.filter((path) => path.endsWith('.ts')))('%s', (path) => {
  const found = imports(parse(path, read(path))).map(({ from }) => from);

  test('imports what a user of the package can import, and no file of ours', () => {
    expect(found.filter((from) => from.startsWith('.'))).toEqual([]);
    const ours = found.filter((from) => from === 'coppice' || from.startsWith('coppice/'));
    expect(ours).not.toEqual([]);
    for (const from of ours) {
      expect(Object.keys(pkg.exports)).toContain(from.replace('coppice', '.'));
      expect(sourceOf(from), from).toBeDefined();
    }
  });

  test('says at its head what it is', () => expect(read(path)).toMatch(/^\/\*\*/));
});

describe('the pages', () => {
  const pages = readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`);
  const shown = pages.flatMap((path) => copiesOf(read(path)));

  test('show every example, word for word', () => {
    expect(files.filter((path) => path.endsWith('.ts') && !shown.includes(path))).toEqual([]);
    for (const path of pages) expect(withCopies(read(path)), path).toBe(read(path));
  });

  test('are out of date, and `node scripts/docs.ts --check` says so, as soon as an example is another', () => {
    const page = read('docs/embedding.md');
    const other = (path: string): string => read(path).replace('say', 'shout');
    expect(withCopies(page, other)).not.toBe(page);
    expect(withCopies(withCopies(page, other))).toBe(page);
    expect(Object.keys(PAGES)).toContain('docs/embedding.md');
    expect(PAGES['docs/embedding.md']!()).toBe(page);
  });

  test('show no file that is gone', () => {
    const gone = '<!-- Copied from examples/gone.ts by `npm run docs`. -->\n\n```ts\n\n```\n';
    expect(() => withCopies(gone)).toThrow(/gone\.ts/);
  });
});

test('only names that a user may import lead to the sources', () => {
  expect(
    ['coppice', 'coppice/machines', 'coppice/supervisor'].map((from) => sourceOf(from) !== undefined),
  ).toEqual([true, true, true]);
  expect(['coppice/nothing', 'coppice/machines/session', './errors.ts', 'xstate'].map(sourceOf)).toEqual(
    Array.from({ length: 4 }),
  );
});
