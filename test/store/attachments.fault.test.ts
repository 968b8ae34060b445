import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openAttachments, openStore, statements } from '../../src/store/index.ts';
import { codeOf, inboxRow, tempStore, transcriptRow } from './fixture.ts';
import { largePng, sent } from './files.ts';
import { fill, smallDisk } from './small-disk.ts';

const open = (dir: string, faults: unknown[] = []) =>
  openAttachments({ dir: join(dir, 'attachments'), onFault: (error) => faults.push(error) });

test('on a full disk a file is refused and typed, nothing half written stays, and with room it is taken', async ({
  skip,
}) => {
  const dir = smallDisk(2_048);
  if (!dir) return skip('needs the right to mount');
  const attachments = open(dir);
  const ballast = join(dir, 'ballast');
  const file = [sent(largePng(500_000))];
  (await attachments.take([sent(largePng(1_000))])).release();
  fill(ballast);
  expect(await codeOf(attachments.take(file))).toBe('STORE_FULL');
  rmSync(ballast);
  expect(await attachments.sweep(() => new Set())).toBe(1);
  const { files } = await attachments.take(file);
  expect((await attachments.read(files[0]!)).byteLength).toBe(500_000);
});

test('a place that cannot be used is a failure of the store', async () => {
  expect(await codeOf(open('/dev/null').take([sent('hello')]))).toBe('STORE_FAILED');
});

test('the store knows which files are needed: by transcripts, by pending messages, and of which session', async () => {
  const store = await tempStore();
  const digest = (digit: string): string => digit.repeat(64);
  const file = (digit: string) =>
    ({ type: 'file', sha256: digest(digit), mediaType: 'image/png', bytes: 1 }) as const;
  const said = (key: string, runId: string, digit: string) =>
    transcriptRow(0, { sessionKey: key, runId, content: [{ type: 'text', text: 'look' }, file(digit)] });
  const pending = (id: string, key: string, digit: string) =>
    statements.acceptMessage(inboxRow(id, { sessionKey: key, options: { attachments: [file(digit)] } }));
  // A text that looks like a reference is none.
  const text = JSON.stringify([file('f')]);
  await store.commit([
    ...statements.appendTranscript([said('a', 'r1', '1'), said('b', 'r2', '2')]),
    ...statements.appendTranscript([transcriptRow(0, { runId: 'r3', content: [{ type: 'text', text }] })]),
    ...pending('p1', 'a', '3'),
    ...pending('p2', 'b', '4'),
    ...pending('p3', 'b', '5'),
    ...statements.settleMessage('console/default/p3', 'done', 1),
  ]);
  const { read } = store;
  expect([...read.referencedFiles()].toSorted()).toEqual(['1', '2', '3', '4'].map(digest));
  expect([...read.referencedFiles('a')].toSorted()).toEqual(['1', '3'].map(digest));
  await store.commit(statements.deleteSession('a', 2));
  expect([...read.referencedFiles()].toSorted()).toEqual(['2', '4'].map(digest));
  await store.close();
  const again = await openStore({ file: store.file, owner: 'next' });
  expect(again.read.referencedFiles().size).toBe(2);
  await again.close();
});
