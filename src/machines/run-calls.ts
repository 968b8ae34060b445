/** What a run does with the tool calls of one answer: decided before the first of them begins. Pure. */
import { LIMITS } from './limits.ts';
import type { RunContent, RunMessage, ToolDecision } from './turn.ts';

/** A tool the run may use. */
export interface RunTool {
  readonly name: string;
  readonly idempotent: boolean;
}

export interface ToolCall {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: unknown;
}

export interface ToolResult {
  readonly output: unknown;
  readonly isError: boolean;
}

/** What the journal knows of a call: its intent, and its outcome if there is one. */
export interface JournalledCall {
  readonly toolCallId: string;
  readonly idempotent: boolean;
  readonly outcome: ToolResult | null;
}

/**
 * `call`: run it. `repeat`: run it again by decision, which is journalled first, so that one decision is one
 * repetition. `skip`: somebody decided not to repeat it; only that is recorded. `ask`: it may have happened and
 * nobody has decided. `refuse`: it is not run; `refusal` tells the model why, and it has no journal entry.
 */
export interface PlannedCall extends ToolCall {
  readonly plan: 'call' | 'repeat' | 'skip' | 'ask' | 'refuse';
  readonly idempotent: boolean;
  readonly refusal: string | null;
  readonly result: ToolResult | null;
}

const planned = (call: ToolCall, rest: Partial<PlannedCall>): PlannedCall => ({
  toolCallId: call.toolCallId,
  toolName: call.toolName,
  input: call.input,
  plan: 'call',
  idempotent: false,
  refusal: null,
  result: null,
  ...rest,
});

const noSuchTool = (name: string, tools: readonly RunTool[]): string =>
  `There is no tool "${name}". Available: ${tools.map((tool) => tool.name).join(', ') || 'none'}.`;
const noBudget = `Not run: this turn has used all its ${LIMITS.toolCallsPerRun} tool calls. Answer now, without tools.`;

/** Plans fresh calls; `budget` is how many calls the run has left. Calls to tools that do not exist use it up too. */
export function planCalls(
  calls: readonly ToolCall[],
  tools: readonly RunTool[],
  budget: number,
): PlannedCall[] {
  return calls.map((call, index) => {
    const tool = tools.find((candidate) => candidate.name === call.toolName);
    if (index >= budget) return planned(call, { plan: 'refuse', refusal: noBudget });
    if (!tool) return planned(call, { plan: 'refuse', refusal: noSuchTool(call.toolName, tools) });
    return planned(call, { idempotent: tool.idempotent });
  });
}

/** The calls a run has begun to answer when its messages end with them; none otherwise. */
export function openCalls(messages: readonly RunMessage[]): ToolCall[] {
  const last = messages.at(-1);
  return last?.role === 'assistant' ? last.content.flatMap(asCall) : [];
}

function asCall(part: RunContent): ToolCall[] {
  if (part.type !== 'tool-call') return [];
  return [{ toolCallId: part.toolCallId ?? '', toolName: part.toolName ?? '', input: part.input }];
}

/**
 * Plans the calls an earlier life left open. A call is begun only after the one before it has its outcome, so
 * only the first call without an outcome may have happened; those after it certainly have not.
 */
export function planResumed(
  calls: readonly ToolCall[],
  journal: readonly JournalledCall[],
  tools: readonly RunTool[],
  decision: ToolDecision | null,
): PlannedCall[] {
  let doubtful = true;
  return calls.map((call) => {
    const entry = journal.find((row) => row.toolCallId === call.toolCallId);
    if (!entry) return refusedBefore(call, tools);
    const { idempotent } = entry;
    if (entry.outcome) return planned(call, { idempotent, result: entry.outcome });
    const plan = doubtful ? planDoubtful(idempotent, decision) : 'call';
    doubtful = false;
    return planned(call, { idempotent, plan });
  });
}

function refusedBefore(call: ToolCall, tools: readonly RunTool[]): PlannedCall {
  const exists = tools.some((tool) => tool.name === call.toolName);
  return planned(call, { plan: 'refuse', refusal: exists ? noBudget : noSuchTool(call.toolName, tools) });
}

const DECIDED = { retry: 'repeat', skip: 'skip' } as const;

function planDoubtful(idempotent: boolean, decision: ToolDecision | null): PlannedCall['plan'] {
  if (idempotent) return 'call';
  return decision === null ? 'ask' : DECIDED[decision];
}

export const skippedResult: ToolResult = {
  output:
    'The gateway stopped during this call. Whether it took effect is unknown; it was skipped by decision.',
  isError: true,
};

/** The question about a call that may have happened. Another repetition makes another question: an old answer is none to it. */
export function doubtAbout(call: ToolCall, repeats: number): string {
  const again =
    repeats > 0
      ? ` It was already run again ${repeats === 1 ? 'once' : `${repeats} times`} by decision.`
      : '';
  return `The gateway stopped while the tool "${call.toolName}" ran with ${clipped(call.input)}.${again} Whether it took effect is unknown. Run it again ("retry") or go on without it ("skip")?`;
}

function clipped(input: unknown): string {
  const text = JSON.stringify(input) ?? 'no input';
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}

/** The tool message that answers a round. A call without a result gets one too, so that no call stays unanswered. */
export function answersOf(calls: readonly PlannedCall[]): RunMessage {
  const underWay = calls.find((call) => call.result === null);
  const content = calls.map((call): RunContent => {
    const { toolCallId, toolName } = call;
    const { output, isError } = call.result ?? {
      output: call === underWay ? CUT_SHORT : NOT_BEGUN,
      isError: true,
    };
    return { type: 'tool-result', toolCallId, toolName, output, isError };
  });
  return { role: 'tool', content };
}
/** Answers of ours to calls that were not made, or of which nobody knows. They say nothing about a tool. */
export const wasAnswered = ({ output }: ToolResult): boolean => !NO_ANSWERS.has(output);
const CUT_SHORT = 'The turn ended before this call was done; whether it took effect is unknown.';
const NOT_BEGUN = 'Not run: the turn ended before.';
const NO_ANSWERS: ReadonlySet<unknown> = new Set([noBudget, CUT_SHORT, NOT_BEGUN, skippedResult.output]);

/** An id no other call of the run has: the journal is keyed by it, and some servers number every answer from zero. */
export function uniqueCallId(wanted: string, used: ReadonlySet<string>): string {
  const base = wanted === '' ? 'call' : wanted;
  let id = base;
  for (let n = 2; used.has(id); n += 1) id = `${base}~${n}`;
  return id;
}

export function callIds(messages: readonly RunMessage[], calls: readonly ToolCall[]): Set<string> {
  const ids = messages.flatMap((message) => message.content.flatMap(asCall));
  return new Set([...ids, ...calls].map((call) => call.toolCallId));
}
