import type { StatementSync } from 'node:sqlite';
import { CoppiceError } from '../errors.ts';
import type { Connection } from './connection.ts';
import type { Statement } from './contract.ts';
import { failureOf } from './failure.ts';
import type { Failure } from './failure.ts';
import { isWriteName, WRITES } from './writes.ts';

export interface Transaction {
  readonly id: number;
  readonly statements: readonly Statement[];
}

/** `changes`: one per statement, and all of them are on disk. */
export type Outcome =
  | { readonly id: number; readonly changes: readonly number[] }
  | { readonly id: number; readonly failure: Failure };

export interface GroupResult {
  readonly outcomes: readonly Outcome[];
  /** Commits that reached the disk. */
  readonly commits: number;
  /** The writer must not write any more. */
  readonly broken?: Failure;
}

/** The whole commit was lost, not one transaction in it. */
class GroupLost extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(String(failure.details['reason'] ?? failure.code));
    this.failure = failure;
  }
}

export interface GroupCommitter {
  /**
   * Writes all transactions with one fsync, each under a savepoint: one that fails alone leaves no trace and the
   * others commit. Never throws.
   */
  run(transactions: readonly Transaction[]): GroupResult;
}

export function createGroupCommitter(connection: Connection): GroupCommitter {
  const { db, file, epoch } = connection;
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const savepoint = db.prepare('SAVEPOINT one');
  const release = db.prepare('RELEASE one');
  const undo = db.prepare('ROLLBACK TO one');
  const readEpoch = db.prepare(`SELECT value FROM meta WHERE key = 'epoch'`);
  const statement = prepareLazily(connection);

  /** A life that was frozen while another one took over must not write a word. */
  const fence = (): void => {
    const found = Number(readEpoch.get()?.['value']);
    if (found !== epoch) throw new CoppiceError('STORE_FENCED', { path: file, found, epoch });
  };

  const attempt = ({ id, statements }: Transaction): Outcome => {
    savepoint.run();
    try {
      const changes = statements.map(({ name, values }) => Number(statement(name).run(...values).changes));
      release.run();
      return { id, changes };
    } catch (error) {
      const failure = failureOf(error, file);
      // SQLite may have rolled everything back by itself: then the savepoint is gone, and the group with it.
      if (failure.reach !== 'transaction' || !db.isTransaction) throw new GroupLost(failure);
      undo.run();
      release.run();
      return { id, failure };
    }
  };

  const lost = (transactions: readonly Transaction[], error: unknown, committing: boolean): GroupResult => {
    if (db.isTransaction) db.exec('ROLLBACK');
    const failure = error instanceof GroupLost ? error.failure : failureOf(error, file);
    // One large transaction may find no room where the others do: each for itself.
    if (failure.code === 'STORE_FULL' && transactions.length > 1) return oneByOne(transactions, group);
    const shown = committing && failure.reach === 'writer' ? unknown(failure) : failure;
    const outcomes = transactions.map(({ id }) => ({ id, failure: shown }));
    return { outcomes, commits: 0, ...(failure.reach === 'writer' ? { broken: failure } : {}) };
  };

  const group = (transactions: readonly Transaction[]): GroupResult => {
    let committing = false;
    try {
      begin.run();
      fence();
      const outcomes = transactions.map(attempt);
      committing = true;
      commit.run();
      return { outcomes, commits: 1 };
    } catch (error) {
      return lost(transactions, error, committing);
    }
  };

  return { run: group };
}

/** The commit record may have reached the disk although the fsync after it failed. */
function unknown({ details, reach }: Failure): Failure {
  return { code: 'STORE_UNKNOWN', details, reach };
}

function oneByOne(
  transactions: readonly Transaction[],
  group: (one: readonly Transaction[]) => GroupResult,
): GroupResult {
  const outcomes: Outcome[] = [];
  let commits = 0;
  let broken: Failure | undefined;
  for (const transaction of transactions) {
    if (broken) {
      outcomes.push({ id: transaction.id, failure: broken });
      continue;
    }
    const result = group([transaction]);
    outcomes.push(...result.outcomes);
    commits += result.commits;
    broken = result.broken;
  }
  return { outcomes, commits, ...(broken ? { broken } : {}) };
}

function prepareLazily({ db, owner, epoch }: Connection): (name: string) => StatementSync {
  const prepared = new Map<string, StatementSync>();
  return (name) => {
    const known = prepared.get(name);
    if (known) return known;
    if (!isWriteName(name)) throw new Error(`there is no statement "${name}"`);
    // Both stand fixed for the life of this connection, so they are part of the text and cost nothing to bind.
    const sql = WRITES[name].replaceAll(':owner', quote(owner)).replaceAll(':epoch', String(epoch));
    const fresh = db.prepare(sql);
    prepared.set(name, fresh);
    return fresh;
  };
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
