import { expect, it } from 'vitest';
import { resultFingerprint } from '../../src/machines/tool-loop-fingerprint.ts';

const call = { toolName: 'fetch', input: {} };
const print = (output: string, isError = false): string => resultFingerprint(call, { output, isError });
const tookMs = (text: string, isError: boolean): number => {
  const before = performance.now();
  print(text, isError);
  return performance.now() - before;
};
/** For 400,000 characters; the fastest of three. */
const fastestOf = (part: string, isError: boolean): number => {
  const text = part.repeat(400_000 / part.length);
  return Math.min(...[1, 2, 3].map(() => tookMs(text, isError)));
};

it.each([
  '<<<UNTRUSTED ',
  '<<<A_UNTRUSTED',
  '<<<UNTRUSTED id="1" and no end of it',
  '<<<',
  '\n\n[tool loop] ',
  '1.1 ',
  'attempt ### ',
])('a page full of %j holds nobody up: it takes about as long as one full of words', (part) => {
  for (const isError of [false, true]) {
    const words = fastestOf('words and words ', isError);
    // Quadratic it was seven hundred times as long.
    expect(fastestOf(part, isError) / words).toBeLessThan(100);
  }
});

it('marks around untrusted content count without their ids, and its words do', () => {
  const page = (id: string, words: string): string =>
    `<<<EXTERNAL_UNTRUSTED_CONTENT id="${id}">>>\n${words}\n<<<END_EXTERNAL_UNTRUSTED_CONTENT id="${id}">>>`;
  expect(print(page('a1', 'hello'))).toBe(print(page('b2', 'hello')));
  expect(print(page('a1', 'hello'))).not.toBe(print(page('a1', 'good bye')));
});
