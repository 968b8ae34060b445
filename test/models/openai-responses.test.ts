import { describe, expect, test } from 'vitest';
import { createOpenAiResponses } from '../../src/models/index.ts';
import { harness, keepsItsPromises, KEY, type Kit, request, withFile } from './provider-suite.ts';
import { startResponsesServer } from './responses-server.ts';

const kit: Kit = {
  create: createOpenAiResponses,
  start: startResponsesServer,
  path: '/responses',
  keyHeader: 'authorization',
  keyValue: `Bearer ${KEY}`,
  keyVariable: 'OPENAI_API_KEY',
  toolChoice: { tool_choice: { type: 'function', name: 'list' } },
  finishReasons: [
    ['max_output_tokens', 'length'],
    ['content_filter', 'content-filter'],
    ['something_new', 'other'],
  ],
  // An error in the stream has no status of its own; the SDK gives it the one that its code would have had.
  answers: {
    'sse-error': ['overloaded', 503],
    'sse-error-first': ['overloaded', 503],
    'sse-error?type=server_error&message=Boom': ['server', 500],
    failed: ['server', 500],
    'failed?error-code=rate_limit_exceeded&message=Slow down': ['rate_limit', 429],
    'failed?error-code=insufficient_quota&message=x': ['billing', 429],
  },
};

const own = harness(kit);
keepsItsPromises(kit, own);

describe('responses', () => {
  test('the request carries the conversation and the tools, and asks the server to keep nothing', async () => {
    await own.run('normal', {
      maxOutputTokens: 50,
      tools: [{ name: 'list', description: 'Lists.', inputSchema: { type: 'object', properties: {} } }],
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
        ...request().messages,
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'One moment.' },
            { type: 'tool-call', toolCallId: 'c1', toolName: 'list', input: { path: '.' } },
          ],
        },
        {
          role: 'tool',
          content: [{ type: 'tool-result', toolCallId: 'c1', toolName: 'list', output: { entries: [] } }],
        },
      ],
    });
    const { body } = own.server.requests[0]!;
    expect(body).toMatchObject({ store: false, max_output_tokens: 50 });
    expect(body.tools).toMatchObject([{ type: 'function', name: 'list', parameters: { type: 'object' } }]);
    expect(body.input).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'input_text', text: 'Hi' }] },
      { role: 'assistant', content: 'One moment.' },
      { type: 'function_call', call_id: 'c1', name: 'list', arguments: '{"path":"."}' },
      { type: 'function_call_output', call_id: 'c1', output: '{"entries":[]}' },
    ]);
  });

  test.each([
    ['image/png', { type: 'input_image', image_url: 'data:image/png;base64,YWJj' }],
    [
      'application/pdf',
      { type: 'input_file', filename: 'a.b', file_data: 'data:application/pdf;base64,YWJj' },
    ],
    ['text/csv', { type: 'input_text', text: 'Attached file: text/csv ("a.b")\n\nabc' }],
  ])('a file of type %s stands in the message as its own kind of part', async (mediaType, part) => {
    await own.run('normal', withFile({ mediaType, data: Buffer.from('abc'), filename: 'a.b' }));
    expect(own.server.requests[0]!.body.input).toEqual([
      { role: 'user', content: [{ type: 'input_text', text: 'Look.' }, part] },
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
