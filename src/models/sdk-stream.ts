import type {
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from '@ai-sdk/provider';
import type { CallWatch } from './call-watch.ts';
import type { ModelPart, Usage } from './contract.ts';

type ToolCallPart = Extract<ModelPart, { type: 'tool-call' }>;
type FinishReason = Extract<ModelPart, { type: 'finish' }>['reason'];

/** Reasons that some routers send in place of an error; the SDK calls them `other`. */
const FAILED_REASONS =
  /^(error|abort(ed)?|cancel(l?ed)?|interrupted|network_error|malformed_response|insufficient_system_resource)$/;

function finishReason({ unified, raw }: LanguageModelV4FinishReason): FinishReason {
  // Anthropic's SDK ends a message that never got its stop reason with a bare `other`.
  const unsaid = unified === 'other' && raw === undefined;
  if (unsaid || unified === 'error' || unified === 'interrupted' || FAILED_REASONS.test(raw ?? '')) {
    throw new Interrupted(`the model stopped early (${raw ?? (unsaid ? 'no reason given' : unified)})`);
  }
  return unified;
}

/** Ours, before it has a place and a class. */
export class Interrupted extends Error {}
export class BrokenToolCall extends Error {}

function usageOf({ inputTokens, outputTokens, raw }: LanguageModelV4Usage): Usage | undefined {
  if (inputTokens.total === undefined && outputTokens.total === undefined) return undefined;
  const input = inputTokens.total ?? 0;
  const output = outputTokens.total ?? 0;
  const total = raw?.['total_tokens'];
  return {
    input,
    output,
    ...(inputTokens.cacheRead ? { cacheRead: inputTokens.cacheRead } : {}),
    ...(inputTokens.cacheWrite ? { cacheWrite: inputTokens.cacheWrite } : {}),
    total: typeof total === 'number' ? total : input + output,
  };
}

/** Many servers send no arguments at all for a tool without any. */
function toolCallOf({
  toolCallId,
  toolName,
  input,
}: Extract<LanguageModelV4StreamPart, { type: 'tool-call' }>): ToolCallPart {
  try {
    return { type: 'tool-call', toolCallId, toolName, input: input.trim() === '' ? {} : JSON.parse(input) };
  } catch (error) {
    throw new BrokenToolCall(`the call of the tool "${toolName}" is not valid JSON`, { cause: error });
  }
}

/**
 * Tool calls are held back until the finish part: the SDK also emits those of a stream that is cut afterwards, and
 * a tool must not run for an answer that then counts as failed.
 */
export async function* parts(
  stream: ReadableStream<LanguageModelV4StreamPart>,
  watch: CallWatch,
): AsyncGenerator<ModelPart> {
  const reader = stream.getReader();
  const calls: Extract<LanguageModelV4StreamPart, { type: 'tool-call' }>[] = [];
  for (;;) {
    const { done, value } = await watch.wait(reader.read());
    if (done) throw new Interrupted('the stream ended without a finish part');
    if (value.type === 'raw') watch.heard();
    else if (value.type === 'text-delta' && value.delta) yield { type: 'text', delta: value.delta };
    else if (value.type === 'reasoning-delta' && value.delta) yield { type: 'reasoning', delta: value.delta };
    else if (value.type === 'tool-call') {
      // A tool that the provider ran itself is none of ours.
      if (!value.providerExecuted) calls.push(value);
    } else if (value.type === 'error') throw value.error;
    else if (value.type === 'finish') {
      const reason = finishReason(value.finishReason);
      yield* calls.map(toolCallOf);
      const usage = usageOf(value.usage);
      yield { type: 'finish', reason, ...(usage ? { usage } : {}) };
      return;
    }
  }
}
