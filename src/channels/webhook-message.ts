import { z } from 'zod';
import { parseTraceparent } from '../bus/index.ts';
import { CoppiceError } from '../errors.ts';
import type { ChannelMessage, HookRequest } from './contract.ts';
import type { Signed } from './webhook-signature.ts';

export interface MessageRule {
  readonly channel: string;
  /** Whose sessions its messages reach. Default: whom the session key names, else `main`. */
  readonly agentId?: string | undefined;
  /** `{channel}`, `{target}` and `{agentId}` are filled in. */
  readonly sessionKey?: string | undefined;
}

const DEFAULT_KEY = 'agent:{agentId}:{channel}:{target}';
const DEFAULT_TARGET = 'default';
const LONGEST_KEY = 512;
/** Where senders that sign the body alone say which delivery it is. */
const DELIVERY_HEADERS = ['x-github-delivery', 'x-coppice-delivery', 'x-delivery-id'];

const word = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    // A lone surrogate would become the same replacement sign for every sender, and two ids one.
    .regex(/^[^\p{Cc}\p{Cs}]+$/u, { error: 'it has control characters or half a character' });

/** Senders have fields of their own beside ours. */
const shape = z.looseObject({
  text: z.string().optional(),
  message: z.string().optional(),
  target: word(256).optional(),
  sessionKey: word(LONGEST_KEY).optional(),
  id: z.union([word(256), z.int().transform(String)]).optional(),
});
type Body = z.output<typeof shape>;

/**
 * The message in a body whose signature was verified: JSON `{ text | message, target?, sessionKey?, id? }`, or plain
 * text. `platformId` is the sender's id of this delivery where it was signed, else made of what was signed: a header
 * that nobody signed cannot turn an old request into a new message. Throws HOOK_BODY.
 */
export function readMessage(
  rule: MessageRule,
  request: Pick<HookRequest, 'header'>,
  bytes: Uint8Array,
  signed: Signed,
): ChannelMessage {
  const body = bodyOf(rule, request, bytes, signed);
  const text = body.text ?? body.message ?? '';
  if (text.trim() === '') throw bad(rule, 'it has neither text nor message');
  const target = body.target ?? DEFAULT_TARGET;
  const trace = parseTraceparent(request.header('traceparent'));
  return {
    account: 'default',
    platformId: deliveryOf(rule, request, body, signed),
    target,
    text,
    sessionKey: keyOf(rule, body.sessionKey, target),
    ...(rule.agentId === undefined ? {} : { agentId: rule.agentId }),
    ...(trace ? { trace: { traceId: trace.traceId, spanId: trace.spanId } } : {}),
  };
}

function bodyOf(
  rule: MessageRule,
  request: Pick<HookRequest, 'header'>,
  bytes: Uint8Array,
  signed: Signed,
): Body {
  const encoding = request.header('content-encoding') ?? 'identity';
  if (encoding !== 'identity') throw bad(rule, `it is encoded as ${encoding.slice(0, 32)}; send it plain`);
  const text = decoded(rule, bytes);
  const isText = /^text\/plain\b/i.test(request.header('content-type') ?? '');
  // A signature over a body alone must not vouch for text: `TIMESTAMP.BODY` of another request would be such a text.
  if (isText && signed.scheme === 'github') throw bad(rule, 'a body without a signed timestamp must be JSON');
  return isText ? { text } : jsonBody(rule, text);
}

function jsonBody(rule: MessageRule, text: string): Body {
  const parsed = shape.safeParse(parsedJson(rule, text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw bad(rule, `${issue?.path.join('.') || 'the body'}: ${issue?.message}`);
  }
  // What we post to a callback is signed with the same secret; sent back to us it would be a conversation with ourselves.
  if ('deliveryId' in parsed.data) throw bad(rule, 'it is a reply of a gateway, not a message to one');
  return parsed.data;
}

function decoded(rule: MessageRule, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw bad(rule, 'it is not UTF-8', error);
  }
}

function parsedJson(rule: MessageRule, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw bad(rule, 'it is not JSON', error);
  }
}

function deliveryOf(
  rule: MessageRule,
  { header }: Pick<HookRequest, 'header'>,
  { id }: Body,
  signed: Signed,
): string {
  if (id !== undefined) return id;
  if (signed.scheme === 'hmac-sha256') return `sha256:${signed.digest}`;
  const named = DELIVERY_HEADERS.map((name) => header(name)).find((found) => found !== undefined);
  const parsed = word(256).safeParse(named);
  if (parsed.success) return parsed.data;
  throw bad(rule, `it has no id, and no header ${DELIVERY_HEADERS[0]} names the delivery`);
}

function keyOf(rule: MessageRule, asked: string | undefined, target: string): string {
  const { channel, agentId } = rule;
  const named = /^agent:([^:]+):/.exec(asked ?? '')?.[1];
  if (agentId !== undefined && named !== undefined && named !== agentId)
    throw bad(rule, `sessionKey: this channel reaches the sessions of agent ${agentId} only`);
  const values: Readonly<Record<string, string>> = { channel, target, agentId: agentId ?? 'main' };
  const key =
    asked ??
    (rule.sessionKey ?? DEFAULT_KEY).replaceAll(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
  if (key.length > LONGEST_KEY) throw bad(rule, `its session key is longer than ${LONGEST_KEY} characters`);
  return key;
}

const bad = ({ channel }: MessageRule, reason: string, cause?: unknown): CoppiceError =>
  new CoppiceError('HOOK_BODY', { channel, reason }, cause === undefined ? undefined : { cause });
