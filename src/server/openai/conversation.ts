/** The messages of a request as a turn hears them, and which of them are new to a session that has a memory. */
import { CoppiceError } from '../../errors.ts';
import type { Attachment, Content } from '../../store/contract.ts';
import type { SaidMessage } from '../port.ts';
import { parseJson } from '../protocol/json.ts';
import { shown } from '../request-guard.ts';
import { attachmentOf, notYetStored, type FilePart } from './files.ts';
import { pathOf, type MessageContent, type RequestMessage } from './request.ts';

export interface Conversation {
  readonly said: SaidMessage[];
  /** What stands behind each file of it. */
  readonly files: ReadonlyMap<Content, Attachment>;
}

/** Throws COMPLETION_UNSUPPORTED for content nobody can hear, COMPLETION_INVALID for calls and results that do not meet. */
export function readConversation(messages: readonly RequestMessage[]): Conversation {
  checkCalls(messages);
  const names = namesOfCalls(messages);
  const files = new Map<Content, Attachment>();
  const said: SaidMessage[] = [];
  for (const [at, message] of messages.entries()) {
    const next = readMessage(message, at, names, files);
    const last = said.at(-1);
    // One tool message answers all the calls in front of it.
    if (last?.role === 'tool' && next.role === 'tool')
      said[said.length - 1] = { role: 'tool', content: [...last.content, ...next.content] };
    else if (next.content.length > 0) said.push(next);
  }
  return { said, files };
}

/** The attachments of these messages, in the order in which they stand there. */
export const attachmentsOf = (said: readonly SaidMessage[], { files }: Conversation): Attachment[] =>
  said.flatMap(({ content }) => content.flatMap((part) => files.get(part) ?? []));

/** What a session that remembers the rest has not heard yet: the last user message, or the results of the last calls. */
export function newestOf(said: readonly SaidMessage[]): SaidMessage[] {
  const last = said.at(-1);
  if (last?.role === 'user' || last?.role === 'tool') return [last];
  throw new CoppiceError('COMPLETION_INVALID', {
    param: 'messages',
    reason: 'with a session the last message must be a user message or the results of tools',
  });
}

/** The system prompt a request brings. */
export const instructionsOf = (said: readonly SaidMessage[]): string =>
  said.flatMap(({ role, content }) => (role === 'system' ? [plainText(content)] : [])).join('\n\n');

/** What the user said last. */
export const lastWords = (said: readonly SaidMessage[]): string =>
  plainText(said.findLast(({ role }) => role === 'user')?.content ?? []);

const plainText = (content: readonly Content[]): string =>
  content.map((part) => (part.type === 'text' ? part.text : '')).join('');

function readMessage(
  message: RequestMessage,
  at: number,
  names: ReadonlyMap<string, string>,
  files: Map<Content, Attachment>,
): SaidMessage {
  const where = ['messages', at, 'content'];
  if (message.role === 'tool') return { role: 'tool', content: [resultOf(message, where, names)] };
  if (message.role === 'user') return { role: 'user', content: userContent(message.content, where, files) };
  const text = textOf(message.content ?? '', where);
  const words: Content[] = text === '' && message.role === 'assistant' ? [] : [{ type: 'text', text }];
  if (message.role !== 'assistant')
    return { role: message.role === 'developer' ? 'system' : message.role, content: words };
  const calls = (message.tool_calls ?? []).map((call, index): Content => ({
    type: 'tool-call',
    toolCallId: call.id,
    toolName: call.function.name,
    input: argumentsOf(call.function.arguments, [
      'messages',
      at,
      'tool_calls',
      index,
      'function',
      'arguments',
    ]),
  }));
  return { role: 'assistant', content: [...words, ...calls] };
}

function resultOf(
  message: Extract<RequestMessage, { role: 'tool' }>,
  where: readonly PropertyKey[],
  names: ReadonlyMap<string, string>,
): Content {
  const { tool_call_id: toolCallId } = message;
  const output = textOf(message.content, where);
  return { type: 'tool-result', toolCallId, toolName: names.get(toolCallId) ?? '', output };
}

/** Words and files in the order of the message; words that follow each other are one part. */
function userContent(
  content: MessageContent,
  where: readonly PropertyKey[],
  files: Map<Content, Attachment>,
): Content[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  const parts: Content[] = [];
  for (const [index, part] of content.entries()) {
    const attachment = attachmentOf(part as FilePart, [...where, index]);
    const last = parts.at(-1);
    if (attachment) {
      const file = notYetStored();
      files.set(file, attachment);
      parts.push(file);
    } else {
      const text = textOf([part], where, index);
      if (last?.type === 'text') parts[parts.length - 1] = { type: 'text', text: last.text + text };
      else parts.push({ type: 'text', text });
    }
  }
  return parts;
}

function textOf(content: MessageContent, where: readonly PropertyKey[], from = 0): string {
  if (typeof content === 'string') return content;
  return content
    .map((part, index) => {
      const text = part.type === 'refusal' ? part['refusal'] : part['text'];
      if ((part.type === 'text' || part.type === 'refusal') && typeof text === 'string') return text;
      const param = pathOf([...where, from + index]);
      const reason = `a part of the type "${shown(part.type).slice(0, 64)}" is not taken here; send text, or in a user message image_url or file as a data URL`;
      throw new CoppiceError('COMPLETION_UNSUPPORTED', { param, reason });
    })
    .join('');
}

function argumentsOf(text: string, where: readonly PropertyKey[]): unknown {
  if (text.trim() === '') return {};
  const parsed = parseJson(text);
  if (!parsed)
    throw new CoppiceError('COMPLETION_INVALID', { param: pathOf(where), reason: 'it is not JSON' });
  return parsed.value;
}

const callsOf = (
  message: RequestMessage | undefined,
): { readonly id: string; readonly function: { readonly name: string } }[] =>
  message?.role === 'assistant' ? (message.tool_calls ?? []) : [];

const namesOfCalls = (messages: readonly RequestMessage[]): Map<string, string> =>
  new Map(messages.flatMap(callsOf).map((call) => [call.id, call.function.name]));

/** Every result answers a call of the assistant message in front of it, and every call is answered: providers refuse the rest. */
function checkCalls(messages: readonly RequestMessage[]): void {
  let open = new Set<string>();
  let asker = 0;
  const close = (at: number): void => {
    const [left] = open;
    if (left === undefined) return;
    const reason = `its tool call "${shown(left)}" has no tool message that answers it before messages[${at}]`;
    throw new CoppiceError('COMPLETION_INVALID', { param: `messages[${asker}].tool_calls`, reason });
  };
  for (const [at, message] of messages.entries()) {
    if (message.role === 'tool') {
      if (open.delete(message.tool_call_id)) continue;
      throw new CoppiceError('COMPLETION_INVALID', {
        param: `messages[${at}].tool_call_id`,
        reason: 'no assistant message right before it has an open tool call of this id',
      });
    }
    close(at);
    open = new Set(callsOf(message).map(({ id }) => id));
    asker = at;
  }
  close(messages.length);
}
