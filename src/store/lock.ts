import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { CoppiceError } from '../errors.ts';
import { prepareDirectory, protectFile } from './directory.ts';
import { errorOf, failureOf } from './failure.ts';

/**
 * One gateway for one state directory. `gateway.lock` is a tiny SQLite file: the owner's row is committed, then a
 * write transaction is held open. Others read the row while it is held, also while the owner is frozen, and the
 * operating system frees the lock with the process, however it ended. There is no stale lock and no pid to guess by.
 *
 * Danger: POSIX locks belong to the process. Whoever opens and closes `gateway.lock` in this process by other means
 * than SQLite (fs.readFile, say) drops the lock without a word.
 */
export const LOCK_FILE = 'gateway.lock';

/** Who owns the directory. No secrets in here. Times are epoch milliseconds. */
export interface LockOwner {
  readonly pid: number;
  readonly startedAt: number;
  readonly version: string;
  readonly hostname?: string;
  /** The address it is bound to. */
  readonly host?: string;
  readonly port?: number;
  /** The launcher that started it, if any. */
  readonly launcherPid?: number;
}

export interface LockState {
  /** Somebody holds it now. When not: the last one who did. */
  readonly held: boolean;
  readonly owner: LockOwner | undefined;
}

export interface InstanceLock {
  /** Idempotent. */
  release(): void;
}

/** Waited out rather than refused: somebody who looks (`readLockOwner`) holds the lock for microseconds. */
const GLANCE_MS = 250;
/**
 * For what is over in a moment unless its process is held up in the middle of it (stopped, starved, on a slow disk):
 * the commit of the owner's row, and the look of somebody who keeps us out though the last owner is dead.
 */
const PATIENCE_MS = 10_000;
/** How often the row may turn out to be a rival's before we give way. */
const ATTEMPTS = 5;
const BUSY = 5;

/** Takes the lock or throws LOCK_HELD with the owner's pid; STORE_UNWRITABLE, STORE_FULL, STORE_DAMAGED as the store. */
export function acquireLock({ dir, owner }: { dir: string; owner: LockOwner }): InstanceLock {
  prepareDirectory(dir);
  const file = join(dir, LOCK_FILE);
  const db = guarded(file, () => new DatabaseSync(file, { timeout: PATIENCE_MS }));
  try {
    guarded(file, () => protectFile(file));
    const untilMs = performance.now() + PATIENCE_MS;
    while (!guarded(file, () => claim(db, owner))) {
      const rival = guarded(file, () => readOwner(db));
      if (performance.now() > untilMs || (rival && mayLive(rival, owner))) throw held(dir, rival);
    }
  } catch (error) {
    db.close();
    throw error;
  }
  return {
    release: () => {
      if (db.isOpen) db.close();
    },
  };
}

/** Who owns the directory, and whether the lock is held at this moment. Undefined: nobody ever did. Waits for nobody. */
export function readLockOwner(dir: string): LockState | undefined {
  const file = join(dir, LOCK_FILE);
  if (!existsSync(file)) return undefined;
  // mode=rw: must not make the file, if its directory is being removed under us.
  const address = new URL(`${pathToFileURL(file).href}?mode=rw`);
  const db = guarded(file, () => new DatabaseSync(address, { timeout: PATIENCE_MS }));
  try {
    return guarded(file, () => look(db));
  } finally {
    db.close();
  }
}

function look(db: DatabaseSync): LockState {
  const held = !tryBegin(db, 0);
  if (!held) db.exec('ROLLBACK');
  return { held, owner: readOwner(db) };
}

/** Writes the row, then holds a transaction. Between the two a rival can step in: then the row is not ours. */
function claim(db: DatabaseSync, owner: LockOwner): boolean {
  const mark = JSON.stringify(owner);
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (!tryBegin(db, GLANCE_MS)) return false;
    db.exec(
      'CREATE TABLE IF NOT EXISTS owner (id INTEGER PRIMARY KEY CHECK (id = 1), row TEXT NOT NULL) STRICT',
    );
    db.prepare('INSERT INTO owner (id, row) VALUES (1, ?) ON CONFLICT DO UPDATE SET row = excluded.row').run(
      mark,
    );
    db.exec('COMMIT');
    if (!tryBegin(db, GLANCE_MS)) return false;
    if (readRow(db) === mark) return true;
    db.exec('ROLLBACK');
  }
  return false;
}

/** RESERVED: nobody else can write, everybody can read. False when another holds it for longer than `waitMs`. */
function tryBegin(db: DatabaseSync, waitMs: number): boolean {
  db.exec(`PRAGMA busy_timeout = ${waitMs}`);
  try {
    db.exec('BEGIN IMMEDIATE');
    return true;
  } catch (error) {
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === BUSY) return false;
    throw error;
  } finally {
    db.exec(`PRAGMA busy_timeout = ${PATIENCE_MS}`);
  }
}

/** Only whether waiting is worth while: who owns the directory, the lock alone says. */
function mayLive({ pid, hostname }: LockOwner, self: LockOwner): boolean {
  if (hostname !== self.hostname) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function readRow(db: DatabaseSync): string | undefined {
  const table = db.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'owner'`).get();
  const row = table && db.prepare('SELECT row FROM owner').get()?.['row'];
  return typeof row === 'string' ? row : undefined;
}

function readOwner(db: DatabaseSync): LockOwner | undefined {
  const row = readRow(db);
  return row === undefined ? undefined : (JSON.parse(row) as LockOwner);
}

function held(dir: string, owner: LockOwner | undefined): CoppiceError {
  const since = owner ? new Date(owner.startedAt).toISOString() : 'unknown';
  return new CoppiceError('LOCK_HELD', { ...owner, path: dir, pid: owner?.pid ?? 'unknown', since });
}

function guarded<T>(file: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof CoppiceError ? error : errorOf(failureOf(error, file), error);
  }
}
