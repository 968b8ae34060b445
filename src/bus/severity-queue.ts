import { rank, SEVERITIES } from './envelope.ts';
import type { AnyEnvelope } from './envelope.ts';

/** A bounded queue that delivers in order and, when full, gives up the oldest of the lowest severity. */
export interface SeverityQueue {
  /** The envelope that had to go, which may be the new one: an error never leaves before a lesser fact. */
  push(envelope: AnyEnvelope): AnyEnvelope | undefined;
  shift(): AnyEnvelope | undefined;
  clear(): void;
  readonly size: number;
}

/** One lane per severity: finding the victim and finding the next one to deliver look at five heads only. */
export function createSeverityQueue(capacity: number): SeverityQueue {
  const lanes = SEVERITIES.map(() => createLane());
  let size = 0;
  const take = (lane: Lane | undefined): AnyEnvelope | undefined => {
    const envelope = lane?.shift();
    if (envelope) size -= 1;
    return envelope;
  };
  return {
    push(envelope) {
      lanes[rank(envelope.severity)]?.push(envelope);
      size += 1;
      return size > capacity ? take(lanes.find((lane) => lane.head() !== undefined)) : undefined;
    },
    shift() {
      let next: Lane | undefined;
      for (const lane of lanes) {
        const head = lane.head();
        if (head && (!next || head.seq < (next.head()?.seq ?? Infinity))) next = lane;
      }
      return take(next);
    },
    clear() {
      for (const lane of lanes) lane.clear();
      size = 0;
    },
    get size() {
      return size;
    },
  };
}

interface Lane {
  push(envelope: AnyEnvelope): void;
  head(): AnyEnvelope | undefined;
  shift(): AnyEnvelope | undefined;
  clear(): void;
}

/** A list with a moving head; `Array.shift` on a long array would copy all of it for every fact. */
function createLane(): Lane {
  let items: AnyEnvelope[] = [];
  let start = 0;
  return {
    push: (envelope) => void items.push(envelope),
    head: () => items[start],
    shift() {
      const envelope = items[start];
      if (envelope === undefined) return undefined;
      start += 1;
      if (start > 64 && start * 2 > items.length) {
        items = items.slice(start);
        start = 0;
      }
      return envelope;
    },
    clear() {
      items = [];
      start = 0;
    },
  };
}
