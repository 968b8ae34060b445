/** The three frames: `req` comes in, `res` and `event` go out. The envelope ignores keys it does not know. */
import { z } from 'zod';
import type { Trace } from '../../bus/trace.ts';
import type { ServerLimits } from '../limits.ts';
import { jsonDepth, parseJson } from './json.ts';

export interface RequestFrame {
  readonly id: string;
  readonly method: string;
  readonly params: unknown;
  readonly trace: Trace | undefined;
}

export type FrameVerdict =
  | { readonly ok: true; readonly frame: RequestFrame }
  /** `id` is the request's own where it could be read, else "invalid". */
  | { readonly ok: false; readonly id: string; readonly reason: string };

export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
}

const request = z.object({
  type: z.literal('req'),
  id: z.string().min(1).max(256),
  method: z.string().min(1).max(128),
  params: z.unknown().optional(),
  traceparent: z.string().max(128).optional(),
});

export function readFrame(text: string, limits: Pick<ServerLimits, 'jsonDepth'>): FrameVerdict {
  const bad = (reason: string, id = 'invalid'): FrameVerdict => ({ ok: false, id, reason });
  if (jsonDepth(text, limits.jsonDepth) > limits.jsonDepth)
    return bad(`it nests deeper than ${limits.jsonDepth}`);
  const json = parseJson(text);
  if (!json) return bad('it is not JSON');
  const parsed = request.safeParse(json.value);
  if (!parsed.success) return bad('it is no request { type: "req", id, method, params }', idOf(json.value));
  const { id, method, params, traceparent } = parsed.data;
  return { ok: true, frame: { id, method, params: params ?? {}, trace: readTraceparent(traceparent) } };
}

function idOf(value: unknown): string {
  const id = typeof value === 'object' && value !== null ? (value as { id?: unknown }).id : undefined;
  return typeof id === 'string' && id.length > 0 && id.length <= 256 ? id : 'invalid';
}

/** W3C trace context. One that does not parse is left aside, as the standard asks. */
export function readTraceparent(text: string | undefined): Trace | undefined {
  const match = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(text ?? '');
  if (!match?.[1] || !match[2] || /^0+$/.test(match[1]) || /^0+$/.test(match[2])) return undefined;
  return { traceId: match[1], spanId: match[2] };
}

export function responseText(
  id: string,
  outcome: { payload?: unknown; error?: WireError | undefined },
): string {
  const { payload, error } = outcome;
  return JSON.stringify({
    type: 'res',
    id,
    ok: error === undefined,
    ...(payload === undefined ? {} : { payload }),
    ...(error === undefined ? {} : { error }),
  });
}

/** An event around a payload that was serialised once for all its readers. */
export function eventText(event: string, payloadText: string, seq?: number): string {
  const tail = seq === undefined ? '' : `,"seq":${seq}`;
  return `{"type":"event","event":"${event}","payload":${payloadText}${tail}}`;
}
