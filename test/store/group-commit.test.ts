import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openConnection } from '../../src/store/connection.ts';
import { createGroupCommitter } from '../../src/store/group-commit.ts';
import { openStore, statements } from '../../src/store/index.ts';
import { READS } from '../../src/store/reader.ts';
import { WRITES } from '../../src/store/writes.ts';
import { codeOf, inboxRow, outboxRow, tempDir, tempStore } from './fixture.ts';

const accept = (id: string, text = 'x') => statements.acceptMessage(inboxRow(id, { text }));
const ids = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n));
/** The column is INTEGER and the table STRICT: the database itself refuses it. */
const bad = [{ name: 'checkpoint.put', values: ['m', 'k', 'not a number', 1, '{}'] }];

describe('group commit', () => {
  test('a hundred writers at once share few commits, and every one finds its row when it is answered', async () => {
    const store = await tempStore();
    const seen = await Promise.all(
      ids(100).map(async (id) => {
        await store.commit(accept(id));
        return store.read.message(`console/default/${id}`) !== undefined;
      }),
    );
    expect(seen).toEqual(ids(100).map(() => true));
    const { commits, transactions, largestGroup, queued } = store.stats();
    expect(transactions).toBe(100);
    expect(commits).toBeLessThanOrEqual(5);
    expect(largestGroup).toBeGreaterThanOrEqual(20);
    expect(queued).toBe(0);
  });

  test('transactions are applied in the order in which they were asked for', async () => {
    const store = await tempStore();
    await Promise.all(ids(50).map((id) => store.commit(accept(id))));
    expect(store.read.pendingMessages('agent:main:main').map((row) => row.platformId)).toEqual(ids(50));
  });

  test('one transaction of a group fails alone, leaves no trace, and the others are committed', async () => {
    const store = await tempStore();
    const answers = await Promise.all([
      codeOf(store.commit(accept('1'))),
      codeOf(store.commit([...accept('2'), ...bad, ...accept('3')])),
      codeOf(store.commit(accept('4'))),
    ]);
    expect(answers).toEqual(['resolved', 'STORE_FAILED', 'resolved']);
    expect(store.read.pendingMessages('agent:main:main').map((row) => row.platformId)).toEqual(['1', '4']);
    expect(store.read.run('run-2')).toBeUndefined();
    expect(store.stats()).toMatchObject({ commits: 1, transactions: 3, failed: 1 });
  });

  test('values no column can hold are refused before they reach the writer, and say which', async () => {
    const store = await tempStore();
    const put = (value: unknown) =>
      store.commit([{ name: 'checkpoint.drop', values: [value as string, 'k'] }]);
    for (const value of [new Date(), Number.NaN, Number.POSITIVE_INFINITY, undefined, 1n, true]) {
      await expect(put(value)).rejects.toMatchObject({ code: 'STORE_VALUE' });
    }
    await expect(put(() => 1)).rejects.toThrow(
      'value 1 of checkpoint.drop cannot be stored: it is of type function',
    );
    expect(await codeOf(store.commit([{ name: 'no.such', values: [] }]))).toBe('STORE_FAILED');
    expect(await codeOf(store.commit([{ name: 'checkpoint.drop', values: ['only one'] }]))).toBe(
      'STORE_VALUE',
    );
    expect(await codeOf(store.commit([{ name: 'checkpoint.drop', values: ['1', '2', '3'] }]))).toBe(
      'STORE_VALUE',
    );
    expect(await codeOf(store.commit(accept('1')))).toBe('resolved');
  });

  test('an empty transaction is answered without a commit', async () => {
    const store = await tempStore();
    expect(await store.commit([])).toEqual([]);
    expect(store.stats().commits).toBe(0);
  });

  test('a full queue refuses more, and takes more when it is shorter', async () => {
    const store = await tempStore({ queueLimit: 3 });
    const answers = await Promise.all(ids(5).map((id) => codeOf(store.commit(accept(id)))));
    expect(answers).toEqual(['resolved', 'resolved', 'resolved', 'STORE_BUSY', 'STORE_BUSY']);
    expect(await codeOf(store.commit(accept('9')))).toBe('resolved');
  });

  test('a group is never larger than its limit', async () => {
    const store = await tempStore({ groupLimit: 10 });
    await Promise.all(ids(35).map((id) => store.commit(accept(id))));
    expect(store.stats()).toMatchObject({ commits: 4, largestGroup: 10, transactions: 35 });
  });

  test('every row says who wrote it last and in which life', async () => {
    const dir = tempDir();
    const first = await openStore({ dir, owner: "o'brien's" });
    await first.commit([...accept('1'), ...accept('2')]);
    await first.close();
    const second = await openStore({ dir, owner: 'second' });
    await second.commit(statements.settleMessage('console/default/2', 'done', 1));
    expect([first.epoch, second.epoch]).toEqual([1, 2]);
    await second.close();
    const db = new DatabaseSync(join(dir, 'coppice.db'), { readOnly: true });
    const rows = db.prepare('SELECT owner, epoch FROM inbox ORDER BY position').all();
    const tables = db
      .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
      .all();
    const unstamped = tables.filter(
      ({ name }) =>
        db.prepare(`SELECT 1 FROM pragma_table_info(?) WHERE name IN ('owner', 'epoch')`).all(name!)
          .length !== 2,
    );
    db.close();
    expect(rows).toEqual([
      { owner: "o'brien's", epoch: 1 },
      { owner: 'second', epoch: 2 },
    ]);
    expect(tables).toHaveLength(8);
    expect(unstamped).toEqual([]);
  });
});

