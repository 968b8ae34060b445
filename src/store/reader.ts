import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { CoppiceError } from '../errors.ts';
import type { DeliveryExcept, OutboxStatus, Reader } from './contract.ts';
import { errorOf, failureOf } from './failure.ts';
import {
  checkpointRow,
  inboxRow,
  outboxRow,
  runRow,
  sessionRow,
  toolJournalRow,
  transcriptRow,
} from './row.ts';
import type { Raw } from './row.ts';
import { HAS_FILE } from './schema.ts';

export interface OpenReader extends Reader {
  /** Idempotent. Reads after it throw STORE_CLOSED. */
  close(): void;
}

/** The SQL of every read. Those that recovery and the outbox depend on go through partial indexes. */
export const READS = {
  pendingMessages: `SELECT * FROM inbox WHERE session_key = ? AND status = 'pending' ORDER BY position LIMIT ?`,
  // With min() alone the other columns are those of the row that has the minimum.
  countPending: `
    SELECT count(*) AS count FROM (SELECT 1 FROM inbox WHERE session_key = ? AND status = 'pending' LIMIT ?)`,
  pendingSessions: `
    SELECT session_key, agent_id, count(*) AS count, min(position) AS first FROM inbox WHERE status = 'pending'
    GROUP BY session_key ORDER BY first`,
  message: 'SELECT * FROM inbox WHERE message_id = ?',
  run: 'SELECT * FROM runs WHERE run_id = ?',
  session: 'SELECT * FROM sessions WHERE session_key = ?',
  sessions: `
    SELECT * FROM sessions
    WHERE updated_at >= ?1 AND (?2 IS NULL OR agent_id = ?2)
      AND (?3 IS NULL OR instr(lower(session_key), lower(?3)) > 0)
    ORDER BY updated_at DESC, session_key LIMIT ?4`,
  countSessions: 'SELECT count(*) AS count FROM sessions',
  history: `
    SELECT * FROM transcript WHERE session_key = ? AND session_id = ? ORDER BY seq DESC LIMIT ?`,
  filesTold: `
    SELECT content AS text FROM transcript INDEXED BY transcript_files
    WHERE ${HAS_FILE} AND (?1 IS NULL OR session_key = ?1)`,
  filesPending: `
    SELECT options AS text FROM inbox INDEXED BY inbox_pending
    WHERE status = 'pending' AND (?1 IS NULL OR session_key = ?1) AND instr(options, '"type":"file"') > 0`,
  historySince: `
    SELECT * FROM transcript WHERE session_key = ? AND session_id = ? AND seq > ? ORDER BY seq`,
  toolJournal: 'SELECT * FROM tool_journal WHERE run_id = ? ORDER BY rowid',
  checkpoint: 'SELECT * FROM checkpoints WHERE machine = ? AND key = ?',
  // By name: without statistics the planner prefers the index on status, which holds all that was ever sent.
  dueDeliveries: `
    SELECT * FROM outbox INDEXED BY outbox_open WHERE status IN ('prepared', 'sending') AND next_at <= ?
      AND channel NOT IN (SELECT value FROM json_each(?))
      AND channel || char(31) || account || char(31) || target NOT IN (SELECT value FROM json_each(?))
    ORDER BY next_at, rowid LIMIT ?`,
  nextDeliveryAt: `SELECT min(next_at) AS at FROM outbox INDEXED BY outbox_open WHERE status IN ('prepared', 'sending')`,
  countDeliveries: 'SELECT status, count(*) AS count FROM outbox GROUP BY status',
} as const satisfies Readonly<Record<string, string>>;

type ReadName = keyof typeof READS;

const DEFAULT_LIMIT = 1_000;

const NOTHING: DeliveryExcept = { channels: [], targets: [] };
/** As `dueDeliveries` puts it together. */
const targetKey = ({ channel, account, target }: DeliveryExcept['targets'][number]): string =>
  [channel, account, target].join('\u001f');

/** Reads block the loop; only a recovery, or the checkpoint of a closing store, makes them wait. */
const BUSY_TIMEOUT_MS = 1_000;

/**
 * A read-only connection on the calling thread, made at the first read: so it may be handed out before a writer has
 * made the file, and it outlives any writer. Sees every commit as soon as it was answered. Reads throw STORE_CLOSED,
 * STORE_DAMAGED, STORE_FAILED, or STORE_UNWRITABLE when there is no file.
 */
