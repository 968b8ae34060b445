import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { openStore, statements } from '../../src/store/index.ts';
import type { CoppiceError } from '../../src/errors.ts';
import { codeOf, inboxRow, startChild, tempDir, tempStore } from './fixture.ts';
import { fill, smallDisk } from './small-disk.ts';

const accept = (id: string, text = 'x') => statements.acceptMessage(inboxRow(id, { text }));

test(
  'a store killed with -9 ten times keeps every message it has acknowledged',
  { timeout: 120_000 },
  async () => {
    const dir = tempDir();
    const acknowledged: string[] = [];
    for (let round = 0; round < 10; round += 1) {
      const child = startChild('acknowledging-child.ts', dir, String(round));
      await child.said(1 + 60 * round);
      await child.kill('SIGKILL');
      acknowledged.push(...child.lines);
      const store = await openStore({ dir, owner: 'parent' });
      const lost = acknowledged.filter(
        (id) => store.read.message(id) === undefined || store.read.run(`run-${id}`)?.status !== 'ok',
      );
      expect(lost).toEqual([]);
      expect(store.epoch).toBe(2 * (round + 1));
      await store.close();
    }
    expect(acknowledged.length).toBeGreaterThan(1_000);
    const db = new DatabaseSync(join(dir, 'coppice.db'), { readOnly: true });
    expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }]);
    // A message and its settled run are one transaction: neither is there without the other.
    const halves = db
      .prepare(`SELECT 1 FROM inbox LEFT JOIN runs USING (run_id) WHERE runs.status IS NOT 'ok'`)
      .all();
    db.close();
    expect(halves).toEqual([]);
  },
);

test('a writer that is ended rejects what waits as unknown, and the owner of the store is told', async () => {
  const strays: unknown[] = [];
  const onStray = (error: unknown): void => void strays.push(error);
  process.on('unhandledRejection', onStray);
  onTestFinished(() => void process.off('unhandledRejection', onStray));
  const dir = tempDir();
  const store = await openStore({ dir, owner: 'test' });
  await store.commit(accept('before'));
  const rival = new DatabaseSync(store.file);
  rival.exec('BEGIN IMMEDIATE');
  const waiting = Array.from({ length: 20 }, (_, n) => codeOf(store.commit(accept(String(n)))));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const ended = store.terminate();
  rival.exec('ROLLBACK');
  rival.close();
  await ended;
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['STORE_UNKNOWN']));
  expect(await codeOf(store.commit(accept('after')))).toBe('STORE_CLOSED');
  await store.close();

  const again = await openStore({ dir, owner: 'test' });
  for (let n = 0; n < 20; n += 1) await again.commit(accept(String(n)));
  expect(
    again.read
      .pendingMessages('agent:main:main')
      .map((row) => row.platformId)
      .sort(),
  ).toEqual(['before', ...Array.from({ length: 20 }, (_, n) => String(n))].sort());
  await again.close();
  expect(strays).toEqual([]);
});

test(
  'a disk that fails ends the writing: the answer is unknown or failed, never a lie, and reads go on',
  { timeout: 60_000 },
  () => {
    const script = `
    const { openStore, statements } = await import(${JSON.stringify(new URL('../../src/store/index.ts', import.meta.url).href)});
    const failures = [];
    const store = await openStore({ dir: process.argv[1], owner: 'limited', onFailed: (e) => failures.push(e.code) });
    const put = (key, size) => store.commit(statements.putCheckpoint({ machine: 'm', key, version: 1, at: 1, facts: { t: 'x'.repeat(size) } }));
    await put('small', 10);
    const big = await put('big', 3_000_000).catch((e) => e.code);
    const after = await put('after', 10).catch((e) => e.code);
    console.log(JSON.stringify({ big, after, failures, small: store.read.checkpoint('m', 'small') !== undefined }));
    await store.close();`;
    // A file may not grow over 2,000 blocks: the write itself fails, as on a broken disk, and not for want of room.
    const dir = tempDir();
    const run = `trap '' XFSZ; ulimit -f 2000; exec "$0" --input-type=module -e "$1" "$2"`;
    const child = spawnSync('bash', ['-c', run, process.execPath, script, dir], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect(child.stderr).toBe('');
    expect(JSON.parse(child.stdout)).toEqual({
      big: 'STORE_UNKNOWN',
      after: 'STORE_FAILED',
      failures: ['STORE_FAILED'],
      small: true,
    });
  },
);

test('on a full disk a write is refused whole and typed, and when there is room again the next one is taken', async ({
  skip,
}) => {
  const dir = smallDisk(2_048);
  if (!dir) return skip('needs the right to mount');
  const failures: CoppiceError[] = [];
  const store = await openStore({ dir, owner: 'test', onFailed: (error) => failures.push(error) });
  await store.commit(accept('first'));
  const ballast = join(dir, 'ballast');
  fill(ballast);
  const answers = await Promise.all(
    ['a', 'b', 'c'].map((id) => codeOf(store.commit(accept(id, id.repeat(100_000))))),
  );
  expect(answers).toEqual(['STORE_FULL', 'STORE_FULL', 'STORE_FULL']);
  expect(store.read.pendingMessages('agent:main:main').map((row) => row.platformId)).toEqual(['first']);
  rmSync(ballast);
  expect(await codeOf(store.commit(accept('a', 'a'.repeat(100_000))))).toBe('resolved');
  expect(store.read.pendingMessages('agent:main:main').map((row) => row.platformId)).toEqual(['first', 'a']);
  expect(failures).toEqual([]);
  await store.close();
  const db = new DatabaseSync(store.file, { readOnly: true });
  expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
  db.close();
});

test('a disk that is full from the start is named at opening, and nothing half made stays', async ({
  skip,
}) => {
  const dir = smallDisk(64);
  if (!dir) return skip('needs the right to mount');
  fill(join(dir, 'ballast'));
  expect(await codeOf(openStore({ dir, owner: 'test' }))).toBe('STORE_FULL');
  rmSync(join(dir, 'ballast'));
  expect(spawnSync('ls', ['-A', dir], { encoding: 'utf8' }).stdout).toBe('');
});

test('a group on its way to the disk does not block the loop of the caller', async () => {
  const store = await tempStore();
  const rival = new DatabaseSync(store.file);
  rival.exec('BEGIN IMMEDIATE');
  const slow = store.commit(accept('1'));
  let turns = 0;
  while (turns < 50) {
    await new Promise((resolve) => setImmediate(resolve));
    turns += 1;
  }
  expect(store.stats().queued).toBe(1);
  rival.exec('ROLLBACK');
  rival.close();
  expect(await slow).toEqual([{ changes: 1 }, { changes: 1 }]);
});
