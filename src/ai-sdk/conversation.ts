import type { LanguageModelV4Message, LanguageModelV4Prompt } from '@ai-sdk/provider';
import type { Said, SaidResult } from '../machines/tool-loop-replay.ts';
import { withWarning } from '../machines/tool-loop-words.ts';

/** A prompt of the AI SDK as the breaker reads it, and with what the breaker has to say in it. */
type Part = Exclude<LanguageModelV4Message['content'], string>[number];
type ToolResult = Extract<Part, { type: 'tool-result' }>;
type Output = ToolResult['output'];

export interface Conversation {
  readonly said: readonly Said[];
  /** The result each line was read from. */
  readonly parts: ReadonlyMap<number, ToolResult>;
  /** Where the newest step begins. */
  readonly step: number;
}

/**
 * A user message is the person's when the turn before it had ended. One that stands behind the results of tools, in
 * the middle of a turn, is what an agent adds to each of its steps: a reminder, the time, a picture.
 */
export function readPrompt(prompt: LanguageModelV4Prompt): Conversation {
  const said: Said[] = [];
  const parts = new Map<number, ToolResult>();
  let step = 0;
  let ended = true;
  for (const message of prompt) {
    if (message.role === 'user' && ended) step = said.push({ kind: 'person' });
    if (message.role !== 'assistant' && message.role !== 'tool') continue;
    if (message.role === 'assistant') step = said.length;
    ended = isLast(message);
    for (const part of message.content) {
      if (part.type === 'tool-result') parts.set(said.length, part);
      said.push(...lineOf(part));
    }
  }
  return { said, parts, step };
}

/** A turn ends with words of the model. */
const isLast = ({
  role,
  content,
}: Extract<LanguageModelV4Message, { role: 'assistant' | 'tool' }>): boolean =>
  role === 'assistant' && !content.at(-1)?.type.startsWith('tool-');

function lineOf(part: Part): Said[] {
  if (part.type === 'tool-call') {
    const { toolCallId: id, toolName, input } = part;
    return [{ kind: 'call', id, toolName, input }];
  }
  return part.type === 'tool-result'
    ? [{ kind: 'result', id: part.toolCallId, ...resultOf(part.output) }]
    : [];
}

function resultOf(output: Output): SaidResult {
  switch (output.type) {
    case 'text':
    case 'json':
      return { output: output.value, isError: false };
    case 'error-text':
    case 'error-json':
      return { output: output.value, isError: true };
    case 'execution-denied':
      return { output: output.reason ?? 'denied', isError: true };
    case 'content':
      return { output: output.value.filter((part) => !isWarning(part)), isError: false };
  }
}

/** The prompt with a warning in each result that earned one. What earned none is the same object. */
export function withWarnings(
  prompt: LanguageModelV4Prompt,
  warnings: ReadonlyMap<ToolResult, string>,
): LanguageModelV4Prompt {
  if (warnings.size === 0) return prompt;
  const warned = <P extends Part>(part: P): P => {
    const warning = part.type === 'tool-result' ? warnings.get(part) : undefined;
    return part.type === 'tool-result' && warning !== undefined
      ? { ...part, output: warnedOutput(part.output, warning) }
      : part;
  };
  return prompt.map((message) => {
    if (message.role === 'assistant') return { ...message, content: message.content.map(warned) };
    return message.role === 'tool' ? { ...message, content: message.content.map(warned) } : message;
  });
}

function warnedOutput(output: Output, warning: string): Output {
  const { providerOptions } = output as { providerOptions?: NonNullable<ToolResult['providerOptions']> };
  const more = providerOptions === undefined ? {} : { providerOptions };
  const text = (value: unknown): string =>
    withWarning(typeof value === 'string' ? value : JSON.stringify(value), warning);
  switch (output.type) {
    case 'text':
    case 'json':
      return { type: 'text', value: text(output.value), ...more };
    case 'error-text':
    case 'error-json':
      return { type: 'error-text', value: text(output.value), ...more };
    case 'execution-denied':
      return { ...output, reason: text(output.reason ?? 'denied') };
    case 'content':
      return { ...output, value: [...output.value, { type: 'text', text: withWarning('', warning) }] };
  }
}

const isWarning = (part: { readonly type: string; readonly text?: string }): boolean =>
  part.type === 'text' && part.text?.startsWith(withWarning('', '')) === true;
