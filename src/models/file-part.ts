import type { LanguageModelV4FilePart, LanguageModelV4TextPart } from '@ai-sdk/provider';
import type { ModelContent, Provider } from './contract.ts';

export type WireApi = Extract<
  Provider['api'],
  'openai-completions' | 'openai-responses' | 'anthropic-messages'
>;
type File = Extract<ModelContent, { type: 'file' }>;
type Part = LanguageModelV4FilePart | LanguageModelV4TextPart;

/** What stands in a request that its format has no place for. Nothing was sent. */
export class UnsendableError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnsendableError';
  }
}

const IMAGES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);
const AUDIO = new Set(['audio/wav', 'audio/mpeg', 'audio/mp3']);
const TEXT =
  /^text\/|[+/](json|xml|yaml)$|^application\/(x-ndjson|x-yaml|toml|javascript|typescript|x-sh|sql)$/;
const TAKES = 'images (PNG, JPEG, GIF, WebP), PDF and text';

/** Without parameters, in lower case. */
function mediaTypeOf({ mediaType }: File): string {
  const bare = mediaType.split(';')[0]!.trim().toLowerCase();
  return bare === 'image/jpg' ? 'image/jpeg' : bare;
}

function nameOf(file: File): string {
  const type = mediaTypeOf(file) || 'no media type';
  return file.filename === undefined ? type : `${type} (${JSON.stringify(file.filename)})`;
}

function textOf(file: File): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(file.data);
  } catch {
    throw new UnsendableError(`the file of type ${nameOf(file)} is not UTF-8 text`);
  }
}

const named = ({ filename }: File) => (filename === undefined ? {} : { filename });

/** Anthropic has text documents with a title; elsewhere the text goes in as text, under a line that names it. */
function textPart(file: File, api: WireApi): Part {
  const text = textOf(file);
  if (api === 'anthropic-messages')
    return { type: 'file', mediaType: 'text/plain', data: { type: 'text', text }, ...named(file) };
  return { type: 'text', text: `Attached file: ${nameOf(file)}\n\n${text}` };
}

/**
 * One file as a part of a user message.
 *
 * @throws UnsendableError naming the media type when the format cannot carry it.
 */
export function toFilePart(file: File, api: WireApi): Part {
  const mediaType = mediaTypeOf(file);
  const known =
    IMAGES.has(mediaType) ||
    mediaType === 'application/pdf' ||
    (api === 'openai-completions' && AUDIO.has(mediaType));
  if (known) return { type: 'file', mediaType, data: { type: 'data', data: file.data }, ...named(file) };
  if (TEXT.test(mediaType)) return textPart(file, api);
  throw new UnsendableError(`${api} cannot carry a file of type ${nameOf(file)}; it takes ${TAKES}`);
}
