/** From a request to what is offered to the inbox: which session, which run, and what the turn is asked. */
import { CoppiceError } from '../../errors.ts';
import { parseTraceparent } from '../../bus/index.ts';
import type { ModelSettings, ModelTool } from '../../models/contract.ts';
import type { Attachment } from '../../store/contract.ts';
import type { GatewayPort, Offer, SaidMessage, TurnOptions } from '../port.ts';
import { given, resolveSession } from '../protocol/methods/fields.ts';
import { attachmentsOf, instructionsOf, lastWords, newestOf, readConversation } from './conversation.ts';
import { modelOptions } from './models.ts';
import type { CompletionRequest } from './request.ts';

/** The channel of everything that comes in here. Part of the dedupe key, so never change it. */
const CHANNEL = 'openai';
const ACCOUNT = 'default';
/** As the actors know them: sessions whose key begins so live for one message. */
const EPHEMERAL = 'ephemeral:';
const RUN_PREFIX = 'chatcmpl-';

export interface OrderHeaders {
  readonly session: string | undefined;
  readonly traceparent: string | undefined;
}

/** With a key of the caller's own, a repeat is the same run; without one every request is a run of its own. */
export function runIdOf(port: GatewayPort, key: string | undefined): string {
  if (key === undefined) return `${RUN_PREFIX}${port.newId()}`;
  if (!/^[\x21-\x7e]{1,240}$/.test(key))
    throw new CoppiceError('COMPLETION_INVALID', {
      param: 'Idempotency-Key',
      reason: 'expected 1 to 240 printable ASCII characters without spaces',
    });
  return `${RUN_PREFIX}${key}`;
}

export interface Order {
  readonly offer: Offer;
  /** Of the words that are offered, in their order. */
  readonly attachments: readonly Attachment[];
}

/** Throws MODEL_UNKNOWN, COMPLETION_INVALID, COMPLETION_UNSUPPORTED. */
export function orderOf(
  port: GatewayPort,
  request: CompletionRequest,
  headers: OrderHeaders,
  runId: string,
): Order {
  const conversation = readConversation(request.messages);
  const { said } = conversation;
  const named = sessionOf(request, headers);
  const where = resolveSession(port, { sessionKey: named ?? `${EPHEMERAL}${runId}` });
  const trace = parseTraceparent(headers.traceparent);
  const words = named === undefined ? said : newestOf(said);
  const options: TurnOptions = {
    ...modelOptions(port, request.model),
    ...(named === undefined ? { said, ephemeral: true } : remembered(said, words)),
    unattended: true,
    ...given({
      ...toolOptions(request),
      maxOutputTokens: request.max_completion_tokens ?? request.max_tokens,
    }),
    ...settingsOf(request),
  };
  const offer: Offer = {
    ...where,
    runId,
    platformId: runId,
    channel: CHANNEL,
    account: ACCOUNT,
    source: 'user',
    text: lastWords(words),
    options: { ...options },
    ...(trace ? { trace: { traceId: trace.traceId, spanId: trace.spanId } } : {}),
  };
  return { offer, attachments: attachmentsOf(words, conversation) };
}

/** The session has its own memory: of the request it hears what is new, and its system prompt for this turn. */
function remembered(said: readonly SaidMessage[], words: readonly SaidMessage[]): TurnOptions {
  const extraSystemPrompt = instructionsOf(said);
  return { said: words, ...(extraSystemPrompt === '' ? {} : { extraSystemPrompt }) };
}

function sessionOf({ user }: CompletionRequest, { session }: OrderHeaders): string | undefined {
  const [key, param] = session === undefined ? [user, 'user'] : [session, 'x-coppice-session'];
  if (key === undefined) return undefined;
  if (key.length < 1 || key.length > 512 || /\p{Cc}/u.test(key))
    throw new CoppiceError('COMPLETION_INVALID', { param, reason: 'expected 1 to 512 characters of text' });
  if (key.startsWith(EPHEMERAL))
    throw new CoppiceError('COMPLETION_INVALID', {
      param,
      reason: `no session may be called ${EPHEMERAL}...`,
    });
  return key;
}

/** Whoever brings tools, or asks for none, gets none of the agent's own. */
function toolOptions({ tools = [], tool_choice }: CompletionRequest): Pick<TurnOptions, 'tools'> {
  if (tools.length === 0) return tool_choice === 'none' ? { tools: [] } : {};
  return {
    tools: tools.map(({ function: { name, description, parameters, strict } }): ModelTool => ({
      name,
      description: description ?? '',
      inputSchema: parameters ?? { type: 'object', properties: {} },
      ...(typeof strict === 'boolean' ? { strict } : {}),
    })),
  };
}

function settingsOf(request: CompletionRequest): Pick<TurnOptions, 'settings'> {
  const { temperature, top_p: topP, presence_penalty: presencePenalty, seed, stop } = request;
  const settings: ModelSettings = given({
    temperature,
    topP,
    presencePenalty,
    frequencyPenalty: request.frequency_penalty,
    seed,
    stop: typeof stop === 'string' ? [stop] : stop?.length ? stop : undefined,
    reasoning: request.reasoning_effort,
    responseFormat: formatOf(request),
    toolChoice: choiceOf(request),
  });
  return Object.keys(settings).length > 0 ? { settings } : {};
}

function formatOf({ response_format: format }: CompletionRequest): ModelSettings['responseFormat'] {
  if (format?.type === 'json_object') return {};
  if (format?.type !== 'json_schema') return undefined;
  const { name, description, schema, strict } = format.json_schema;
  return {
    name,
    ...(description ? { description } : {}),
    ...(schema ? { schema } : {}),
    ...(typeof strict === 'boolean' ? { strict } : {}),
  };
}

function choiceOf({ tools = [], tool_choice: choice }: CompletionRequest): ModelSettings['toolChoice'] {
  if (choice === undefined || tools.length === 0) return undefined;
  return typeof choice === 'string' ? choice : { toolName: choice.function.name };
}
