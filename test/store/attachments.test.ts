import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openAttachments } from '../../src/store/index.ts';
import type { Attachment } from '../../src/store/index.ts';
import { codeOf, tempDir } from './fixture.ts';
import { GIF, JPEG, largePng, PDF, PNG, sent, WEBP } from './files.ts';

const MIB = 1_048_576;

function openFiles(carriedBytes?: number) {
  const dir = join(tempDir(), 'attachments');
  const faults: unknown[] = [];
  const attachments = openAttachments({ dir, carriedBytes, onFault: (error) => faults.push(error) });
  return { dir, faults, attachments, names: () => namesIn(dir) };
}
/** All files below it, relative. */
const namesIn = (dir: string): string[] =>
  existsSync(dir)
    ? readdirSync(dir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    : [];
const refusal = async (attachment: Attachment, ...before: Attachment[]): Promise<string> => {
  const { attachments, names } = openFiles();
  const refused = attachments.take([...before, attachment]);
  expect(await codeOf(refused)).toBe('ATTACHMENT_REFUSED');
  expect(names()).toEqual([]);
  return refused.then(String, (error: Error) => error.message);
};

describe('a file that comes with a message', () => {
  test('is on disk under the digest of its content, for its owner alone, and not to be run', async () => {
    const { attachments, dir, names } = openFiles();
    const { files } = await attachments.take([sent(PNG, { mimeType: 'image/png', fileName: 'dot.png' })]);
    const sha256 = createHash('sha256').update(PNG).digest('hex');
    expect(files).toEqual([
      { type: 'file', sha256, mediaType: 'image/png', bytes: PNG.length, fileName: 'dot.png' },
    ]);
    expect(names()).toEqual([join(sha256.slice(0, 2), sha256)]);
    const path = join(dir, names()[0]!);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(readFileSync(path).equals(PNG)).toBe(true);
    expect(Buffer.from(await attachments.read(files[0]!)).equals(PNG)).toBe(true);
  });

  test('is kept once, however often and under whatever name it comes', async () => {
    const { attachments, names } = openFiles();
    const twice = [sent(PNG, { fileName: 'a.png' }), sent(PNG, { fileName: 'b.png' })];
    const takes = await Promise.all([attachments.take(twice), attachments.take(twice)]);
    await attachments.take([sent(PNG)]);
    expect(names()).toHaveLength(1);
    expect(takes.flatMap(({ files }) => files.map(({ fileName }) => fileName))).toEqual([
      'a.png',
      'b.png',
      'a.png',
      'b.png',
    ]);
  });

  test.each([
    ['image/png', PNG],
    ['image/jpeg', JPEG],
    ['image/gif', GIF],
    ['image/webp', WEBP],
    ['application/pdf', PDF],
    ['text/plain', Buffer.from('hello äöü\n')],
    ['text/markdown', Buffer.from('# hello')],
    ['application/json', Buffer.from('{"a":1}')],
  ])('may be %s', async (mimeType, content) => {
    const { attachments } = openFiles();
    const [{ files }, named] = await Promise.all([
      attachments.take([sent(content, { mimeType })]),
      attachments.take([sent(content, { mimeType: `${mimeType.toUpperCase()}; charset=utf-8` })]),
    ]);
    expect(files[0]?.mediaType).toBe(mimeType);
    expect(named.files[0]?.mediaType).toBe(mimeType);
  });

  test('has its type told from its bytes when nobody says it, may be a data URL, and may have line breaks', async () => {
    const { attachments } = openFiles();
    const base64 = GIF.toString('base64');
    const { files } = await attachments.take([
      { content: base64 },
      { content: `data:image/gif;base64,${base64}` },
      { content: base64.replace(/(.{20})/g, '$1\r\n') },
      { content: PNG.toString('base64'), mimeType: 'image/png' },
      { content: JPEG.toString('base64'), mimeType: 'image/jpg' },
    ]);
    expect(files.map(({ mediaType }) => mediaType)).toEqual([
      'image/gif',
      'image/gif',
      'image/gif',
      'image/png',
      'image/jpeg',
    ]);
  });

  test.each([
    ['../../../etc/passwd', 'passwd'],
    ['/etc/shadow', 'shadow'],
    ['C:\\Users\\me\\cat.png', 'cat.png'],
    ['..', undefined],
    ['folder/', undefined],
    ['a\u0000b\u202Egnp.exe', 'abgnp.exe'],
    ['x'.repeat(400), 'x'.repeat(255)],
  ])('called %j is called %j', async (fileName, kept) => {
    const { attachments, dir, names } = openFiles();
    const { files } = await attachments.take([sent(PNG, { fileName })]);
    expect(files[0]?.fileName).toBe(kept);
    expect(names()).toHaveLength(1);
    expect(namesIn(join(dir, '..'))).toHaveLength(1);
  });
});

describe('a file is refused that', () => {
  test.each([
    ['is no base64', { content: 'not base64!' }, /not base64/],
    ['is cut off', { content: 'YWJjZ' }, /not base64/],
    ['is empty', { content: '' }, /empty/],
    [
      'is another image than it says',
      sent(JPEG, { mimeType: 'image/png' }),
      /"image\/png", and it is image\/jpeg/,
    ],
    ['is no image', sent('hello', { mimeType: 'image/png' }), /it is text\/plain/],
    ['is no image by its type', sent(PDF, { type: 'image' }), /it is an image, and it is application\/pdf/],
    [
      'is a program',
      sent(Buffer.from('\x7fELF\x02\x01', 'latin1'), { mimeType: 'text/plain' }),
      /something else/,
    ],
    [
      'is of a kind not taken',
      sent('PK', { mimeType: 'application/zip' }),
      /"application\/zip" are not taken/,
    ],
    ['may carry a script', sent('<svg/>', { mimeType: 'image/svg+xml' }), /not taken/],
    ['nobody knows', sent(Buffer.from([0, 1, 2, 255])), /its type is not known/],
  ])('%s', async (_, attachment, reason) => {
    expect(await refusal(attachment)).toMatch(reason);
  });

  test('is too large, alone or with those before it, and none of its message is kept', async () => {
    expect(await refusal(sent(largePng(5 * MIB + 1)))).toMatch(/5242881 bytes and the limit is 5242880/);
    const half = sent(largePng(4 * MIB + 1));
    expect(await refusal(half, half)).toMatch(/^file 2 .*with those before it.* 8388608/);
  });

  test('is too large, with the limit that really holds', async () => {
    const { attachments } = openFiles(783_360);
    await expect(attachments.take([sent(largePng(6 * MIB))])).rejects.toThrow(
      /over a WebSocket it is about 783360, because of gateway\.limits\.frameBytes/,
    );
  });

  test('comes beside a good one: it is named by its number and name', async () => {
    const bad = { content: '?', fileName: 'b.png' };
    expect(await refusal(bad, sent(PNG))).toMatch(/^file 2 \("b\.png"\)/);
  });
});

describe('a kept file', () => {
  test('that was changed or removed is lost, not something else; sent again it is there again', async () => {
    const { attachments, dir, names } = openFiles();
    const { files } = await attachments.take([sent(PNG)]);
    const [file] = files as [(typeof files)[number]];
    const path = join(dir, names()[0]!);
    writeFileSync(path, Buffer.alloc(PNG.length));
    expect(await codeOf(attachments.read(file))).toBe('ATTACHMENT_LOST');
    await attachments.take([sent(PNG)]);
    expect(Buffer.from(await attachments.read(file)).equals(PNG)).toBe(true);
    expect(await codeOf(attachments.read({ sha256: 'f'.repeat(64) }))).toBe('ATTACHMENT_LOST');
    expect(await codeOf(attachments.read({ sha256: '../../../etc/passwd' }))).toBe('ATTACHMENT_LOST');
  });

  test('is removed when nobody refers to it, and not before its message had its chance', async () => {
    const { attachments, names } = openFiles();
    const taken = await attachments.take([sent(PNG), sent(GIF)]);
    const [png, gif] = taken.files.map(({ sha256 }) => sha256) as [string, string];
    const none = (): Set<string> => new Set();
    expect(attachments.collect([png, gif], none)).toBe(0);
    taken.release();
    const other = await attachments.take([sent(GIF)]);
    taken.release();
    expect(attachments.collect([png, gif], () => new Set([png]))).toBe(0);
    expect(attachments.collect([png, gif], none)).toBe(1);
    expect(names()).toEqual([join(gif.slice(0, 2), gif)]);
    other.release();
    expect(attachments.collect([png, gif], none)).toBe(1);
  });

  test('is swept when it is loose, with what a crash left half written; anything else in the folder stays', async () => {
    const { attachments, dir, names, faults } = openFiles();
    expect(await attachments.sweep(() => new Set())).toBe(0);
    const many = Array.from({ length: 10 }, () => sent(largePng(100)));
    const first = await attachments.take(many);
    const kept = await attachments.take([sent(PNG)]);
    first.release();
    kept.release();
    writeFileSync(join(dir, 'tmp-left'), 'half');
    writeFileSync(join(dir, 'README'), 'not ours');
    const removed = await attachments.sweep(() => new Set([kept.files[0]!.sha256]));
    expect(removed).toBe(11);
    expect(names()).toHaveLength(2);
    expect(faults).toEqual([]);
  });

  test('is not swept away from under a message that comes while the sweep runs', async () => {
    const { attachments } = openFiles();
    const files = Array.from({ length: 10 }, () => sent(largePng(1_000)));
    (await attachments.take(files)).release();
    const [swept, again] = await Promise.all([attachments.sweep(() => new Set()), attachments.take(files)]);
    expect(swept).toBeLessThanOrEqual(10);
    for (const file of again.files) await expect(attachments.read(file)).resolves.toBeDefined();
  });
});
