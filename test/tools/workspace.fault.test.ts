import { execFileSync } from 'node:child_process';
import { chmod, link, mkdir, open, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listTool, readTool } from '../../src/tools/index.ts';
import { createFolders, type Folders } from './folder.ts';

let folders: Folders;
beforeEach(async () => {
  folders = await createFolders();
  await writeFile(path.join(folders.outside, 'secret.txt'), 'the secret');
});
afterEach(() => folders.remove());

const inside = (...names: string[]): string => path.join(folders.workspace, ...names);
const read = (
  asked: string,
  over: { offset?: number; limit?: number } = {},
  signal?: AbortSignal,
): Promise<any> => readTool.run(readTool.input.parse({ path: asked, ...over }), folders.context(signal));
const list = (over: { path?: string; depth?: number } = {}, signal?: AbortSignal): Promise<any> =>
  listTool.run(listTool.input.parse(over), folders.context(signal));
const asRoot = process.getuid?.() === 0;

/** Worker threads cannot change the user; then the two tests that need it are skipped by name. */
const canBeUnprivileged = !asRoot || isMainThread;

/** Runs `work` without the powers of root, under which nothing is unreadable. */
async function unprivileged<T>(work: () => Promise<T>): Promise<T> {
  if (!asRoot) return await work();
  process.seteuid!(65_534);
  try {
    return await work();
  } finally {
    process.seteuid!(0);
  }
}

describe('the workspace holds', () => {
  test.each([
    ['an absolute path', () => path.join(folders.outside, 'secret.txt'), /absolute/],
    ['an absolute path into the workspace', () => inside('a.txt'), /absolute/],
    ['..', () => '../outside/secret.txt', /".." leads out/],
    ['.. that comes back', () => 'x/../a.txt', /".." leads out/],
    ['.. behind backslashes', () => String.raw`..\outside\secret.txt`, /".." leads out/],
    ['NUL', () => 'a.txt\0.md', /NUL/],
    ['a file that is not there', () => 'nothing.txt', /does not exist/],
    ['a file as a folder', () => 'a.txt/b', /no folder/],
    ['a folder', () => 'folder', /is a folder/],
    ['an endless name', () => 'n'.repeat(300), /too long/],
  ])('read refuses %s', async (_name, asked, expected) => {
    await writeFile(inside('a.txt'), 'a');
    await mkdir(inside('folder'));
    await expect(read(asked())).rejects.toMatchObject({
      code: 'WORKSPACE_REFUSED',
      message: expect.stringMatching(expected),
    });
  });

  test.each([
    [
      'a link to a file outside',
      async () => symlink(path.join(folders.outside, 'secret.txt'), inside('way')),
      'way',
    ],
    ['a relative link', async () => symlink('../outside/secret.txt', inside('way')), 'way'],
    ['a link to a folder outside', async () => symlink(folders.outside, inside('way')), 'way/secret.txt'],
    ['a link to the root', async () => symlink('/', inside('way')), 'way/etc/passwd'],
    [
      'a link to a link',
      async () => {
        await symlink('../outside', inside('first'));
        await symlink('first/secret.txt', inside('way'));
      },
      'way',
    ],
    [
      'a link into a sibling whose name begins alike',
      async () => {
        await mkdir(`${folders.workspace}-twin`);
        await writeFile(path.join(`${folders.workspace}-twin`, 'secret.txt'), 'the secret');
        await symlink(`${folders.workspace}-twin/secret.txt`, inside('way'));
      },
      'way',
    ],
    [
      'a link through /proc to the working directory',
      async () => symlink('/proc/self/cwd/package.json', inside('way')),
      'way',
    ],
  ])('read does not follow %s', async (_name, prepare, asked) => {
    await prepare();
    await expect(read(asked)).rejects.toThrow(/symbolic link leads out/);
  });

  test('list does not follow a link out of it, nor descend through one', async () => {
    await symlink(folders.outside, inside('way'));
    await expect(list({ path: 'way' })).rejects.toThrow(/symbolic link leads out/);
    expect((await list({ depth: 3 })).entries).toEqual([{ path: 'way', type: 'link' }]);
  });

  test('a link that never ends is refused', async () => {
    await symlink('b', inside('a'));
    await symlink('a', inside('b'));
    await expect(read('a')).rejects.toThrow(/never ends/);
  });

  test('links inside it are followed, and the workspace may be a link itself', async () => {
    await writeFile(inside('a.txt'), 'here');
    await symlink('a.txt', inside('alias'));
    expect((await read('alias')).text).toBe('here');
    const workspace = path.join(folders.outside, 'door');
    await symlink(folders.workspace, workspace);
    const out: any = await readTool.run(readTool.input.parse({ path: 'a.txt' }), {
      ...folders.context(),
      workspace,
    });
    expect(out.text).toBe('here');
  });

  test('a name that merely begins with two dots is an ordinary name', async () => {
    await writeFile(inside('..notes'), 'mine');
    expect((await read('..notes')).text).toBe('mine');
  });

  test('a workspace that is not there is told as such, without its path', async () => {
    const workspace = path.join(folders.outside, 'gone');
    const error: any = await Promise.resolve(
      readTool.run(readTool.input.parse({ path: 'a' }), { ...folders.context(), workspace }),
    ).catch((thrown: unknown) => thrown);
    expect(error.message).toMatch(/workspace of this agent does not exist/);
    expect(error.message).not.toContain(folders.outside);
  });

  test('no refusal shows an absolute path of this machine', async () => {
    await symlink(path.join(folders.outside, 'secret.txt'), inside('way'));
    for (const asked of ['nothing', 'way', '.']) {
      const error: any = await read(asked).catch((thrown: unknown) => thrown);
      expect(error.message).not.toContain(path.dirname(folders.workspace));
    }
  });

  test('while a folder is swapped for a link again and again, only what is inside is ever read', async () => {
    await mkdir(inside('real'));
    await writeFile(inside('real', 'secret.txt'), 'harmless');
    const stop = new AbortController();
    const swapping = (async () => {
      for (let round = 0; !stop.signal.aborted; round += 1) {
        if (round % 2 === 0) {
          await rename(inside('real'), inside('aside'));
          await symlink(folders.outside, inside('real'));
        } else {
          await rm(inside('real'));
          await rename(inside('aside'), inside('real'));
        }
      }
    })();
    const seen = new Set<string>();
    for (let round = 0; round < 400; round += 1)
      seen.add(
        await read('real/secret.txt').then(
          (out) => out.text,
          () => 'refused',
        ),
      );
    stop.abort();
    await swapping;
    expect(seen).not.toContain('the secret');
    expect(seen.size).toBeGreaterThan(0);
  });
});

