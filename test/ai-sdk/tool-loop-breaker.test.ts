import { generateText, isStepCount, jsonSchema, streamText, tool, wrapLanguageModel } from 'ai';
import { MockLanguageModelV4 } from 'ai/test';
import type {
  LanguageModelV4CallOptions,
  LanguageModelV4Content,
  LanguageModelV4StreamPart,
} from '@ai-sdk/provider';
import { describe, expect, it } from 'vitest';
import { toolLoopBreaker, type ToolLoopBreakerOptions, type ToolLoopNotice } from '../../src/ai-sdk/index.ts';

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};
type Call = readonly [toolName: string, input: object];

/** A model that asks for what `script` says, and answers in words when that says nothing. */
function modelOf(script: (n: number) => Call | undefined) {
  const prompts: LanguageModelV4CallOptions['prompt'][] = [];
  const next = ({ prompt }: LanguageModelV4CallOptions) => {
    const call = script(prompts.length);
    prompts.push(prompt);
    const content: LanguageModelV4Content = call
      ? {
          type: 'tool-call',
          toolCallId: `c${prompts.length}`,
          toolName: call[0],
          input: JSON.stringify(call[1]),
        }
      : { type: 'text', text: 'done' };
    const unified = call ? ('tool-calls' as const) : ('stop' as const);
    return { content, finishReason: { unified, raw: undefined } };
  };
  const model = new MockLanguageModelV4({
    async doGenerate(options) {
      const { content, finishReason } = next(options);
      return { content: [content], finishReason, usage, warnings: [] };
    },
    async doStream(options) {
      const { content, finishReason } = next(options);
      const said: LanguageModelV4StreamPart[] =
        content.type === 'text'
          ? [
              { type: 'text-start', id: 't' },
              { type: 'text-delta', id: 't', delta: content.text },
              { type: 'text-end', id: 't' },
            ]
          : [content as LanguageModelV4StreamPart];
      const parts: LanguageModelV4StreamPart[] = [
        { type: 'stream-start', warnings: [] },
        ...said,
        { type: 'finish', finishReason, usage },
      ];
      return { stream: ReadableStream.from(parts) };
    },
  });
  return { model, prompts };
}

/** An agent that would go on for ever. */
function agentOf(
  script: (n: number) => Call | undefined,
  output: (n: number) => unknown,
  options: ToolLoopBreakerOptions = {},
) {
  const { model, prompts } = modelOf(script);
  const notices: ToolLoopNotice[] = [];
  let made = 0;
  const run = tool({
    inputSchema: jsonSchema<object>({ type: 'object' }),
    execute: async () => output((made += 1)),
  });
  const middleware = toolLoopBreaker({ onLoop: (notice) => void notices.push(notice), ...options });
  const agent = {
    model: wrapLanguageModel({ model, middleware }),
    tools: { look: run, find: run, poll: run },
    stopWhen: isStepCount(300),
  };
  return { agent, prompts, notices, made: () => made };
}
const look = (): Call => ['look', { path: 'a' }];
const reason = /^I stopped here: the tool "look" was called 20 times .*\(generic_repeat\)\.$/;

