import type { Dirent } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { CoppiceError } from '../errors.ts';
import { defineTool } from './contract.ts';
import { explain, withOpened, type Opened } from './workspace.ts';

const DEEPEST = 3;
const MOST_ENTRIES = 1_000;
/** Names looked at in one folder: they are all held to be sorted. */
const MOST_NAMES = 20_000;

const input = z.object({
  path: z.string().min(1).max(4_096).default('.').describe('A folder, relative to the workspace.'),
  depth: z.int().min(1).max(DEEPEST).default(1).describe('How many levels of folders to show; at most 3.'),
});

type EntryType = 'file' | 'folder' | 'link' | 'other';

interface Entry {
  /** Relative to the workspace, with `/`. */
  readonly path: string;
  readonly type: EntryType;
  /** Bytes; files only. */
  readonly size?: number;
  /** Why a folder could not be looked into. */
  readonly note?: string;
}

interface Folder {
  readonly entries: Entry[];
  readonly whole: boolean;
}

function typeOf(entry: Dirent): EntryType {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'folder';
  return entry.isSymbolicLink() ? 'link' : 'other';
}

/** On Linux the names are read through the checked handle itself, so a swapped path cannot redirect them. */
function pathOf({ handle, real }: Opened): string {
  return process.platform === 'linux' ? `/proc/self/fd/${handle.fd}` : real;
}

/** Code units, not locale: the same folder lists alike everywhere. */
const byName = (a: { name: string }, b: { name: string }): number =>
  a.name < b.name ? -1 : Number(a.name > b.name);
const byPath = (a: Entry, b: Entry): number => (a.path < b.path ? -1 : Number(a.path > b.path));

async function names(folder: string, signal: AbortSignal): Promise<{ found: Dirent[]; whole: boolean }> {
  const found: Dirent[] = [];
  for await (const entry of await opendir(folder)) {
    signal.throwIfAborted();
    if (found.length >= MOST_NAMES) return { found: found.sort(byName), whole: false };
    found.push(entry);
  }
  return { found: found.sort(byName), whole: true };
}

async function describe(folder: string, shown: string, entry: Dirent): Promise<Entry> {
  const type = typeOf(entry);
  if (type !== 'file') return { path: shown, type };
  try {
    return { path: shown, type, size: (await lstat(path.join(folder, entry.name))).size };
  } catch {
    return { path: shown, type, note: 'gone or changed meanwhile' }; // the listing goes on without its size
  }
}

async function look(opened: Opened, asked: string, room: number, signal: AbortSignal): Promise<Folder> {
  const folder = pathOf(opened);
  const { found, whole } = await names(folder, signal);
  const entries: Entry[] = [];
  for (const entry of found.slice(0, room)) {
    signal.throwIfAborted();
    entries.push(await describe(folder, path.posix.join(asked, entry.name), entry));
  }
  return { entries, whole: whole && found.length <= room };
}

interface Level {
  readonly workspace: string;
  readonly signal: AbortSignal;
  readonly entries: Map<string, Entry>;
  whole: boolean;
}

async function visit(level: Level, asked: string): Promise<Entry[]> {
  const room = MOST_ENTRIES - level.entries.size;
  const { entries, whole } = await withOpened(level.workspace, asked, 'folder', (opened) =>
    look(opened, asked, room, level.signal),
  ).catch((error: unknown) => {
    level.signal.throwIfAborted();
    throw explain(error, asked);
  });
  for (const entry of entries) level.entries.set(entry.path, entry);
  level.whole &&= whole;
  return entries;
}

/** A folder below the asked one that cannot be opened is noted on its own line; the rest is listed. */
async function descend(level: Level, folder: Entry): Promise<Entry[]> {
  try {
    return await visit(level, folder.path);
  } catch (error) {
    if (!(error instanceof CoppiceError)) throw error;
    level.entries.set(folder.path, { ...folder, note: String(error.details['reason']) });
    return [];
  }
}

/** Level by level, so that a full listing shows the upper levels whole rather than one branch to its end. */
async function listTree(level: Level, asked: string, depth: number): Promise<void> {
  let folders = (await visit(level, asked)).filter((entry) => entry.type === 'folder');
  for (let below = 1; below < depth && folders.length > 0; below += 1) {
    const next: Entry[] = [];
    for (const folder of folders) next.push(...(await descend(level, folder)));
    folders = next.filter((entry) => entry.type === 'folder');
  }
}

export const listTool = defineTool({
  name: 'list',
  description:
    'Lists files and folders of the workspace, up to 1,000 entries. Symbolic links are shown, not followed.',
  input,
  idempotent: true,
  maxOutputBytes: 512 * 1024,
  async run({ path: asked, depth }, { workspace, signal }) {
    const level: Level = { workspace, signal, entries: new Map(), whole: true };
    await listTree(level, path.posix.normalize(asked), depth);
    const entries = [...level.entries.values()].sort(byPath);
    return {
      path: asked,
      entries,
      ...(level.whole ? {} : { note: `not everything: at most ${MOST_ENTRIES} entries are shown` }),
    };
  },
});
