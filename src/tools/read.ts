import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { defineTool } from './contract.ts';
import { refused, withOpened, type Opened } from './workspace.ts';

const DEFAULT_BYTES = 32 * 1024;
const MOST_BYTES = 256 * 1024;
const STEP_BYTES = 64 * 1024;
/** Escapes make JSON longer than the bytes it was read from: this leaves room for text that is mostly newlines and quotes. */
const OUTPUT_BYTES = 2 * MOST_BYTES + 4 * 1024;

const input = z.object({
  path: z.string().min(1).max(4_096).describe('A file, relative to the workspace.'),
  offset: z.int().min(0).default(0).describe('First byte to read.'),
  limit: z.int().min(4).max(MOST_BYTES).default(DEFAULT_BYTES).describe('Most bytes to read: 4 to 262144.'),
});

interface ReadOutput {
  readonly path: string;
  /** Of the whole file, in bytes. */
  readonly size: number;
  /** First byte shown: the asked offset, moved to the next whole character. */
  readonly offset: number;
  readonly text: string;
  /** Present when there is more: read on from here. */
  readonly nextOffset?: number;
  readonly note?: string;
}

/** In steps, so that an abort does not wait for a slow disk to deliver everything. */
async function readBytes(
  { handle }: Opened,
  offset: number,
  limit: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const buffer = Buffer.alloc(limit);
  let filled = 0;
  while (filled < limit) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(
      buffer,
      filled,
      Math.min(STEP_BYTES, limit - filled),
      offset + filled,
    );
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;

/** Bytes at the start that belong to a character in front of it: at most three. */
function skipStart(bytes: Buffer): number {
  let skip = 0;
  while (skip < 3 && isContinuation(bytes[skip])) skip += 1;
  return skip;
}

/** How many bytes the character led by this byte has; 1 for what leads none. */
function lengthOf(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}

/** The end of the last whole character. */
function wholeEnd(bytes: Buffer): number {
  let lead = bytes.length - 1;
  while (lead > 0 && bytes.length - lead < 4 && isContinuation(bytes[lead])) lead -= 1;
  return lead >= 0 && lead + lengthOf(bytes[lead]!) > bytes.length ? lead : bytes.length;
}

interface Piece {
  readonly from: number;
  readonly bytes: Buffer;
}

/** Moves both ends to whole characters; the end of the file is one already. */
function wholeCharacters(bytes: Buffer, offset: number, atEnd: boolean): Piece {
  const start = offset > 0 ? skipStart(bytes) : 0;
  const end = Math.max(start, atEnd ? bytes.length : wholeEnd(bytes));
  return { from: offset + start, bytes: bytes.subarray(start, end) };
}

function render(asked: string, size: number, { from, bytes }: Piece): ReadOutput {
  const next = from + bytes.length;
  return {
    path: asked,
    size,
    offset: from,
    text: bytes.toString('utf8'),
    ...(next < size ? { nextOffset: next } : {}),
    ...(isUtf8(bytes) ? {} : { note: 'not valid UTF-8; unreadable bytes are shown as U+FFFD' }),
  };
}

export const readTool = defineTool({
  name: 'read',
  description:
    'Reads a text file of the workspace. Long files come in pieces: read on with offset = nextOffset.',
  input,
  idempotent: true,
  maxOutputBytes: OUTPUT_BYTES,
  run: ({ path, offset, limit }, { workspace, signal }) =>
    withOpened(workspace, path, 'file', async (opened): Promise<ReadOutput> => {
      const bytes = await readBytes(opened, offset, limit, signal);
      if (bytes.includes(0))
        throw refused(path, `it is binary (${opened.stats.size} bytes); read shows text only`);
      const atEnd = bytes.length < limit;
      const before = Number(opened.stats.size); // the file may have grown or shrunk since
      const size = atEnd && offset <= before ? offset + bytes.length : before;
      return render(path, size, wholeCharacters(bytes, offset, atEnd));
    }),
});
