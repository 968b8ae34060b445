import type {
  JSONObject,
  JSONValue,
  LanguageModelV4CallOptions,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
} from '@ai-sdk/provider';
import { createCallIds, type CallIds } from './call-ids.ts';
import type { ModelContent, ModelMessage, ModelRequest, ModelSettings, ModelTool } from './contract.ts';
import { toFilePart, UnsendableError, type WireApi } from './file-part.ts';

type ToolResult = Extract<ModelContent, { type: 'tool-result' }>;
type ToolCall = Extract<ModelContent, { type: 'tool-call' }>;
type UserContent = Extract<LanguageModelV4Message, { role: 'user' }>['content'];
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

const toolResult = (part: ToolResult, ids: CallIds): ToolContent[number] => ({
  type: 'tool-result',
  toolCallId: ids.result(part.toolCallId),
  toolName: part.toolName,
  output: toolOutput(part),
});

const toolCall = ({ toolCallId, toolName, input }: ToolCall, ids: CallIds): AssistantContent[number] => ({
  type: 'tool-call',
  toolCallId: ids.call(toolCallId),
  toolName,
  input: input ?? {},
});

/** Without empty text: it says nothing, and Anthropic refuses the whole request for it. */
function assistantContent(content: readonly ModelContent[], ids: CallIds): AssistantContent {
  const parts: AssistantContent = [];
  for (const part of content) {
    if (part.type === 'text' && part.text !== '') parts.push({ type: 'text', text: part.text });
    if (part.type === 'tool-call') parts.push(toolCall(part, ids));
  }
  return parts;
}

function userContent(content: readonly ModelContent[], api: WireApi): UserContent {
  if (!content.some((part) => part.type === 'file')) return [{ type: 'text', text: textOf(content) }];
  return content.flatMap((part): UserContent => {
    if (part.type === 'file') return [toFilePart(part, api)];
    return part.type === 'text' && part.text !== '' ? [{ type: 'text', text: part.text }] : [];
  });
}

function toMessage({ role, content }: ModelMessage, api: WireApi, ids: CallIds): LanguageModelV4Message {
  if (role !== 'user' && content.some((part) => part.type === 'file'))
    throw new UnsendableError(`a message of the role "${role}" holds a file; only user messages may`);
  switch (role) {
    case 'system':
      return { role, content: textOf(content) };
    case 'user':
      return { role, content: userContent(content, api) };
    case 'assistant':
      return { role, content: assistantContent(content, ids) };
    case 'tool':
      return {
        role,
        content: content.filter((part) => part.type === 'tool-result').map((part) => toolResult(part, ids)),
      };
  }
}

/** An answer without a word is left out: several servers refuse a message that holds nothing. */
function toPrompt(messages: readonly ModelMessage[], api: WireApi): LanguageModelV4Prompt {
  const ids = createCallIds();
  return messages
    .map((message) => toMessage(message, api, ids))
    .filter(({ role, content }) => role !== 'assistant' || content.length > 0);
}

const toTool = ({ name, description, inputSchema, strict }: ModelTool) => ({
  type: 'function' as const,
  name,
  description,
  // A JSON Schema is a JSON object; the SDK's type spells out its keywords.
  inputSchema: inputSchema as JSONObject,
  ...(strict === undefined ? {} : { strict }),
});

type Options = Partial<LanguageModelV4CallOptions>;

function toSettings({ stop, toolChoice, responseFormat, ...numbers }: ModelSettings): Options {
  return {
    ...numbers,
    ...(stop === undefined ? {} : { stopSequences: [...stop] }),
    ...(toolChoice === undefined ? {} : { toolChoice: toToolChoice(toolChoice) }),
    ...(responseFormat === undefined ? {} : toFormat(responseFormat)),
  };
}

const toToolChoice = (choice: NonNullable<ModelSettings['toolChoice']>): NonNullable<Options['toolChoice']> =>
  typeof choice === 'string' ? { type: choice } : { type: 'tool', toolName: choice.toolName };

/** `strict` is no field of the SDK's format: it goes the way of what only some kinds of provider know. */
function toFormat({
  strict = false,
  schema,
  ...names
}: NonNullable<ModelSettings['responseFormat']>): Options {
  return {
    responseFormat: {
      type: 'json',
      ...names,
      ...(schema === undefined ? {} : { schema: schema as JSONObject }),
    },
    providerOptions: { openaiCompatible: { strictJsonSchema: strict }, openai: { strictJsonSchema: strict } },
  };
}

/**
 * The SDK's options for one call. Raw chunks are asked for because each one is a sign of life.
 *
 * @throws UnsendableError when a message holds what the format cannot carry.
 */
export function toCallOptions(
  request: ModelRequest,
  api: WireApi,
  signal: AbortSignal,
): LanguageModelV4CallOptions {
  return {
    prompt: toPrompt(request.messages, api),
    abortSignal: signal,
    includeRawChunks: true,
    ...(request.tools.length > 0 ? { tools: request.tools.map(toTool) } : {}),
    ...(request.maxOutputTokens === undefined ? {} : { maxOutputTokens: request.maxOutputTokens }),
    ...toSettings(request.settings ?? {}),
    ...(request.traceparent === undefined ? {} : { headers: { traceparent: request.traceparent } }),
  };
}
