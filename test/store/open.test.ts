import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { openReader, openStore, SCHEMA_VERSION, statements } from '../../src/store/index.ts';
import { migrate, MIGRATIONS, schemaOf } from '../../src/store/migrations.ts';
import { AT, codeOf, inboxRow, tempDir, transcriptRow } from './fixture.ts';

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const root = process.getuid?.() === 0;

/** A store with one message in it, closed. */
async function written(dir = tempDir()): Promise<string> {
  const store = await openStore({ dir, owner: 'test' });
  await store.commit(statements.acceptMessage(inboxRow('1')));
  await store.close();
  return store.file;
}

describe('opening', () => {
  test('makes directory and files for the owner alone, in spite of the umask', async () => {
    const dir = join(tempDir(), 'state', 'coppice');
    const store = await openStore({ dir, owner: 'test' });
    await store.commit(statements.acceptMessage(inboxRow('1')));
    expect([mode(dir), mode(join(dir, '..'))]).toEqual(['700', '700']);
    expect(['', '-wal', '-shm'].map((suffix) => mode(store.file + suffix))).toEqual(['600', '600', '600']);
    await store.close();
  });

  test('a file that others could read is closed to them again', async () => {
    const file = await written();
    chmodSync(file, 0o644);
    const store = await openStore({ file, owner: 'test' });
    expect(mode(file)).toBe('600');
    await store.close();
  });

  test('what was committed is there in the next life, and its epoch is the next', async () => {
    const file = await written();
    const store = await openStore({ file, owner: 'test' });
    expect(store.read.message('console/default/1')?.status).toBe('pending');
    expect([store.epoch, store.schema]).toEqual([2, SCHEMA_VERSION]);
    await store.close();
  });

  test('closing writes what was asked for before, refuses what comes after, and may be repeated', async () => {
    const dir = tempDir();
    const store = await openStore({ dir, owner: 'test' });
    const last = Array.from({ length: 30 }, (_, n) =>
      store.commit(statements.acceptMessage(inboxRow(String(n)))),
    );
    const closed = store.close();
    expect(await codeOf(store.commit(statements.dropCheckpoint('m', 'k')))).toBe('STORE_CLOSED');
    await Promise.all(last);
    await Promise.all([closed, store.close()]);
    expect(() => store.read.countSessions()).toThrow('the store is closed');
    expect(() => statSync(`${store.file}-wal`)).toThrow('ENOENT');
    const reader = openReader(store.file);
    expect(reader.pendingMessages('agent:main:main')).toHaveLength(30);
    reader.close();
  });

  test('a reader may be handed out before there is a file, and reads when there is one', async () => {
    const dir = tempDir();
    const reader = openReader(join(dir, 'coppice.db'));
    expect(() => reader.countSessions()).toThrow(expect.objectContaining({ code: 'STORE_UNWRITABLE' }));
    await written(dir);
    expect(reader.pendingSessions()).toHaveLength(1);
    reader.close();
  });

  test('an open store does not keep a process alive, a commit under way does', async () => {
    const script = `
      const { openStore, statements } = await import(${JSON.stringify(new URL('../../src/store/index.ts', import.meta.url).href)});
      const store = await openStore({ dir: process.argv[1], owner: 'short' });
      const row = { machine: 'm', key: 'k', version: 1, at: 1, facts: {} };
      store.commit(statements.putCheckpoint(row)).then(() => console.log('committed'));`;
    const dir = tempDir();
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, dir], {
      encoding: 'utf8',
      timeout: 15_000,
    });
    expect([child.status, child.stdout, child.stderr]).toEqual([0, 'committed\n', '']);
  });
});

describe('a directory that is not ours', () => {
  test('is refused by name when it is a file', async () => {
    const path = join(tempDir(), 'taken');
    writeFileSync(path, '');
    const opening = openStore({ dir: path, owner: 'test' });
    await expect(opening).rejects.toMatchObject({ code: 'STORE_UNWRITABLE', details: { path } });
  });

  test.runIf(root)(
    'is refused by name and owner when it belongs to another user, and so is a file',
    async () => {
      const dir = join(tempDir(), 'foreign');
      mkdirSync(dir);
      chownSync(dir, 54_321, 54_321);
      await expect(openStore({ dir, owner: 'test' })).rejects.toThrow(
        `${dir} cannot be used for the store: it belongs to user 54321`,
      );
      const file = await written();
      chownSync(file, 54_321, 54_321);
      await expect(openStore({ file, owner: 'test' })).rejects.toMatchObject({
        code: 'STORE_UNWRITABLE',
        details: { path: file },
      });
    },
  );

  test.skipIf(root)('is refused by name when we may not write there', async () => {
    const dir = join(tempDir(), 'closed');
    mkdirSync(dir, { mode: 0o500 });
    await expect(openStore({ dir, owner: 'test' })).rejects.toMatchObject({
      code: 'STORE_UNWRITABLE',
      details: { path: dir },
    });
  });
});

