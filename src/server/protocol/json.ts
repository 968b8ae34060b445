/** JSON from strangers: its depth is known before a recursive reader meets it. */

/** How deep arrays and objects nest, at most `limit + 1`: the scan stops there. Linear, without recursion. */
export function jsonDepth(text: string, limit: number): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === BRACE || code === BRACKET) {
      depth += 1;
      if (depth > deepest) deepest = depth;
      if (depth > limit) return depth;
    } else if (code === BRACE_END || code === BRACKET_END) depth -= 1;
  }
  return deepest;
}

/**
 * Where a text stands that is no Unicode: half of a pair, written as an escape. A database keeps another text in its
 * place, the same for all of them, so that two names would become one. Undefined when there is none.
 */
export function brokenText(value: unknown, at: readonly string[] = []): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : at.join('.');
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = key.isWellFormed() ? brokenText(inner, [...at, key]) : at.join('.');
    if (found !== undefined) return found;
  }
  return undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACE_END = 0x7d;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;

/** The closing quote; the end of the text when there is none. */
function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    at += code === BACKSLASH ? 2 : 1;
  }
  return at;
}

/** The parsed value; undefined when it is no JSON. `__proto__` becomes an ordinary key; of a repeated key the last counts. */
export function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    // The caller answers; the parser's message would repeat what the stranger sent.
    return undefined;
  }
}
