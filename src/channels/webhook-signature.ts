import { createHmac, timingSafeEqual } from 'node:crypto';
import { CoppiceError } from '../errors.ts';

/**
 * Two ways to sign a body with a shared secret, HMAC-SHA256 in hex both:
 * - `hmac-sha256`: over `TIMESTAMP.BODY`, with `x-coppice-timestamp: TIMESTAMP` and `x-coppice-signature: v1=HEX`;
 * - `github`: over `BODY`, with `x-hub-signature-256: sha256=HEX`. It says nothing of the time.
 */
export type SigningScheme = 'hmac-sha256' | 'github';

export interface SigningRule {
  readonly channel: string;
  readonly secret: string;
  /** Only this one. Without it a sender may use either. */
  readonly scheme?: SigningScheme | undefined;
  /** Where the signature stands, instead of the header of its scheme. */
  readonly signatureHeader?: string | undefined;
}

/** What a valid signature vouches for. `digest` is the same for the same signed bytes. */
export type Signed =
  | { readonly scheme: 'hmac-sha256'; readonly digest: string; readonly signedAt: number }
  | { readonly scheme: 'github'; readonly digest: string };

export const TIMESTAMP_HEADER = 'x-coppice-timestamp';
const HEADERS = { 'hmac-sha256': 'x-coppice-signature', github: 'x-hub-signature-256' } as const;
const PREFIXES = { 'hmac-sha256': 'v1=', github: 'sha256=' } as const;
/** Senders that change their secret sign with the old and the new one for a while. */
const MOST_SIGNATURES = 4;
/** A smaller number is in seconds: this many milliseconds were over in 1973. */
const SECONDS_BELOW = 100_000_000_000;

/** Looks at nothing but bytes: neither the body nor a header is parsed before. Throws HOOK_SIGNATURE. */
export function verify(
  rule: SigningRule,
  header: (name: string) => string | undefined,
  body: Uint8Array,
): Signed {
  const given = signatureOf(rule, header);
  const timestamp = given.scheme === 'github' ? undefined : header(TIMESTAMP_HEADER);
  if (given.scheme === 'hmac-sha256' && !/^\d{1,15}$/.test(timestamp ?? ''))
    throw refused(rule, `the header ${TIMESTAMP_HEADER} must be a time in milliseconds or seconds`);
  const expected = digestOf(rule.secret, body, timestamp);
  if (!given.digests.some((digest) => timingSafeEqual(digest, expected)))
    throw refused(rule, 'the signature does not match');
  const digest = expected.toString('hex');
  if (given.scheme === 'github') return { scheme: 'github', digest };
  return { scheme: 'hmac-sha256', digest, signedAt: inMs(Number(timestamp)) };
}

/** The headers that go with `body`. Under `hmac-sha256` they are good for the receiver's window around `nowMs`. */
export function sign(rule: SigningRule, body: Uint8Array, nowMs: number): Record<string, string> {
  const scheme = rule.scheme ?? 'hmac-sha256';
  const timestamp = scheme === 'github' ? undefined : String(Math.round(nowMs));
  const value = `${PREFIXES[scheme]}${digestOf(rule.secret, body, timestamp).toString('hex')}`;
  return {
    [rule.signatureHeader?.toLowerCase() ?? HEADERS[scheme]]: value,
    ...(timestamp === undefined ? {} : { [TIMESTAMP_HEADER]: timestamp }),
  };
}

interface Given {
  readonly scheme: SigningScheme;
  readonly digests: readonly Buffer[];
}

function signatureOf(rule: SigningRule, header: (name: string) => string | undefined): Given {
  const names = [rule.signatureHeader ?? HEADERS['hmac-sha256'], HEADERS.github];
  const value = names.map(header).find((found) => found !== undefined);
  if (value === undefined) throw refused(rule, `it has no header ${names[0]}`);
  const parts = value.split(',', MOST_SIGNATURES).map((part) => part.trim());
  const scheme = parts.some((part) => part.startsWith(PREFIXES.github)) ? 'github' : 'hmac-sha256';
  if (rule.scheme !== undefined && rule.scheme !== scheme)
    throw refused(
      rule,
      `its signature begins with "${PREFIXES[scheme]}", and this channel takes ${rule.scheme}`,
    );
  const digests = parts.flatMap((part) => digestIn(part, PREFIXES[scheme]));
  if (digests.length === 0) throw refused(rule, `its signature is not ${PREFIXES[scheme]} and 64 hex digits`);
  return { scheme, digests };
}

function digestIn(part: string, prefix: string): Buffer[] {
  const hex = part.startsWith(prefix) ? part.slice(prefix.length) : '';
  return /^[0-9a-f]{64}$/i.test(hex) ? [Buffer.from(hex, 'hex')] : [];
}

function digestOf(secret: string, body: Uint8Array, timestamp: string | undefined): Buffer {
  const hmac = createHmac('sha256', secret);
  if (timestamp !== undefined) hmac.update(`${timestamp}.`);
  return hmac.update(body).digest();
}

const inMs = (time: number): number => (time < SECONDS_BELOW ? time * 1_000 : time);

const refused = ({ channel }: SigningRule, reason: string): CoppiceError =>
  new CoppiceError('HOOK_SIGNATURE', { channel, reason });
