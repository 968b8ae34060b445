/** Images and files in a user message of a chat completion, as attachments. Nothing is fetched: they come as data URLs. */
import { CoppiceError } from '../../errors.ts';
import type { Attachment, FileContent } from '../../store/contract.ts';
import { shown } from '../request-guard.ts';
import { pathOf } from './request.ts';

export interface FilePart {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Stands in a message until the file is on disk; the gateway fills these in the order of the attachments. */
export const notYetStored = (): FileContent => ({ type: 'file', sha256: '', mediaType: '', bytes: 0 });

/** The file of a part; undefined when the part is no file. Throws COMPLETION_UNSUPPORTED for what is not sent along. */
export function attachmentOf(part: FilePart, where: readonly PropertyKey[]): Attachment | undefined {
  if (part.type === 'image_url') {
    const { url } = record(part['image_url']);
    return { type: 'image', ...dataOf(url, [...where, 'image_url', 'url'], 'an image') };
  }
  if (part.type !== 'file') return undefined;
  const { file_data: data, filename } = record(part['file']);
  const name = typeof filename === 'string' ? { fileName: filename } : {};
  return { type: 'file', ...name, ...dataOf(data, [...where, 'file', 'file_data'], 'a file') };
}

function dataOf(
  url: unknown,
  where: readonly PropertyKey[],
  what: string,
): Pick<Attachment, 'mimeType' | 'content'> {
  const found = typeof url === 'string' ? /^data:([^;,]{1,128});base64,/i.exec(url) : null;
  if (found) return { mimeType: found[1]!.toLowerCase(), content: url as string };
  const begun = typeof url === 'string' ? ` (it begins with "${shown(url).slice(0, 24)}")` : '';
  throw new CoppiceError('COMPLETION_UNSUPPORTED', {
    param: pathOf(where),
    reason: `${what} must be sent along, as data:TYPE;base64,...; nothing is fetched${begun}`,
  });
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value ? (value as Record<string, unknown>) : {};
