/** W3C trace context as plain data: it rides on events and rows, so a replay carries the same trace. */
export interface Trace {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits. */
  readonly spanId: string;
  readonly parentSpanId?: string;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/**
 * Reads a `traceparent` header (W3C Trace Context, level 1). `undefined` when it is absent or breaks the rules:
 * the caller then begins a trace of its own. `spanId` is the caller's span; make a child of it before use.
 */
export function parseTraceparent(
  header: string | undefined,
): (Trace & { readonly sampled: boolean }) | undefined {
  const match = TRACEPARENT.exec(header?.trim() ?? '');
  if (!match) return undefined;
  const [, version, traceId, spanId, flags, rest] = match;
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined)
    return undefined;
  // Version 00 has exactly four parts; a later one may add some; ff is forbidden. All zeros mean "none".
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The header that hands this trace to the next service. */
export function formatTraceparent(trace: Trace, sampled = true): string {
  return `00-${trace.traceId}-${trace.spanId}-${sampled ? '01' : '00'}`;
}

/** A span below `parent`. The id is passed in: this room rolls no dice. */
export function childTrace(parent: Trace, spanId: string): Trace {
  return { traceId: parent.traceId, spanId, parentSpanId: parent.spanId };
}

/** Is this value, found on an event from anywhere, a trace? */
export function isTrace(value: unknown): value is Trace {
  if (typeof value !== 'object' || value === null) return false;
  const { traceId, spanId } = value as { traceId?: unknown; spanId?: unknown };
  return typeof traceId === 'string' && typeof spanId === 'string';
}
