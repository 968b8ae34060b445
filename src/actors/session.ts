import type { AnyActorLogic } from 'xstate';
import { promiseEffect } from '../host/index.ts';
import { LIMITS } from '../machines/limits.ts';
import { turnMessage } from '../machines/offered.ts';
import { withEffects } from '../machines/session.ts';
import type {
  Change,
  Changed,
  Loaded,
  LoadInput,
  SessionAnswer,
  SessionEffects,
  Settled,
  Settlement,
  SessionSignal,
  TurnOutcome,
} from '../machines/session.ts';
import type { RunMessage, TurnMessage } from '../machines/turn.ts';
import type { Statement, Statements, StoredTranscriptRow, TranscriptRow } from '../store/contract.ts';
import type { Deps } from './deps.ts';
import { askedOf, contentOf, wordsOf } from './run-asked.ts';
import type { SignalSeq } from './signal-seq.ts';
import { createTicket } from './ticket.ts';

type SessionDeps = Pick<Deps, 'clock' | 'ids' | 'registry' | 'store' | 'attachments' | 'signal'>;

export interface SessionOptions {
  /** What a session invokes with `RunInput` and hears `RunOutput` from: a node of the tree already. */
  readonly run: AnyActorLogic;
  /** Shared with the runs. */
  readonly seq: SignalSeq;
  /** To whoever asked for an abort, a reset, a delete. */
  answer(answer: SessionAnswer): void;
  /** More for the transaction that settles a turn: the deliveries of its reply, for channels that have an outbox. */
  readonly alsoCommit?: (turn: SettledTurn) => readonly Statement[];
  /** Told after that transaction is on disk. */
  readonly committed?: (turn: SettledTurn) => void;
}
export type SettledTurn = Extract<Settlement, { kind: 'turn' }> & { readonly at: number };

/** Questions take the ordinals in front of these, so that neither displaces the other. */
const FIRST_REPLY = 1_000;
const HISTORY_ROWS = 1_000;

/** The session with its effects. Built once; sessions differ by their input. */
export function sessionLogic(deps: SessionDeps, options: SessionOptions): AnyActorLogic {
  return withEffects({
    load: promiseEffect<Loaded, LoadInput>(async ({ input }) => load(deps, input)),
    settle: promiseEffect<Settled, Settlement>(({ input }) => settle(deps, options, input)),
    change: promiseEffect<Changed, Change>(({ input }) => change(deps, input)),
    ticket: createTicket(deps),
    // A machine of whatever events: the session only knows that it takes `run.abort`.
    run: options.run as SessionEffects['run'],
    answer: options.answer,
    signal: (signal) => speak(deps, options.seq, signal),
  });
}

function speak({ signal, clock }: SessionDeps, seq: SignalSeq, said: SessionSignal): void {
  signal({ ...said, seq: seq.next(said.runId), ts: clock.now() });
  if (said.kind === 'ended') seq.forget(said.runId);
}

const nowOf = ({ clock }: SessionDeps): number => Math.round(clock.now());

function load({ ids, store, clock }: SessionDeps, { sessionKey, maxQueue }: LoadInput): Loaded {
  const rows = store.read.pendingMessages(sessionKey, maxQueue + 1);
  const pending = rows.slice(0, maxQueue).map((row) => turnMessage(row, row.receivedAt));
  const sessionId = store.read.session(sessionKey)?.sessionId ?? ids.id();
  return { sessionId, pending, more: rows.length > maxQueue, atMs: clock.now() };
}

async function settle(deps: SessionDeps, options: SessionOptions, settlement: Settlement): Promise<Settled> {
  const at = nowOf(deps);
  const messageIds = settlement.messages.map(({ messageId }) => messageId);
  const { statements } = deps.store;
  if (settlement.kind === 'question')
    return { atMs: at, messageIds, askedAt: await ask(deps, settlement, at) };
  if (settlement.kind === 'dismissed') {
    await deps.store.commit(dismissAll(statements, settlement.messages, at));
    return { atMs: at, messageIds };
  }
  const turn = { ...settlement, at };
  await deps.store.commit([...turnStatements(statements, turn), ...(options.alsoCommit?.(turn) ?? [])]);
  options.committed?.(turn);
  return { atMs: at, messageIds };
}

function turnStatements(statements: Statements, turn: SettledTurn): Statement[] {
  const { sessionKey, sessionId, agentId, messages, outcome, silent, at } = turn;
  const ephemeral = messages.some((message) => askedOf(message).ephemeral);
  return [
    ...(ephemeral ? [] : statements.touchSession({ sessionKey, sessionId, agentId, at })),
    ...(silent || ephemeral ? [] : statements.appendTranscript([...userRows(turn), ...replyRows(turn)])),
    ...messages.flatMap(({ runId, messageId }) => [
      ...statements.settleRun(runId, {
        status: outcome.status,
        at,
        result: resultOf(outcome),
        ...('error' in outcome ? { error: outcome.error } : {}),
      }),
      ...statements.settleMessage(messageId, 'done', at),
      ...statements.dropCheckpoint('run', runId),
    ]),
  ];
}

