/** Node fires a longer timer at once, and no provider means more than 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** Header lookup that ignores case; takes a `Headers` or a plain record. Never throws. */
function header(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  for (const [key, value] of Object.entries(headers)) {
    if (key.toLowerCase() === name && (typeof value === 'string' || typeof value === 'number'))
      return String(value);
  }
  return undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function bounded(ms: number): number | undefined {
  return Number.isFinite(ms) && ms >= 0 ? Math.min(Math.ceil(ms), LONGEST_MS) : undefined;
}

/** `1.5s`, `200ms`, `6m0s`, `1h2m`: the sum in milliseconds. */
function duration(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    sum += Number(amount) * (UNIT_MS[unit!] ?? 0);
  return bounded(sum);
}

/**
 * The value of a `retry-after` header (RFC 9110, 10.2.3: seconds or an HTTP date; some providers add a unit), as
 * milliseconds from `nowMs` (epoch). A date in the past is 0. Undefined when it cannot be read.
 */
export function parseRetryAfter(value: string, nowMs: number): number | undefined {
  const text = value.trim().toLowerCase();
  if (/^\d+(?:\.\d+)?$/.test(text)) return bounded(Number(text) * 1_000);
  const spelled = duration(text);
  if (spelled !== undefined) return spelled;
  // Date.parse also takes strange things ('-5' is a year): an HTTP date has a month's name and a clock time.
  const at = /[a-z]{3}.*\d:\d/.test(text) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : bounded(Math.max(0, at - nowMs));
}

/** What the headers say about when to come back: `retry-after-ms` first, since it is the finer one. */
export function retryAfterOfHeaders(headers: unknown, nowMs: number): number | undefined {
  const ms = header(headers, 'retry-after-ms')?.trim();
  if (ms !== undefined && /^\d+(?:\.\d+)?$/.test(ms)) return bounded(Number(ms));
  const value = header(headers, 'retry-after');
  return value === undefined ? undefined : parseRetryAfter(value, nowMs);
}

/** What the text of an error says: `Please try again in 1.2s`, `"retryDelay": "34s"`. */
export function retryAfterOfText(text: string): number | undefined {
  const found =
    /(?:try again in|retry (?:after|in)|"?retrydelay"?\s*:\s*"?)\s*((?:\d+(?:\.\d+)?\s?(?:ms|s|m|h))+)\b/i.exec(
      text,
    );
  return found ? duration(found[1]!.replaceAll(/\s/g, '').toLowerCase()) : undefined;
}
