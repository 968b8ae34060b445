import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import {
  generateText,
  isStepCount,
  jsonSchema,
  streamText,
  tool,
  ToolLoopAgent,
  wrapLanguageModel,
  type LanguageModel,
  type ModelMessage,
} from 'ai';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { toolLoopBreaker, type ToolLoopNotice } from '../../src/ai-sdk/index.ts';

/** Agents of the AI SDK as people build them, and a model behind HTTP: what is not seen in a prompt made by hand. */
type Unwatched = Parameters<typeof wrapLanguageModel>[0]['model'];
type Calls = readonly (readonly [toolName: string, input: object])[];
/** Calls, words, a status code, or words that are never finished. */
type Answer = Calls | string | number | { readonly unfinished: string };
interface Asked {
  readonly stream?: boolean;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

let server: Server;
let unwatched: Unwatched;
let model: LanguageModel;
let answer: (asked: Asked, n: number) => Answer;
let asked = 0;
let made = 0;
const notices: ToolLoopNotice[] = [];

function reply(response: ServerResponse, { stream = false }: Asked, said: Answer): void {
  if (typeof said === 'number')
    return void response.writeHead(said, { 'retry-after-ms': '1' }).end('{"error":{"message":"not now"}}');
  const event = (delta: object, finish_reason: string | null) => {
    const choice = { index: 0, finish_reason, ...(stream ? { delta } : { message: delta }) };
    return JSON.stringify({ id: 'c', object: 'x', created: 0, model: 'm', choices: [choice] });
  };
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  if (typeof said === 'object' && 'unfinished' in said)
    return void response.write(`data: ${event({ role: 'assistant', content: said.unfinished }, null)}\n\n`);
  const calls = typeof said === 'string' ? [] : said;
  const tool_calls = calls.map(([name, input], index) => ({
    index,
    id: `call_${asked}_${index}`,
    type: 'function',
    function: { name, arguments: JSON.stringify(input) },
  }));
  const whole =
    typeof said === 'string'
      ? event({ role: 'assistant', content: said }, 'stop')
      : event({ role: 'assistant', content: null, tool_calls }, 'tool_calls');
  response.end(stream ? `data: ${whole}\n\ndata: [DONE]\n\n` : whole);
}

beforeAll(async () => {
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    asked += 1;
    const read = JSON.parse(body) as Asked;
    reply(response, read, answer(read, asked));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const provider = createOpenAICompatible({ name: 'local', baseURL: `http://127.0.0.1:${port}/v1` });
  const middleware = toolLoopBreaker({ onLoop: (notice) => void notices.push(notice) });
  unwatched = provider('m');
  model = wrapLanguageModel({ model: unwatched, middleware });
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => {
  [asked, made] = [0, 0];
  notices.length = 0;
});

const inputSchema = jsonSchema<object>({ type: 'object' });
const same = tool({
  inputSchema,
  execute: async () => {
    made += 1;
    return 'the same';
  },
});
const agent = () => ({ model, tools: { look: same, find: same }, stopWhen: isStepCount(60), prompt: 'go' });
const look: Calls = [['look', { at: 'a' }]];
const told = (): string[] => notices.map(({ level, count }) => `${level} ${count}`);

it('an agent that makes several calls in each step is warned at the tenth and ends at the twentieth, and its host is told of both', async () => {
  let warned = false;
  answer = ({ messages }) => {
    warned ||= messages.some(({ role, content }) => role === 'tool' && content.includes('[tool loop]'));
    return [...look, ...look, ...look];
  };
  const { text, finishReason, rawFinishReason } = await generateText(agent());
  expect(text).toContain('20 times');
  expect([finishReason, rawFinishReason, asked, made, warned]).toEqual(['stop', 'tool-loop', 7, 21, true]);
  expect(told()).toEqual(['warning 10', 'critical 20']);
});

it('one whose steps each end with a reminder of its own ends as well: that is nobody who spoke again', async () => {
  answer = () => look;
  const remind = (messages: ModelMessage[]): ModelMessage[] =>
    messages.flatMap((message): ModelMessage[] =>
      message.role === 'tool' ? [message, { role: 'user', content: 'You have little time.' }] : [message],
    );
  const prepareStep = ({ messages }: { messages: ModelMessage[] }) => ({ messages: remind(messages) });
  const { text } = await generateText({ ...agent(), prepareStep });
  expect(text).toContain('20 times');
  expect([asked, told()]).toEqual([20, ['warning 10', 'critical 20']]);
});

it('a provider that fails and is asked again costs no count, and tells nobody twice', async () => {
  answer = (_, n) => (n === 11 ? 503 : look);
  const { text } = await generateText(agent());
  expect(text).toContain('20 times');
  expect([asked, made, told()]).toEqual([21, 20, ['warning 10', 'critical 20']]);
});

it('a provider that goes on failing is the error it is without the breaker', async () => {
  answer = (_, n) => (n > 2 ? 400 : look);
  await expect(generateText(agent())).rejects.toThrow('not now');
  expect([made, told()]).toEqual([2, []]);
});

it('a stream that is aborted in the middle ends there, and leaves nothing counted for the next one', async () => {
  answer = (_, n) => (n <= 15 ? look : { unfinished: 'so far' });
  const abort = new AbortController();
  const streamed = streamText({ ...agent(), abortSignal: abort.signal, onError: () => {} });
  let words = '';
  for await (const delta of streamed.textStream) {
    words += delta;
    abort.abort();
  }
  expect([words, made]).toEqual(['so far', 15]);
  answer = () => look;
  asked = 0;
  await generateText(agent());
  expect(asked).toBe(20);
});

it('two conversations through one middleware at the same time are two counts', async () => {
  answer = ({ messages }) => (messages.length > 24 ? 'done' : look);
  const [first, second] = await Promise.all([generateText(agent()), generateText(agent())]);
  expect([first.text, second.text, made]).toEqual(['done', 'done', 24]);
  expect(told()).toEqual(['warning 10', 'warning 10']);
});

it('a ToolLoopAgent whose history comes back from a store, in another process, goes on from it', async () => {
  answer = () => look;
  const { prompt: _, ...settings } = agent();
  const before = await new ToolLoopAgent(settings).generate({ prompt: 'go' });
  const messages = JSON.parse(
    JSON.stringify([
      { role: 'user', content: 'go' },
      ...before.responseMessages,
      { role: 'user', content: 'and now?' },
    ]),
  ) as ModelMessage[];
  asked = 0;
  const fresh = wrapLanguageModel({ model: unwatched, middleware: toolLoopBreaker() });
  const { text } = await new ToolLoopAgent({ ...settings, model: fresh }).generate({ messages });
  expect([asked, text]).toEqual([1, expect.stringContaining('21 times')]);
});
