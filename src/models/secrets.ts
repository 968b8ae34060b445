const HIDDEN = '[hidden]';
const DEEPEST = 5;

/** Shapes that providers echo in part: `sk-ab***yz`, `Bearer xyz`. */
const SHAPES = /\b(?:sk|pk|rk|key)-[\w*.-]{4,}|\bBearer\s+[^\s"',]+/gi;

/** Replaces credentials in text that is about to be shown. */
export type Scrub = (text: string) => string;

/** `secrets` are the literal values this provider was given. Values under four characters would hide ordinary words. */
export function createScrub(secrets: readonly (string | undefined)[]): Scrub {
  const literal = secrets.filter((secret) => secret !== undefined).map((secret) => secret.trim());
  const known = literal.filter((secret) => secret.length >= 4).sort((a, b) => b.length - a.length);
  return (text) =>
    known.reduce((shown, secret) => shown.replaceAll(secret, HIDDEN), text).replaceAll(SHAPES, HIDDEN);
}

/**
 * An error that may be logged: name, message, code and cause chain, scrubbed. The original also holds the request
 * body, the response headers and the address with everything in it.
 */
export function scrubError(thrown: unknown, scrub: Scrub, depth = 0): Error {
  if (!(thrown instanceof Error)) return new Error(scrub(describe(thrown)));
  const cause =
    thrown.cause !== undefined && depth < DEEPEST ? scrubError(thrown.cause, scrub, depth + 1) : undefined;
  const copy = new Error(scrub(thrown.message), cause === undefined ? undefined : { cause });
  copy.name = thrown.name;
  if (thrown.stack !== undefined) copy.stack = scrub(thrown.stack);
  const code = (thrown as { code?: unknown }).code;
  return typeof code === 'string' ? Object.assign(copy, { code }) : copy;
}

/** The message inside an error event or body, else a bounded rendering of it. */
export function describe(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  if (typeof thrown === 'object' && thrown !== null) {
    const message = (thrown as { message?: unknown }).message;
    if (typeof message === 'string') return message;
    return (JSON.stringify(thrown) ?? 'an unreadable error').slice(0, 500);
  }
  return String(thrown);
}
