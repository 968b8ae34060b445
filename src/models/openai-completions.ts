import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type {
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from '@ai-sdk/provider';
import type { Clock } from '../supervisor/clock.ts';
import { createCallWatch, type CallWatch } from './call-watch.ts';
import { classify } from './classify.ts';
import {
  ModelFailure,
  type ModelInfo,
  type ModelPart,
  type ModelRequest,
  type Provider,
  type Usage,
} from './contract.ts';
import { oneRequest } from './one-request.ts';
import { toEndpoint, type Endpoint } from './openai-endpoint.ts';
import { toCallOptions } from './openai-prompt.ts';
import { describe, scrubError } from './secrets.ts';

export interface OpenAiCompletionsInit {
  /** The name under `models.providers`. */
  readonly name: string;
  /** Up to and with the version segment: `https://api.openai.com/v1`. May hold user:password or a query. */
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly models?: readonly string[] | undefined;
  readonly clock: Clock;
}

type SdkModel = ReturnType<ReturnType<typeof createOpenAICompatible>['chatModel']>;
type ToolCallPart = Extract<ModelPart, { type: 'tool-call' }>;
type FinishReason = Extract<ModelPart, { type: 'finish' }>['reason'];

const MESSAGE_LIMIT = 600;

/** Reasons that some routers send in place of an error; the SDK calls them `other`. */
const FAILED_REASONS =
  /^(error|abort(ed)?|cancel(l?ed)?|interrupted|network_error|malformed_response|insufficient_system_resource)$/;

function finishReason({ unified, raw }: LanguageModelV4FinishReason): FinishReason {
  if (unified === 'error' || unified === 'interrupted' || FAILED_REASONS.test(raw ?? '')) {
    throw new Interrupted(`the model stopped early (${raw ?? unified})`);
  }
  return unified;
}

/** Ours, before it has a place and a class. */
class Interrupted extends Error {}
class BrokenToolCall extends Error {}

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
async function* parts(
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
    else if (value.type === 'tool-call') calls.push(value);
    else if (value.type === 'error') throw value.error;
    else if (value.type === 'finish') {
      const reason = finishReason(value.finishReason);
      yield* calls.map(toolCallOf);
      const usage = usageOf(value.usage);
      yield { type: 'finish', reason, ...(usage ? { usage } : {}) };
      return;
    }
  }
}

function classOf(error: unknown, nowMs: number): ReturnType<typeof classify> {
  if (error instanceof Interrupted) return { class: 'interrupted' };
  if (error instanceof BrokenToolCall) return { class: 'format' };
  const found = classify(error, nowMs);
  // An abort that is neither the caller's nor a timer's came from below: the connection went away.
  return found.class === 'aborted' ? { ...found, class: 'interrupted' } : found;
}

function toFailure(error: unknown, { where, scrub }: Endpoint, nowMs: number): ModelFailure {
  if (error instanceof ModelFailure) return error;
  const { class: found, status, retryAfterMs } = classOf(error, nowMs);
  const said = scrub(describe(error)).slice(0, MESSAGE_LIMIT) || 'no message';
  const message = `${where}: ${status !== undefined && status >= 300 ? `answered ${status}: ` : ''}${said}`;
  return new ModelFailure({
    class: found,
    message,
    where,
    status,
    retryAfterMs,
    cause: scrubError(error, scrub),
  });
}

async function* call(model: SdkModel, request: ModelRequest, watch: CallWatch): AsyncGenerator<ModelPart> {
  if (watch.verdict) throw watch.verdict; // aborted before it began: no request at all
  const { stream } = await watch.wait(model.doStream(toCallOptions(request, watch.signal)));
  yield* parts(stream, watch);
}

function modelInfo(provider: string) {
  return (id: string): ModelInfo => ({ id, provider });
}

/**
 * Any server that speaks OpenAI's chat completions. Exactly one HTTP request per call; retries, failover and
 * cooldown belong to the run. The clock's time must be epoch milliseconds.
 *
 * @throws CoppiceError PROVIDER_INVALID when `baseUrl` is no http address.
 */
export function createOpenAiCompletions(init: OpenAiCompletionsInit): Provider {
  const { name, clock } = init;
  const endpoint = toEndpoint(init);
  const { baseUrl, headers, query, where } = endpoint;
  const sdk = createOpenAICompatible({
    name,
    baseURL: baseUrl,
    headers,
    queryParams: query,
    includeUsage: true,
    fetch: oneRequest,
  });
  const models = (init.models ?? []).map(modelInfo(name));
  return {
    name,
    api: 'openai-completions',
    models: () => models,
    async *stream(request, signal) {
      const { firstByteMs, idleMs } = request;
      const watch = createCallWatch({ clock, signal, firstByteMs, idleMs, where });
      try {
        yield* call(sdk.chatModel(request.model), request, watch);
      } catch (error) {
        throw watch.verdict ?? toFailure(error, endpoint, clock.now());
      } finally {
        watch.close();
      }
    },
  };
}
