import OpenAI, { APIError, APIUserAbortError, InternalServerError, NotFoundError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type OpenAiServer, startOpenAiServer } from '../models/openai-server.ts';
import { type Gateway, startGateway } from './harness.ts';
import { eventually } from './wire.ts';

type Message = OpenAI.ChatCompletionMessageParam;
const user = (content: string): Message => ({ role: 'user', content });
const weather: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};

function clientOf(gateway: Gateway, more: Partial<ConstructorParameters<typeof OpenAI>[0]> = {}): OpenAI {
  return new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: gateway.token, maxRetries: 0, ...more });
}

async function sessionKeys(gateway: Gateway): Promise<string[]> {
  const wire = await gateway.wire();
  const { sessions } = await wire.ask('sessions.list');
  return sessions.map(({ key }: { key: string }) => key);
}

describe('the official client of OpenAI against a gateway on its defaults', () => {
  let gateway: Gateway;
  let openai: OpenAI;
  beforeAll(async () => {
    gateway = await startGateway();
    openai = clientOf(gateway);
  });
  afterAll(() => gateway.cleanUp());

  test('lists the models and finds one by a name with a slash', async () => {
    const ids: string[] = [];
    for await (const model of openai.models.list()) ids.push(model.id);
    expect(ids).toEqual(['coppice', 'loopback/echo']);
    expect(await openai.models.retrieve('loopback/echo')).toMatchObject({ owned_by: 'loopback' });
    await expect(openai.models.retrieve('nobody/nothing')).rejects.toBeInstanceOf(NotFoundError);
  });

  test('answers a conversation, and keeps nothing of it in the list of sessions', async () => {
    const { data, response } = await openai.chat.completions
      .create({
        model: 'coppice',
        messages: [
          { role: 'developer', content: 'Be brief.' },
          user('one'),
          { role: 'assistant', content: 'two' },
          user('three'),
        ],
      })
      .withResponse();
    expect(data).toMatchObject({
      object: 'chat.completion',
      model: 'coppice',
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant' } }],
    });
    // The model saw the whole conversation: it introduces itself in the first answer only.
    expect(data.choices[0]!.message.content).toBe('You said: "three". I have noted it.');
    expect(data.usage!.total_tokens).toBe(data.usage!.prompt_tokens + data.usage!.completion_tokens);
    expect(response.headers.get('x-request-id')).toBe(data.id);
    expect(await sessionKeys(gateway)).not.toContainEqual(expect.stringContaining('ephemeral'));
  });

  test('hands the calls of the tools it brings back to it, and goes on from their results', async () => {
    const asked = await openai.chat.completions.create({
      model: 'coppice',
      messages: [user('/tool weather {"city":"Oslo"}')],
      tools: [weather],
    });
    const [choice] = asked.choices;
    expect(choice).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } });
    const call = choice!.message.tool_calls![0] as OpenAI.ChatCompletionMessageFunctionToolCall;
    expect(call).toMatchObject({
      type: 'function',
      function: { name: 'weather', arguments: '{"city":"Oslo"}' },
    });
    const answer = await openai.chat.completions.create({
      model: 'coppice',
      messages: [
        user('/tool weather {"city":"Oslo"}'),
        choice!.message,
        { role: 'tool', tool_call_id: call.id, content: 'rain' },
      ],
      tools: [weather],
    });
    expect(answer.choices[0]!.message.content).toBe('The tool weather answered: rain');
  });

  test('runs the loop of its own tool runner', async () => {
    const cities: string[] = [];
    const runner = openai.chat.completions.runTools({
      model: 'coppice',
      messages: [user('/tool weather {"city":"Rome"}')],
      stream: true,
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            description: 'The weather of a city',
            parameters: { type: 'object', properties: { city: { type: 'string' } } },
            parse: JSON.parse as (text: string) => { city: string },
            function: ({ city }: { city: string }) => {
              cities.push(city);
              return 'sun';
            },
          },
        },
      ],
    });
    expect(await runner.finalContent()).toBe('The tool weather answered: sun');
    expect(cities).toEqual(['Rome']);
  });

  test('without tools of its own gets the text the agent ends with; the tools of the agent ran inside', async () => {
    const answer = await openai.chat.completions.create({
      model: 'coppice',
      messages: [user('/tool list {"path":"."}')],
    });
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'stop' });
    expect(answer.choices[0]!.message.tool_calls).toBeUndefined();
    expect(answer.choices[0]!.message.content).toMatch(/^The tool list answered/);
    const none = await openai.chat.completions.create({
      model: 'coppice',
      messages: [user('/tool list {"path":"."}')],
      tool_choice: 'none',
    });
    expect(none.choices[0]!.message.tool_calls?.[0]).toMatchObject({ function: { name: 'list' } });
  });

  test('a named session remembers: the last user message is appended, tools and their results included', async () => {
    const headers = { 'x-coppice-session': 'notes' };
    const say = (messages: Message[], tools?: OpenAI.ChatCompletionTool[]) =>
      openai.chat.completions.create(
        { model: 'coppice', messages, ...(tools ? { tools } : {}) },
        { headers },
      );
    await say([user('ignored'), { role: 'assistant', content: 'x' }, user('first')]);
    const second = await say([user('second')]);
    expect(second.choices[0]!.message.content).toBe('You said: "second". I have noted it.');
    const asked = await say([user('/tool weather {}')], [weather]);
    const { message } = asked.choices[0]!;
    const result: Message = { role: 'tool', tool_call_id: message.tool_calls![0]!.id, content: 'fog' };
    const after = await say([user('/tool weather {}'), message, result], [weather]);
    expect(after.choices[0]!.message.content).toBe('The tool weather answered: fog');
    const wire = await gateway.wire();
    const { messages } = await wire.ask('chat.history', { sessionKey: 'notes' });
    const shown = messages.map(
      ({ role, content }: any) =>
        `${role}: ${content[0].text ?? `${content[0].type} ${content[0].output ?? ''}`}`,
    );
    expect(shown.filter((line: string) => !line.startsWith('assistant'))).toEqual([
      'user: first',
      'user: second',
      'user: /tool weather {}',
      'tool: tool-result fog',
    ]);
    expect(shown.at(-1)).toBe('assistant: The tool weather answered: fog');
    expect(await sessionKeys(gateway)).toContain('notes');
  });

  test('the field `user` names a session too', async () => {
    const say = (text: string) =>
      openai.chat.completions.create({ model: 'default', user: 'ann', messages: [user(text)] });
    await say('hello');
    expect((await say('again')).choices[0]!.message.content).toBe('You said: "again". I have noted it.');
  });

  test('a repeat with the same key gets the first outcome, streamed or not, and no second turn', async () => {
    const headers = { 'idempotency-key': 'order-7', 'x-coppice-session': 'repeats' };
    const body = { model: 'coppice', messages: [user('/tool weather {"city":"Bern"}')], tools: [weather] };
    const first = await openai.chat.completions.create(body, { headers });
    expect(first.id).toBe('chatcmpl-order-7');
    expect(await openai.chat.completions.create(body, { headers })).toEqual(first);
    const again = await openai.chat.completions.stream(body, { headers }).finalChatCompletion();
    expect(again.id).toBe(first.id);
    expect(again.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: [{ id: first.choices[0]!.message.tool_calls![0]!.id }] },
    });
    const wire = await gateway.wire();
    const { messages } = await wire.ask('chat.history', { sessionKey: 'repeats' });
    expect(messages.map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant']);
  });

  test('is told what is wrong in the errors it knows', async () => {
    const ask = (body: object) =>
      openai.chat.completions.create({ model: 'coppice', messages: [user('hi')], ...body } as never);
    await expect(clientOf(gateway, { apiKey: 'wrong' }).models.list()).rejects.toMatchObject({
      status: 401,
      code: 'invalid_api_key',
    });
    await expect(ask({ model: 'gpt-9' })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
      message: expect.stringContaining('loopback/echo'),
    });
    await expect(ask({ n: 2 })).rejects.toMatchObject({
      status: 400,
      code: 'unsupported_parameter',
      param: 'n',
    });
    await expect(ask({ temperature: 9 })).rejects.toMatchObject({ status: 400, param: 'temperature' });
    const failing = ask({ messages: [user('/fail 500')] });
    await expect(failing).rejects.toBeInstanceOf(InternalServerError);
    await expect(failing).rejects.toMatchObject({ status: 502, code: 'COPPICE_MODEL_FAILED' });
    await expect(ask({ messages: [user('/fail 400')], stream: true })).rejects.toMatchObject({ status: 502 });
  });

  test('that leaves in the middle ends its run', async () => {
    const leave = new AbortController();
    const headers = { 'x-coppice-session': 'leaver' };
    const asked = openai.chat.completions.create(
      { model: 'coppice', messages: [user('/hang')] },
      { headers, signal: leave.signal },
    );
    asked.catch(() => undefined);
    const wire = await gateway.wire();
    const state = async (): Promise<string> =>
      (await wire.ask('chat.history', { sessionKey: 'leaver' })).messages
        .map((m: any) => m.pending ?? false)
        .join();
    await eventually('the message to be under way', async () =>
      (await state()) === 'true' ? true : undefined,
    );
    leave.abort();
    await expect(asked).rejects.toBeInstanceOf(APIUserAbortError);
    await eventually('the run to be settled', async () => ((await state()) === 'false' ? true : undefined));
  });
});

