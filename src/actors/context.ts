import { CoppiceError } from '../errors.ts';
import { promiseEffect } from '../host/index.ts';
import { LIMITS } from '../machines/limits.ts';
import { DEFAULT_RETRY } from '../machines/retry.ts';
import { RUN_CHECKPOINT_VERSION } from '../machines/run-state.ts';
import type { Prepared, PromptMessage, RunFacts } from '../machines/run-state.ts';
import type { JournalledCall, RunTool } from '../machines/run-calls.ts';
import type { RunContent, RunInput } from '../machines/turn.ts';
import type { Tool } from '../tools/contract.ts';
import type { CheckpointRow, StoredTranscriptRow, ToolJournalRow } from '../store/contract.ts';
import type { Deps } from './deps.ts';
import { orderCandidates } from './models.ts';
import { askedOf, contentOf, said, wordsOf } from './run-asked.ts';
import type { RunOptions } from './run-options.ts';
import { createTranscripts } from './transcript.ts';

/** Rows read before the character budget applies; short messages, many of them, are cut here. */
const HISTORY_ROWS = 1_000;

/** Everything a run begins with, from the store and the operator's settings. */
export function createPrepare(deps: Deps, options: RunOptions) {
  const transcripts = createTranscripts(deps.store.read);
  return promiseEffect<Prepared, RunInput>(async ({ input }) => {
    const { agentId, sessionKey, sessionId, message } = input;
    const { read } = deps.store;
    const asked = askedOf(message);
    const candidates = options.candidates(agentId, message);
    const resume = resumeFrom(read.checkpoint('run', message.runId), message.runId);
    const rows = transcripts
      .newest(sessionKey, sessionId, HISTORY_ROWS)
      .filter((row) => row.runId !== message.runId);
    return {
      atMs: deps.clock.now(),
      history: promptOf([options.systemPrompt(agentId), asked.extraSystemPrompt], rows, wordsOf(message)),
      candidates: orderCandidates(deps, asked.exactModel ? candidates.slice(0, 1) : candidates),
      // Those that came with the message are run by whoever sent it.
      handOver: asked.tools !== undefined,
      tools: asked.tools ? [] : toolsOf(options.tools(agentId)),
      retry: { ...DEFAULT_RETRY, ...options.retry },
      ...(options.loop ? { loop: options.loop(agentId) } : {}),
      resume,
      // Its intents are committed with a checkpoint.
      journal: resume ? read.toolJournal(message.runId).map(journalled) : [],
    };
  });
}

const toolsOf = (tools: ReadonlyMap<string, Tool>): RunTool[] =>
  [...tools.values()].map(({ name, idempotent }) => ({ name, idempotent }));

/**
 * System prompt, transcript, and what is said now. Several system messages in front become one: not every server
 * takes more. Results of tools that were called in the transcript stay with their calls.
 */
function promptOf(
  system: readonly (string | undefined)[],
  rows: readonly StoredTranscriptRow[],
  words: readonly PromptMessage[],
): PromptMessage[] {
  const first = words.findIndex(({ role }) => role !== 'system');
  const lead = words.slice(0, first < 0 ? words.length : first);
  const rest = words.slice(lead.length);
  const text = [...system, ...lead.map(textOf)].filter(Boolean).join('\n\n');
  return [...(text === '' ? [] : [said('system', text)]), ...followed(rows, rest)];
}

function followed(rows: readonly StoredTranscriptRow[], words: readonly PromptMessage[]): PromptMessage[] {
  if (words[0]?.role !== 'tool' || rows.length === 0)
    return [...newestWithin(rows, LIMITS.historyChars), ...words];
  const budget = LIMITS.historyChars + JSON.stringify(words).length;
  return newestWithin(
    [...rows, ...words.map(({ role, content }) => ({ role, content: content.map(contentOf) }))],
    budget,
  );
}

const textOf = ({ content }: PromptMessage): string => content.map(({ text = '' }) => text).join('');

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

const isSpoken = ({ type }: RunContent): boolean => type === 'text' || type === 'file';

/** Calls without results, and results without calls, are left out; the text around them stays. */
function whole(unit: readonly PromptMessage[]): readonly PromptMessage[] {
  const said = unit.filter(({ content }) => content.length > 0);
  if (said.every(({ content }) => content.every(isSpoken))) return said;
  const ids = (type: RunContent['type']) =>
    new Set(unit.flatMap((m) => m.content).flatMap((part) => (part.type === type ? [part.toolCallId] : [])));
  const [called, answered] = [ids('tool-call'), ids('tool-result')];
  const stands = (part: RunContent): boolean =>
    isSpoken(part) || (called.has(part.toolCallId) && answered.has(part.toolCallId));
  return unit
    .map(({ role, content }) => ({ role, content: content.filter(stands) }))
    .filter((message) => message.content.length > 0);
}