describe('a file that is not sound', () => {
  const refused = async (file: string): Promise<{ code?: string; message: string }> => {
    const before = readFileSync(file);
    const error = await openStore({ file, owner: 'test' }).then(
      () => ({ message: 'it was opened' }),
      (thrown: Error) => thrown,
    );
    expect(readFileSync(file).equals(before)).toBe(true);
    return error;
  };

  test('is refused and left untouched: overwritten, cut, emptied, of another program', async () => {
    const scribbled = await written();
    const bytes = readFileSync(scribbled);
    bytes.fill(0x5a, 4_096 * 2, 4_096 * 4);
    writeFileSync(scribbled, bytes);
    expect(await refused(scribbled)).toMatchObject({ code: 'STORE_DAMAGED' });

    const cut = await written();
    truncateSync(cut, 4_096 * 3);
    expect(await refused(cut)).toMatchObject({ code: 'STORE_DAMAGED' });

    const empty = await written();
    truncateSync(empty, 0);
    expect((await refused(empty)).message).toBe(`${empty} is damaged: it is empty`);

    const text = join(tempDir(), 'coppice.db');
    writeFileSync(text, 'not a database at all, but long enough to have a header'.repeat(9));
    expect(await refused(text)).toMatchObject({ code: 'STORE_DAMAGED' });

    const foreign = join(tempDir(), 'coppice.db');
    const db = new DatabaseSync(foreign);
    db.exec('CREATE TABLE notes (x)');
    db.close();
    expect((await refused(foreign)).message).toContain('it was not written by coppice');
  });

  test('of a newer schema is refused and left untouched, and both versions are named', async () => {
    const file = await written();
    const db = new DatabaseSync(file);
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 7}`);
    db.close();
    const error = await refused(file);
    expect(error.code).toBe('STORE_NEWER');
    expect(error.message).toContain(`has schema ${SCHEMA_VERSION + 7}`);
    expect(error.message).toContain(`up to ${SCHEMA_VERSION}`);
  });

  test('and half made by a crash is made anew', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'coppice.db.new'), 'half');
    await written(dir);
    expect(() => statSync(join(dir, 'coppice.db.new'))).toThrow('ENOENT');
  });
});

describe('migrations', () => {
  /** The file as this version leaves it, with rows. */
  async function fixture(): Promise<DatabaseSync> {
    const store = await openStore({ dir: tempDir(), owner: 'v1' });
    await store.commit([
      ...statements.acceptMessage(inboxRow('1')),
      ...statements.touchSession({ sessionKey: 'k', sessionId: 's', agentId: 'main', at: AT }),
      ...statements.appendTranscript([transcriptRow(0)]),
    ]);
    await store.close();
    return new DatabaseSync(store.file);
  }
  const good = {
    version: SCHEMA_VERSION + 1,
    sql: `ALTER TABLE sessions ADD COLUMN label TEXT NOT NULL DEFAULT '';
          UPDATE sessions SET label = agent_id || '/' || session_key;`,
  };

  test('an older file comes forward with all its rows', async () => {
    const db = await fixture();
    expect(migrate(db, 'f', [...MIGRATIONS, good])).toBe(SCHEMA_VERSION + 1);
    expect(db.prepare('SELECT label, owner FROM sessions').all()).toEqual([{ label: 'main/k', owner: 'v1' }]);
    expect(db.prepare('SELECT count(*) AS n FROM transcript').get()).toEqual({ n: 1 });
    expect(migrate(db, 'f', [...MIGRATIONS, good])).toBe(SCHEMA_VERSION + 1);
    expect(() => migrate(db, 'f')).toThrow(expect.objectContaining({ code: 'STORE_NEWER' }));
    db.close();
  });

  test('a file of the first schema is opened, and its rows that refer to files are found', async () => {
    const store = await openStore({ dir: tempDir(), owner: 'v1' });
    const file = { type: 'file', sha256: 'a'.repeat(64), mediaType: 'image/png', bytes: 1 } as const;
    await store.commit(statements.appendTranscript([transcriptRow(0, { content: [file] })]));
    await store.close();
    const db = new DatabaseSync(store.file);
    db.exec('DROP INDEX transcript_files; PRAGMA user_version = 1');
    db.close();
    const next = await openStore({ file: store.file, owner: 'v2' });
    expect(next.schema).toBe(SCHEMA_VERSION);
    expect([...next.read.referencedFiles()]).toEqual(['a'.repeat(64)]);
    await next.close();
  });

  test('a step that fails leaves the file as it was, the steps before it included', async () => {
    const db = await fixture();
    const version = SCHEMA_VERSION + 2;
    const broken = { version, sql: `CREATE TABLE extra (x); INSERT INTO no_such_table VALUES (1);` };
    expect(() => migrate(db, 'f', [...MIGRATIONS, good, broken])).toThrow('no such table');
    expect(schemaOf(db)).toBe(SCHEMA_VERSION);
    expect(db.isTransaction).toBe(false);
    expect(db.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'extra'`).get()).toBeUndefined();
    expect(() => db.prepare('SELECT label FROM sessions')).toThrow('no such column');
    db.close();
  });

  test('versions are in order and without gaps', () => {
    expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  });
});
