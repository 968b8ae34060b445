import type { ModelContent, ModelMessage, ModelRequest } from './contract.ts';

/** What the loopback model does with a request. Decided from the request alone, so the same request gets the same answer. */
export type LoopbackPlan =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'drip'; readonly text: string }
  | { readonly kind: 'call'; readonly toolCallId: string; readonly toolName: string; readonly input: unknown }
  | { readonly kind: 'fail'; readonly status: number; readonly retryAfter: string | undefined }
  | { readonly kind: 'hang' }
  | { readonly kind: 'garbage' };

const NOTICE =
  'I am the loopback model: built in, deterministic, and no real model. Set ANTHROPIC_API_KEY, OPENAI_API_KEY or a baseUrl in models.providers for a real one.';
const HELP =
  'I understand /tool NAME {json}, /steps N, /fail STATUS retry-after=SECONDS, /hang, /drip and /garbage; anything else I answer.';
const HEARTBEAT = 'HEARTBEAT_OK';
const ECHO_LIMIT = 500;
const SUMMARY_LIMIT = 300;
const MOST_STEPS = 1_000;

const isText = (part: ModelContent): part is Extract<ModelContent, { type: 'text' }> => part.type === 'text';
const textOf = (message: ModelMessage | undefined): string =>
  (message?.content ?? [])
    .filter(isText)
    .map((part) => part.text)
    .join('');
const clip = (text: string, limit: number): string =>
  text.length > limit ? `${text.slice(0, limit)}…` : text;

/** FNV-1a: calls of different conversations should have different ids, and a repeated request the same one. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, '0');
}

/** The conversation as JSON, with the size of each file in place of its bytes. */
export function legible(messages: readonly ModelMessage[]): string {
  const shown = ({ role, content }: ModelMessage) => ({
    role,
    content: content.map((part) => (part.type === 'file' ? { ...part, data: part.data.byteLength } : part)),
  });
  return JSON.stringify(messages.map(shown));
}

function callPlan(request: ModelRequest, toolName: string, input: unknown): LoopbackPlan {
  const toolCallId = `call_${fingerprint(legible(request.messages))}_${request.messages.length}`;
  return { kind: 'call', toolCallId, toolName, input };
}

/** What happened since the user spoke last. */
interface Turn {
  readonly said: string;
  readonly files: readonly Extract<ModelContent, { type: 'file' }>[];
  readonly first: boolean;
  readonly results: readonly Extract<ModelContent, { type: 'tool-result' }>[];
  /** Tool results end the request, so the model is to go on from them. */
  readonly afterTool: boolean;
}

function readTurn(messages: readonly ModelMessage[]): Turn {
  const at = messages.findLastIndex((message) => message.role === 'user');
  const since = messages.slice(at + 1);
  const results = since.flatMap((message) => message.content.filter((part) => part.type === 'tool-result'));
  return {
    said: textOf(messages[at]).trim(),
    files: (messages[at]?.content ?? []).filter((part) => part.type === 'file'),
    first: !messages.slice(0, Math.max(0, at)).some((message) => message.role === 'assistant'),
    results,
    afterTool: since.at(-1)?.role === 'tool',
  };
}

function summary({ results }: Turn): string {
  const last = results.at(-1);
  if (!last) return 'The tool did not answer.';
  const output = typeof last.output === 'string' ? last.output : (JSON.stringify(last.output) ?? 'nothing');
  return `The tool ${last.toolName} ${last.isError ? 'failed' : 'answered'}: ${clip(output, SUMMARY_LIMIT)}`;
}

/** Names each file, so that it can be seen that it came through. */
function received({ files }: Turn): string {
  const shown = files.map(
    ({ filename, mediaType, data }) => `${filename ?? 'a file'} (${mediaType}, ${data.byteLength} bytes)`,
  );
  return shown.length === 0 ? '' : ` You sent ${clip(shown.join(', '), ECHO_LIMIT)}.`;
}

function answer(turn: Turn): string {
  const { said, first } = turn;
  const spoken = said === '' ? 'You sent no text.' : `You said: "${clip(said, ECHO_LIMIT)}".`;
  const echo = `${spoken}${received(turn)}`;
  return first ? `${NOTICE} ${echo} ${HELP}` : `${echo} I have noted it.`;
}

function toolPlan(request: ModelRequest, turn: Turn, rest: string): LoopbackPlan {
  if (turn.afterTool) return { kind: 'say', text: summary(turn) };
  const [, name, json] = /^(\S+)\s*([\s\S]*)$/.exec(rest) ?? [];
  if (name === undefined) return { kind: 'say', text: `Which tool? ${HELP}` };
  try {
    return callPlan(request, name, json ? JSON.parse(json) : {});
  } catch {
    return { kind: 'say', text: `That is not valid JSON: ${clip(json!, ECHO_LIMIT)}` }; // the user's mistake, told to the user
  }
}

function stepsPlan(request: ModelRequest, turn: Turn, rest: string): LoopbackPlan {
  const wanted = Math.min(Number.parseInt(rest, 10) || 1, MOST_STEPS);
  const done = turn.results.length;
  if (done >= wanted) return { kind: 'say', text: `I called list ${done} times, as you asked.` };
  return callPlan(request, 'list', {});
}

function failPlan(rest: string): LoopbackPlan {
  const status = Number.parseInt(rest, 10);
  if (!(status >= 300 && status <= 599)) return { kind: 'say', text: `Which status, 300 to 599? ${HELP}` };
  return { kind: 'fail', status, retryAfter: /retry-after=(\S+)/.exec(rest)?.[1] };
}

const isHeartbeat = (said: string): boolean => said.startsWith('HEARTBEAT') || said.includes(HEARTBEAT);

/** Pure. */
export function planLoopback(request: ModelRequest): LoopbackPlan {
  const turn = readTurn(request.messages);
  const [, command, rest = ''] = /^\/(\w+)\s*([\s\S]*)$/.exec(turn.said) ?? [];
  switch (command) {
    case 'tool':
      return toolPlan(request, turn, rest);
    case 'steps':
      return stepsPlan(request, turn, rest);
    case 'fail':
      return failPlan(rest);
    case 'hang':
      return { kind: 'hang' };
    case 'garbage':
      return { kind: 'garbage' };
    case 'drip':
      return { kind: 'drip', text: `Slowly, word by word: ${rest || answer(turn)}` };
  }
  if (isHeartbeat(turn.said)) return { kind: 'say', text: HEARTBEAT };
  return { kind: 'say', text: turn.afterTool ? summary(turn) : answer(turn) };
}
