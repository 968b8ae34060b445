import type { DatabaseSync } from 'node:sqlite';
import { CoppiceError } from '../errors.ts';
import { FILES_SCHEMA, FIRST_SCHEMA } from './schema.ts';

/** Takes the file from `version - 1` to `version`. Runs inside the transaction that also writes the version. */
export interface Migration {
  readonly version: number;
  readonly sql: string;
}

/** In order, without gaps. Rows are only ever added at the end: what was released is never edited. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, sql: FIRST_SCHEMA },
  { version: 2, sql: FILES_SCHEMA },
];

/** The newest schema this program knows. */
export const SCHEMA_VERSION: number = newest(MIGRATIONS);

export function schemaOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
}

/** Throws STORE_NEWER when a later program wrote the file. */
export function refuseNewer(
  found: number,
  path: string,
  migrations: readonly Migration[] = MIGRATIONS,
): void {
  const known = newest(migrations);
  if (found > known) throw new CoppiceError('STORE_NEWER', { path, found, known });
}

/**
 * Brings the file forward to the newest schema, all steps in one transaction: it has the new schema or the old one,
 * never one in between. Returns the schema it has now.
 */
export function migrate(
  db: DatabaseSync,
  path: string,
  migrations: readonly Migration[] = MIGRATIONS,
): number {
  db.exec('BEGIN IMMEDIATE');
  try {
    const found = schemaOf(db);
    refuseNewer(found, path, migrations);
    for (const step of migrations.filter(({ version }) => version > found)) apply(db, step);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
  return schemaOf(db);
}

function apply(db: DatabaseSync, { version, sql }: Migration): void {
  db.exec(sql);
  // A pragma takes no bound values.
  db.exec(`PRAGMA user_version = ${version}`);
}

function newest(migrations: readonly Migration[]): number {
  return migrations.at(-1)?.version ?? 0;
}
