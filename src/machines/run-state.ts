/** What a run knows, as plain JSON, and how it changes. Pure; the statechart in `run.ts` says when. */
import { adviceFor, afterFailure, candidateUntil, DEFAULT_RETRY } from './retry.ts';
import type { FailureClass, RetryPolicy, Verdict } from './retry.ts';
import { CoppiceError } from '../errors.ts';
import type { Details, ErrorCode } from '../errors.ts';
import { LIMITS } from './limits.ts';
import { answersOf, openCalls, planResumed } from './run-calls.ts';
import { answeredIn, endOfLoop, loopOf, refusedBy } from './run-loop.ts';
import { beginLoop } from './tool-loop.ts';
import type { LoopPolicyOptions, LoopState } from './tool-loop.ts';
import type { JournalledCall, PlannedCall, RunTool, ToolCall, ToolResult } from './run-calls.ts';
import type { Candidate, RunContent, RunInput, RunMessage, RunOutput, ToolDecision } from './turn.ts';

export interface PromptMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: readonly RunContent[];
}

export interface RunUsage {
  readonly input: number;
  readonly output: number;
  readonly total: number;
  readonly cacheRead?: number;
  readonly cacheWrite?: number;
}
type Spent = NonNullable<RunOutput['usage']>;

/** A run's own record, written with the intents of each round. Version 1. */
export interface RunFacts {
  readonly messages: readonly RunMessage[];
  readonly attempts: number;
  readonly toolCalls: number;
  readonly usage: Spent | null;
  /** Tool calls run again by decision. */
  readonly repeats: number;
}
export const RUN_CHECKPOINT_VERSION = 1;

/** What the run begins with. `history` ends with the user's message; times in epoch milliseconds. */
export interface Prepared {
  readonly atMs: number;
  readonly history: readonly PromptMessage[];
  /** In the order to try. */
  readonly candidates: readonly Candidate[];
  readonly tools: readonly RunTool[];
  /** Whoever asked runs the tools: a call ends the run and goes back to them. */
  readonly handOver?: boolean;
  readonly retry: RetryPolicy;
  /** When repeated calls are a loop. Default: what `tool-loop.ts` says. */
  readonly loop?: LoopPolicyOptions;
  /** From an earlier life. */
  readonly resume: RunFacts | null;
  readonly journal: readonly JournalledCall[];
}

type Outcome<O> = O extends RunOutput
  ? Omit<O, 'messages' | 'text' | 'usage' | 'attempts' | 'toolCalls'>
  : never;
export type RunEnding = Outcome<RunOutput>;

/** How the asking goes: which candidate, how often, what came of it. */
export interface Asking {
  /** Index of the candidate. */
  readonly candidate: number;
  /** Attempts the candidate had for this one answer. */
  readonly tries: number;
  /** When its share of the turn is used up. */
  readonly untilAt: number;
  readonly startedAt: number;
  readonly verdict: Verdict;
  readonly backoffLeftMs: number;
  /** `provider/model: class`, once each. */
  readonly failed: readonly string[];
  readonly last: Failure | null;
}

/** Kept under 20 fields: beyond that every copy of an object costs a hundred times as much, and text makes many. */
export interface RunContext extends RunFacts {
  readonly input: RunInput;
  /** The last time an effect told. */
  readonly nowMs: number;
  readonly prepared: Pick<Prepared, 'history' | 'candidates' | 'tools' | 'handOver' | 'retry'>;
  readonly asking: Asking;
  /** Text of the answers before this one. */
  readonly baseText: string;
  readonly roundText: string;
  readonly roundCalls: readonly ToolCall[];
  /** The calls being answered, in order. */
  readonly calls: readonly PlannedCall[];
  /** The breaker of tool loops, after the last answer. */
  readonly loop: LoopState;
  readonly storeFailures: number;
  readonly progressAt: number;
  readonly ending: RunEnding;
}

export interface Failure {
  readonly class: FailureClass;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
  /** In [0, 1), for the jitter. */
  readonly random: number;
  readonly atMs: number;
}

const unfinished = failure('RUN_BROKEN', { doing: 'beginning', reason: 'no outcome was set' });

export function initialRun(input: RunInput): RunContext {
  return {
    input,
    nowMs: 0,
    prepared: { history: [], candidates: [], tools: [], retry: DEFAULT_RETRY },
    messages: [],
    attempts: 0,
    toolCalls: 0,
    usage: null,
    repeats: 0,
    asking: {
      candidate: 0,
      tries: 0,
      untilAt: input.deadlineAt,
      startedAt: 0,
      verdict: { kind: 'end' },
      backoffLeftMs: 0,
      failed: [],
      last: null,
    },
    baseText: '',
    roundText: '',
    roundCalls: [],
    calls: [],
    loop: beginLoop(),
    storeFailures: 0,
    progressAt: input.heardAt ?? 0,
    ending: unfinished,
  };
}

