import { createHash, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CoppiceError } from '../errors.ts';
import { decodeAttachment } from './attachment-intake.ts';
import type { Decoded } from './attachment-intake.ts';
import type { Attachment, Attachments, FileContent } from './contract.ts';
import { errorOf, failureOf } from './failure.ts';

export interface AttachmentsOptions {
  /** `attachments` in the state directory. Made when the first file comes. */
  readonly dir: string;
  /** Bytes of files that one frame of the protocol carries, to say so where it is the tighter limit. */
  readonly carriedBytes?: number | undefined;
  /** A file that could not be removed. */
  onFault(error: unknown): void;
}

/** Files looked at between two breaths of a sweep. */
const SLICE = 200;
const TEMPORARY = 'tmp-';

/**
 * Files by their content: `attachments/<first two digits>/<sha256>`, 0600, written once however often they are sent,
 * on disk before the message that brought them. What a sender calls a file is kept beside the message and is never
 * part of a path.
 */
export function openAttachments(options: AttachmentsOptions): Attachments {
  const { dir, onFault } = options;
  const held = new Map<string, number>();
  const progress: Progress = { writing: new Set(), durable: new Set() };
  const pathOf = (sha256: string): string => pathIn(dir, sha256);
  const hold = (sha256: string, by: 1 | -1): void => {
    const count = (held.get(sha256) ?? 0) + by;
    if (count > 0) held.set(sha256, count);
    else held.delete(sha256);
  };

  /** Throws nothing: a file that stays costs room, and the next sweep tries again. */
  const remove = (path: string): boolean => {
    try {
      rmSync(path);
      return true;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') onFault(error);
      return false;
    }
  };
  // In one turn with the look at what is referenced: whoever takes a file meanwhile finds it held, or gone.
  const collect = (among: Iterable<string>, referenced: () => ReadonlySet<string>): number => {
    const needed = referenced();
    const loose = [...among].filter((sha256) => !needed.has(sha256) && !held.has(sha256));
    return loose.filter((sha256) => remove(pathOf(sha256))).length;
  };

  return {
    async take(attachments) {
      const decoded = decodeAll(attachments, options.carriedBytes);
      const files = decoded.map(fileOf);
      for (const { sha256 } of files) hold(sha256, 1);
      let released = false;
      const release = (): void => {
        if (released) return;
        released = true;
        for (const { sha256 } of files) hold(sha256, -1);
      };
      try {
        for (const [index, { bytes }] of decoded.entries())
          await write(dir, files[index]!.sha256, bytes, progress);
      } catch (error) {
        release();
        throw errorOf(failureOf(error, dir), error);
      }
      return { files, release };
    },
    async read({ sha256 }) {
      const lost = (reason: string, cause?: unknown): CoppiceError =>
        new CoppiceError('ATTACHMENT_LOST', { sha256, reason }, cause === undefined ? undefined : { cause });
      if (!isDigest(sha256)) throw lost('that is no digest');
      const bytes = await readFile(pathOf(sha256)).catch((error: unknown) => {
        throw lost(error instanceof Error ? error.message : String(error), error);
      });
      if (digestOf(bytes) !== sha256) throw lost('its content has changed');
      return bytes;
    },
    collect(among, referenced) {
      return collect(among, referenced);
    },
    async sweep(referenced) {
      let removed = 0;
      try {
        for await (const names of slicesOf(dir)) {
          removed += collect(names.filter(isDigest), referenced);
          const left = names.filter((name) => name.startsWith(TEMPORARY) && !progress.writing.has(name));
          removed += left.filter((name) => remove(join(dir, name))).length;
        }
      } catch (error) {
        onFault(error);
      }
      return removed;
    },
  };
}

function decodeAll(attachments: readonly Attachment[], carriedBytes: number | undefined): Decoded[] {
  const room = { carriedBytes, usedBytes: 0 };
  return attachments.map((attachment, index) => decodeAttachment(attachment, index, room));
}

function fileOf({ bytes, mediaType, fileName }: Decoded): FileContent {
  return {
    type: 'file',
    sha256: digestOf(bytes),
    mediaType,
    bytes: bytes.length,
    ...(fileName === undefined ? {} : { fileName }),
  };
}

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const pathIn = (dir: string, sha256: string): string => join(dir, sha256.slice(0, 2), sha256);
const isDigest = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);

interface Progress {
  /** Names of temporary files under way. */
  readonly writing: Set<string>;
  /** Folders whose own names are on disk. */
  readonly durable: Set<string>;
}

/** Whole and on disk when it resolves, its name too; a crash on the way leaves a temporary file for the sweep. */
async function write(dir: string, sha256: string, bytes: Uint8Array, progress: Progress): Promise<void> {
  const path = pathIn(dir, sha256);
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (!(await isThere(path, sha256, bytes.length))) await place(dir, path, bytes, progress.writing);
  // Also when it was there: whoever wrote it may not have come this far.
  await syncDirectory(folder);
  if (progress.durable.has(folder)) return;
  for (const parent of [dir, dirname(dir)]) await syncDirectory(parent);
  progress.durable.add(folder);
}

/** One that a failing disk has changed is written anew. */
async function isThere(path: string, sha256: string, bytes: number): Promise<boolean> {
  const found = await stat(path).catch(absent);
  return found?.size === bytes && digestOf(await readFile(path)) === sha256;
}

async function place(dir: string, path: string, bytes: Uint8Array, writing: Set<string>): Promise<void> {
  const name = `${TEMPORARY}${randomUUID()}`;
  writing.add(name);
  try {
    await writeSynced(join(dir, name), bytes);
    await rename(join(dir, name), path);
  } catch (error) {
    await rm(join(dir, name), { force: true });
    throw error;
  } finally {
    writing.delete(name);
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function absent(error: unknown): undefined {
  if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
}

/** The names of all files, the temporary ones too, a slice at a time with a breath between. */
async function* slicesOf(dir: string): AsyncGenerator<string[]> {
  const top = (await readdir(dir, { withFileTypes: true }).catch(absent)) ?? [];
  let names = top.filter((entry) => entry.isFile()).map(({ name }) => name);
  for (const folder of top.filter((entry) => entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name))) {
    names.push(...(await readdir(join(dir, folder.name))));
    for (; names.length >= SLICE; names = names.slice(SLICE)) yield names.slice(0, SLICE);
  }
  yield names;
}
