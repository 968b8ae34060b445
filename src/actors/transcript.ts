import type { Reader, StoredTranscriptRow } from '../store/contract.ts';

/**
 * The newest rows of transcripts, kept parsed. A transcript only grows, so what was read once stands, and a turn reads
 * no more than what came since the last one: a long conversation would otherwise be parsed whole for every message.
 */
export interface Transcripts {
  /** Oldest first, at most `limit` of the newest. The array is the caller's; the rows are shared and frozen by custom. */
  newest(sessionKey: string, sessionId: string, limit: number): StoredTranscriptRow[];
}

interface Kept {
  rows: StoredTranscriptRow[];
  readonly limit: number;
}

/** Rows kept over all sessions: at about 1 kB each, some 50 MB at the very most. */
const ROWS_KEPT = 50_000;

export function createTranscripts(read: Pick<Reader, 'history' | 'historySince'>): Transcripts {
  const kept = new Map<string, Kept>();
  let count = 0;
  const forget = (key: string, entry: Kept): void => {
    kept.delete(key);
    count -= entry.rows.length;
  };
  const keep = (key: string, entry: Kept): void => {
    kept.set(key, entry);
    count += entry.rows.length;
    for (const [oldest, other] of kept) {
      if (count <= ROWS_KEPT || oldest === key) break;
      forget(oldest, other);
    }
  };
  return {
    newest(sessionKey, sessionId, limit) {
      const key = `${sessionId}\n${sessionKey}`;
      const known = kept.get(key);
      // Taken out and put back, so that the map stays in the order of use.
      if (known) forget(key, known);
      const last = known?.rows.at(-1);
      const rows =
        known && last && known.limit >= limit
          ? [...known.rows, ...read.historySince(sessionKey, sessionId, last.seq)].slice(-known.limit)
          : read.history(sessionKey, sessionId, limit);
      keep(key, { rows, limit: Math.max(limit, known?.limit ?? 0) });
      return rows.slice(-limit);
    },
  };
}
