/** What a file is, from its bytes: what its sender calls it is a claim. */

const startsWith = (bytes: Uint8Array, head: string, at = 0): boolean =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .subarray(at, at + head.length)
    .equals(Buffer.from(head, 'latin1'));

const MAGIC: readonly (readonly [string, (bytes: Uint8Array) => boolean])[] = [
  ['image/png', (bytes) => startsWith(bytes, '\x89PNG\r\n\x1a\n')],
  ['image/jpeg', (bytes) => startsWith(bytes, '\xff\xd8\xff')],
  ['image/gif', (bytes) => startsWith(bytes, 'GIF87a') || startsWith(bytes, 'GIF89a')],
  ['image/webp', (bytes) => startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)],
  ['application/pdf', (bytes) => startsWith(bytes, '%PDF-')],
];

/** Types that are text under another name. */
const TEXTUAL =
  /^text\/|^application\/(?:[\w.+-]+\+)?(?:json|xml|yaml)$|^application\/(?:x-ndjson|x-yaml|toml|javascript|typescript|x-sh|sql)$/;

export const TAKEN = 'png, jpeg, gif and webp images, pdf, and text';

/** Of bytes: one of the types above, `text/plain` for UTF-8 without control characters, else undefined. */
export function sniff(bytes: Uint8Array): string | undefined {
  return MAGIC.find(([, fits]) => fits(bytes))?.[0] ?? (isText(bytes) ? 'text/plain' : undefined);
}

/** Without parameters, in lower case. */
export function bareType(claim: string): string {
  const bare = (claim.split(';')[0] ?? '').trim().toLowerCase();
  return bare === 'image/jpg' ? 'image/jpeg' : bare;
}

/**
 * The type to keep. A claim about text stands when the bytes are text; any other must be what the bytes say.
 * `fault` says in words why not.
 */
export function judgeType(
  bytes: Uint8Array,
  claim: string | undefined,
): { readonly mediaType: string } | { readonly fault: string } {
  const found = sniff(bytes);
  const claimed = claim === undefined || claim.trim() === '' ? found : bareType(claim);
  if (claimed === undefined) return { fault: `its type is not known; ${TAKEN} are taken` };
  const textual = TEXTUAL.test(claimed);
  if (!textual && !MAGIC.some(([type]) => type === claimed))
    return { fault: `files of type ${shown(claimed)} are not taken; ${TAKEN} are` };
  if (textual ? found === 'text/plain' : found === claimed) return { mediaType: claimed };
  return { fault: `it says it is ${shown(claimed)}, and it is ${found ?? 'something else'}` };
}

const shown = (type: string): string => JSON.stringify(type.slice(0, 64));

/** Tab, line feed, form feed and carriage return are text. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\0-\x08\x0b\x0e-\x1f\x7f]/;

function isText(bytes: Uint8Array): boolean {
  try {
    return !CONTROL.test(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The decoder's only way to say that it is not UTF-8.
    return false;
  }
}