describe('an agent of the AI SDK with the breaker', () => {
  it('that repeats one call ends after twenty, with the reason, under generateText', async () => {
    const { agent, prompts, notices, made } = agentOf(look, () => ({ found: [] }));
    const { text, finishReason, steps } = await generateText({ ...agent, prompt: 'find it' });
    expect(text).toMatch(reason);
    expect([finishReason, steps.length, prompts.length, made()]).toEqual(['stop', 21, 20, 20]);
    expect(notices).toMatchObject([
      { level: 'warning', count: 10, toolName: 'look' },
      { level: 'critical', count: 20, message: text },
    ]);
  });

  it('does so under streamText, where the reason is streamed', async () => {
    const { agent, prompts } = agentOf(look, () => 'nothing');
    const result = streamText({ ...agent, prompt: 'find it' });
    let streamed = '';
    for await (const delta of result.textStream) streamed += delta;
    expect(streamed).toMatch(reason);
    expect(await result.finishReason).toBe('stop');
    expect(prompts).toHaveLength(20);
  });

  it('reads a warning in the tenth result, and finds it there in every later prompt', async () => {
    const { agent, prompts } = agentOf(look, () => ({ found: [] }));
    await generateText({ ...agent, prompt: 'find it' });
    const warned = prompts.map((prompt) =>
      prompt.flatMap(({ role, content }, at) =>
        role === 'tool' && JSON.stringify(content).includes('[tool loop]') ? [at] : [],
      ),
    );
    expect(warned.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => []));
    // System and user aside, every call has two messages.
    expect(warned.slice(10)).toEqual(Array.from({ length: 10 }, () => [20]));
    const value = expect.stringMatching(
      /^{"found":\[\]}\n\n\[tool loop\] The tool "look" was called 10 times/,
    );
    expect(prompts[10]?.at(-1)?.content).toMatchObject([{ output: { type: 'text', value } }]);
  });

  it.each([
    ['two calls that take turns', (n: number): Call => (n % 2 ? look() : ['find', {}]), 'ping_pong'],
    ['three calls in turn', (n: number): Call => ['look', { path: n % 3 }], 'global_circuit_breaker'],
    ['a poll that says the same', (): Call => ['poll', { id: 1 }], 'known_poll_no_progress'],
  ])('ends with %s', async (_, script, detector) => {
    const { agent, notices, made } = agentOf(script, () => 5, { pollTools: ['poll'] });
    const { text } = await generateText({ ...agent, prompt: 'go' });
    expect(text).toContain(`(${detector})`);
    expect(notices.at(-1)).toMatchObject({ detector, level: 'critical' });
    expect(made()).toBeLessThanOrEqual(33);
  });

  it('ends when its tool always throws', async () => {
    const { agent, made } = agentOf(look, (n) => {
      throw new Error(`no luck after ${n} ms`);
    });
    expect((await generateText({ ...agent, prompt: 'go' })).text).toContain('generic_repeat');
    expect(made()).toBe(20);
  });

  it('is never stopped while a poll tells something new, for hundreds of polls', async () => {
    const script = (n: number): Call | undefined => (n < 250 ? ['poll', { id: 1 }] : undefined);
    const { agent, made, notices } = agentOf(script, (n) => ({ done: n }), { pollTools: ['poll'] });
    expect((await generateText({ ...agent, prompt: 'wait for it' })).text).toBe('done');
    expect([made(), notices]).toEqual([250, []]);
  });

  it('may try once more when the user speaks again, and goes on when that tells something new', async () => {
    let world = 'nothing';
    const first = agentOf(look, () => world);
    const stuck = await generateText({ ...first.agent, prompt: 'find it' });
    const messages = [
      { role: 'user' as const, content: 'find it' },
      ...stuck.responseMessages,
      { role: 'user' as const, content: 'and now?' },
    ];
    const again = agentOf(look, () => world);
    expect((await generateText({ ...again.agent, messages })).text).toContain('21 times');
    expect(again.made()).toBe(1);
    world = 'a file';
    const changed = agentOf(
      (n) => (n < 3 ? look() : undefined),
      () => world,
    );
    expect((await generateText({ ...changed.agent, messages })).text).toBe('done');
  });

  it('is told of once when the call fails and is made again', async () => {
    const { agent, prompts, notices } = agentOf(
      (n) => (n < 10 ? look() : undefined),
      () => 'same',
    );
    await generateText({ ...agent, prompt: 'go' });
    expect(notices).toHaveLength(1);
    const breaker = toolLoopBreaker({ onLoop: (notice) => void notices.push(notice) });
    const again = { type: 'generate', params: { prompt: prompts[10]! }, model: modelOf(look).model } as const;
    const [first, second] = [await breaker.transformParams!(again), await breaker.transformParams!(again)];
    expect(second).toEqual(first);
    expect(notices).toHaveLength(2);
  });

  it('is left alone when the breaker is off', async () => {
    const { agent, made } = agentOf(
      (n) => (n < 60 ? look() : undefined),
      () => 'same',
      { enabled: false },
    );
    expect((await generateText({ ...agent, prompt: 'go' })).text).toBe('done');
    expect(made()).toBe(60);
  });
});

describe('what comes back from a tool', () => {
  const outputs = [
    { type: 'text', value: 'plain' },
    { type: 'json', value: { a: 1 } },
    { type: 'json', value: 7 },
    { type: 'error-text', value: 'no' },
    { type: 'error-json', value: { code: 1 } },
    { type: 'execution-denied', reason: 'not you' },
    { type: 'execution-denied' },
    { type: 'content', value: [{ type: 'text', text: 'part' }] },
  ] as const;

  it.each(outputs.map((output) => [output]))('is counted and warned about as %o', async (output) => {
    const prompt: LanguageModelV4CallOptions['prompt'] = [
      { role: 'user', content: [{ type: 'text', text: 'go' }] },
    ];
    const breaker = toolLoopBreaker();
    const model = new MockLanguageModelV4();
    const asked: unknown[] = [];
    for (let n = 0; n < 20; n += 1) {
      const call = { toolCallId: 'same', toolName: 'look' };
      prompt.push({ role: 'assistant', content: [{ type: 'tool-call', ...call, input: {} }] });
      prompt.push({
        role: 'tool',
        content: [{ type: 'tool-result', ...call, output: structuredClone(output) as never }],
      });
      const params = await breaker.transformParams!({ type: 'generate', params: { prompt }, model });
      expect(JSON.stringify(params.prompt).includes('[tool loop]')).toBe(n >= 9);
      const doGenerate = async () => asked.push(n) as never;
      // Once as it comes, and once as another middleware in between might hand it on.
      const copied = { prompt: n % 2 === 0 ? params.prompt : structuredClone(params.prompt) };
      await breaker.wrapGenerate!({ params: copied, model, doGenerate, doStream: doGenerate });
    }
    expect(asked).toHaveLength(19);
  });
});
