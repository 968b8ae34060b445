import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Clock } from '../supervisor/clock.ts';
import type { Delivery, DeliveryOutcome } from './contract.ts';
import { sign } from './webhook-signature.ts';
import type { SigningRule } from './webhook-signature.ts';

export interface CallbackRule extends SigningRule {
  /** http or https. The operator's, never a sender's: nobody else decides where this machine connects to. */
  readonly url: string;
  readonly clock: Clock;
  /** From the first byte out to the status line. */
  readonly timeoutMs: number;
}

/** Longer wishes are taken for this: the delivery itself expires within a day. */
const LONGEST_WAIT_MS = 3_600_000;

/**
 * One POST with the reply, signed like a request to us. A receiver that gets it twice knows it by `Idempotency-Key`.
 * Each has a connection of its own, so that it is known whether anything was written: what failed before that is
 * `failed`, and after it nobody knows. Redirects are not followed. Never rejects.
 */
export function postCallback(
  rule: CallbackRule,
  delivery: Delivery,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  const url = new URL(rule.url);
  const body = Buffer.from(JSON.stringify(bodyOf(delivery)));
  return new Promise((resolve) => {
    let written = false;
    const secure = url.protocol === 'https:';
    const request = (secure ? httpsRequest : httpRequest)(url, {
      method: 'POST',
      agent: false,
      headers: headersOf(rule, delivery, body),
    });
    const end = (outcome: DeliveryOutcome): void => {
      rule.clock.clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      resolve(outcome);
      request.destroy();
    };
    const broken = (reason: string): void =>
      end(
        written
          ? { kind: 'unknown', reason }
          : { kind: 'failed', permanent: false, reason: `${url.host} was not reached: ${reason}` },
      );
    const stop = (): void => broken('the delivery was broken off');
    const timer = rule.clock.setTimeout(
      () => broken(`no answer within ${rule.timeoutMs} ms`),
      rule.timeoutMs,
    );
    signal.addEventListener('abort', stop);
    request.on('socket', (socket) => {
      socket.once(secure ? 'secureConnect' : 'connect', () => (written = true));
    });
    request.on('error', (error) => broken(error.message || error.name));
    request.on('close', () => broken('the connection ended without an answer'));
    request.on('response', (response) => end(outcomeOf(url.host, response, rule.clock.now())));
    if (signal.aborted) stop();
    else request.end(body);
  });
}

function bodyOf({ deliveryId, target, payload }: Delivery): object {
  const { text = '', runId = '', sessionKey = '' } = (payload ?? {}) as Record<string, unknown>;
  return { deliveryId, runId, sessionKey, target, text };
}

function headersOf(rule: CallbackRule, { deliveryId }: Delivery, body: Buffer): Record<string, string> {
  return {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(body.length),
    'user-agent': 'coppice',
    // A header takes no more than ASCII; ids of our own making pass unchanged.
    'idempotency-key': encodeURI(deliveryId),
    ...sign(rule, body, rule.clock.now()),
  };
}

const MAY_PASS: ReadonlySet<number> = new Set([408, 425, 429]);

function outcomeOf(
  host: string,
  { statusCode = 0, headers }: IncomingMessage,
  nowMs: number,
): DeliveryOutcome {
  if (statusCode >= 200 && statusCode < 300) return { kind: 'sent' };
  const retryAfterMs = waitOf(headers['retry-after'], nowMs);
  const moved = statusCode >= 300 && statusCode < 400 ? '; redirects are not followed' : '';
  return {
    kind: 'failed',
    permanent: statusCode < 500 && !MAY_PASS.has(statusCode),
    reason: `${host} answered ${statusCode}${moved}`,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

/** `Retry-After` in milliseconds: seconds, or a date. Anything else counts as not said. */
function waitOf(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return ms >= 0 ? Math.min(Math.round(ms), LONGEST_WAIT_MS) : undefined;
}