function resultOf({ text, usage, attempts, toolCalls, messages, ...ending }: TurnOutcome): object {
  const handedOver = 'stopReason' in ending && ending.stopReason === 'tool-calls';
  const calls = handedOver ? (messages.at(-1)?.content.filter(({ type }) => type === 'tool-call') ?? []) : [];
  return {
    text,
    attempts,
    toolCalls,
    ...(calls.length > 0 ? { calls: calls.map(contentOf) } : {}),
    ...(usage ? { usage } : {}),
    ...('stopReason' in ending ? { stopReason: ending.stopReason } : {}),
  };
}

function dismissAll(statements: Statements, messages: readonly TurnMessage[], at: number): Statement[] {
  const result = { text: '', stopReason: 'aborted' };
  return messages.flatMap(({ runId, messageId }) => [
    ...statements.settleRun(runId, { status: 'aborted', at, result }),
    ...statements.settleMessage(messageId, 'done', at),
    ...statements.dropCheckpoint('run', runId),
  ]);
}

type Written = Pick<Settlement, 'sessionKey' | 'sessionId' | 'messages'>;

function userRows({ sessionKey, sessionId, messages }: Written): TranscriptRow[] {
  return messages.flatMap((message) =>
    wordsOf(message).map(({ role, content }, ordinal) => ({
      sessionKey,
      sessionId,
      runId: message.runId,
      ordinal,
      role,
      content: content.map(contentOf),
      at: message.receivedAt,
    })),
  );
}

/** Under the run that began the turn, whoever decided a question of it later. */
function replyRows({ sessionKey, sessionId, messages, outcome, at }: SettledTurn): TranscriptRow[] {
  const runId = messages[0]?.runId;
  if (runId === undefined) return [];
  const spoken: RunMessage = { role: 'assistant', content: [{ type: 'text', text: outcome.text }] };
  const said = outcome.messages.length === 0 && outcome.text !== '' ? [spoken] : outcome.messages;
  return said.map(({ role, content }, index) => ({
    sessionKey,
    sessionId,
    runId,
    ordinal: FIRST_REPLY + index,
    role,
    content: content.map(contentOf),
    at,
  }));
}

/**
 * Commits the question and tells when it was asked. One that an earlier life asked already is not asked again, so
 * that an answer given meanwhile is later than its question.
 */
async function ask(
  deps: SessionDeps,
  settlement: Extract<Settlement, { kind: 'question' }>,
  at: number,
): Promise<number> {
  const { statements, read } = deps.store;
  const { sessionKey, sessionId, agentId, messages, question } = settlement;
  const runId = messages[0]?.runId ?? '';
  const asked = read.history(sessionKey, sessionId, HISTORY_ROWS).filter((row) => isQuestionOf(row, runId));
  const before = asked.find(({ content: [part] }) => part?.type === 'text' && part.text === question);
  if (before) return before.at;
  const row: TranscriptRow = {
    sessionKey,
    sessionId,
    runId,
    ordinal: asked.length + 1,
    role: 'assistant',
    content: [{ type: 'text', text: question }],
    at,
  };
  await deps.store.commit([
    ...statements.touchSession({ sessionKey, sessionId, agentId, at }),
    ...statements.appendTranscript([...userRows(settlement), row]),
  ]);
  return at;
}

const isQuestionOf = (row: StoredTranscriptRow, runId: string): boolean =>
  row.runId === runId && row.role === 'assistant' && row.ordinal > 0 && row.ordinal < FIRST_REPLY;

async function change(deps: SessionDeps, asked: Change): Promise<Changed> {
  const { statements, read, commit } = deps.store;
  const at = nowOf(deps);
  const existed = read.session(asked.sessionKey) !== undefined;
  if (asked.kind === 'reset') {
    const { sessionKey, sessionId, agentId } = asked;
    await commit([
      ...statements.touchSession({ sessionKey, sessionId, agentId, at }),
      ...statements.resetSession(sessionKey, sessionId, at),
    ]);
    return { atMs: at, existed, dropped: [] };
  }
  const rows = read.pendingMessages(asked.sessionKey, LIMITS.deletedPerSession);
  const dropped = rows.map((row) => turnMessage(row, row.receivedAt));
  const files = read.referencedFiles(asked.sessionKey);
  await commit([...dismissAll(statements, dropped, at), ...statements.deleteSession(asked.sessionKey, at)]);
  if (files.size > 0) deps.attachments.collect(files, () => read.referencedFiles());
  return { atMs: at, existed: existed || dropped.length > 0, dropped };
}
