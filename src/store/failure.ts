import { CoppiceError } from '../errors.ts';
import type { Details, ErrorCode } from '../errors.ts';

/** How far a failure reaches: the one transaction, everything in the same commit, or the writer for good. */
export type Reach = 'transaction' | 'group' | 'writer';

/** An error as it crosses from the worker thread: plain data. */
export interface Failure {
  readonly code: ErrorCode;
  readonly details: Details;
  readonly reach: Reach;
}

/** The primary result codes of SQLite that we tell apart: sqlite.org/rescode.html */
const BUSY = 5;
const LOCKED = 6;
const NOMEM = 7;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;
/** The extended code when the shared-memory file of the WAL cannot grow: no room, though it says "I/O error". */
const IOERR_SHMSIZE = 4_874;

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT']);

/** What any error of a database or of the file system around `path` means to a caller. Never throws. */
export function failureOf(error: unknown, path: string): Failure {
  if (error instanceof CoppiceError) return { code: error.code, details: error.details, reach: 'writer' };
  const reason = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'ERR_SQLITE_ERROR')
    return sqliteFailure((error as { errcode?: unknown }).errcode, reason, path);
  if (NO_ROOM.has(String(code))) return { code: 'STORE_FULL', details: { path }, reach: 'group' };
  // A value the binding refuses (an integer over 2^53, say): the fault of this transaction alone.
  return { code: 'STORE_FAILED', details: { path, reason }, reach: 'transaction' };
}

function sqliteFailure(errcode: unknown, reason: string, path: string): Failure {
  const extended = typeof errcode === 'number' ? errcode : 0;
  const details = { path, reason, sqlite: extended };
  if (extended === IOERR_SHMSIZE) return { code: 'STORE_FULL', details: { path }, reach: 'group' };
  switch (extended & 0xff) {
    case FULL:
      return { code: 'STORE_FULL', details: { path }, reach: 'group' };
    case BUSY:
    case LOCKED:
      return { code: 'STORE_BUSY', details, reach: 'group' };
    case NOMEM:
      return { code: 'STORE_FAILED', details, reach: 'group' };
    // After a failed fsync a retry can lie (USENIX ATC 2020): stop writing, leave, recover from what is on disk.
    case IOERR:
      return { code: 'STORE_FAILED', details, reach: 'writer' };
    case CORRUPT:
    case NOTADB:
      return { code: 'STORE_DAMAGED', details, reach: 'transaction' };
    case READONLY:
    case CANTOPEN:
      return { code: 'STORE_UNWRITABLE', details, reach: 'group' };
    default:
      return { code: 'STORE_FAILED', details, reach: 'transaction' };
  }
}

/** The same as an error to throw or reject with. */
export function errorOf(failure: Failure, cause?: unknown): CoppiceError {
  return new CoppiceError(failure.code, failure.details, cause === undefined ? undefined : { cause });
}
