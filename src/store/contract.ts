/**
 * What the rest of the house knows of the durable store: rows, reads, and transactions. Nothing outside this room
 * names a database. Writes go through one writer in a worker thread, grouped into commits; `commit` resolves only
 * after the commit is on disk (WAL, synchronous FULL). Reads are synchronous, on a read-only connection, and see
 * everything that was committed.
 *
 * Times are epoch milliseconds (fractions are cut). Every row carries `owner` (who wrote it last) and `epoch` (in which
 * life of the store).
 */
import type { Trace } from '../bus/trace.ts';

export interface InboxRow {
  /** Dedupe key: channel/account/platformId. */
  readonly messageId: string;
  readonly runId: string;
  readonly sessionKey: string;
  readonly agentId: string;
  readonly channel: string;
  readonly account: string;
  readonly platformId: string;
  readonly source: 'user' | 'heartbeat' | 'system';
  readonly text: string;
  /** Options of this one turn: model, timeoutMs, replyTo, ... JSON. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly trace: Trace;
  readonly receivedAt: number;
}
export type InboxStatus = 'pending' | 'done' | 'dead';
export interface StoredInboxRow extends InboxRow {
  readonly status: InboxStatus;
  /** Rises by one with every accepted message. */
  readonly position: number;
}

export type RunStatus = 'accepted' | 'ok' | 'error' | 'aborted';
export interface RunRow {
  readonly runId: string;
  readonly sessionKey: string;
  readonly status: RunStatus;
  readonly acceptedAt: number;
  readonly endedAt?: number;
  /** The final assistant text, usage, stop reason: JSON. */
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A file that came with a message, by its content. The bytes are in `attachments/`. */
export interface FileContent {
  readonly type: 'file';
  /** 64 lower-case hex digits. */
  readonly sha256: string;
  readonly mediaType: string;
  /** How many. */
  readonly bytes: number;
  /** As the sender calls it, without its folder. For reading; never a path. */
  readonly fileName?: string;
}

export type Content =
  | { readonly type: 'text'; readonly text: string }
  | FileContent
  | {
      readonly type: 'tool-call';
      readonly toolCallId: string;
      readonly toolName: string;
      readonly input: unknown;
    }
  | {
      readonly type: 'tool-result';
      readonly toolCallId: string;
      readonly toolName: string;
      readonly output: unknown;
      readonly isError?: boolean;
    };

export interface TranscriptRow {
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly runId: string;
  /** Position within the run; (runId, ordinal) is unique, so settling twice writes once. */
  readonly ordinal: number;
  readonly role: 'user' | 'assistant' | 'tool' | 'system';
  readonly content: readonly Content[];
  readonly at: number;
}
export interface StoredTranscriptRow extends TranscriptRow {
  readonly seq: number;
}

export interface SessionRow {
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly messageCount: number;
}

/** Intent before, outcome after: a call with an intent and no outcome is repeated only if the tool is idempotent. */
export interface ToolJournalRow {
  readonly runId: string;
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: unknown;
  readonly idempotent: boolean;
  readonly intentAt: number;
  readonly outcomeAt?: number;
  readonly output?: unknown;
  readonly isError?: boolean;
}

export type OutboxStatus = 'prepared' | 'sending' | 'sent' | 'unknown' | 'failed_permanent' | 'expired';
export interface OutboxRow {
  readonly deliveryId: string;
  readonly channel: string;
  readonly account: string;
  readonly target: string;
  readonly runId: string;
  readonly payload: unknown;
  readonly status: OutboxStatus;
  readonly attempts: number;
  readonly nextAt: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly platformId?: string;
  readonly error?: string;
}

export interface CheckpointRow {
  readonly machine: string;
  readonly key: string;
  readonly version: number;
  readonly at: number;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** One prepared statement by name, and its values. Built by `statements`, run in order inside one transaction. */
export interface Statement {
  readonly name: string;
  readonly values: readonly (string | number | null)[];
}
export interface StatementResult {
  readonly changes: number;
}

/**
 * Pure builders. Each returns what to pass to `commit`; callers concatenate them into one transaction. They throw
 * CoppiceError STORE_VALUE for what JSON cannot hold (a cycle, a bigint, a value nested too deep).
 */
export interface Statements {
  /** Inserts the inbox row and its run (status accepted); both ignored when the message or the run is known: `changes` 0. */
  acceptMessage(row: InboxRow): Statement[];
  settleMessage(messageId: string, status: 'done' | 'dead', at: number): Statement[];
  settleRun(
    runId: string,
    outcome: {
      status: 'ok' | 'error' | 'aborted';
      at: number;
      result?: object;
      error?: { code: string; message: string };
    },
  ): Statement[];
  appendTranscript(rows: readonly TranscriptRow[]): Statement[];
  /** Creates the session, or touches `updatedAt`. The `sessionId` of an existing session stands. */
  touchSession(row: { sessionKey: string; sessionId: string; agentId: string; at: number }): Statement[];
  /** A new `sessionId`; the old transcript stays under the old one. */
  resetSession(sessionKey: string, sessionId: string, at: number): Statement[];
  /**
   * Session row, transcript, checkpoints (of machine 'session' under this key); pending inbox rows become dead. Runs
   * stay, for idempotent repeats; those of the pending rows end as aborted, so that nobody waits for them.
   */
  deleteSession(sessionKey: string, at: number): Statement[];
  toolIntent(row: Omit<ToolJournalRow, 'outcomeAt' | 'output' | 'isError'>): Statement[];
  toolOutcome(
    runId: string,
    toolCallId: string,
    outcome: { at: number; output: unknown; isError: boolean },
  ): Statement[];
  putCheckpoint(row: CheckpointRow): Statement[];
  dropCheckpoint(machine: string, key: string): Statement[];
  addDelivery(row: OutboxRow): Statement[];
  updateDelivery(
    deliveryId: string,
    change: { status: OutboxStatus; attempts: number; nextAt: number; platformId?: string; error?: string },
  ): Statement[];
}

export interface DeliveryExcept {
  readonly channels: readonly string[];
  readonly targets: readonly {
    readonly channel: string;
    readonly account: string;
    readonly target: string;
  }[];
}

export interface Reader {
  /** In order of acceptance. Default limit 1,000. */
  pendingMessages(sessionKey: string, limit?: number): StoredInboxRow[];
  /** How many these are; counts no further than `limit`. */
  countPending(sessionKey: string, limit: number): number;
  /** Every session with pending messages, and how many; a partial index keeps it flat. */
  pendingSessions(): { readonly sessionKey: string; readonly agentId: string; readonly count: number }[];
  message(messageId: string): StoredInboxRow | undefined;
  run(runId: string): RunRow | undefined;
  session(sessionKey: string): SessionRow | undefined;
  /** Latest activity first. */
  sessions(query?: { limit?: number; agentId?: string; activeSince?: number; search?: string }): SessionRow[];
  countSessions(): number;
  /** Oldest first; the last `limit` rows of that session id. */
  history(sessionKey: string, sessionId: string, limit: number): StoredTranscriptRow[];
  /** What came after row `seq`, oldest first. */
  historySince(sessionKey: string, sessionId: string, seq: number): StoredTranscriptRow[];
  /** Digests of the files in transcripts and in pending messages; with a key, of that session alone. */
  referencedFiles(sessionKey?: string): ReadonlySet<string>;
  toolJournal(runId: string): ToolJournalRow[];
  checkpoint(machine: string, key: string): CheckpointRow | undefined;
  /** Prepared, or sending past their `nextAt` (of a life that ended in between: nobody knows), earliest first. */
  /**
   * Earliest first. `except` leaves out whole channels, and targets, that have no place now: otherwise the backlog
   * of one of them fills every look.
   */
  dueDeliveries(now: number, limit: number, except?: DeliveryExcept): OutboxRow[];
  /** The earliest `nextAt` of anything still to be delivered: prepared or sending. */
  nextDeliveryAt(): number | undefined;
  countDeliveries(): Readonly<Record<OutboxStatus, number>>;
}

/** A file as a client sends it. */
export interface Attachment {
  readonly type?: 'image' | 'file' | undefined;
  readonly mimeType?: string | undefined;
  readonly fileName?: string | undefined;
  /** Base64, or a data URL of it. */
  readonly content: string;
}

export interface Attachments {
  /**
   * Checks the files, and has them on disk when it resolves. Until `release` nothing removes them, referenced or not:
   * call it when the message that refers to them is committed, or will not be. Rejects ATTACHMENT_REFUSED, STORE_FULL
   * or STORE_FAILED.
   */
  take(attachments: readonly Attachment[]): Promise<{ readonly files: FileContent[]; release(): void }>;
  /** Rejects ATTACHMENT_LOST. */
  read(file: Pick<FileContent, 'sha256'>): Promise<Uint8Array>;
  /** Removes those of `among` that nobody refers to or holds. Returns how many. */
  collect(among: Iterable<string>, referenced: () => ReadonlySet<string>): number;
  /** The same among all there are, a slice at a time; also what a crash left half written. Never rejects. */
  sweep(referenced: () => ReadonlySet<string>): Promise<number>;
}

export interface Store {
  readonly statements: Statements;
  readonly read: Reader;
  /**
   * All or nothing, durable when it resolves, one result per statement. Rejects with CoppiceError STORE_FAILED
   * (nothing of it was written), STORE_FULL (disk full: nothing was written) or STORE_UNKNOWN (the writer died:
   * it may or may not have been written; every builder above is safe to repeat), STORE_BUSY (queue bound, or another
   * process writes). Not worth a repeat: STORE_VALUE (no string, finite number or null), STORE_DAMAGED, STORE_FENCED
   * (a later life has the store), STORE_CLOSED. In all but STORE_UNKNOWN nothing was written.
   */
  commit(statements: readonly Statement[]): Promise<StatementResult[]>;
  /** Waits for what was queued, then closes writer and reader. Idempotent. */
  close(): Promise<void>;
}
