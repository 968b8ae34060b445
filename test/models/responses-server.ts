/** OpenAI's streaming responses. `scripted-server.ts` says what it can be asked for. */
import { halves, runAlone, send, serverOf, type Play, type Wire } from './scripted-server.ts';

type Event = { readonly type: string } & Readonly<Record<string, unknown>>;

interface Said {
  events: number;
  output: number;
  /** A message is open: text goes into it. */
  message: boolean;
}

const answers = new WeakMap<Play, Said>();
function saidIn(play: Play): Said {
  const said = answers.get(play) ?? { events: 0, output: 0, message: false };
  answers.set(play, said);
  return said;
}

function say(play: Play, event: Event): void {
  const said = saidIn(play);
  send(play, { ...event, sequence_number: said.events }, event.type);
  said.events += 1;
}

const response = (play: Play, more: object) => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1_700_000_000,
  model: play.body.model ?? 'm',
  status: 'in_progress',
  output: [],
  error: null,
  incomplete_details: null,
  usage: null,
  ...more,
});

const message = (said: Said) => ({
  type: 'message',
  id: `msg_${said.output}`,
  role: 'assistant',
  status: 'in_progress',
  content: [],
});

function closeMessage(play: Play): void {
  const said = saidIn(play);
  if (!said.message) return;
  say(play, { type: 'response.output_item.done', output_index: said.output, item: message(said) });
  said.message = false;
  said.output += 1;
}

const USAGE = {
  input_tokens: 14,
  input_tokens_details: { cached_tokens: 3 },
  output_tokens: 6,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 20,
};

const wire: Wire = {
  name: 'responses-server',
  begin(play) {
    say(play, { type: 'response.created', response: response(play, {}) });
    say(play, { type: 'response.in_progress', response: response(play, {}) });
  },
  text(play, delta) {
    const said = saidIn(play);
    if (!said.message)
      say(play, { type: 'response.output_item.added', output_index: said.output, item: message(said) });
    said.message = true;
    say(play, {
      type: 'response.output_text.delta',
      item_id: `msg_${said.output}`,
      output_index: said.output,
      content_index: 0,
      delta,
    });
  },
  reasoning(play, text) {
    const said = saidIn(play);
    const output_index = said.output;
    const item_id = `rs_${output_index}`;
    const item = { type: 'reasoning', id: item_id, summary: [] };
    say(play, { type: 'response.output_item.added', output_index, item });
    const part = { item_id, output_index, summary_index: 0 };
    say(play, {
      type: 'response.reasoning_summary_part.added',
      ...part,
      part: { type: 'summary_text', text: '' },
    });
    say(play, { type: 'response.reasoning_summary_text.delta', ...part, delta: text });
    say(play, {
      type: 'response.reasoning_summary_part.done',
      ...part,
      part: { type: 'summary_text', text },
    });
    say(play, { type: 'response.output_item.done', output_index, item });
    said.output += 1;
  },
  toolCall(play, { id, name, input }) {
    closeMessage(play);
    const said = saidIn(play);
    const output_index = said.output;
    const item_id = `fc_${output_index}`;
    const item = {
      type: 'function_call',
      id: item_id,
      call_id: id,
      name,
      arguments: '',
      status: 'in_progress',
    };
    say(play, { type: 'response.output_item.added', output_index, item });
    for (const delta of halves(input))
      say(play, { type: 'response.function_call_arguments.delta', item_id, output_index, delta });
    say(play, { type: 'response.function_call_arguments.done', item_id, output_index, arguments: input });
    say(play, {
      type: 'response.output_item.done',
      output_index,
      item: { ...item, arguments: input, status: 'completed' },
    });
    said.output += 1;
  },
  finish(play, reason) {
    closeMessage(play);
    const status = reason === undefined ? 'completed' : 'incomplete';
    const incomplete_details = reason === undefined ? null : { reason };
    say(play, {
      type: `response.${status}`,
      response: response(play, { status, incomplete_details, usage: USAGE }),
    });
    play.res.end();
  },
  // Calls end an answer like any other; the reason is that there are some.
  toolReason: '',
  errorEvent(play, { type, message: text }) {
    say(play, { type: 'error', code: type, message: text, param: null });
    play.res.end();
  },
  errorBody: ({ type, code, message: text }) => ({
    error: { message: text, type, param: null, code: code || null },
  }),
  afterTool: (body) => body.input?.at(-1)?.type === 'function_call_output',
};

export const startResponsesServer = serverOf(wire, {
  /** The way this format ends an answer that failed on the server. */
  failed(play) {
    play.res.writeHead(200, { 'content-type': 'text/event-stream' });
    wire.begin(play);
    wire.text(play, 'Half of ');
    const error = { code: play.arg('error-code', 'server_error'), message: play.arg('message', 'Boom') };
    say(play, { type: 'response.failed', response: response(play, { status: 'failed', error }) });
    play.res.end();
  },
});

if (process.argv[1] === import.meta.filename) await runAlone(startResponsesServer);
