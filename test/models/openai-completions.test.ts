import { describe, expect, test } from 'vitest';
import { createOpenAiCompletions } from '../../src/models/index.ts';
import { startOpenAiServer } from './openai-server.ts';
import { harness, keepsItsPromises, KEY, type Kit, withFile } from './provider-suite.ts';

const kit: Kit = {
  create: createOpenAiCompletions,
  start: startOpenAiServer,
  path: '/chat/completions',
  keyHeader: 'authorization',
  keyValue: `Bearer ${KEY}`,
  keyVariable: 'OPENAI_API_KEY',
  toolChoice: { tool_choice: { type: 'function', function: { name: 'list' } } },
  finishReasons: [
    ['length', 'length'],
    ['content_filter', 'content-filter'],
    ['eos', 'other'],
  ],
  // What routers send in place of an error.
  answers: { 'normal?finish=error': ['interrupted', undefined] },
};

const own = harness(kit);
keepsItsPromises(kit, own);

describe('chat completions', () => {
  test('the request carries the conversation and the tools', async () => {
    await own.run('normal', {
      maxOutputTokens: 50,
      tools: [{ name: 'list', description: 'Lists.', inputSchema: { type: 'object', properties: {} } }],
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
        { role: 'user', content: [{ type: 'text', text: 'List it.' }] },
        {
          role: 'assistant',
          content: [{ type: 'tool-call', toolCallId: 'c1', toolName: 'list', input: { path: '.' } }],
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
    const { body } = own.server.requests[0]!;
    expect(body).toMatchObject({ max_tokens: 50, stream_options: { include_usage: true } });
    expect(body.tools).toMatchObject([
      { type: 'function', function: { name: 'list', parameters: { type: 'object' } } },
    ]);
    expect(body.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'List it.' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'list', arguments: '{"path":"."}' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: '{"entries":[]}' },
      { role: 'tool', tool_call_id: 'c2', content: 'no' },
    ]);
  });

  test.each([
    ['image/png', { type: 'image_url', image_url: { url: 'data:image/png;base64,YWJj' } }],
    [
      'application/pdf',
      { type: 'file', file: { filename: 'a.b', file_data: 'data:application/pdf;base64,YWJj' } },
    ],
    ['text/csv', { type: 'text', text: 'Attached file: text/csv ("a.b")\n\nabc' }],
    ['audio/wav', { type: 'input_audio', input_audio: { data: 'YWJj', format: 'wav' } }],
  ])('a file of type %s stands in the message as its own kind of part', async (mediaType, part) => {
    await own.run('normal', withFile({ mediaType, data: Buffer.from('abc'), filename: 'a.b' }));
    expect(own.server.requests[0]!.body.messages).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'Look.' }, part] },
    ]);
  });
});
