import { describe, expect, test } from 'vitest';
import { createAnthropicMessages } from '../../src/models/index.ts';
import { startAnthropicServer } from './anthropic-server.ts';
import { harness, keepsItsPromises, KEY, type Kit, request, withFile } from './provider-suite.ts';

const kit: Kit = {
  create: createAnthropicMessages,
  start: startAnthropicServer,
  path: '/messages',
  keyHeader: 'x-api-key',
  keyValue: KEY,
  keyVariable: 'ANTHROPIC_API_KEY',
  toolChoice: { tool_choice: { type: 'tool', name: 'list' } },
  finishReasons: [
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['refusal', 'content-filter'],
    ['something_new', 'other'],
  ],
  // An error in the stream has no status of its own; the SDK gives it the one that its type would have had.
  answers: {
    'sse-error': ['overloaded', 529],
    'sse-error-first': ['overloaded', 529],
    'sse-error?type=api_error&message=Boom': ['server', 500],
    'stop-without-reason': ['interrupted', undefined],
    'reason-without-stop': ['interrupted', undefined],
  },
};

const own = harness(kit);
keepsItsPromises(kit, own);

describe('messages', () => {
  test('the request carries the conversation, the tools, the version and a limit of the answer', async () => {
    await own.run('normal', {
      tools: [{ name: 'list', description: 'Lists.', inputSchema: { type: 'object', properties: {} } }],
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
        ...request().messages,
        {
          role: 'assistant',
          content: [
            { type: 'text', text: '' },
            { type: 'tool-call', toolCallId: 'c1', toolName: 'list', input: { path: '.' } },
            { type: 'tool-call', toolCallId: 'c2', toolName: 'list', input: {} },
          ],
        },
        {
          role: 'tool',
          content: [{ type: 'tool-result', toolCallId: 'c1', toolName: 'list', output: { entries: [] } }],
        },
        {
          role: 'tool',
          content: [{ type: 'tool-result', toolCallId: 'c2', toolName: 'list', output: 'no', isError: true }],
        },
      ],
    });
    const { body, headers } = own.server.requests[0]!;
    expect(headers['anthropic-version']).toBe('2023-06-01');
    expect(headers['authorization']).toBeUndefined();
    expect(body).toEqual({
      model: 'm1',
      stream: true,
      max_tokens: 8_192,
      system: [{ type: 'text', text: 'Be brief.' }],
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
        {
          role: 'assistant',
          content: [
            { type: 'tool_use', id: 'c1', name: 'list', input: { path: '.' } },
            { type: 'tool_use', id: 'c2', name: 'list', input: {} },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'c1', content: '{"entries":[]}' },
            { type: 'tool_result', tool_use_id: 'c2', content: 'no', is_error: true },
          ],
        },
      ],
      tools: [{ name: 'list', description: 'Lists.', input_schema: { type: 'object', properties: {} } }],
    });
  });

  test.each([
    ['claude-haiku-5-5', undefined, 32_000],
    ['claude-99-unheard-of', undefined, 32_000],
    ['claude-3-haiku-20240307', undefined, 4_096],
    ['router/claude-3-5-sonnet', undefined, 8_192],
    ['kimi-k2', undefined, 8_192],
    ['claude-haiku-5-5', 50, 50],
  ])('the answer of %s, asked for %s tokens, may have %d', async (model, maxOutputTokens, expected) => {
    await own.run('normal', { model, ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }) });
    expect(own.server.requests[0]!.body.max_tokens).toBe(expected);
  });

  test('the version can be replaced in the configuration', async () => {
    const mine = own.provider({ headers: { 'Anthropic-Version': '2099-01-01' } });
    for await (const part of mine.stream(request(), new AbortController().signal)) expect(part).toBeDefined();
    expect(own.server.requests[0]!.headers['anthropic-version']).toBe('2099-01-01');
  });

  test.each([
    ['image/png', { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'YWJj' } }],
    [
      'application/pdf',
      {
        type: 'document',
        source: { type: 'base64', media_type: 'application/pdf', data: 'YWJj' },
        title: 'a.b',
      },
    ],
    [
      'text/csv',
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'abc' }, title: 'a.b' },
    ],
  ])('a file of type %s stands in the message as its own kind of block', async (mediaType, block) => {
    await own.run('normal', withFile({ mediaType, data: Buffer.from('abc'), filename: 'a.b' }));
    expect(own.server.requests[0]!.body.messages).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'Look.' }, block] },
    ]);
  });

  test('sound is not carried', async () => {
    const { failure } = await own.run(
      'normal',
      withFile({ mediaType: 'audio/wav', data: new Uint8Array(3) }),
    );
    expect(failure).toMatchObject({ class: 'format', message: expect.stringContaining('audio/wav') });
  });
});