export function openReader(file: string, busyTimeoutMs: number = BUSY_TIMEOUT_MS): OpenReader {
  const { all, first, close } = open(file, busyTimeoutMs);
  return {
    pendingMessages: (sessionKey, limit = DEFAULT_LIMIT) =>
      all('pendingMessages', sessionKey, limit).map(inboxRow),
    countPending: (sessionKey, limit) => Number(first('countPending', sessionKey, limit)?.['count']),
    pendingSessions: () =>
      all('pendingSessions').map((raw) => ({
        sessionKey: String(raw['session_key']),
        agentId: String(raw['agent_id']),
        count: Number(raw['count']),
      })),
    message: (messageId) => mapped(first('message', messageId), inboxRow),
    run: (runId) => mapped(first('run', runId), runRow),
    session: (sessionKey) => mapped(first('session', sessionKey), sessionRow),
    sessions: ({ limit = DEFAULT_LIMIT, agentId, activeSince, search } = {}) =>
      all('sessions', activeSince ?? 0, agentId ?? null, search ?? null, limit).map(sessionRow),
    countSessions: () => Number(first('countSessions')?.['count']),
    history: (sessionKey, sessionId, limit) =>
      all('history', sessionKey, sessionId, limit).map(transcriptRow).reverse(),
    referencedFiles: (sessionKey) =>
      digestsIn([...all('filesTold', sessionKey ?? null), ...all('filesPending', sessionKey ?? null)]),
    historySince: (sessionKey, sessionId, seq) =>
      all('historySince', sessionKey, sessionId, seq).map(transcriptRow),
    toolJournal: (runId) => all('toolJournal', runId).map(toolJournalRow),
    checkpoint: (machine, key) => mapped(first('checkpoint', machine, key), checkpointRow),
    dueDeliveries: (now, limit, { channels, targets } = NOTHING) =>
      all('dueDeliveries', now, JSON.stringify(channels), JSON.stringify(targets.map(targetKey)), limit).map(
        outboxRow,
      ),
    nextDeliveryAt: () => {
      const at = first('nextDeliveryAt')?.['at'];
      return typeof at === 'number' ? at : undefined;
    },
    countDeliveries: () => counted(all('countDeliveries')),
    close,
  };
}

const mapped = <Row>(raw: Raw | undefined, map: (raw: Raw) => Row): Row | undefined =>
  raw ? map(raw) : undefined;

const DIGEST = /"sha256":"([0-9a-f]{64})"/g;

function digestsIn(rows: readonly Raw[]): Set<string> {
  return new Set(
    rows.flatMap(({ text }) => Array.from(String(text).matchAll(DIGEST), ([, digest = '']) => digest)),
  );
}

function counted(rows: readonly Raw[]): Record<OutboxStatus, number> {
  const counts = { prepared: 0, sending: 0, sent: 0, unknown: 0, failed_permanent: 0, expired: 0 };
  for (const raw of rows) counts[raw['status'] as OutboxStatus] = Number(raw['count']);
  return counts;
}

function open(file: string, busyTimeoutMs: number) {
  let db: DatabaseSync | undefined;
  let closed = false;
  const prepared = new Map<ReadName, StatementSync>();
  const statement = (name: ReadName): StatementSync => {
    if (closed) throw new CoppiceError('STORE_CLOSED');
    const known = prepared.get(name);
    if (known) return known;
    db ??= new DatabaseSync(file, { readOnly: true, timeout: busyTimeoutMs });
    const fresh = db.prepare(READS[name]);
    prepared.set(name, fresh);
    return fresh;
  };
  const guarded = <T>(read: () => T): T => {
    try {
      return read();
    } catch (error) {
      throw error instanceof CoppiceError ? error : errorOf(failureOf(error, file), error);
    }
  };
  return {
    all: (name: ReadName, ...values: SQLInputValue[]): Raw[] => guarded(() => statement(name).all(...values)),
    first: (name: ReadName, ...values: SQLInputValue[]): Raw | undefined =>
      guarded(() => statement(name).get(...values)),
    close: (): void => {
      closed = true;
      prepared.clear();
      if (db?.isOpen) db.close();
    },
  };
}
