/** A settled run as a chat completion, whole or in chunks. */
import type { RunRow } from '../../store/contract.ts';

export interface AnswerHead {
  readonly runId: string;
  /** What the client asked for; `coppice` when it named none. */
  readonly model: string;
  /** Epoch milliseconds. */
  readonly acceptedAt: number;
}

interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens: number };
}

export interface Answer {
  readonly text: string;
  readonly calls: readonly ToolCall[];
  readonly finish: 'stop' | 'length' | 'tool_calls' | 'content_filter';
  /** Undefined when no provider told. */
  readonly usage: Usage | undefined;
}

/** From the record: the same for the first to ask and for whoever repeats. */
export function answerOf({ result = {} }: RunRow): Answer {
  const { text, calls, stopReason, usage } = result;
  const toolCalls = (Array.isArray(calls) ? calls : []).map(callOf);
  return {
    text: typeof text === 'string' ? text : '',
    calls: toolCalls,
    finish: toolCalls.length > 0 ? 'tool_calls' : finishOf(stopReason),
    usage: usageOf(usage),
  };
}

function callOf(part: {
  readonly toolCallId: string;
  readonly toolName: string;
  readonly input: unknown;
}): ToolCall {
  const text = JSON.stringify(part.input ?? {});
  return { id: part.toolCallId, type: 'function', function: { name: part.toolName, arguments: text } };
}

function finishOf(reason: unknown): Answer['finish'] {
  if (reason === 'length') return 'length';
  return reason === 'content-filter' ? 'content_filter' : 'stop';
}

function usageOf(usage: unknown): Answer['usage'] {
  if (typeof usage !== 'object' || usage === null) return undefined;
  const { input = 0, output = 0, total = 0, cacheRead } = usage as Readonly<Record<string, number>>;
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: total,
    ...(cacheRead === undefined ? {} : { prompt_tokens_details: { cached_tokens: cacheRead } }),
  };
}

const createdOf = ({ acceptedAt }: AnswerHead): number => Math.floor(acceptedAt / 1_000);

export function completionOf(head: AnswerHead, { text, calls, finish, usage }: Answer) {
  const message = {
    role: 'assistant',
    content: text === '' && calls.length > 0 ? null : text,
    refusal: null,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
  };
  return {
    id: head.runId,
    object: 'chat.completion',
    created: createdOf(head),
    model: head.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finish }],
    ...(usage ? { usage } : {}),
  };
}

/** Chunks of one stream. With `withUsage` each says `usage: null` but the last, which says it. */
export function createChunks(head: AnswerHead, withUsage: boolean) {
  const base = {
    id: head.runId,
    object: 'chat.completion.chunk',
    created: createdOf(head),
    model: head.model,
  };
  const chunk = (delta: object, finish: Answer['finish'] | null = null): object => ({
    ...base,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...(withUsage ? { usage: null } : {}),
  });
  return {
    role: () => chunk({ role: 'assistant', content: '' }),
    text: (delta: string) => chunk({ content: delta }),
    /** Everything after the text. */
    end({ calls, finish, usage }: Answer): object[] {
      const asked = calls.map((call, index) => chunk({ tool_calls: [{ index, ...call }] }));
      const last = withUsage ? [{ ...base, choices: [], usage: usage ?? null }] : [];
      return [...asked, chunk({}, finish), ...last];
    },
  };
}
