import { describe, expect, it } from 'vitest';
import { mayWriteAgain, refusalOf } from '../../src/machines/inbox-write.ts';
import type { MessageAdmitted, Write } from '../../src/machines/inbox-write.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import { exampleMessage } from '../../src/machines/offered.ts';

const write = (requestId: string, sessionKey = exampleMessage.sessionKey): Write => ({
  requestId,
  message: { ...exampleMessage, sessionKey },
  receivedAt: 1,
  attempt: 1,
  depth: 1,
});
const admitted = (pending: number, quarantined = false): MessageAdmitted => ({
  type: 'message.admitted',
  requestId: 'q',
  message: exampleMessage,
  session: { path: 'p', pending, limit: LIMITS.queuePerSession, quarantined },
  atMs: 1,
});

describe('the ingress decides', () => {
  it('to take a message up to the last place of its session, and not beyond', () => {
    expect(refusalOf([], admitted(LIMITS.queuePerSession - 1))).toBeNull();
    expect(refusalOf([], admitted(LIMITS.queuePerSession))).toMatchObject({
      code: 'OVERLOADED',
      details: { retryAfterMs: LIMITS.retryAfterMs },
    });
  });

  it('to count the writes under way of the same session, and of no other', () => {
    expect(refusalOf([write('a', 'other')], admitted(LIMITS.queuePerSession - 1))).toBeNull();
    expect(refusalOf([write('a')], admitted(LIMITS.queuePerSession - 1))).toMatchObject({
      code: 'OVERLOADED',
    });
  });

  it('to refuse everybody when too many writes are under way', () => {
    const queue = Array.from({ length: LIMITS.writesInFlight }, (_, index) =>
      write(`w${index}`, `s${index}`),
    );
    expect(refusalOf(queue, admitted(0))).toMatchObject({
      code: 'OVERLOADED',
      details: { where: 'the inbox' },
    });
    expect(refusalOf(queue.slice(1), admitted(0))).toBeNull();
  });

  it('to name the path of a session that is held down', () => {
    expect(refusalOf([], admitted(0, true))).toEqual({
      requestId: 'q',
      code: 'SESSION_QUARANTINED',
      details: { sessionKey: exampleMessage.sessionKey, path: 'p' },
    });
  });

  it('to write again only what may have been written, a bounded number of times', () => {
    const failed = (code: string) =>
      ({ type: 'journal.failed', requestId: 'q', error: { name: 'E', message: 'm', code } }) as const;
    const queue = (attempt: number) => [{ ...write('q'), attempt }];
    expect(mayWriteAgain(queue(1), failed('STORE_UNKNOWN'))).toBe(true);
    expect(mayWriteAgain(queue(LIMITS.writeAttempts), failed('STORE_UNKNOWN'))).toBe(false);
    expect(mayWriteAgain(queue(1), failed('STORE_FULL'))).toBe(false);
    expect(mayWriteAgain([], failed('STORE_UNKNOWN'))).toBe(false);
  });
});
