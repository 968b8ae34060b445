/** What goes back to the model, and into the transcript: plain JSON of bounded size. */
export interface ToolResult {
  /** A string, or a plain JSON value. */
  readonly output: unknown;
  readonly isError: boolean;
}

export const OUTPUT_LIMIT_BYTES = 64 * 1024;
const ERROR_LIMIT_BYTES = 4 * 1024;

const byteLength = (text: string): number => Buffer.byteLength(text);

/** The longest beginning of `text` that fits, never half a character. */
function cut(text: string, limit: number): string {
  const bytes = Buffer.from(text.slice(0, limit)); // a character is at least one byte
  if (bytes.byteLength <= limit) return bytes.toString();
  let end = limit;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}

/** `text`, or its beginning with a note about the rest. The note comes on top of `limit`. */
export function boundText(text: string, limit: number): string {
  const size = byteLength(text);
  return size <= limit ? text : `${cut(text, limit)}\n[cut: ${size} bytes in all, ${limit} shown]`;
}

export function errorResult(message: string): ToolResult {
  return { output: boundText(message, ERROR_LIMIT_BYTES), isError: true };
}

/**
 * A tool's return value as a result. JSON that fits stays JSON; longer JSON becomes the beginning of its text.
 *
 * @throws TypeError when the value is not JSON (a cycle, a bigint).
 */
export function toResult(value: unknown, limit = OUTPUT_LIMIT_BYTES): ToolResult {
  if (typeof value === 'string') return { output: boundText(value, limit), isError: false };
  const json = JSON.stringify(value) ?? 'null';
  // Parsed again: what the journal keeps and what the model sees are then the same, and nobody holds the tool's object.
  const output: unknown = byteLength(json) <= limit ? JSON.parse(json) : boundText(json, limit);
  return { output, isError: false };
}
