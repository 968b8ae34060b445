import { constants, type BigIntStats } from 'node:fs';
import { open, realpath, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { CoppiceError } from '../errors.ts';

/** Something opened inside the workspace, and proven to be what its path says. */
export interface Opened {
  readonly handle: FileHandle;
  readonly stats: BigIntStats;
  /** The real path: no symbolic link in it when it was checked. */
  readonly real: string;
}

export type Kind = 'file' | 'folder';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of the path is no folder',
  EACCES: 'it may not be read (no permission)',
  EPERM: 'it may not be read (no permission)',
  ELOOP: 'it is a symbolic link that changed or never ends',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many files are open now; try again',
  ENFILE: 'too many files are open now; try again',
  ENXIO: 'it is a device or pipe',
  EISDIR: 'it is a folder',
};

export function refused(asked: string, reason: string, cause?: unknown): CoppiceError {
  return new CoppiceError(
    'WORKSPACE_REFUSED',
    { path: asked.slice(0, 300).replaceAll('\0', '\\0'), reason },
    { cause },
  );
}

/** The house's words for a file system error: Node's would show the machine's absolute paths to the model. */
export function explain(error: unknown, asked: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  const code = String((error as { code?: unknown }).code);
  return refused(asked, REASONS[code] ?? `the file system answered ${code}`, error);
}

function checkSpelling(asked: string): void {
  if (asked.includes('\0')) throw refused(asked, 'a path holds no NUL character');
  if (path.isAbsolute(asked)) throw refused(asked, 'it is absolute');
  if (asked.split(/[\\/]/).includes('..')) throw refused(asked, '".." leads out of where you are');
}

function isInside(root: string, real: string): boolean {
  const relative = path.relative(root, real);
  return (
    relative === '' ||
    (relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative))
  );
}

async function resolveInside(root: string, asked: string): Promise<string> {
  const real = await realpath(path.join(root, asked));
  if (!isInside(root, real)) throw refused(asked, 'a symbolic link leads out of the workspace');
  return real;
}

function checkKind(stats: BigIntStats, kind: Kind, asked: string): void {
  if (kind === 'folder' && !stats.isDirectory()) throw refused(asked, 'it is no folder');
  if (kind === 'file' && stats.isDirectory()) throw refused(asked, 'it is a folder; use list');
  if (kind === 'file' && !stats.isFile()) throw refused(asked, 'it is a device, pipe or socket');
}

/** NONBLOCK: a pipe put there meanwhile must not hang the open. NOFOLLOW: nor may a link put there be followed. */
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Between check and open a folder on the way may have been swapped for a link. What was opened is therefore compared
 * with what the path leads to now, inside the workspace: the same device and inode, or it is refused.
 */
async function checkOpened(opened: Opened, root: string, kind: Kind, asked: string): Promise<void> {
  checkKind(opened.stats, kind, asked);
  const now = await stat(await resolveInside(root, asked), { bigint: true });
  if (now.dev !== opened.stats.dev || now.ino !== opened.stats.ino)
    throw refused(asked, 'it changed while it was opened');
}

async function openChecked(root: string, asked: string, kind: Kind): Promise<Opened> {
  const real = await resolveInside(root, asked);
  checkKind(await stat(real, { bigint: true }), kind, asked); // opening a device can have effects of its own
  const handle = await open(real, FLAGS);
  try {
    const opened: Opened = { handle, stats: await handle.stat({ bigint: true }), real };
    await checkOpened(opened, root, kind, asked);
    return opened;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The workspace is the operator's word: it may be a link itself, and its absence is told as such. */
async function realRoot(workspace: string): Promise<string> {
  try {
    return await realpath(workspace);
  } catch (error) {
    throw refused('.', 'the workspace of this agent does not exist or may not be read', error);
  }
}

/**
 * Opens `asked` (relative to the workspace), hands it to `use` and closes it on every path.
 *
 * @throws CoppiceError WORKSPACE_REFUSED for everything outside, of another kind, or unreadable.
 */
export async function withOpened<T>(
  workspace: string,
  asked: string,
  kind: Kind,
  use: (opened: Opened) => Promise<T>,
): Promise<T> {
  checkSpelling(asked);
  const root = await realRoot(workspace);
  let opened: Opened;
  try {
    opened = await openChecked(root, asked, kind);
  } catch (error) {
    throw explain(error, asked);
  }
  try {
    return await use(opened);
  } finally {
    await opened.handle.close();
  }
}