test('an earlier life that is still open can write no more, reads on, and says so once', async () => {
  const dir = tempDir();
  const failures: string[] = [];
  const old = await openStore({ dir, owner: 'old', onFailed: (error) => failures.push(error.code) });
  await old.commit(accept('1'));
  const young = await openStore({ dir, owner: 'young' });
  expect(await codeOf(old.commit(accept('2')))).toBe('STORE_FENCED');
  expect(await codeOf(old.commit(accept('3')))).toBe('STORE_FENCED');
  expect(failures).toEqual(['STORE_FENCED']);
  await young.commit(accept('4'));
  expect(old.read.pendingMessages('agent:main:main').map((row) => row.platformId)).toEqual(['1', '4']);
  await old.close();
  await young.commit(accept('5'));
  await young.close();
});

test('another process that writes makes us wait, and after that time nothing of ours is written', async () => {
  const store = await tempStore({ busyTimeoutMs: 50 });
  const rival = new DatabaseSync(store.file);
  rival.exec('BEGIN IMMEDIATE');
  expect(await codeOf(store.commit(accept('1')))).toBe('STORE_BUSY');
  expect(store.read.message('console/default/1')).toBeUndefined();
  rival.exec('ROLLBACK');
  rival.close();
  expect(await codeOf(store.commit(accept('1')))).toBe('resolved');
});

test('without room the large transaction fails typed, the small ones beside it survive, and later ones find room', () => {
  const file = join(tempDir(), 'coppice.db');
  const connection = openConnection({ file, owner: 'test', busyTimeoutMs: 100 });
  const { db } = connection;
  const committer = createGroupCommitter(connection);
  const pages = Number(db.prepare('PRAGMA page_count').get()?.['page_count']);
  db.exec(`PRAGMA max_page_count = ${pages + 4}`);
  const group = [
    { id: 1, statements: accept('small-1') },
    { id: 2, statements: [...accept('before'), ...accept('large', 'x'.repeat(200_000))] },
    { id: 3, statements: accept('small-2') },
  ];
  const { outcomes, broken } = committer.run(group);
  expect(outcomes).toMatchObject([
    { id: 1, changes: [1, 1] },
    { id: 2, failure: { code: 'STORE_FULL' } },
    { id: 3, changes: [1, 1] },
  ]);
  expect(broken).toBeUndefined();
  expect(db.prepare('SELECT platform_id AS id FROM inbox').all()).toEqual([
    { id: 'small-1' },
    { id: 'small-2' },
  ]);
  db.exec('PRAGMA max_page_count = 1000000');
  expect(committer.run(group).outcomes[1]).toEqual({ id: 2, changes: [1, 1, 1, 1] });
  db.close();
});

describe('the plan of the database', () => {
  test('recovery and outbox read through their partial indexes, whatever the size of the journal', async () => {
    const store = await tempStore();
    const db = new DatabaseSync(store.file, { readOnly: true });
    const plan = (sql: string): string =>
      db
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map((row) => String(row['detail']))
        .join('; ');
    expect(plan(READS.pendingMessages)).toContain('SEARCH inbox USING INDEX inbox_pending (session_key=?)');
    expect(plan(READS.countPending)).toContain('SEARCH inbox USING COVERING INDEX inbox_pending');
    expect(plan(READS.pendingSessions)).toContain('SCAN inbox USING COVERING INDEX inbox_pending');
    expect(plan(READS.dueDeliveries)).toContain('SEARCH outbox USING INDEX outbox_open (next_at<?)');
    expect(plan(READS.nextDeliveryAt)).toContain('outbox USING INDEX outbox_open');
    expect(plan(READS.history)).toBe(
      'SEARCH transcript USING INDEX transcript_session (session_key=? AND session_id=?)',
    );
    expect(plan(READS.sessions)).toContain('USING INDEX sessions_activity (updated_at>?)');
    db.close();
  });

  test('no write scans a table', async () => {
    const store = await tempStore();
    const db = new DatabaseSync(store.file, { readOnly: true });
    const scans = Object.entries(WRITES).filter(([, sql]) => {
      const plain = sql.replaceAll(':owner', `''`).replaceAll(':epoch', '0');
      return db
        .prepare(`EXPLAIN QUERY PLAN ${plain}`)
        .all()
        .some((row) => /^SCAN (?!CONSTANT)/.test(String(row['detail'])));
    });
    db.close();
    expect(scans).toEqual([]);
  });
});

test('a record that is damaged fails whoever reads it, by name, and nobody else', async () => {
  const store = await tempStore();
  await store.commit([...accept('1'), ...statements.acceptMessage(inboxRow('2', { sessionKey: 'other' }))]);
  await store.commit(statements.addDelivery(outboxRow('d')));
  const db = new DatabaseSync(store.file);
  db.exec(`UPDATE inbox SET options = '{"cut' WHERE message_id = 'console/default/1'`);
  db.close();
  expect(() => store.read.pendingMessages('agent:main:main')).toThrow(
    'the column "options" of message_id console/default/1 is damaged: it is not JSON',
  );
  expect(store.read.pendingMessages('other')).toHaveLength(1);
  expect(store.read.pendingSessions()).toHaveLength(2);
});
