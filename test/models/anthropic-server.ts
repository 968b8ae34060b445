/** Anthropic's streaming messages. `scripted-server.ts` says what it can be asked for. */
import { halves, runAlone, send, serverOf, type Play, type Wire } from './scripted-server.ts';

type Event = { readonly type: string } & Readonly<Record<string, unknown>>;
/** Every event is named twice: in its line and in its data. */
const say = (play: Play, event: Event): void => send(play, event, event.type);

/** Blocks are numbered through the answer. The text in hand stays open until something else begins. */
const blocks = new WeakMap<Play, { index: number; text: boolean }>();
const at = (play: Play): { index: number; text: boolean } => {
  const known = blocks.get(play) ?? { index: 0, text: false };
  blocks.set(play, known);
  return known;
};

function closeText(play: Play): void {
  const block = at(play);
  if (!block.text) return;
  say(play, { type: 'content_block_stop', index: block.index });
  block.text = false;
  block.index += 1;
}

function whole(play: Play, content_block: object, deltas: readonly object[]): void {
  closeText(play);
  const block = at(play);
  const { index } = block;
  say(play, { type: 'content_block_start', index, content_block });
  for (const delta of deltas) say(play, { type: 'content_block_delta', index, delta });
  say(play, { type: 'content_block_stop', index });
  block.index += 1;
}

const wire: Wire = {
  name: 'anthropic-server',
  begin(play) {
    const usage = {
      input_tokens: 11,
      cache_read_input_tokens: 3,
      cache_creation_input_tokens: 0,
      output_tokens: 1,
    };
    say(play, {
      type: 'message_start',
      message: {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: play.body.model ?? 'm',
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage,
      },
    });
    say(play, { type: 'ping' });
  },
  text(play, text) {
    const block = at(play);
    const { index } = block;
    if (!block.text)
      say(play, { type: 'content_block_start', index, content_block: { type: 'text', text: '' } });
    block.text = true;
    say(play, { type: 'content_block_delta', index, delta: { type: 'text_delta', text } });
  },
  reasoning: (play, thinking) =>
    whole(play, { type: 'thinking', thinking: '', signature: '' }, [
      { type: 'thinking_delta', thinking },
      { type: 'signature_delta', signature: 'sig' },
    ]),
  toolCall: (play, { id, name, input }) =>
    whole(
      play,
      { type: 'tool_use', id, name, input: {} },
      halves(input).map((partial_json) => ({ type: 'input_json_delta', partial_json })),
    ),
  finish(play, reason = 'end_turn') {
    closeText(play);
    say(play, {
      type: 'message_delta',
      delta: { stop_reason: reason, stop_sequence: null },
      usage: { output_tokens: 6 },
    });
    say(play, { type: 'message_stop' });
    play.res.end();
  },
  toolReason: 'tool_use',
  errorEvent(play, error) {
    say(play, { type: 'error', error });
    play.res.end();
  },
  errorBody: ({ type, code, message }) => ({ type: 'error', error: { type: code || type, message } }),
  afterTool: (body) =>
    Array.isArray(body.messages?.at(-1)?.content) &&
    body.messages.at(-1).content.some((part: any) => part.type === 'tool_result'),
};

export const startAnthropicServer = serverOf(wire, {
  /** The stop event without the reason that belongs before it. */
  'stop-without-reason'(play) {
    play.res.writeHead(200, { 'content-type': 'text/event-stream' });
    wire.begin(play);
    wire.text(play, 'Half of ');
    closeText(play);
    say(play, { type: 'message_stop' });
    play.res.end();
  },
  /** The reason, and then not the stop event. */
  'reason-without-stop'(play) {
    play.res.writeHead(200, { 'content-type': 'text/event-stream' });
    wire.begin(play);
    wire.text(play, 'Half of ');
    closeText(play);
    say(play, {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: 6 },
    });
    play.res.end();
  },
});

if (process.argv[1] === import.meta.filename) await runAlone(startAnthropicServer);
