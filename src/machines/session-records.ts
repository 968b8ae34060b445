/** What a session keeps when its host has a table of plain records, and how each commit changes it. Pure. */
import type { Changed, Change, Loaded, Settlement } from './session-contract.ts';
import { LIMITS } from './limits.ts';
import type { TurnMessage } from './turn.ts';

/** One said thing. `at`: epoch milliseconds. */
export interface SessionLine {
  readonly role: 'user' | 'assistant';
  readonly text: string;
  readonly runId: string;
  readonly at: number;
}

/** All that is kept of one session: plain JSON, written whole. */
export interface SessionRecord {
  readonly sessionId: string;
  /** Accepted and without an outcome, in order. */
  readonly pending: readonly TurnMessage[];
  /** The newest lines; older ones make room. */
  readonly transcript: readonly SessionLine[];
}

/** What follows from a commit: the record to write (undefined: none is left), and what the session is told. */
export interface Commit<T> {
  readonly record: SessionRecord | undefined;
  readonly told: T;
}

export const newRecord = (sessionKey: string, at: number): SessionRecord => ({
  sessionId: `${sessionKey}@${Math.round(at)}`,
  pending: [],
  transcript: [],
});

export function loadedFrom(record: SessionRecord, maxQueue: number, atMs: number): Loaded {
  const { sessionId, pending } = record;
  return { sessionId, pending: pending.slice(0, maxQueue), more: pending.length > maxQueue, atMs };
}

/** Undefined in `told`: it has its outcome already. */
export function accepted(record: SessionRecord, message: TurnMessage) {
  const waiting = record.pending.find(({ messageId }) => messageId === message.messageId);
  if (waiting) return { record, told: waiting };
  if (record.transcript.some(({ role, runId }) => role === 'user' && runId === message.runId))
    return { record, told: undefined };
  return { record: { ...record, pending: [...record.pending, message] }, told: message };
}

/** Safe to repeat: what is no longer pending was settled before, and is not written again. */
export function settled(record: SessionRecord, settlement: Settlement, at: number) {
  if (settlement.kind === 'question') return asked(record, settlement, at);
  const { sessionId, messages } = settlement;
  const messageIds = messages.map(({ messageId }) => messageId);
  const pending = record.pending.filter(({ messageId }) => !messageIds.includes(messageId));
  const isNew = pending.length < record.pending.length;
  const lines = isNew && settlement.kind === 'turn' && !settlement.silent ? said(record, settlement, at) : [];
  const transcript = newest([...record.transcript, ...lines]);
  return { record: { sessionId, pending, transcript }, told: { atMs: at, messageIds } };
}

function said(record: SessionRecord, settlement: Settlement & { kind: 'turn' }, at: number): SessionLine[] {
  const { messages, outcome } = settlement;
  return [...heard(record, messages), ...spoken(messages, outcome.text, at)];
}

/** The users' words, except those that a question wrote down before. */
const heard = ({ transcript }: SessionRecord, messages: readonly TurnMessage[]): SessionLine[] =>
  messages
    .filter(({ runId }) => !transcript.some((line) => line.role === 'user' && line.runId === runId))
    .map(({ text, runId, receivedAt }) => ({ role: 'user', text, runId, at: receivedAt }));

const spoken = ([first]: readonly TurnMessage[], text: string, at: number): SessionLine[] =>
  first === undefined || text === '' ? [] : [{ role: 'assistant', text, runId: first.runId, at }];

/** Its messages stay pending. One that an earlier life asked already keeps its time, so that an answer given meanwhile counts. */
function asked(record: SessionRecord, settlement: Settlement & { kind: 'question' }, at: number) {
  const { sessionId, messages, question } = settlement;
  const messageIds = messages.map(({ messageId }) => messageId);
  const before = record.transcript.find(
    ({ role, runId, text }) => role === 'assistant' && runId === messages[0]?.runId && text === question,
  );
  if (before) return { record, told: { atMs: at, messageIds, askedAt: before.at } };
  const lines = [...heard(record, messages), ...spoken(messages, question, at)];
  const transcript = newest([...record.transcript, ...lines]);
  return { record: { ...record, sessionId, transcript }, told: { atMs: at, messageIds, askedAt: at } };
}

const newest = (lines: readonly SessionLine[]): readonly SessionLine[] => lines.slice(-LIMITS.linesPerRecord);

/** A reset begins a new transcript and keeps what waits; a delete leaves nothing. */
export function changed(record: SessionRecord | undefined, change: Change, atMs: number): Commit<Changed> {
  const existed = record !== undefined;
  const pending = record?.pending ?? [];
  if (change.kind === 'delete') return { record: undefined, told: { atMs, existed, dropped: pending } };
  const { sessionId } = change;
  return { record: { sessionId, pending, transcript: [] }, told: { atMs, existed, dropped: [] } };
}
