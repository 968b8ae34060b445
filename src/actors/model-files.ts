import { LIMITS } from '../machines/limits.ts';
import type { PromptMessage } from '../machines/run-state.ts';
import type { Candidate, RunContent } from '../machines/turn.ts';
import type { ModelContent, ModelInfo } from '../models/contract.ts';
import type { Deps } from './deps.ts';

type FileDeps = Pick<Deps, 'attachments' | 'providers'>;
type Files = ReadonlyMap<RunContent, ModelContent>;

/**
 * What each file of a prompt is to this model: its bytes, or a line that says what it was and why it is not here.
 * The newest come first, as far as one request carries. A model of which nobody knows what it takes is asked with the
 * files of this message alone: should it refuse them, the session goes on with the next one.
 */
export async function filesFor(
  deps: FileDeps,
  candidate: Candidate,
  messages: readonly PromptMessage[],
): Promise<Files> {
  const files = new Map<RunContent, ModelContent>();
  const input = inputOf(deps, candidate);
  const current = messages.findLast(({ role }) => role === 'user');
  let left: number = LIMITS.fileBytesPerRequest;
  for (const message of messages.toReversed()) {
    for (const part of message.content.filter(({ type }) => type === 'file')) {
      const refusal = refusalOf(part, input, message === current, left);
      const shown = refusal === undefined ? await load(deps, part, input) : placeholder(part, refusal);
      if (shown.type === 'file') left -= shown.data.byteLength;
      files.set(part, shown);
    }
  }
  return files;
}

function inputOf({ providers }: FileDeps, { provider, model }: Candidate): ModelInfo['input'] {
  const known = providers.get(provider)?.models() ?? [];
  return known.find(({ id }) => id === model)?.input;
}

const isImage = ({ mediaType = '' }: RunContent): boolean => mediaType.startsWith('image/');
/** Any model can read it: it is put into the text. */
const isText = (part: RunContent): boolean => !isImage(part) && part.mediaType !== 'application/pdf';

function refusalOf(
  part: RunContent,
  input: ModelInfo['input'],
  isCurrent: boolean,
  left: number,
): string | undefined {
  if (input && !isText(part) && !input.includes(isImage(part) ? 'image' : 'file'))
    return `this model takes no ${isImage(part) ? 'images' : 'files'}`;
  if (!input && !isText(part) && !isCurrent) return 'sent with an earlier message';
  return (part.bytes ?? 0) > left ? 'too much for one request' : undefined;
}

async function load(
  { attachments }: FileDeps,
  part: RunContent,
  input: ModelInfo['input'],
): Promise<ModelContent> {
  const { sha256 = '', mediaType = '', fileName } = part;
  try {
    const data = await attachments.read({ sha256 });
    if (isText(part) && (input?.includes('file') !== true || data.byteLength > LIMITS.fileTextBytes))
      return textOf(part, data);
    return { type: 'file', mediaType, data, ...(fileName === undefined ? {} : { filename: fileName }) };
  } catch {
    // Its digest is in the transcript and its file is gone or changed: the model is told, and the turn goes on.
    return placeholder(part, 'its content is not there any more');
  }
}

function textOf(part: RunContent, data: Uint8Array): ModelContent {
  const text = new TextDecoder().decode(data.subarray(0, LIMITS.fileTextBytes));
  const cut = data.byteLength > LIMITS.fileTextBytes ? `\n[cut after ${sizeOf(LIMITS.fileTextBytes)}]` : '';
  return { type: 'text', text: `\n[${describe(part)}]\n${text}${cut}\n` };
}

const placeholder = (part: RunContent, reason: string): ModelContent => ({
  type: 'text',
  text: `\n[${describe(part)}: ${reason}]`,
});

const describe = ({ fileName, mediaType = '', bytes = 0 }: RunContent): string =>
  [fileName, mediaType, sizeOf(bytes)].filter(Boolean).join(', ');

function sizeOf(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
