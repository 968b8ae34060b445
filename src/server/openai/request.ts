/** What a chat completion may ask for. Everything else is refused by its name. */
import { z } from 'zod';
import { CoppiceError } from '../../errors.ts';
import { nearest } from '../protocol/nearest.ts';
import { shown } from '../request-guard.ts';

const text = z.string();
const part = z.looseObject({ type: text });
const content = z.union([text, z.array(part).min(1)], 'expected text or a list of text parts');
const call = z.object({
  id: text.min(1).max(256),
  type: z.literal('function'),
  function: z.object({ name: text.min(1).max(64), arguments: text }),
});

/** Unknown keys of a message are let go: clients send back the answers they got, with what they added to them. */
const message = z.discriminatedUnion(
  'role',
  [
    z.object({ role: z.enum(['system', 'developer']), content }),
    z.object({ role: z.literal('user'), content }),
    z.object({
      role: z.literal('assistant'),
      content: content.nullish(),
      tool_calls: z.array(call).nullish(),
    }),
    z.object({ role: z.literal('tool'), content, tool_call_id: text.min(1).max(256) }),
  ],
  'expected one of the roles system, developer, user, assistant and tool',
);

const name = text.regex(/^[a-zA-Z0-9_-]{1,64}$/, 'expected 1 to 64 letters, digits, underscores and dashes');
const schema = z.record(text, z.unknown());
const tool = z.object({
  type: z.literal('function', 'only tools of the type "function" are supported'),
  function: z.object({
    name,
    description: text.nullish(),
    parameters: schema.nullish(),
    strict: z.boolean().nullish(),
  }),
});
const toolChoice = z.union(
  [
    z.enum(['none', 'auto', 'required']),
    z.object({ type: z.literal('function'), function: z.object({ name }) }),
  ],
  'expected "none", "auto", "required" or { type: "function", function: { name } }',
);
const format = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({
    type: z.literal('json_schema'),
    json_schema: z.object({
      name,
      description: text.nullish(),
      schema: schema.nullish(),
      strict: z.boolean().nullish(),
    }),
  }),
]);
const penalty = z.number().min(-2).max(2);
const tokens = z.int().min(1);

const completion = z.object({
  model: text.max(256),
  messages: z.array(message).min(1).max(4_096),
  stream: z.boolean(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }),
  user: text.min(1).max(512),
  tools: z.array(tool).max(128),
  tool_choice: toolChoice,
  max_tokens: tokens,
  max_completion_tokens: tokens,
  temperature: z.number().min(0).max(2),
  top_p: z.number().min(0).max(1),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  seed: z.int(),
  stop: z.union([text.min(1), z.array(text.min(1)).max(4)], 'expected text, or up to four texts'),
  response_format: format,
  reasoning_effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']),
});

const asked = completion.partial().required({ messages: true });
export type CompletionRequest = z.output<typeof asked>;
export type RequestMessage = CompletionRequest['messages'][number];
export type MessageContent = z.output<typeof content>;

/** Taken with the value that changes nothing, as many clients send it; refused with any other. */
const NEUTRAL: Readonly<Record<string, (value: unknown) => boolean>> = {
  n: (value) => value === 1,
  logprobs: (value) => value === false,
  top_logprobs: (value) => value === 0,
  logit_bias: (value) => typeof value === 'object' && Object.keys(value ?? {}).length === 0,
  modalities: (value) => Array.isArray(value) && value.length === 1 && value[0] === 'text',
  parallel_tool_calls: (value) => value === true,
  store: (value) => value === false,
  service_tier: (value) => value === 'auto' || value === 'default',
};
/** Words between a client and its provider that ask for nothing. */
const IGNORED = new Set(['metadata', 'safety_identifier', 'prompt_cache_key', 'prompt_cache_retention']);
const REFUSED = [
  'audio',
  'functions',
  'function_call',
  'prediction',
  'web_search_options',
  'verbosity',
  'top_k',
];
const KNOWN = new Set([...Object.keys(completion.shape), ...Object.keys(NEUTRAL), ...IGNORED, ...REFUSED]);

/** Throws COMPLETION_UNSUPPORTED or COMPLETION_INVALID, naming what is wrong as `param`. */
export function readRequest(body: unknown): CompletionRequest {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new CoppiceError('COMPLETION_INVALID', { param: 'body', reason: 'expected a JSON object' });
  // `null` is how typed clients write what they leave out.
  const given = Object.entries(body).filter(([, value]) => value !== null && value !== undefined);
  for (const [key, value] of given) checkKey(key, value);
  const parsed = asked.safeParse(Object.fromEntries(given));
  if (!parsed.success) throw faultOf(parsed.error);
  checkPairs(parsed.data);
  return parsed.data;
}

function checkKey(key: string, value: unknown): void {
  if (Object.hasOwn(completion.shape, key) || IGNORED.has(key)) return;
  const neutral = Object.hasOwn(NEUTRAL, key) ? NEUTRAL[key] : undefined;
  if (neutral?.(value)) return;
  const reason = neutral ? `of its values only the default one is; it was ${brief(value)}` : whyNot(key);
  throw new CoppiceError('COMPLETION_UNSUPPORTED', { param: shown(key).slice(0, 64), reason });
}

function whyNot(key: string): string {
  if (KNOWN.has(key)) return 'this gateway has no use for it';
  return `it is unknown; the nearest known one is ${nearest(key, KNOWN) ?? 'messages'}`;
}

const brief = (value: unknown): string => shown(JSON.stringify(value)).slice(0, 64);

function checkPairs({ stream, stream_options, tools, tool_choice, ...limits }: CompletionRequest): void {
  if (stream_options && !stream)
    throw new CoppiceError('COMPLETION_INVALID', {
      param: 'stream_options',
      reason: 'it needs stream: true',
    });
  if (limits.max_tokens !== undefined && limits.max_completion_tokens !== undefined)
    throw new CoppiceError('COMPLETION_INVALID', {
      param: 'max_tokens',
      reason: 'max_completion_tokens says the same; send one of them',
    });
  if (tool_choice === undefined || tool_choice === 'none' || tool_choice === 'auto') return;
  const wanted = typeof tool_choice === 'string' ? undefined : tool_choice.function.name;
  const offered = (tools ?? []).map((one) => one.function.name);
  if (offered.length === 0 || (wanted !== undefined && !offered.includes(wanted)))
    throw new CoppiceError('COMPLETION_INVALID', {
      param: 'tool_choice',
      reason: `it names what is not among the tools (${offered.join(', ') || 'there are none'})`,
    });
}

function faultOf(error: z.ZodError): CoppiceError {
  const issue = error.issues[0];
  const param = pathOf(issue?.path ?? []) || 'body';
  return new CoppiceError('COMPLETION_INVALID', {
    param,
    reason: lower(issue?.message ?? 'it does not fit'),
  });
}

const lower = (message: string): string => message.charAt(0).toLowerCase() + message.slice(1);

/** `messages[2].content`, as OpenAI names it. */
export const pathOf = (path: readonly PropertyKey[]): string =>
  path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '');
