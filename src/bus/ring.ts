import type { Severity } from '../errors.ts';
import { rank } from './envelope.ts';
import type { AnyEnvelope } from './envelope.ts';
import type { FactType } from './events.ts';

/** Which of the remembered facts to show. Everything given must match. */
export interface RecentQuery {
  readonly types?: readonly FactType[];
  /** This actor and everything below it. */
  readonly path?: string;
  readonly traceId?: string;
  /** This severity and above. */
  readonly severity?: Severity;
  /** Only facts after this sequence number. */
  readonly afterSeq?: number;
  /** The newest so many. */
  readonly limit?: number;
}

/** The last facts, so that somebody who comes late sees what led here. Oldest first. */
export interface Ring {
  push(envelope: AnyEnvelope): void;
  query(query?: RecentQuery): AnyEnvelope[];
}

export function createRing(size: number): Ring {
  const slots: AnyEnvelope[] = [];
  let next = 0;
  return {
    push(envelope) {
      if (size === 0) return;
      slots[next] = envelope;
      next = (next + 1) % size;
    },
    query(query = {}) {
      const ordered = slots.length < size ? slots : [...slots.slice(next), ...slots.slice(0, next)];
      const found = ordered.filter((envelope) => matches(envelope, query));
      return query.limit === undefined ? found : found.slice(Math.max(0, found.length - query.limit));
    },
  };
}

/** Everything given must match; `limit` is not looked at. */
export function matches(envelope: AnyEnvelope, query: RecentQuery): boolean {
  return (
    (query.types?.includes(envelope.type) ?? true) &&
    (query.path === undefined ||
      envelope.path === query.path ||
      envelope.path?.startsWith(`${query.path}/`) === true) &&
    (query.traceId === undefined || envelope.traceId === query.traceId) &&
    (query.severity === undefined || rank(envelope.severity) >= rank(query.severity)) &&
    (query.afterSeq === undefined || envelope.seq > query.afterSeq)
  );
}
