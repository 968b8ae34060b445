import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { callTool, createTools, listTool, readTool } from '../../src/tools/index.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';
import { createFolders, type Folders } from './folder.ts';

let folders: Folders;
beforeEach(async () => {
  folders = await createFolders();
});
afterEach(() => folders.remove());

const put = async (name: string, content: string | Buffer): Promise<void> => {
  const file = path.join(folders.workspace, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
};
const read = (asked: string, over: { offset?: number; limit?: number } = {}): Promise<any> =>
  readTool.run(readTool.input.parse({ path: asked, ...over }), folders.context());
const list = (over: { path?: string; depth?: number } = {}): Promise<any> =>
  listTool.run(listTool.input.parse(over), folders.context());
const viaCall = (name: string, input: unknown) =>
  callTool(createTools().get(name)!, input, folders.context(), { clock: createSimulatedClock() });

describe('read', () => {
  test('shows a small file whole', async () => {
    await put('notes/a.md', 'hello\n');
    expect(await read('notes/a.md')).toEqual({ path: 'notes/a.md', size: 6, offset: 0, text: 'hello\n' });
    expect(await read('./notes//a.md')).toMatchObject({ text: 'hello\n' });
  });

  test('an empty file is empty text', async () => {
    await put('empty', '');
    expect(await read('empty')).toEqual({ path: 'empty', size: 0, offset: 0, text: '' });
  });

  test.each([4, 5, 7, 1_000])(
    'pieces of %i bytes put together are the file, no character halved',
    async (limit) => {
      const text = 'aé€😀'.repeat(60);
      await put('mixed.txt', text);
      let whole = '';
      let offset: number | undefined = 0;
      while (offset !== undefined) {
        const piece: { text: string; nextOffset?: number } = await read('mixed.txt', { offset, limit });
        expect(piece.text).not.toContain('\ufffd');
        whole += piece.text;
        offset = piece.nextOffset;
      }
      expect(whole).toBe(text);
    },
  );

  test('an offset inside a character moves to the next one', async () => {
    await put('a', '€uro');
    expect(await read('a', { offset: 1 })).toMatchObject({ offset: 3, text: 'uro' });
  });

  test('an offset behind the end shows nothing and the size', async () => {
    await put('a', 'abc');
    expect(await read('a', { offset: 99 })).toEqual({ path: 'a', size: 3, offset: 99, text: '' });
  });

  test('32 KiB by default, 256 KiB at most', async () => {
    await put('long', 'x'.repeat(300_000));
    expect(await read('long')).toMatchObject({ nextOffset: 32_768, size: 300_000 });
    expect((await read('long', { limit: 262_144 })).text.length).toBe(262_144);
    expect(readTool.input.safeParse({ path: 'long', limit: 262_145 }).success).toBe(false);
  });

  test('the most that can be read passes through a call uncut, newlines and all', async () => {
    await put('lines', 'a\n'.repeat(131_072));
    const { output, isError } = await viaCall('read', { path: 'lines', limit: 262_144 });
    expect(isError).toBe(false);
    expect(output).toMatchObject({ size: 262_144 });
  });

  test('binary is refused with its size', async () => {
    await put('image.png', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 1]));
    await expect(read('image.png')).rejects.toThrow(/binary \(7 bytes\)/);
  });

  test('text in another encoding is shown with a note', async () => {
    await put('latin1.txt', Buffer.from('Gr\xfc\xdfe', 'latin1'));
    expect(await read('latin1.txt')).toMatchObject({
      text: 'Gr\ufffd\ufffde',
      note: expect.stringContaining('UTF-8'),
    });
  });

  test('a refusal reaches the model as an error result with the path it asked for', async () => {
    expect(await viaCall('read', { path: '../x' })).toMatchObject({
      isError: true,
      output: expect.stringContaining('"../x" is refused'),
    });
  });
});

describe('list', () => {
  test('one level by default, sorted, with sizes', async () => {
    await put('b.txt', 'bb');
    await put('a/inner.txt', 'x');
    await put('B.txt', '');
    expect(await list()).toEqual({
      path: '.',
      entries: [
        { path: 'B.txt', type: 'file', size: 0 },
        { path: 'a', type: 'folder' },
        { path: 'b.txt', type: 'file', size: 2 },
      ],
    });
  });

  test('three levels and no more', async () => {
    await put('1/2/3/4/deep.txt', 'x');
    const paths = async (depth: number): Promise<string[]> =>
      (await list({ depth })).entries.map((entry: { path: string }) => entry.path);
    expect(await paths(3)).toEqual(['1', '1/2', '1/2/3']);
    expect(await paths(2)).toEqual(['1', '1/2']);
    expect(listTool.input.safeParse({ depth: 4 }).success).toBe(false);
  });

  test('a folder of the workspace is listed with paths that read takes', async () => {
    await put('docs/a.md', 'text of a');
    const { entries } = await list({ path: 'docs' });
    expect(entries).toEqual([{ path: 'docs/a.md', type: 'file', size: 9 }]);
    expect((await read(entries[0].path)).text).toBe('text of a');
  });

  test('a thousand entries, the first by name, and a note about the rest', async () => {
    const names = Array.from({ length: 1_005 }, (_, index) => `f${String(index).padStart(4, '0')}`);
    await Promise.all(names.map((name) => put(name, '')));
    const out = await list();
    expect(out.entries.length).toBe(1_000);
    expect(out.entries.at(-1).path).toBe('f0999');
    expect(out.note).toMatch(/not everything/);
  });

  test('when there is too much, the upper level is shown before the lower ones', async () => {
    await Promise.all(Array.from({ length: 1_100 }, (_, index) => put(`a/f${index}`, '')));
    await put('z.txt', '');
    const out = await list({ depth: 2 });
    expect(out.entries.length).toBe(1_000);
    expect(out.entries.at(-1).path).toBe('z.txt');
  });

  test('a file is no folder', async () => {
    await put('a.txt', '');
    await expect(list({ path: 'a.txt' })).rejects.toThrow(/no folder/);
  });

  test('an empty folder is an empty list', async () => {
    expect(await list()).toEqual({ path: '.', entries: [] });
  });
});