describe('with a configured model server', () => {
  let models: OpenAiServer;
  let gateway: Gateway;
  beforeAll(async () => {
    models = await startOpenAiServer();
    const local = {
      api: 'openai-completions',
      baseUrl: models.url,
      apiKey: 'sk-e2e-0123456789',
      models: ['normal'],
    };
    gateway = await startGateway({
      config: {
        models: { providers: { local } },
        retry: { minDelayMs: 10, attempts: 1 },
        // Impatient, so that a hanging turn does not hold up the stop.
        restart: { deferMs: 100, drainMs: 100, cooldownMs: 0 },
      },
    });
  });
  afterAll(async () => {
    await gateway.cleanUp();
    await models.close();
  });

  test('an answer is heard while it is made, with the usage at the end', async () => {
    models.next('held?text=one two three four');
    const stream = await clientOf(gateway).chat.completions.create({
      model: 'local/normal',
      messages: [user('count')],
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) {
      chunks.push(chunk);
      // The first word is here, and the server still in the middle of its answer.
      if (chunk.choices[0]?.delta.content) models.release();
    }
    models.hold();
    const [first] = chunks;
    expect(first).toMatchObject({ object: 'chat.completion.chunk', model: 'local/normal', usage: null });
    expect(first!.choices[0]!.delta).toEqual({ role: 'assistant', content: '' });
    const words = chunks.flatMap((chunk) => chunk.choices[0]?.delta.content || []);
    expect(words[0]).toBe('one ');
    expect(words.join('')).toBe('one two three four');
    expect(chunks.at(-2)!.choices[0]).toMatchObject({ delta: {}, finish_reason: 'stop' });
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 14, completion_tokens: 6, total_tokens: 20 },
    });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
  });

  test('a reader that leaves a stream ends the call of the model', async () => {
    const index = models.requests.length;
    models.next('hang-mid-stream');
    const stream = await clientOf(gateway).chat.completions.create({
      model: 'coppice',
      messages: [user('never mind')],
      stream: true,
    });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    expect(await (await models.received(index)).ended).toBe('cut');
  });

  test('settings and tools reach it as they were given, and nobody else answers for a named model', async () => {
    const openai = clientOf(gateway);
    await openai.chat.completions.create({
      model: 'local/normal',
      messages: [user('hi')],
      temperature: 0.5,
      top_p: 0.9,
      seed: 7,
      stop: ['END'],
      max_completion_tokens: 99,
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'a', schema: { type: 'object' }, strict: false },
      },
      tools: [weather],
      tool_choice: { type: 'function', function: { name: 'weather' } },
    });
    expect(models.requests.at(-1)!.body).toMatchObject({
      temperature: 0.5,
      top_p: 0.9,
      seed: 7,
      stop: ['END'],
      max_tokens: 99,
      response_format: { type: 'json_schema', json_schema: { name: 'a', strict: false } },
      tools: [{ type: 'function', function: { name: 'weather' } }],
      tool_choice: { type: 'function', function: { name: 'weather' } },
    });
    expect(models.requests.at(-1)!.body.tools).toHaveLength(1);
  });

  test('images and files reach it in the messages where they stood, also with earlier ones', async () => {
    const openai = clientOf(gateway);
    const png =
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
    const text = Buffer.from('the plan').toString('base64');
    const content: OpenAI.ChatCompletionContentPart[] = [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
      { type: 'file', file: { filename: 'plan.txt', file_data: `data:text/plain;base64,${text}` } },
    ];
    const messages: Message[] = [
      user('before'),
      { role: 'assistant', content: 'yes' },
      { role: 'user', content },
    ];
    await openai.chat.completions.create({ model: 'local/normal', messages });
    const heard = JSON.stringify(models.requests.at(-1)!.body.messages.at(-1).content);
    expect(heard.indexOf('What is this?')).toBeGreaterThan(-1);
    expect(heard.indexOf(png)).toBeGreaterThan(heard.indexOf('What is this?'));
    expect(heard.indexOf('the plan')).toBeGreaterThan(heard.indexOf(png));
    // In a session that remembers, the file stands in the transcript and is there for the next turn.
    const headers = { 'x-coppice-session': 'with-pictures' };
    await openai.chat.completions.create({ model: 'local/normal', messages }, { headers });
    const wire = await gateway.wire();
    const { messages: kept } = await wire.ask('chat.history', { sessionKey: 'with-pictures' });
    expect(kept[0].content.map(({ type }: { type: string }) => type)).toEqual(['text', 'file', 'file']);
    const bad = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } } as const;
    const refused = openai.chat.completions.create({
      model: 'coppice',
      messages: [{ role: 'user', content: [bad] }],
    });
    await expect(refused).rejects.toMatchObject({ status: 400, code: 'invalid_value' });
  });

  test('a model that fails is a 502 without its secrets, and is not asked again by the client', async () => {
    const before = models.requests.length;
    models.next('status?code=401&message=no+such+key+sk-e2e-0123456789');
    const asked = clientOf(gateway, { maxRetries: 2 }).chat.completions.create({
      model: 'coppice',
      messages: [user('hi')],
    });
    const error = await asked.catch((thrown: APIError) => thrown);
    expect(error).toMatchObject({ status: 502, code: 'COPPICE_MODEL_FAILED' });
    expect((error as Error).message).toContain('401');
    expect((error as Error).message).not.toContain('0123456789');
    expect(models.requests.length - before).toBe(1);
  });

  test('after the process was killed in the middle of an answer, the client finds the outcome under its key', async () => {
    const openai = clientOf(gateway);
    const headers = { 'idempotency-key': 'survivor' };
    const body = { model: 'coppice', messages: [user('stay')] };
    models.next('hang-mid-stream');
    const stream = await openai.chat.completions.create({ ...body, stream: true }, { headers });
    const pid = gateway.gatewayPid();
    const reading = (async () => {
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) process.kill(pid, 'SIGKILL');
    })();
    // Never silence: a stream that is cut is an error of the client, no end.
    await expect(reading).rejects.toThrow();
    await gateway.ready(pid);
    const answer = await openai.chat.completions.create(body, { headers });
    expect(answer).toMatchObject({ id: 'chatcmpl-survivor', choices: [{ finish_reason: 'stop' }] });
    expect(answer.choices[0]!.message.content).not.toBe('');
  });

  test('who waits while the gateway stops is told so, in a stream and out of one', async () => {
    const openai = clientOf(gateway);
    models.next('hang-mid-stream', 'hang-mid-stream');
    const index = models.requests.length;
    const ask = { model: 'coppice', messages: [user('wait')] };
    const stream = await openai.chat.completions.create({ ...ask, stream: true });
    const whole = openai.chat.completions.create(ask);
    whole.catch(() => undefined);
    // The headers of a stream come before its model is asked, so both are waited for.
    await models.received(index + 1);
    const reading = (async () => {
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) void gateway.stop();
    })();
    await expect(reading).rejects.toMatchObject({ code: 'COPPICE_ANSWER_INTERRUPTED' });
    await expect(whole).rejects.toMatchObject({ status: 503, code: 'COPPICE_ANSWER_INTERRUPTED' });
    expect(await gateway.ended).toBe(0);
  });
});
