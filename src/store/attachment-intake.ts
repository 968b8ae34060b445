import { CoppiceError } from '../errors.ts';
import type { Attachment } from './contract.ts';
import { judgeType } from './media-type.ts';

const MIB = 1_048_576;
/** One file, and all files of one message: what hosted models take. */
export const FILE_BYTES = 5 * MIB;
export const MESSAGE_BYTES = 8 * MIB;
/** Of a name only this much is kept. */
const NAME_CHARACTERS = 255;

export interface Decoded {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly fileName?: string;
}

/** What the files of one message have used of their room. */
export interface Room {
  /** What one frame of the protocol carries, where that is known. */
  readonly carriedBytes: number | undefined;
  usedBytes: number;
}

/** One attachment as bytes of a known type. Throws ATTACHMENT_REFUSED with the number of the file, from 1, and why. */
export function decodeAttachment(attachment: Attachment, index: number, room: Room): Decoded {
  const fileName = plainName(attachment.fileName);
  const refuse = (reason: string): never => {
    const file = fileName === undefined ? String(index + 1) : `${index + 1} (${JSON.stringify(fileName)})`;
    throw new CoppiceError('ATTACHMENT_REFUSED', { file, reason });
  };
  const base64 = attachment.content.replace(/^data:[^,]{0,256};base64,/i, '').replaceAll(/[\r\n]/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0)
    return refuse('its content is not base64');
  const bytes = Buffer.from(base64, 'base64');
  room.usedBytes += bytes.length;
  if (bytes.length === 0) return refuse('it is empty');
  if (bytes.length > FILE_BYTES) return refuse(tooLarge(bytes.length, 'one file', FILE_BYTES, room));
  if (room.usedBytes > MESSAGE_BYTES)
    return refuse(tooLarge(room.usedBytes, 'with those before it', MESSAGE_BYTES, room));
  const judged = judgeType(bytes, attachment.mimeType);
  if ('fault' in judged) return refuse(judged.fault);
  const { mediaType } = judged;
  if (attachment.type === 'image' && !mediaType.startsWith('image/'))
    return refuse(`it says it is an image, and it is ${mediaType}`);
  return { bytes, mediaType, ...(fileName === undefined ? {} : { fileName }) };
}

function tooLarge(bytes: number, what: string, limit: number, { carriedBytes }: Room): string {
  const frame =
    carriedBytes !== undefined && carriedBytes < limit
      ? `; over a WebSocket it is about ${carriedBytes}, because of gateway.limits.frameBytes`
      : '';
  return `it has ${bytes} bytes ${what === 'one file' ? '' : `${what} `}and the limit is ${limit}${frame}`;
}

/** The last part of what may be a path of the sender's machine, without control characters. For people and models to read. */
function plainName(name: string | undefined): string | undefined {
  const last = (name ?? '').split(/[/\\]/).at(-1) ?? '';
  const plain = last
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '')
    .trim()
    .slice(0, NAME_CHARACTERS);
  return plain === '' || plain === '.' || plain === '..' ? undefined : plain;
}