export function takePrepared(context: RunContext, found: Prepared): Partial<RunContext> {
  const { atMs, history, candidates, tools, handOver = false, retry, resume, journal } = found;
  const messages = resume?.messages ?? [];
  const loop = loopOf(context.input, found, [...history, ...messages]);
  const prepared = { history, candidates, tools, handOver, retry };
  const begun = { nowMs: atMs, prepared, loop, storeFailures: 0 };
  if (!resume) return begun;
  const { attempts, toolCalls, usage, repeats } = resume;
  const planned = planResumed(openCalls(messages), journal, tools, decisionFor(context.input));
  const weighed = answeredIn(loop, planned);
  return { ...begun, messages, attempts, toolCalls, usage, repeats, ...weighed, baseText: textOf(messages) };
}

/** What may have happened is not repeated when nobody can be asked about it. */
const decisionFor = ({ decision, message }: RunInput): ToolDecision | null =>
  decision ?? (message.options['unattended'] === true ? 'skip' : null);

/** The candidate being asked. Total: an unnamed one when there is none. */
export const candidateOf = ({ prepared, asking }: RunContext): Candidate =>
  prepared.candidates[asking.candidate] ?? { provider: 'none', model: 'none' };

export const nextCall = (context: RunContext): PlannedCall | undefined =>
  context.calls.find((call) => call.result === null);

/** The share of a candidate is set at its first try for an answer and holds for the retries. */
export function beginAttempt(context: RunContext): Partial<RunContext> {
  const { nowMs, input, prepared, asking } = context;
  const left = prepared.candidates.length - asking.candidate;
  const untilAt = asking.tries > 0 ? asking.untilAt : candidateUntil(nowMs, input.deadlineAt, left);
  return {
    attempts: context.attempts + 1,
    asking: { ...asking, tries: asking.tries + 1, startedAt: nowMs, untilAt },
    progressAt: nowMs,
    roundText: '',
    roundCalls: [],
  };
}

export function noteFailure(context: RunContext, last: Failure): Partial<RunContext> {
  const { prepared, asking } = context;
  const nowMs = Math.max(context.nowMs, last.atMs);
  const { provider, model } = candidateOf(context);
  const verdict = afterFailure({
    class: last.class,
    retryAfterMs: last.retryAfterMs,
    random: last.random,
    tries: asking.tries,
    others: prepared.candidates.length - asking.candidate - 1,
    nowMs,
    untilAt: asking.untilAt,
    policy: prepared.retry,
  });
  const failed = [...new Set([...asking.failed, `${provider}/${model}: ${last.class}`])];
  return {
    nowMs,
    asking: {
      ...asking,
      verdict,
      last,
      failed,
      backoffLeftMs: verdict.kind === 'retry' ? verdict.delayMs : 0,
    },
  };
}

export const nextCandidate = ({ asking }: RunContext): Partial<RunContext> => ({
  asking: { ...asking, candidate: asking.candidate + 1, tries: 0 },
});

export function passStep({ nowMs, asking }: RunContext): Partial<RunContext> {
  const step = Math.min(asking.backoffLeftMs, LIMITS.backoffStepMs);
  return { nowMs: nowMs + step, asking: { ...asking, backoffLeftMs: asking.backoffLeftMs - step } };
}

/** The model's answer becomes a message of the run; `calls` are what it asks for, already planned. */
export function closeAnswer(
  context: RunContext,
  calls: readonly PlannedCall[],
  counted: number,
): Partial<RunContext> {
  const content = [...textPart(context.roundText), ...calls.map(callPart)];
  return {
    asking: { ...context.asking, tries: 0 },
    messages: content.length > 0 ? [...context.messages, { role: 'assistant', content }] : context.messages,
    baseText: fullText(context),
    roundText: '',
    roundCalls: [],
    calls,
    toolCalls: context.toolCalls + counted,
  };
}

/** The answer with its calls ends the run; nobody here answers them. */
export function handOver(context: RunContext): Partial<RunContext> {
  const content = [...textPart(context.roundText), ...context.roundCalls.map(callPart)];
  const messages = [...context.messages, { role: 'assistant', content } as const];
  return { ...closeAnswer(context, [], 0), messages };
}

