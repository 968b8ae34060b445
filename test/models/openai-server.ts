/** OpenAI's streaming chat completions. `scripted-server.ts` says what it can be asked for. */
import {
  halves,
  runAlone,
  type ScriptedServer,
  send,
  serverOf,
  type Play,
  type Wire,
} from './scripted-server.ts';

export type OpenAiServer = ScriptedServer;

const base = (body: any) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1_700_000_000,
  model: body.model ?? 'm',
});

function chunk(play: Play, delta: object, finish: string | null = null): void {
  send(play, { ...base(play.body), choices: [{ index: 0, delta, finish_reason: finish }] });
}

const USAGE = {
  prompt_tokens: 14,
  completion_tokens: 6,
  total_tokens: 20,
  prompt_tokens_details: { cached_tokens: 3 },
};

const wire: Wire = {
  name: 'openai-server',
  begin: (play) => chunk(play, { role: 'assistant', content: '' }),
  text: (play, content) => chunk(play, { content }),
  reasoning: (play, text) => chunk(play, { reasoning_content: text }),
  toolCall(play, { id, name, input }) {
    chunk(play, { tool_calls: [{ index: 0, id, type: 'function', function: { name, arguments: '' } }] });
    for (const piece of halves(input))
      chunk(play, { tool_calls: [{ index: 0, function: { arguments: piece } }] });
  },
  finish(play, reason = 'stop') {
    chunk(play, {}, reason);
    if (play.body.stream_options?.include_usage === true)
      send(play, { ...base(play.body), choices: [], usage: USAGE });
    send(play, '[DONE]');
    play.res.end();
  },
  toolReason: 'tool_calls',
  errorEvent(play, { type, message }) {
    send(play, { error: { message, type, code: null } });
    play.res.end();
  },
  errorBody: ({ type, code, message }) => ({ error: { message, type, code: code || null } }),
  afterTool: (body) => body.messages?.at(-1)?.role === 'tool',
};

export const startOpenAiServer = serverOf(wire);

if (process.argv[1] === import.meta.filename) await runAlone(startOpenAiServer);
