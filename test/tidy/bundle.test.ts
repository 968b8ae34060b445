import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { describe, expect, test } from 'vitest';
import { ROOT } from './parsed.ts';

interface Bundle {
  /** Minified, then gzip at its best: what a visitor of a page downloads. */
  readonly bytes: number;
  /** What it still imports. */
  readonly imports: readonly string[];
}

const ENTRY = join(ROOT, 'src/measured.ts');

/** What a bundler makes for a browser of `code`, which stands in `src`. */
async function bundle(code: string, external: readonly RegExp[] = []): Promise<Bundle> {
  const build = await rolldown({
    input: ENTRY,
    platform: 'browser',
    external: [...external],
    resolve: { conditionNames: ['production', 'import', 'default'] },
    plugins: [
      {
        name: 'entry',
        load: (id) => (id === ENTRY ? code : undefined),
        resolveId: (id) => (id === ENTRY ? id : undefined),
      },
    ],
  });
  try {
    const { output } = await build.generate({ format: 'es', minify: true });
    const chunks = output.filter((one) => one.type === 'chunk');
    return {
      bytes: chunks.reduce((sum, { code: text }) => sum + gzipSync(text, { level: 9 }).length, 0),
      imports: [...new Set(chunks.flatMap(({ imports }) => imports))],
    };
  } finally {
    await build.close();
  }
}

const all = (room: string): string => `export * from './${room}/index.ts';`;
const one = (name: string): string =>
  `import { ${name} } from './machines/index.ts'; globalThis.logic = ${name}.withEffects;`;

/**
 * Bytes are no time: the same on every machine. Each bound is about a seventh above what was measured when it was set, so
 * that a library that slips in, or a table that grows, is noticed, and a new guard is not. Raise one with a reason.
 */
describe('a page that imports us downloads, beside XState,', () => {
  test.each([
    // All machines, with the table of errors (6 kB of it) that gives each failure its remedy.
    ['all of coppice/machines', all('machines'), 45_000],
    // Rules of supervision, their shell, the registry and the tree.
    ['all of coppice/supervisor', all('supervisor'), 26_000],
    // One machine does not bring the others along: shaking the tree works.
    ['one small machine', one('gate'), 10_000],
    ['the largest machine', one('session'), 17_000],
  ])('%s', async (_, code, limit) => {
    const { bytes, imports } = await bundle(code, [/^xstate/]);
    expect(imports).toEqual(['xstate']);
    expect(bytes).toBeLessThan(limit);
    expect(bytes, 'the bound is far from the truth: lower it').toBeGreaterThan(limit / 2);
  });

  test('and XState adds about 14 kB once, whatever is taken', async () => {
    const [small, large] = [await bundle(one('gate')), await bundle(all('machines') + all('supervisor'))];
    expect([...small.imports, ...large.imports]).toEqual([]);
    expect(small.bytes).toBeLessThan(26_000);
    expect(large.bytes).toBeLessThan(78_000);
  });
});
