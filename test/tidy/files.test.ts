import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { circleFaults, staleCircleFaults } from './circle-rules.ts';
import type { Circle } from './circle-rules.ts';
import {
  deafFaults,
  leftoverFaults,
  lengthFaults,
  nameFaults,
  skippedTestFaults,
  staleFaults,
  swallowFaults,
  undeclaredFaults,
} from './file-rules.ts';
import type { Permit } from './file-rules.ts';
import { parse, ROOT, sources } from './parsed.ts';
import type { Source } from './parsed.ts';

/** Rejections that are observed elsewhere and must not be reported twice. */
const SWALLOWED: readonly Permit[] = [
  {
    path: 'src/host/effect.ts',
    text: 'stray.promise.catch(',
    why: 'the same promise is raced below it, and the race owns the error',
  },
];

/** Tables grow by rows, and a row is read alone. */
const TABLES: readonly Permit[] = [
  { path: 'src/errors.ts', text: 'const rows = {', why: 'the table of errors' },
  { path: 'src/bus/events.ts', text: 'export const EVENTS = {', why: 'the catalogue of facts' },
];

/** Circles that are permitted. None is, and there should be a very good reason for one. */
const CIRCLES: readonly Circle[] = [];

const src = sources('src');
const tests = sources('test').filter(({ path }) => !path.startsWith('test/tidy/'));
const others = ['scripts', 'bench', 'examples']
  .filter((folder) => existsSync(join(ROOT, folder)))
  .flatMap(sources);
const all = [...src, ...tests, ...others];
const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  /** npm brings these too. */
  peerDependencies: Record<string, string>;
};

describe('the files of the house', () => {
  test('are read', () => expect([src.length > 100, tests.length > 30]).toEqual([true, true]));
  test('do not import each other in circles', () => expect(circleFaults(src, CIRCLES)).toEqual([]));
  test('use only what whoever installs coppice gets', () =>
    expect(undeclaredFaults(src, Object.keys({ ...dependencies, ...peerDependencies }))).toEqual([]));
  test('hear the errors of what they observe', () => expect(deafFaults(src)).toEqual([]));
  test('swallow no rejection', () => expect(swallowFaults(src, SWALLOWED)).toEqual([]));
  test('have names in kebab-case', () => expect(nameFaults(all)).toEqual([]));
  test('are short enough to be read whole', () => expect(lengthFaults(src, TABLES)).toEqual([]));
  test('leave nothing for later', () => expect(leftoverFaults(all)).toEqual([]));
  test('run all their tests, or say why not', () => expect(skippedTestFaults(tests)).toEqual([]));
  test('need every permission they have', () =>
    expect([...staleFaults(src, [...SWALLOWED, ...TABLES]), ...staleCircleFaults(src, CIRCLES)]).toEqual([]));
});

