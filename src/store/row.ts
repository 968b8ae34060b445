/** Rows of the database as rows of the contract. The database gives null where we leave a field out. */
import { CoppiceError } from '../errors.ts';
import type {
  CheckpointRow,
  InboxRow,
  OutboxRow,
  RunRow,
  SessionRow,
  StoredInboxRow,
  StoredTranscriptRow,
  ToolJournalRow,
} from './contract.ts';

export type Raw = Readonly<Record<string, unknown>>;

export const inboxRow = (raw: Raw): StoredInboxRow => ({
  ...pick<InboxRow>(raw, {
    messageId: 'message_id',
    runId: 'run_id',
    sessionKey: 'session_key',
    agentId: 'agent_id',
    channel: 'channel',
    account: 'account',
    platformId: 'platform_id',
    source: 'source',
    text: 'text',
    receivedAt: 'received_at',
  }),
  options: json(raw, 'options') as InboxRow['options'],
  trace: json(raw, 'trace') as InboxRow['trace'],
  status: raw['status'] as StoredInboxRow['status'],
  position: raw['position'] as number,
});

export const runRow = (raw: Raw): RunRow => ({
  ...pick<RunRow>(raw, {
    runId: 'run_id',
    sessionKey: 'session_key',
    status: 'status',
    acceptedAt: 'accepted_at',
    endedAt: 'ended_at',
  }),
  ...jsonField(raw, 'result'),
  ...jsonField(raw, 'error'),
});

export const sessionRow = (raw: Raw): SessionRow =>
  pick<SessionRow>(raw, {
    sessionKey: 'session_key',
    sessionId: 'session_id',
    agentId: 'agent_id',
    createdAt: 'created_at',
    updatedAt: 'updated_at',
    messageCount: 'message_count',
  });

export const transcriptRow = (raw: Raw): StoredTranscriptRow => ({
  ...pick<StoredTranscriptRow>(raw, {
    sessionKey: 'session_key',
    sessionId: 'session_id',
    runId: 'run_id',
    ordinal: 'ordinal',
    role: 'role',
    at: 'at',
    seq: 'seq',
  }),
  content: json(raw, 'content') as StoredTranscriptRow['content'],
});

export const toolJournalRow = (raw: Raw): ToolJournalRow => ({
  ...pick<ToolJournalRow>(raw, {
    runId: 'run_id',
    toolCallId: 'tool_call_id',
    toolName: 'tool_name',
    intentAt: 'intent_at',
    outcomeAt: 'outcome_at',
  }),
  input: json(raw, 'input'),
  idempotent: raw['idempotent'] === 1,
  ...jsonField(raw, 'output'),
  ...(raw['is_error'] === null ? {} : { isError: raw['is_error'] === 1 }),
});

export const checkpointRow = (raw: Raw): CheckpointRow => ({
  ...pick<CheckpointRow>(raw, { machine: 'machine', key: 'key', version: 'version', at: 'at' }),
  facts: json(raw, 'facts') as CheckpointRow['facts'],
});

export const outboxRow = (raw: Raw): OutboxRow => ({
  ...pick<OutboxRow>(raw, {
    deliveryId: 'delivery_id',
    channel: 'channel',
    account: 'account',
    target: 'target',
    runId: 'run_id',
    status: 'status',
    attempts: 'attempts',
    nextAt: 'next_at',
    createdAt: 'created_at',
    expiresAt: 'expires_at',
    platformId: 'platform_id',
    error: 'error',
  }),
  payload: json(raw, 'payload'),
});

/** The columns that need no parsing. STRICT tables give the types; what is null is left out. */
function pick<Row>(raw: Raw, columns: { readonly [Field in keyof Row]?: string }): Row {
  const row: Record<string, unknown> = {};
  for (const [field, column] of Object.entries(columns as Record<string, string>)) {
    if (raw[column] !== null) row[field] = raw[column];
  }
  return row as Row;
}

function jsonField(raw: Raw, column: string): Record<string, unknown> {
  return raw[column] === null ? {} : { [column]: json(raw, column) };
}

/** One bad record fails whoever reads it, by name, and nobody else. */
function json(raw: Raw, column: string): unknown {
  const text = raw[column];
  if (text === null) return undefined;
  try {
    return JSON.parse(String(text)) as unknown;
  } catch (error) {
    const path = `the column "${column}" of ${nameOf(raw)}`;
    throw new CoppiceError('STORE_DAMAGED', { path, reason: 'it is not JSON' }, { cause: error });
  }
}

function nameOf(raw: Raw): string {
  const key = ['message_id', 'delivery_id', 'tool_call_id', 'run_id', 'key'].find((column) => column in raw);
  return key === undefined ? 'a row' : `${key} ${String(raw[key])}`;
}
