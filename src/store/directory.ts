import { accessSync, chmodSync, constants, mkdirSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { CoppiceError } from '../errors.ts';
import { errorOf, failureOf } from './failure.ts';

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;

/**
 * Makes the directory when it is missing (0700, its parents too) and makes sure that it is ours to write.
 * Throws STORE_UNWRITABLE naming the path, or STORE_FULL. One that was there keeps its mode: that is the doctor's.
 */
export function prepareDirectory(path: string): void {
  checked(path, () => {
    mkdirSync(path, { recursive: true, mode: PRIVATE_DIRECTORY });
    refuseForeign(path, statSync(path));
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  });
}

/** Our files are for the owner's eyes. Says whether the file is there. Throws STORE_UNWRITABLE. */
export function protectFile(path: string): boolean {
  return checked(path, () => {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (!stats) return false;
    if (!stats.isFile()) throw unwritable(path, 'it is not a regular file');
    refuseForeign(path, stats);
    // By path, never through a descriptor: closing one would drop the locks SQLite holds in this process.
    if ((stats.mode & 0o777) !== PRIVATE_FILE) chmodSync(path, PRIVATE_FILE);
    return true;
  });
}

/** Even root keeps off: files of root in another's directory lock that user out. */
function refuseForeign(path: string, stats: Stats): void {
  const uid = process.getuid?.();
  if (uid !== undefined && stats.uid !== uid) {
    throw unwritable(path, `it belongs to user ${stats.uid}, and we are user ${uid}`);
  }
}

function checked<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof CoppiceError) throw error;
    const failure = failureOf(error, path);
    throw failure.code === 'STORE_FULL'
      ? errorOf(failure, error)
      : unwritable(path, failure.details['reason'], error);
  }
}

function unwritable(path: string, reason: unknown, cause?: unknown): CoppiceError {
  return new CoppiceError('STORE_UNWRITABLE', { path, reason }, cause === undefined ? undefined : { cause });
}
