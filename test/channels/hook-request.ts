import { createHmac } from 'node:crypto';
import type { HookRequest } from '../../src/channels/index.ts';
import { CoppiceError } from '../../src/errors.ts';

export const SECRET = 'a-secret-of-the-webhook-tests';

type Body = string | Uint8Array;

const hex = (parts: readonly Body[], secret = SECRET): string => {
  const hmac = createHmac('sha256', secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
};

/** As a sender would sign it, written down once more here so that a slip in ours is no slip in both. */
export const signed = (body: Body, at: number | string, secret = SECRET): Record<string, string> => ({
  'x-coppice-timestamp': String(at),
  'x-coppice-signature': `v1=${hex([`${at}.`, body], secret)}`,
});

export const signedLikeGitHub = (body: Body, delivery?: string): Record<string, string> => ({
  'x-hub-signature-256': `sha256=${hex([body])}`,
  ...(delivery === undefined ? {} : { 'x-github-delivery': delivery }),
});

export function hookRequest(body: Body, headers: Record<string, string>): HookRequest {
  const bytes = Buffer.from(body as string);
  return {
    header: (name) => headers[name.toLowerCase()],
    body: async (maxBytes) => {
      if (bytes.length > maxBytes) throw new CoppiceError('HOOK_TOO_LARGE', { maxBytes });
      return bytes;
    },
  };
}