describe('a planted violation is caught:', () => {
  const count = (rule: (files: Source[]) => string[], text: string, path = 'src/actors/a.ts'): number =>
    rule([parse(path, text)]).length;

  test('a circle of files, told once, with every arrow in it', () => {
    const a = parse('src/bus/a.ts', "import './b.ts';");
    const b = parse('src/bus/b.ts', "import { c } from './c.ts'; import './d.ts';");
    const c = parse('src/bus/c.ts', "export { a } from './a.ts';");
    const d = parse('src/bus/d.ts', '');
    const [fault, ...others] = circleFaults([b, c, d, a], []);
    expect(fault).toContain(
      'src/bus/a.ts > src/bus/b.ts, src/bus/b.ts > src/bus/c.ts, src/bus/c.ts > src/bus/a.ts:',
    );
    expect(others).toEqual([]);
    expect(circleFaults([a, b], [])).toEqual([]);
    expect(circleFaults([parse('src/bus/a.ts', "import './a.ts';")], [])).toHaveLength(1);
  });
  test('a circle of types, and the way into a circle is none', () => {
    const a = parse('src/bus/a.ts', "import './b.ts';");
    const b = parse('src/bus/b.ts', "import type { A } from './a.ts';");
    const door = parse('src/bus/index.ts', "import './a.ts';");
    expect(circleFaults([a, b, door], [])).toEqual([expect.not.stringContaining('index.ts')]);
    expect(circleFaults([a, parse('src/bus/b.ts', "let x: import('./a.ts').A;")], [])).toHaveLength(1);
  });
  test('a permitted circle that has grown, and one that stands no more', () => {
    const a = parse('src/bus/a.ts', "import './b.ts';");
    const b = parse('src/bus/b.ts', "import './a.ts';");
    const grown = [a, parse('src/bus/b.ts', "import './c.ts';"), parse('src/bus/c.ts', "import './a.ts';")];
    const permitted = [{ files: ['src/bus/a.ts', 'src/bus/b.ts'], why: '' }];
    expect([circleFaults([a, b], permitted), staleCircleFaults([a, b], permitted)]).toEqual([[], []]);
    expect([circleFaults(grown, permitted).length, staleCircleFaults(grown, permitted).length]).toEqual([
      1, 1,
    ]);
    expect(staleCircleFaults([a], permitted)).toHaveLength(1);
  });
  test('a package nobody declared', () => {
    const undeclared = (text: string): number =>
      undeclaredFaults([parse('src/store/a.ts', text)], ['hono', '@hono/node-server']).length;
    expect(undeclared("import x from 'left-pad';")).toBe(1);
    expect(undeclared("import x from '@hono/other';")).toBe(1);
    expect(undeclared("await import('left-pad/x');")).toBe(1);
    expect(
      undeclared("import x from '@hono/node-server/a'; import y from 'hono/ws'; import z from 'node:fs';"),
    ).toBe(0);
  });
  test('an observer that is deaf to errors', () => {
    expect(count(deafFaults, 'ref.subscribe({ next: use });')).toBe(1);
    expect(count(deafFaults, 'ref.subscribe({ complete() {} });')).toBe(1);
    expect(count(deafFaults, 'ref.subscribe({ next: use, error: fail });')).toBe(0);
    expect(count(deafFaults, "bus.subscribe({ name: 'log', deliver });")).toBe(0);
  });
  test('a rejection that is swallowed', () => {
    const swallowed = (text: string, permits: readonly Permit[] = []): number =>
      swallowFaults([parse('src/a.ts', text)], permits).length;
    expect(swallowed('void go().catch(() => {});')).toBe(1);
    expect(swallowed('void go().catch(() => undefined);')).toBe(1);
    expect(swallowed('void go().then(use, () => {});')).toBe(1);
    expect(
      swallowed('void go().catch(() => {});', [{ path: 'src/a.ts', text: 'go().catch(', why: '' }]),
    ).toBe(0);
    expect(
      swallowed('void go().catch(() => {});', [{ path: 'src/b.ts', text: 'go().catch(', why: '' }]),
    ).toBe(1);
    expect(swallowed('void go().catch(fail); void go().then(() => {}, fail);')).toBe(0);
  });
  test('a name that is not kebab-case', () => {
    expect(count(nameFaults, '', 'src/bus/deadLetter.ts')).toBe(1);
    expect(count(nameFaults, '', 'src/bus/Bus.ts')).toBe(1);
    expect(count(nameFaults, '', 'src/bus/dead_letter.ts')).toBe(1);
    expect(count(nameFaults, '', 'test/store/lock.fault.test.ts')).toBe(0);
  });
  test('a file nobody reads whole, unless it is a table', () => {
    const long = [parse('src/bus/a.ts', 'go();\n'.repeat(351))];
    expect(lengthFaults(long, [])).toHaveLength(1);
    expect(lengthFaults(long, [{ path: 'src/bus/a.ts', text: 'go', why: '' }])).toEqual([]);
    expect(lengthFaults([parse('src/bus/a.ts', 'go();\n'.repeat(350))], [])).toEqual([]);
  });
  test('a leftover', () => {
    expect(count(leftoverFaults, '// TODO: later')).toBe(1);
    expect(count(leftoverFaults, '/* FIXME */ go();')).toBe(1);
    expect(count(leftoverFaults, 'const { numTodoTests } = report;')).toBe(0);
  });
  test('a test that does not run', () => {
    expect(count(skippedTestFaults, "test.only('a', () => {});")).toBe(1);
    expect(count(skippedTestFaults, "describe.skip('a', () => {});")).toBe(1);
    expect(count(skippedTestFaults, "test.todo('a');")).toBe(1);
    expect(count(skippedTestFaults, "test.each([1]).skip('a', () => {});")).toBe(1);
    expect(count(skippedTestFaults, "// The kernel lets root do anything.\ntest.skip('a', () => {});")).toBe(
      0,
    );
    expect(count(skippedTestFaults, "test.skipIf(root)('a', () => {});")).toBe(0);
    expect(count(skippedTestFaults, "test.each([1])('a', () => {}); counts.skip;")).toBe(0);
  });
  test('a permission nobody uses', () => {
    const permits = [{ path: 'src/bus/a.ts', text: 'x._y', why: '' }];
    expect(staleFaults([parse('src/bus/a.ts', 'x.y;')], permits)).toHaveLength(1);
    expect(staleFaults([parse('src/bus/a.ts', 'x._y;')], permits)).toEqual([]);
  });
});
