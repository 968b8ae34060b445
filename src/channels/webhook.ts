import { CoppiceError } from '../errors.ts';
import type { Clock } from '../supervisor/clock.ts';
import { defineChannel } from './contract.ts';
import type {
  Channel,
  ChannelMessage,
  DeliveryOutcome,
  HookAnswer,
  HookRequest,
  Receipt,
} from './contract.ts';
import { passiveLeg } from './passive-leg.ts';
import { postCallback } from './webhook-callback.ts';
import { readMessage } from './webhook-message.ts';
import { verify } from './webhook-signature.ts';
import type { Signed, SigningScheme } from './webhook-signature.ts';

/** A row of `channels` of type `webhook`, its secret resolved. */
export interface WebhookOptions {
  readonly name: string;
  readonly secret: string;
  readonly scheme?: SigningScheme | undefined;
  readonly signatureHeader?: string | undefined;
  /** How far a signed timestamp may be off, both ways. */
  readonly replayWindowMs: number;
  readonly maxBodyBytes: number;
  /** Where replies are posted to. Without one they stay in the transcript. */
  readonly callbackUrl?: string | undefined;
  readonly agentId?: string | undefined;
  readonly sessionKey?: string | undefined;
}

/** Requests in, signed; replies out, signed. */
export interface Webhook {
  readonly name: string;
  readonly channel: Channel;
  /**
   * Resolves when the message is committed, or was before. Rejects HOOK_SIGNATURE, HOOK_STALE, HOOK_TOO_LARGE or
   * HOOK_BODY; UNAVAILABLE while its leg is down; and as the intake does (DRAINING, OVERLOADED, SESSION_QUARANTINED).
   */
  handle(request: HookRequest): Promise<HookAnswer>;
}

/** Below the deadline of the outbox, so that it hears our reason and not its own. */
const CALLBACK_TIMEOUT_MS = 15_000;
const RETRY_AFTER_MS = 1_000;

type Receive = (message: ChannelMessage) => Promise<Receipt>;

/** A channel of signed requests in and, with a callback address, signed replies out. */
export function createWebhook(
  options: WebhookOptions & { readonly clock: Clock; readonly callbackTimeoutMs?: number },
): Webhook {
  const { name, clock, callbackUrl, callbackTimeoutMs = CALLBACK_TIMEOUT_MS } = options;
  const rule = { ...options, channel: name };
  const inbound = passiveLeg('inbound');
  const outbound = passiveLeg('outbound');
  const take = createTaker();
  const open = (): Receive => inbound.attempt?.receive ?? down(name);
  return {
    name,
    channel: defineChannel({
      name,
      legs: callbackUrl === undefined ? [inbound.leg] : [inbound.leg, outbound.leg],
      idempotentDelivery: true,
      async deliver(delivery, signal) {
        if (callbackUrl === undefined) return unsendable(`channels.${name} has no callbackUrl any more`);
        if (!outbound.attempt) return unsendable(`the outbound leg of ${name} is down`);
        return postCallback({ ...rule, url: callbackUrl, timeoutMs: callbackTimeoutMs }, delivery, signal);
      },
    }),
    async handle(request) {
      open();
      const body = await request.body(options.maxBodyBytes);
      const signed = verify(rule, (header) => request.header(header), body);
      refuseStale(options, signed, clock.now());
      const message = readMessage(rule, request, body, signed);
      return { target: message.target, receipt: await take(message, open()) };
    },
  };
}

/** Repeats that come while the first is on its way share its answer: a storm of them is one write. */
function createTaker(): (message: ChannelMessage, receive: Receive) => Promise<Receipt> {
  const underWay = new Map<string, Promise<Receipt>>();
  return async (message, receive) => {
    const { platformId } = message;
    const running = underWay.get(platformId);
    if (running) {
      const first = await running;
      return first.kind === 'known' ? first : { kind: 'known', runId: first.runId, status: 'in_flight' };
    }
    const own = receive(message);
    underWay.set(platformId, own);
    try {
      return await own;
    } finally {
      underWay.delete(platformId);
    }
  };
}

function refuseStale({ name, replayWindowMs }: WebhookOptions, signed: Signed, nowMs: number): void {
  if (signed.scheme === 'github') return;
  const skewMs = Math.round(nowMs - signed.signedAt);
  if (Math.abs(skewMs) <= replayWindowMs) return;
  const when = skewMs > 0 ? `${skewMs} ms ago` : `${-skewMs} ms ahead of our clock`;
  throw new CoppiceError('HOOK_STALE', { channel: name, when, windowMs: replayWindowMs });
}

const unsendable = (reason: string): DeliveryOutcome => ({
  kind: 'failed',
  permanent: false,
  reason,
  retryAfterMs: 60_000,
});

function down(name: string): never {
  throw new CoppiceError('UNAVAILABLE', {
    what: `the webhook channel ${name}`,
    reason: 'its inbound leg is down',
    retryAfterMs: RETRY_AFTER_MS,
  });
}
