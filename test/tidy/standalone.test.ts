import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from './parsed.ts';

/** What a bundle for browsers asks of its surroundings, and the files of ours that are in it. */
async function bundled(entry: string): Promise<{ imports: string[]; rooms: string[] }> {
  const bundle = await rolldown({
    input: entry,
    platform: 'browser',
    external: /^[^./]/,
    logLevel: 'silent',
  });
  try {
    const { output } = await bundle.generate({ format: 'esm' });
    const chunks = output.filter((part) => part.type === 'chunk');
    // The bundler's own modules begin with a null character.
    const files = chunks.flatMap((chunk) => Object.keys(chunk.modules)).filter((id) => !id.startsWith('\0'));
    const rooms = files.map((file) => relative(join(ROOT, 'src'), file).split('/')[0]!);
    return {
      imports: [
        ...new Set(chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports])),
      ].toSorted(),
      rooms: [...new Set(rooms)].toSorted(),
    };
  } finally {
    await bundle.close();
  }
}

describe('taken by itself into a browser,', () => {
  test.each([
    ['supervisor', ['xstate']],
    ['machines', ['xstate']],
    ['bus', []],
  ])(
    'coppice/%s brings the table of errors along, and needs of others no more than %j',
    async (room, imports) => {
      const rooms = [room, 'errors.ts'].toSorted();
      expect(await bundled(join(ROOT, 'src', room, 'index.ts'))).toEqual({ imports, rooms });
    },
  );
});

describe('a planted import is caught:', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'coppice-standalone-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test.each([
    [
      'a module of Node',
      "import { readFileSync } from 'node:fs';\nexport const x = readFileSync;",
      'node:fs',
    ],
    ['one without its prefix', "import { join } from 'path';\nexport const x = join;", 'path'],
    ['a package', "export { z } from 'zod';", 'zod'],
    ['one that is imported late', "export const x = () => import('ws');", 'ws'],
    ['a deep one of XState', "export { evaluateGuard } from 'xstate/guards';", 'xstate/guards'],
  ])('%s', async (name, text, found) => {
    const file = join(dir, `${name.replaceAll(' ', '-')}.ts`);
    writeFileSync(file, text);
    expect((await bundled(file)).imports).toEqual([found]);
  });
});