/** The breaker sees every result; a warning of it goes to the model with the result. */
export function takeResult(context: RunContext, result: ToolResult): Partial<RunContext> {
  const call = nextCall(context);
  if (!call) return {};
  const answer = answeredIn(context.loop, [{ ...call, result: { ...result } }], context.nowMs);
  const [answered = call] = answer.calls;
  return { loop: answer.loop, calls: context.calls.map((each) => (each === call ? answered : each)) };
}

/** The breaker is open: what is left of the round is not run, and the answer ends with the reason. */
export function breakLoop(context: RunContext): Partial<RunContext> {
  const calls = context.calls.map((call) => ({ ...call, result: call.result ?? refusedBy(context.loop) }));
  const { messages = [] } = closeRound({ ...context, calls });
  const text = endOfLoop(context.loop);
  return {
    calls: [],
    messages: [...messages, { role: 'assistant', content: textPart(text) }],
    baseText: context.baseText + separator(context) + text,
  };
}

export function beginRepeat(context: RunContext): Partial<RunContext> {
  const calls = context.calls.map((call) =>
    call.plan === 'repeat' ? { ...call, plan: 'call' as const } : call,
  );
  return { calls, repeats: context.repeats + 1 };
}

export function closeRound(context: RunContext): Partial<RunContext> {
  return { messages: [...context.messages, answersOf(context.calls)], calls: [] };
}

/** Sums every count that either side names; what nobody counted stays unsaid. */
export function addUsage(spent: Spent | null, usage: RunUsage): Spent {
  const total: Record<string, number> = { ...spent };
  for (const [name, tokens] of Object.entries(usage)) total[name] = (total[name] ?? 0) + tokens;
  return total as unknown as Spent; // the names are those of the two
}

const callPart = ({ toolCallId, toolName, input }: ToolCall): RunContent => ({
  type: 'tool-call',
  toolCallId,
  toolName,
  input,
});
const textPart = (text: string): RunContent[] => (text === '' ? [] : [{ type: 'text', text }]);

function textOf(messages: readonly RunMessage[]): string {
  const texts = messages
    .filter((message) => message.role === 'assistant')
    .map(({ content }) => content.map((part) => part.text ?? '').join(''));
  return texts.filter((text) => text !== '').join('\n\n');
}

/** What stands between the texts of two answers of one run. */
export const separator = (context: RunContext): string => (context.baseText === '' ? '' : '\n\n');
/** The cumulative text. Cheap: JavaScript joins long strings without copying them. */
export const fullText = (context: RunContext): string =>
  context.roundText === '' ? context.baseText : context.baseText + separator(context) + context.roundText;

/** An ending with a coded error: the table's text and what to do about it. */
export function failure(code: ErrorCode, details: Details): RunEnding {
  const error = new CoppiceError(code, details);
  return { status: 'error', error: { code, message: `${error.message}. ${error.remedy}` } };
}

export function modelsFailed(context: RunContext): RunEnding {
  const { class: failed, message } = context.asking.last ?? {
    class: 'unknown' as const,
    message: 'no reason given',
  };
  const { provider, model } = candidateOf(context);
  return failure('MODEL_FAILED', {
    where: `${provider}/${model}`,
    class: failed,
    reason: message,
    tried: context.asking.failed.join(', '),
    advice: adviceFor(failed),
  });
}

/** What an effect's error says, if it is one of ours; else that the run broke, and where. */
export function brokenBy(context: RunContext, error: unknown): RunEnding {
  if (error instanceof CoppiceError) return failure(error.code, error.details);
  const reason = error instanceof Error ? error.message : String(error);
  return failure('RUN_BROKEN', { doing: doing(context), reason });
}

/** What the run is at, for people. Derived, so that it cannot disagree with the rest. */
export function doing(context: RunContext): string {
  const call = nextCall(context);
  if (call) return `running the tool "${call.toolName}"`;
  if (context.prepared.candidates.length === 0) return 'preparing';
  const { provider, model } = candidateOf(context);
  return context.asking.backoffLeftMs > 0
    ? `waiting to ask ${provider}/${model} again`
    : `waiting for ${provider}/${model}`;
}

/** Whole messages: an interrupted round gets its answers, an interrupted answer stands as far as it came. */
export function runOutput(context: RunContext): RunOutput {
  const { usage, attempts, toolCalls, calls, ending } = context;
  const answers = calls.length > 0 && ending.status !== 'undecided' ? [answersOf(calls)] : [];
  const partial = textPart(context.roundText).map((part): RunMessage => ({
    role: 'assistant',
    content: [part],
  }));
  const messages = [...context.messages, ...answers, ...partial];
  return { messages, text: fullText(context), usage, attempts, toolCalls, ...ending };
}