describe('what is no plain file', () => {
  test('a pipe nobody writes to is refused at once', async () => {
    execFileSync('mkfifo', [inside('pipe')]);
    await expect(read('pipe')).rejects.toThrow(/device, pipe or socket/);
    expect((await list()).entries).toEqual([{ path: 'pipe', type: 'other' }]);
  });

  test('a socket is refused', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(inside('sock'), resolve));
    await expect(read('sock')).rejects.toThrow(/device, pipe or socket/);
    await new Promise((resolve) => server.close(resolve));
  });

  test('a device behind a link is refused as outside', async () => {
    await symlink('/dev/zero', inside('zero'));
    await expect(read('zero')).rejects.toThrow(/leads out/);
  });

  test.runIf(asRoot)(
    'a device inside is refused without being opened (runs as root only: mknod)',
    async () => {
      execFileSync('mknod', [inside('zero'), 'c', '1', '5']);
      await expect(read('zero')).rejects.toThrow(/device, pipe or socket/);
    },
  );

  test.runIf(canBeUnprivileged)('an unreadable file is refused in words', async () => {
    await writeFile(inside('private'), 'x');
    await chmod(inside('private'), 0);
    await chmod(path.dirname(folders.workspace), 0o755); // so that the unprivileged reader gets as far as the file
    await unprivileged(() => expect(read('private')).rejects.toThrow(/no permission/));
  });

  test.runIf(canBeUnprivileged)(
    'an unreadable folder is noted on its line and the rest is listed',
    async () => {
      await mkdir(inside('closed'));
      await writeFile(inside('open.txt'), 'x');
      await chmod(inside('closed'), 0);
      await chmod(path.dirname(folders.workspace), 0o755);
      const { entries } = await unprivileged(() => list({ depth: 2 }));
      expect(entries).toEqual([
        { path: 'closed', type: 'folder', note: expect.stringMatching(/no permission/) },
        { path: 'open.txt', type: 'file', size: 1 },
      ]);
    },
  );

  test('a hard link is a plain file of the workspace', async () => {
    await writeFile(inside('a'), 'same');
    await link(inside('a'), inside('b'));
    expect((await read('b')).text).toBe('same');
  });
});

describe('size and time', () => {
  test('a file of 4 GiB is read from any place without being held', async () => {
    await writeFile(inside('huge'), 'start');
    await truncate(inside('huge'), 4 * 1024 ** 3);
    const handle = await open(inside('huge'), 'r+');
    await handle.write('near the end', 4 * 1024 ** 3 - 12);
    await handle.close();
    const out = await read('huge', { offset: 4 * 1024 ** 3 - 12, limit: 262_144 });
    expect(out).toEqual({
      path: 'huge',
      size: 4 * 1024 ** 3,
      offset: 4 * 1024 ** 3 - 12,
      text: 'near the end',
    });
    await expect(read('huge')).rejects.toThrow(/binary/);
  });

  test('an aborted read ends with the reason and leaves no open file', async () => {
    await writeFile(inside('a'), 'x'.repeat(300_000));
    const open = (): number => readdirSync('/proc/self/fd').length;
    const before = open();
    const controller = new AbortController();
    const reading = read('a', { limit: 262_144 }, controller.signal);
    controller.abort(new Error('stop'));
    await expect(reading).rejects.toThrow('stop');
    expect(open()).toBeLessThanOrEqual(before);
  });

  test('an aborted listing ends with the reason', async () => {
    for (let index = 0; index < 50; index += 1) await mkdir(inside(`d${index}`));
    const controller = new AbortController();
    const listing = list({ depth: 3 }, controller.signal);
    setImmediate(() => controller.abort(new Error('stop')));
    await expect(listing).rejects.toThrow('stop');
  });
});
