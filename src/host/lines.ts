import { StringDecoder } from 'node:string_decoder';
import type { Readable } from 'node:stream';

export interface Line {
  readonly text: string;
  /** It was longer than the limit; the rest of it is lost. */
  readonly truncated: boolean;
}

/** Cuts UTF-8 output into lines and holds at most one, of at most `limit` characters. */
export function readLines(stream: Readable, limit: number, tell: (line: Line) => void): void {
  const decoder = new StringDecoder('utf8');
  let held = '';
  let truncated = false;
  const add = (part: string): void => {
    truncated ||= held.length + part.length > limit;
    held += part.slice(0, limit - held.length);
  };
  const flush = (): void => {
    const line = { text: held.endsWith('\r') ? held.slice(0, -1) : held, truncated };
    held = '';
    truncated = false;
    tell(line);
  };
  const take = (text: string): void => {
    const parts = text.split('\n');
    for (const [at, part] of parts.entries()) {
      if (at > 0) flush();
      add(part);
    }
  };
  stream.on('data', (chunk: Buffer) => take(decoder.write(chunk)));
  stream.on('end', () => {
    take(decoder.end());
    if (held !== '' || truncated) flush();
  });
}
