import { request as httpRequest } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { endRigs, TOKEN } from '../client.ts';
import { ask, errorIn, openDoor } from './door.ts';

afterEach(endRigs);

describe('a request that is no chat completion', () => {
  it('is refused before it is read without the token, in the shape of OpenAI', async () => {
    const { post, openai, offers } = await openDoor({ limits: { authDelayMinMs: 1, authDelayMaxMs: 1 } });
    const answer = await post('{', { headers: { authorization: 'Bearer wrong' } });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(await answer.json()).toEqual({
      error: {
        type: 'authentication_error',
        code: 'invalid_api_key',
        param: null,
        message: expect.any(String),
      },
    });
    const unknown = openai.embeddings.create({ model: 'coppice', input: 'x' });
    await expect(unknown).rejects.toMatchObject({ status: 404, code: 'unknown_url' });
    expect(offers).toEqual([]);
  });

  it.each([
    ['text/plain', {}, 415],
    ['application/json-patch', {}, 415],
    ['application/json', { 'content-encoding': 'gzip' }, 415],
    ['application/json', { origin: 'https://evil.example' }, 403],
    ['Application/JSON; charset=utf-8', {}, 404],
  ])('%s with %o is answered with %i', async (type, more, status) => {
    const { post } = await openDoor();
    const answer = await post({ ...ask, model: 'no' }, { headers: { 'content-type': type, ...more } });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ error: { message: expect.any(String) } });
  });

  it.each([
    ['no JSON', '{"model":', 'it is not JSON'],
    ['a list', '[]', 'expected a JSON object'],
    ['JSON that nests too deep', `{"messages":${'['.repeat(70)}${']'.repeat(70)}}`, 'deeper than 64'],
    ['nothing', '', 'it is not JSON'],
  ])('%s is invalid', async (_, body, reason) => {
    const { post } = await openDoor();
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      error: { type: 'invalid_request_error', param: 'body', message: expect.stringContaining(reason) },
    });
  });

  it('a body beyond its limit is refused, whether it says its length or not', async () => {
    const { rig, post } = await openDoor({ limits: { completionBytes: 1_000 } });
    const large = JSON.stringify({ ...ask, user: 'x'.repeat(2_000) });
    const said = await post(large);
    expect([said.status, (await errorIn(said)).code]).toEqual([413, 'request_too_large']);
    const status = await new Promise((resolve, reject) => {
      const request = httpRequest(`${rig.http}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      });
      request.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject);
      request.write(large);
      request.write(large);
    });
    expect(status).toBe(413);
    expect(rig.facts.filter(({ type }) => type === 'actor.fault')).toEqual([]);
  });
});

describe('a parameter', () => {
  it.each([
    [{ n: 2 }, 'n'],
    [{ logprobs: true }, 'logprobs'],
    [{ top_logprobs: 3 }, 'top_logprobs'],
    [{ modalities: ['text', 'audio'] }, 'modalities'],
    [{ audio: { voice: 'x', format: 'wav' } }, 'audio'],
    [{ functions: [] }, 'functions'],
    [{ parallel_tool_calls: false }, 'parallel_tool_calls'],
    [{ store: true }, 'store'],
    [{ logit_bias: { 5: 1 } }, 'logit_bias'],
    [{ constructor: 1 }, 'constructor'],
    [{ temprature: 1 }, 'temprature'],
    [
      {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'see' },
              { type: 'image_url', image_url: { url: 'https://example.org/a.png' } },
            ],
          },
        ],
      },
      'messages[0].content[1].image_url.url',
    ],
    [
      {
        messages: [
          {
            role: 'system',
            content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }],
          },
        ],
      },
      'messages[0].content[0]',
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: {} }] }] },
      'messages[0].content[0]',
    ],
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] },
      'messages[0].content[0].image_url.url',
    ],
  ])('%o is not supported, and is refused by its name', async (more, param) => {
    const { post, offers } = await openDoor();
    const answer = await post({ ...ask, ...more });
    expect(answer.status).toBe(400);
    const error = await errorIn(answer);
    expect(error).toMatchObject({ type: 'invalid_request_error', code: 'unsupported_parameter', param });
    expect(offers).toEqual([]);
  });

  it('that is unknown is told with the nearest known one', async () => {
    const { post } = await openDoor();
    expect((await errorIn(await post({ ...ask, temprature: 1 }))).message).toContain('temperature');
  });

  it.each([
    [{ messages: [] }, 'messages'],
    [{ messages: [{ role: 'wizard', content: 'x' }] }, 'messages[0].role'],
    [{ messages: [{ role: 'user', content: 7 }] }, 'messages[0].content'],
    [{ temperature: 'hot' }, 'temperature'],
    [{ top_p: 2 }, 'top_p'],
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ max_tokens: 1, max_completion_tokens: 1 }, 'max_tokens'],
    [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop'],
    [{ stream_options: { include_usage: true } }, 'stream_options'],
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ tools: [{ type: 'function', function: { name: 'a b' } }] }, 'tools[0].function.name'],
    [{ tools: [{ type: 'custom', custom: { name: 'x' } }] }, 'tools[0].type'],
    [{ response_format: { type: 'yaml' } }, 'response_format.type'],
    [{ user: 'ephemeral:mine' }, 'user'],
    [{ messages: [{ role: 'tool', tool_call_id: 'c1', content: 'x' }] }, 'messages[0].tool_call_id'],
    [{ messages: [assistantAsks('{}'), { role: 'user', content: 'well?' }] }, 'messages[0].tool_calls'],
    [
      { messages: [assistantAsks('{'), { role: 'tool', tool_call_id: 'c1', content: 'x' }] },
      'messages[0].tool_calls[0].function.arguments',
    ],
  ])('%o is invalid, and the answer says which', async (more, param) => {
    const { post, offers } = await openDoor();
    const answer = await post({ ...ask, ...more });
    expect(answer.status).toBe(400);
    expect(await errorIn(answer)).toMatchObject({ code: 'invalid_value', param });
    expect(offers).toEqual([]);
  });

  it('with the value that changes nothing is taken, and null is as good as absent', async () => {
    const { openai, offered, end } = await openDoor();
    const asked = openai.chat.completions.create({
      ...ask,
      n: 1,
      logprobs: false,
      store: false,
      parallel_tool_calls: true,
      service_tier: 'auto',
      modalities: ['text'],
      metadata: { a: 'b' },
      temperature: null,
      stop: null,
    });
    end(await offered());
    expect((await asked).choices[0]!.message.content).toBe('hello yourself');
  });
});

function assistantAsks(text: string) {
  const call = { id: 'c1', type: 'function', function: { name: 'look', arguments: text } };
  return { role: 'assistant', content: null, tool_calls: [call] };
}
const text = (words: string) => [{ type: 'text', text: words }];

describe('what is offered to the inbox', () => {
  const offerOf = async (body: object, headers: Record<string, string> = {}) => {
    const { post, offered, offers, end } = await openDoor();
    const answer = post({ ...ask, ...body }, { headers });
    end(await offered());
    expect((await answer).status).toBe(200);
    return offers[0]!;
  };

  it('without a session is the whole conversation, for a session that is on no list', async () => {
    const offer = await offerOf({
      model: 'local/small',
      messages: [
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        assistantAsks('{"x":1}'),
        { role: 'tool', tool_call_id: 'c1', content: 'seen' },
        { role: 'user', content: 'and?' },
      ],
    });
    expect(offer).toMatchObject({
      channel: 'openai',
      source: 'user',
      text: 'and?',
      agentId: 'main',
      sessionKey: `ephemeral:${offer.runId}`,
      platformId: offer.runId,
    });
    expect(offer.options).toEqual({
      model: 'local/small',
      exactModel: true,
      ephemeral: true,
      unattended: true,
      said: [
        { role: 'system', content: text('Be brief.') },
        { role: 'user', content: text('ab') },
        {
          role: 'assistant',
          content: [{ type: 'tool-call', toolCallId: 'c1', toolName: 'look', input: { x: 1 } }],
        },
        {
          role: 'tool',
          content: [{ type: 'tool-result', toolCallId: 'c1', toolName: 'look', output: 'seen' }],
        },
        { role: 'user', content: text('and?') },
      ],
    });
  });

  it.each([
    [{}, { 'x-coppice-session': 'agent:helper:notes' }],
    [{ user: 'not this one' }, { 'x-coppice-session': 'agent:helper:notes' }],
    [{ user: 'agent:helper:notes' }, {}],
  ])(
    'with a session (%o, %o) is its last message, and the system prompt for this turn',
    async (more, headers) => {
      const messages = [
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'old' },
        { role: 'assistant', content: 'older' },
        { role: 'user', content: 'new' },
      ];
      const offer = await offerOf({ messages, ...more }, headers as Record<string, string>);
      expect(offer).toMatchObject({ sessionKey: 'agent:helper:notes', agentId: 'helper', text: 'new' });
      expect(offer.options).toEqual({
        unattended: true,
        extraSystemPrompt: 'Be kind.',
        said: [{ role: 'user', content: text('new') }],
      });
    },
  );

  it('carries tools and settings in our words', async () => {
    const { options } = await offerOf({
      tools: [{ type: 'function', function: { name: 'look', parameters: { type: 'object' }, strict: true } }],
      tool_choice: { type: 'function', function: { name: 'look' } },
      temperature: 0,
      top_p: 0.5,
      presence_penalty: 1,
      frequency_penalty: -1,
      seed: 3,
      stop: 'END',
      max_tokens: 10,
      reasoning_effort: 'low',
      response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' } } },
    });
    expect(options).toMatchObject({
      tools: [{ name: 'look', description: '', inputSchema: { type: 'object' }, strict: true }],
      maxOutputTokens: 10,
      settings: {
        toolChoice: { toolName: 'look' },
        temperature: 0,
        topP: 0.5,
        presencePenalty: 1,
        frequencyPenalty: -1,
        seed: 3,
        stop: ['END'],
        reasoning: 'low',
        responseFormat: { name: 'n', schema: { type: 'object' } },
      },
    });
    expect((await offerOf({ tool_choice: 'none' })).options['tools']).toEqual([]);
  });

  it('adopts the trace of its caller', async () => {
    const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
    const offer = await offerOf({}, { traceparent: `00-${traceId}-${spanId}-01` });
    expect(offer.trace).toEqual({ traceId, spanId });
  });

  it.each([
    ['coppice', {}],
    ['default', {}],
    [undefined, {}],
    ['anything/new/one', { model: 'anything/new/one', exactModel: true }],
  ])('for the model %s asks for %o', async (model, options) => {
    const offer = await offerOf({ model });
    expect({ model: offer.options['model'], exactModel: offer.options['exactModel'] }).toEqual({
      model: undefined,
      exactModel: undefined,
      ...options,
    });
  });

  it.each(['gpt-4o', 'local/other', 'anything/', '/small', 'nobody/x'])(
    'is nothing for the unknown model %s; the known ones are named',
    async (model) => {
      const { post, offers } = await openDoor();
      const answer = await post({ ...ask, model });
      expect(answer.status).toBe(404);
      expect(await errorIn(answer)).toMatchObject({
        code: 'model_not_found',
        param: 'model',
        message: expect.stringMatching(/coppice, loopback\/echo, local\/small, anything\/MODEL/),
      });
      expect(offers).toEqual([]);
    },
  );
});
