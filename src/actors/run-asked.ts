import type { PromptMessage } from '../machines/run-state.ts';
import type { RunContent, TurnMessage } from '../machines/turn.ts';
import type { TurnOptions } from '../server/port.ts';
import type { Content } from '../store/contract.ts';

/** What came with a message beside its text. Written by the surfaces of this house alone, which check it. */
export const askedOf = ({ options }: Pick<TurnMessage, 'options'>): TurnOptions => options as TurnOptions;

export const said = (role: 'system' | 'user', text: string): PromptMessage => ({
  role,
  content: [{ type: 'text', text }],
});

/** What is said in a message: its conversation if it brought one, else its text. */
export function wordsOf(message: TurnMessage): readonly PromptMessage[] {
  const { said: conversation, attachments = [] } = askedOf(message);
  if (conversation) return conversation;
  if (attachments.length === 0) return [said('user', message.text)];
  const words: RunContent[] = message.text === '' ? [] : [{ type: 'text', text: message.text }];
  return [{ role: 'user', content: [...words, ...attachments] }];
}

/** A part of a turn as the transcript keeps it. */
export function contentOf(part: RunContent): Content {
  const {
    type,
    text = '',
    toolCallId = '',
    toolName = '',
    input = null,
    output = null,
    isError = false,
  } = part;
  if (type === 'text') return { type, text };
  if (type === 'file') return fileOf(part);
  return type === 'tool-call'
    ? { type, toolCallId, toolName, input }
    : { type, toolCallId, toolName, output, isError };
}

function fileOf({ sha256 = '', mediaType = '', bytes = 0, fileName }: RunContent): Content {
  return { type: 'file', sha256, mediaType, bytes, ...(fileName === undefined ? {} : { fileName }) };
}
