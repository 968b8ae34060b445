/**
 * Somebody's agent of the AI SDK, and a model that never stops looking. With the breaker, one import and one line,
 * it ends; without, it goes on for as long as it is let:
 *   node examples/ai-sdk/agent.ts [--without]
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, isStepCount, streamText, tool, wrapLanguageModel } from 'ai';
import { toolLoopBreaker } from 'coppice/ai-sdk';
import { z } from 'zod';

// A model server that speaks OpenAI's protocol. Whatever it is asked, its model wants to look into the same place.
let asked = 0;
const server = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  asked += 1;
  answer(response, JSON.parse(body).stream === true);
}).listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));

function answer(response: ServerResponse, stream: boolean): void {
  const call = {
    index: 0,
    id: `call_${asked}`,
    type: 'function',
    function: { name: 'lookInto', arguments: '{"place":"the drawer"}' },
  };
  const said = { role: 'assistant', content: null, tool_calls: [call] };
  const choice = { index: 0, finish_reason: 'tool_calls', ...(stream ? { delta: said } : { message: said }) };
  const whole = { id: 'c', object: 'chat.completion', created: 0, model: 'restless', choices: [choice] };
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  response.end(stream ? `data: ${JSON.stringify(whole)}\n\ndata: [DONE]\n\n` : JSON.stringify(whole));
}

// The agent. Only `middleware` is ours.
const { port } = server.address() as AddressInfo;
const provider = createOpenAICompatible({ name: 'local', baseURL: `http://127.0.0.1:${port}/v1` });
const model = process.argv.includes('--without')
  ? provider('restless')
  : wrapLanguageModel({
      model: provider('restless'),
      middleware: toolLoopBreaker({ onLoop: ({ level, message }) => console.log(`${level}: ${message}`) }),
    });
let looked = 0;
const agent = {
  model,
  prompt: 'Where is my key?',
  stopWhen: isStepCount(100),
  tools: {
    lookInto: tool({
      description: 'Says what is in a place.',
      inputSchema: z.object({ place: z.string() }),
      execute: async ({ place }) => ({ place, looked: (looked += 1) > 0, found: [] }),
    }),
  },
};

try {
  const { text, finishReason } = await generateText(agent);
  console.log(JSON.stringify({ by: 'generateText', asked, looked, finishReason, text }));

  [asked, looked] = [0, 0];
  const streamed = streamText(agent);
  let words = '';
  for await (const delta of streamed.textStream) words += delta;
  const reason = await streamed.finishReason;
  console.log(JSON.stringify({ by: 'streamText', asked, looked, finishReason: reason, text: words }));
} finally {
  server.close();
  server.closeAllConnections();
}
