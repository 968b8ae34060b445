import { normalizeError } from '../errors.ts';
import type { Severity } from '../errors.ts';
import { EVENTS } from './events.ts';
import type { Envelope, Fact, FactType } from './events.ts';
import { isTrace } from './trace.ts';
import type { Trace } from './trace.ts';

/** Which actor, and which life of it, a fact comes from. */
export interface Source {
  readonly path: string;
  readonly incarnation: number;
}

/** An envelope whose `type` tells its `data`: switch on it. */
export type AnyEnvelope = { [K in FactType]: Envelope<K> }[FactType];

/** Lowest first: the order in which an overflowing queue gives things up. */
export const SEVERITIES = ['debug', 'info', 'warn', 'error', 'fatal'] as const satisfies readonly Severity[];
/** Severities as numbers that can be compared: the worse, the higher. */
export const rank = (severity: Severity): number => SEVERITIES.indexOf(severity);

export const isFactType = (type: string): type is FactType => Object.hasOwn(EVENTS, type);

const MAX_DEPTH = 8;
const MAX_ENTRIES = 500;

/**
 * Puts a fact into its envelope. The data is copied and the copy frozen: copying alone would let one subscriber
 * change what the next one sees, freezing alone would freeze objects that belong to the publisher (a machine's
 * context). It costs one small object per fact, because nearly all facts are flat. Never throws.
 */
export function seal(fact: Fact, stamp: { seq: number; ts: number }, source?: Source): AnyEnvelope {
  const { type, trace, ...data } = fact;
  const envelope = {
    ...stamp,
    type,
    severity: isFactType(type) ? EVENTS[type].severity : 'warn',
    ...(isTrace(trace) ? traceFields(trace) : {}),
    ...(source ? { path: source.path, incarnation: source.incarnation } : {}),
    data: plain(data, 0),
  };
  // The table ties type and data together; a spread cannot carry that knowledge.
  return Object.freeze(envelope) as AnyEnvelope;
}

function traceFields({ traceId, spanId, parentSpanId }: Trace): Trace {
  return { traceId, spanId, ...(parentSpanId === undefined ? {} : { parentSpanId }) };
}

/** A frozen copy in plain JSON values, of bounded depth and breadth, whatever is handed in. */
function plain(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'bigint':
      return String(value);
    case 'function':
    case 'symbol':
      return undefined;
    case 'object':
      return value === null ? null : plainObject(value, depth);
    default:
      return value;
  }
}

function plainObject(value: object, depth: number): unknown {
  if (depth > MAX_DEPTH) return '[too deep]';
  try {
    if (value instanceof Error) return Object.freeze(normalizeError(value));
    if (Array.isArray(value))
      return Object.freeze(value.slice(0, MAX_ENTRIES).map((item) => plain(item, depth + 1)));
    const entries: [string, unknown][] = Object.entries(value);
    if (entries.length > MAX_ENTRIES) entries.length = MAX_ENTRIES;
    for (const entry of entries) entry[1] = plain(entry[1], depth + 1);
    return Object.freeze(Object.fromEntries(entries));
  } catch (error) {
    // A getter or proxy that throws costs its own field, not the fact.
    return `[unreadable: ${normalizeError(error).message}]`;
  }
}
