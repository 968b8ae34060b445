import { describe, expect, it } from 'vitest';
import { createTranscripts } from '../../src/actors/transcript.ts';
import type { StoredTranscriptRow } from '../../src/store/contract.ts';

/** A store that counts how many rows it had to read. */
function counting() {
  const rows: StoredTranscriptRow[] = [];
  let read = 0;
  const of = (sessionId: string) => rows.filter((row) => row.sessionId === sessionId);
  const tell = (found: StoredTranscriptRow[]) => {
    read += found.length;
    return found;
  };
  return {
    say(sessionId: string, times = 1): void {
      for (let n = 0; n < times; n += 1) {
        const seq = rows.length + 1;
        rows.push({
          seq,
          sessionKey: 'k',
          sessionId,
          runId: `r${seq}`,
          ordinal: 0,
          role: 'user',
          content: [],
          at: seq,
        });
      }
    },
    takeRead: () => {
      const count = read;
      read = 0;
      return count;
    },
    history: (_key: string, id: string, limit: number) => tell(of(id).slice(-limit)),
    historySince: (_key: string, id: string, seq: number) => tell(of(id).filter((row) => row.seq > seq)),
    of,
  };
}

describe('transcripts', () => {
  it('are what the store has, and only what is new is read', () => {
    const store = counting();
    const transcripts = createTranscripts(store);
    store.say('a', 50);
    expect(transcripts.newest('k', 'a', 40)).toEqual(store.of('a').slice(-40));
    expect(store.takeRead()).toBe(40);
    store.say('a', 2);
    store.say('b', 3);
    expect(transcripts.newest('k', 'a', 40)).toEqual(store.of('a').slice(-40));
    expect(store.takeRead()).toBe(2);
  });

  it('are read again when more is asked for than was kept, and a smaller wish is served from what is kept', () => {
    const store = counting();
    const transcripts = createTranscripts(store);
    store.say('a', 50);
    transcripts.newest('k', 'a', 10);
    expect(transcripts.newest('k', 'a', 30)).toHaveLength(30);
    store.takeRead();
    expect(transcripts.newest('k', 'a', 5)).toEqual(store.of('a').slice(-5));
    expect(store.takeRead()).toBe(0);
  });

  it('of a new session id begin empty', () => {
    const store = counting();
    const transcripts = createTranscripts(store);
    store.say('a', 5);
    transcripts.newest('k', 'a', 10);
    expect(transcripts.newest('k', 'b', 10)).toEqual([]);
  });

  it('are bounded over all sessions: the one not used longest is read anew', () => {
    const store = counting();
    const transcripts = createTranscripts(store);
    for (let n = 0; n < 60; n += 1) store.say(`s${n}`, 1_000);
    for (let n = 0; n < 60; n += 1) transcripts.newest('k', `s${n}`, 1_000);
    store.takeRead();
    transcripts.newest('k', 's59', 1_000);
    expect(store.takeRead()).toBe(0);
    transcripts.newest('k', 's0', 1_000);
    expect(store.takeRead()).toBe(1_000);
  });
});
