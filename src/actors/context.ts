import { CoppiceError } from '../errors.ts';
import { promiseEffect } from '../host/index.ts';
import { LIMITS } from '../machines/limits.ts';
import { DEFAULT_RETRY } from '../machines/retry.ts';
import { RUN_CHECKPOINT_VERSION } from '../machines/run-state.ts';
import type { Prepared, PromptMessage, RunFacts } from '../machines/run-state.ts';
import type { JournalledCall } from '../machines/run-calls.ts';
import type { RunContent, RunInput } from '../machines/turn.ts';
import type { CheckpointRow, StoredTranscriptRow, ToolJournalRow } from '../store/contract.ts';
import type { Deps } from './deps.ts';
import { orderCandidates } from './models.ts';
import type { RunOptions } from './run-options.ts';

/** Rows read before the character budget applies; short messages, many of them, are cut here. */
const HISTORY_ROWS = 1_000;

/** Everything a run begins with, from the store and the operator's settings. */
export const createPrepare = (deps: Deps, options: RunOptions) =>
  promiseEffect<Prepared, RunInput>(async ({ input }) => {
    const { agentId, sessionKey, sessionId, message } = input;
    const { read } = deps.store;
    const [system, candidates] = [options.systemPrompt(agentId), options.candidates(agentId, message)];
    const rows = read
      .history(sessionKey, sessionId, HISTORY_ROWS)
      .filter((row) => row.runId !== message.runId);
    return {
      atMs: deps.clock.now(),
      history: [
        ...(system === '' ? [] : [said('system', system)]),
        ...newestWithin(rows, LIMITS.historyChars),
        said('user', message.text),
      ],
      candidates: orderCandidates(deps, candidates),
      tools: [...options.tools(agentId).values()].map(({ name, idempotent }) => ({ name, idempotent })),
      retry: { ...DEFAULT_RETRY, ...options.retry },
      resume: resumeFrom(read.checkpoint('run', message.runId), message.runId),
      journal: read.toolJournal(message.runId).map(journalled),
    };
  });

const said = (role: 'system' | 'user', text: string): PromptMessage => ({
  role,
  content: [{ type: 'text', text }],
});

function resumeFrom(row: CheckpointRow | undefined, runId: string): RunFacts | null {
  if (!row) return null;
  const { version, facts } = row;
  if (version !== RUN_CHECKPOINT_VERSION || !Array.isArray(facts['messages'])) {
    throw new CoppiceError('CHECKPOINT_UNREADABLE', { runId, version, expected: RUN_CHECKPOINT_VERSION });
  }
  return facts as unknown as RunFacts; // written by `journal` alone, under this version
}

const journalled = ({
  toolCallId,
  idempotent,
  outcomeAt,
  output,
  isError,
}: ToolJournalRow): JournalledCall => ({
  toolCallId,
  idempotent,
  outcome: outcomeAt === undefined ? null : { output: output ?? null, isError: isError ?? false },
});

/**
 * The newest part of a transcript, oldest first, of at most `budget` characters (as JSON). It begins with a user's
 * message, and a tool call is never parted from its results: providers refuse both.
 */
export function newestWithin(
  rows: readonly Pick<StoredTranscriptRow, 'role' | 'content'>[],
  budget: number,
): PromptMessage[] {
  const units = inUnits(
    rows.map(({ role, content }): PromptMessage => ({ role, content: content as readonly RunContent[] })),
  );
  let left = budget;
  const kept = units.slice(units.findLastIndex((unit) => (left -= JSON.stringify(unit).length) < 0) + 1);
  const from = kept.findIndex(([first]) => first?.role === 'user');
  return from < 0 ? [] : kept.slice(from).flatMap(whole);
}

/** A message and the tool messages that answer it. */
function inUnits(messages: readonly PromptMessage[]): PromptMessage[][] {
  const units: PromptMessage[][] = [];
  for (const message of messages) {
    if (message.role === 'tool' && units.length > 0) units.at(-1)?.push(message);
    else units.push([message]);
  }
  return units;
}

/** Calls without results, and results without calls, are left out; the text around them stays. */
function whole(unit: readonly PromptMessage[]): PromptMessage[] {
  const ids = (type: RunContent['type']) =>
    new Set(unit.flatMap((m) => m.content).flatMap((part) => (part.type === type ? [part.toolCallId] : [])));
  const [called, answered] = [ids('tool-call'), ids('tool-result')];
  const stands = (part: RunContent): boolean =>
    part.type === 'text' || (called.has(part.toolCallId) && answered.has(part.toolCallId));
  return unit
    .map(({ role, content }) => ({ role, content: content.filter(stands) }))
    .filter((message) => message.content.length > 0);
}
