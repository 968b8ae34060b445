import type {
  JSONObject,
  JSONValue,
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
} from '@ai-sdk/provider';
import type { ModelContent, ModelMessage, ModelRequest, ModelTool } from './contract.ts';

type ToolResult = Extract<ModelContent, { type: 'tool-result' }>;
type ToolCall = Extract<ModelContent, { type: 'tool-call' }>;
type AssistantContent = Extract<LanguageModelV4Message, { role: 'assistant' }>['content'];
type ToolContent = Extract<LanguageModelV4Message, { role: 'tool' }>['content'];
type ToolOutput = Extract<ToolContent[number], { type: 'tool-result' }>['output'];

const textOf = (content: readonly ModelContent[]): string =>
  content.map((part) => (part.type === 'text' ? part.text : '')).join('');

function toolOutput(part: ToolResult): ToolOutput {
  if (typeof part.output === 'string')
    return { type: part.isError ? 'error-text' : 'text', value: part.output };
  // The contract says plain JSON; undefined is the one value that is not and still gets here.
  return { type: part.isError ? 'error-json' : 'json', value: (part.output ?? null) as JSONValue };
}

const toolResult = (part: ToolResult): ToolContent[number] => ({
  type: 'tool-result',
  toolCallId: part.toolCallId,
  toolName: part.toolName,
  output: toolOutput(part),
});

const toolCall = ({ toolCallId, toolName, input }: ToolCall): AssistantContent[number] => ({
  type: 'tool-call',
  toolCallId,
  toolName,
  input: input ?? {},
});

function assistantContent(content: readonly ModelContent[]): AssistantContent {
  const parts: AssistantContent = [];
  for (const part of content) {
    if (part.type === 'text') parts.push({ type: 'text', text: part.text });
    if (part.type === 'tool-call') parts.push(toolCall(part));
  }
  return parts;
}

function toMessage({ role, content }: ModelMessage): LanguageModelV4Message {
  switch (role) {
    case 'system':
      return { role, content: textOf(content) };
    case 'user':
      return { role, content: [{ type: 'text', text: textOf(content) }] };
    case 'assistant':
      return { role, content: assistantContent(content) };
    case 'tool':
      return { role, content: content.filter((part) => part.type === 'tool-result').map(toolResult) };
  }
}

export function toPrompt(messages: readonly ModelMessage[]): LanguageModelV4Prompt {
  return messages.map(toMessage);
}

const toTool = ({ name, description, inputSchema }: ModelTool) =>
  // A JSON Schema is a JSON object; the SDK's type spells out its keywords.
  ({ type: 'function' as const, name, description, inputSchema: inputSchema as JSONObject });

/** The SDK's options for one call. Raw chunks are asked for because each one is a sign of life. */
export function toCallOptions(request: ModelRequest, signal: AbortSignal): LanguageModelV4CallOptions {
  return {
    prompt: toPrompt(request.messages),
    abortSignal: signal,
    includeRawChunks: true,
    ...(request.tools.length > 0 ? { tools: request.tools.map(toTool) } : {}),
    ...(request.maxOutputTokens === undefined ? {} : { maxOutputTokens: request.maxOutputTokens }),
    ...(request.traceparent === undefined ? {} : { headers: { traceparent: request.traceparent } }),
  };
}
