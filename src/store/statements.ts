import { CoppiceError } from '../errors.ts';
import type { InboxRow, OutboxRow, Statement, Statements, TranscriptRow } from './contract.ts';
import type { WriteName } from './writes.ts';

/** The builders of the contract: plain data in, plain data out. They throw STORE_VALUE for what no row can hold. */
export const statements: Statements = {
  acceptMessage: (row) => [
    write('inbox.accept', inboxValues(row)),
    write('run.accept', [row.runId, row.sessionKey, ms(row.receivedAt), row.messageId]),
  ],
  settleMessage: (messageId, status, at) => [write('inbox.settle', [messageId, status, ms(at)])],
  settleRun: (runId, { status, at, result, error }) => [
    write('run.settle', [runId, status, ms(at), json('result', result), json('error', error)]),
  ],
  appendTranscript: (rows) => rows.map((row) => write('transcript.append', transcriptValues(row))),
  touchSession: ({ sessionKey, sessionId, agentId, at }) => [
    write('session.touch', [sessionKey, sessionId, agentId, ms(at)]),
  ],
  resetSession: (sessionKey, sessionId, at) => [write('session.reset', [sessionKey, sessionId, ms(at)])],
  deleteSession: (sessionKey, at) => [
    write('run.bury', [sessionKey, ms(at)]),
    write('inbox.bury', [sessionKey, ms(at)]),
    write('transcript.delete', [sessionKey]),
    write('session.forget', [sessionKey]),
    write('session.delete', [sessionKey]),
  ],
  toolIntent: (row) => [
    write('tool.intent', [
      row.runId,
      row.toolCallId,
      row.toolName,
      json('input', row.input),
      row.idempotent ? 1 : 0,
      ms(row.intentAt),
    ]),
  ],
  toolOutcome: (runId, toolCallId, { at, output, isError }) => [
    write('tool.outcome', [runId, toolCallId, ms(at), json('output', output), isError ? 1 : 0]),
  ],
  putCheckpoint: ({ machine, key, version, at, facts }) => [
    write('checkpoint.put', [machine, key, version, ms(at), json('facts', facts)]),
  ],
  dropCheckpoint: (machine, key) => [write('checkpoint.drop', [machine, key])],
  addDelivery: (row) => [write('outbox.add', outboxValues(row))],
  updateDelivery: (deliveryId, { status, attempts, nextAt, platformId, error }) => [
    write('outbox.update', [deliveryId, status, attempts, ms(nextAt), platformId ?? null, error ?? null]),
  ],
};

const write = (name: WriteName, values: Statement['values']): Statement => ({ name, values });

const inboxValues = (row: InboxRow): Statement['values'] => [
  row.messageId,
  row.runId,
  row.sessionKey,
  row.agentId,
  row.channel,
  row.account,
  row.platformId,
  row.source,
  row.text,
  json('options', row.options),
  json('trace', row.trace),
  ms(row.receivedAt),
];

const transcriptValues = (row: TranscriptRow): Statement['values'] => [
  row.sessionKey,
  row.sessionId,
  row.runId,
  row.ordinal,
  row.role,
  json('content', row.content),
  ms(row.at),
];

const outboxValues = (row: OutboxRow): Statement['values'] => [
  row.deliveryId,
  row.channel,
  row.account,
  row.target,
  row.runId,
  json('payload', row.payload) ?? 'null',
  row.status,
  row.attempts,
  ms(row.nextAt),
  ms(row.createdAt),
  ms(row.expiresAt),
  row.platformId ?? null,
  row.error ?? null,
];

/** Whole milliseconds: the columns are INTEGER and clocks give fractions. */
const ms = (at: number): number => Math.trunc(at);

/** JSON text, or null for undefined. A cycle, a bigint or a value nested too deep is refused by name. */
function json(field: string, value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? null;
  } catch (error) {
    throw new CoppiceError('STORE_VALUE', { field, reason: reasonOf(error) }, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return 'it is nested too deep';
  return error instanceof Error ? error.message : String(error);
}
