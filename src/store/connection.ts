import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { CoppiceError } from '../errors.ts';
import { errorOf, failureOf } from './failure.ts';
import { protectFile } from './directory.ts';
import { migrate, refuseNewer, schemaOf } from './migrations.ts';
import { APPLICATION_ID } from './schema.ts';

export interface ConnectionOptions {
  readonly file: string;
  readonly owner: string;
  readonly busyTimeoutMs: number;
}

/** The one writing connection, ready for use. */
export interface Connection extends ConnectionOptions {
  readonly db: DatabaseSync;
  readonly schema: number;
  /** Which life of the store this is: rises by one with every opening. */
  readonly epoch: number;
}

/** Up to this size every page is looked at before the first write; larger files are left to the doctor. */
const CHECK_BELOW_BYTES = 8 * 1024 * 1024;
/** What the WAL may keep on disk after a burst. */
const WAL_KEPT_BYTES = 64 * 1024 * 1024;

/**
 * Opens the file for writing, new or old: looks at it read-only first, so that one we refuse is left untouched, then
 * migrates and takes the next epoch. Throws STORE_NEWER, STORE_DAMAGED, STORE_UNWRITABLE, STORE_FULL, STORE_FAILED.
 */
export function openConnection(options: ConnectionOptions): Connection {
  const { file } = options;
  try {
    if (protectFile(file)) inspect(file);
    else create(file, options.owner);
    return connect(options);
  } catch (error) {
    throw error instanceof CoppiceError ? error : errorOf(failureOf(error, file), error);
  }
}

/** Refuses what is damaged, foreign or newer. Reads only. */
function inspect(file: string): void {
  const { size } = statSync(file);
  // We never leave an empty file behind (see `create`), so this one has lost its content.
  if (size === 0) throw damaged(file, 'it is empty');
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const id = Number(db.prepare('PRAGMA application_id').get()?.['application_id']);
    if (id !== APPLICATION_ID) throw damaged(file, 'it was not written by coppice');
    refuseNewer(schemaOf(db), file);
    if (size <= CHECK_BELOW_BYTES) checkPages(db, file);
  } finally {
    db.close();
  }
}

function checkPages(db: DatabaseSync, file: string): void {
  const found = String(db.prepare('PRAGMA quick_check(1)').get()?.['quick_check']);
  if (found !== 'ok') throw damaged(file, found);
}

/** Built beside its place and moved there whole, so that a crash on the way never leaves half a store. */
function create(file: string, owner: string): void {
  const fresh = `${file}.new`;
  rmSync(fresh, { force: true });
  rmSync(`${fresh}-journal`, { force: true });
  closeSync(openSync(fresh, 'wx', 0o600));
  try {
    build(fresh, owner);
    renameSync(fresh, file);
    syncDirectory(dirname(file));
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

function build(file: string, owner: string): void {
  const db = new DatabaseSync(file);
  try {
    db.exec(`PRAGMA synchronous = FULL; PRAGMA application_id = ${APPLICATION_ID}`);
    migrate(db, file);
    db.prepare(`INSERT INTO meta (key, value, owner, epoch) VALUES ('epoch', 0, ?, 0)`).run(owner);
  } finally {
    db.close();
  }
}

/** The new name is durable only when its directory is. */
function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function connect(options: ConnectionOptions): Connection {
  const db = new DatabaseSync(options.file, { timeout: options.busyTimeoutMs });
  try {
    configure(db, options.file);
    const schema = migrate(db, options.file);
    return { ...options, db, schema, epoch: nextEpoch(db, options.owner) };
  } catch (error) {
    db.close();
    throw error;
  }
}

function configure(db: DatabaseSync, file: string): void {
  const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'];
  if (mode !== 'wal') {
    throw new CoppiceError('STORE_UNWRITABLE', {
      path: file,
      reason: 'its file system has no shared memory for a WAL',
    });
  }
  // fullfsync: on macOS a plain fsync does not reach the disk. Elsewhere it does nothing.
  db.exec(`PRAGMA synchronous = FULL; PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1;
    PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}; PRAGMA temp_store = MEMORY`);
}

function nextEpoch(db: DatabaseSync, owner: string): number {
  const next = db.prepare(
    `UPDATE meta SET value = value + 1, epoch = value + 1, owner = ? WHERE key = 'epoch' RETURNING value`,
  );
  return Number(next.get(owner)?.['value']);
}

function damaged(path: string, reason: string): CoppiceError {
  return new CoppiceError('STORE_DAMAGED', { path, reason });
}
