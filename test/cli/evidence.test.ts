import { describe, expect, test } from 'vitest';
import { cameTooLate, type Facts, judge } from '../../src/cli/demo/evidence.ts';

const exchange = (runId: string, pieces = 3) => ({
  runId,
  message: runId,
  status: 'ok',
  text: `answer ${runId}`,
  pieces,
});
const message = (role: string, runId: string, text: string, timestamp = 2_000) => ({
  role,
  runId,
  timestamp,
  content: text === '' ? [] : [{ type: 'text', text }],
});
const good: Facts = {
  exchanges: [exchange('a'), exchange('b', 1)],
  sessionLives: { before: 1, after: 2, samePid: true },
  kill: {
    pid: 10,
    nextPid: 11,
    launcherPid: 9,
    nextLauncherPid: 9,
    runId: 'b',
    heardBefore: '',
    acceptedAt: 900,
    nextStartedAt: 1_000,
  },
  messages: [
    message('user', 'a', 'a', 1),
    message('assistant', 'a', 'answer a', 2),
    message('user', 'b', 'b'),
    message('assistant', 'b', ''),
    message('assistant', 'b', 'answer b'),
  ],
};
const failing = (facts: Partial<Facts>): string[] =>
  judge({ ...good, ...facts })
    .filter(({ ok }) => !ok)
    .map(({ name }) => name);

test('a kill came too late when something was heard before it, or the answer is older than the next life', () => {
  const older = [message('assistant', 'b', 'answer b', 999)];
  expect(cameTooLate(good.kill, good.messages)).toBe(false);
  expect(cameTooLate(good.kill, older)).toBe(true);
  expect(cameTooLate({ ...good.kill, heardBefore: 'answer' }, good.messages)).toBe(true);
  // No answer at all is another fault, and no reason to try again.
  expect(cameTooLate(good.kill, [])).toBe(false);
});

describe('the evidence of the demonstration', () => {
  test('is there when everything happened as promised', () => {
    expect(judge(good)).toHaveLength(6);
    expect(failing({})).toEqual([]);
  });

  test.each<[string, Partial<Facts>, RegExp]>([
    ['an answer in one piece', { exchanges: [exchange('a', 1), exchange('b')] }, /streamed/],
    ['a session that stayed dead', { sessionLives: { before: 1, after: 1, samePid: true } }, /grew back/],
    [
      'a process that fell with the session',
      { sessionLives: { before: 1, after: 2, samePid: false } },
      /grew back/,
    ],
    ['a process that was not replaced', { kill: { ...good.kill, nextPid: 10 } }, /brought .* back/],
    ['another launcher', { kill: { ...good.kill, nextLauncherPid: 8 } }, /brought .* back/],
    [
      'no launcher at all',
      { kill: { ...good.kill, launcherPid: undefined, nextLauncherPid: undefined } },
      /brought/,
    ],
    [
      'an answer from before the kill',
      { kill: { ...good.kill, nextStartedAt: 3_000 } },
      /answered by the next one/,
    ],
    [
      'an answer that had begun before the kill',
      { kill: { ...good.kill, heardBefore: 'an' } },
      /answered by the next/,
    ],
    [
      'an answer that stands twice',
      { messages: [...good.messages, message('assistant', 'a', 'answer a')] },
      /once/,
    ],
    ['a message that stands twice', { messages: [...good.messages, message('user', 'a', 'a')] }, /once/],
    ['a lost answer', { messages: good.messages.slice(0, -1) }, /once/],
    [
      'a message that still waits',
      { messages: good.messages.map((one) => (one.runId === 'b' ? { ...one, pending: true } : one)) },
      /once/,
    ],
    [
      'another answer than was heard',
      { exchanges: [exchange('a'), { ...exchange('b'), text: 'something else' }] },
      /on record/,
    ],
    [
      'a turn that failed',
      { exchanges: [exchange('a'), { ...exchange('b'), status: 'error' }] },
      /on record/,
    ],
    ['nothing at all', { exchanges: [], messages: [] }, /streamed/],
  ])('is missing for %s', (_what, facts, name) => {
    const missing = failing(facts);
    expect(
      missing.some((one) => name.test(one)),
      missing.join('; '),
    ).toBe(true);
  });
});
