import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** Cases of OTP's suite that cannot apply here, at most six, each with its reason. */
const NOT_APPLICABLE: Readonly<Record<string, string>> = {
  2: 'a supervisor is made from checked data, not by a function that could answer ignore: whoever does not want it leaves it out',
  26: 'a start here is entering an actor; it has no return value that could carry extra information',
  52: 'a parent learns of an end from XState itself; there is no link that a child could cut',
  67: 'a dynamic supervisor has no template: every start brings its own spec',
};

const here = new URL('.', import.meta.url);
const sources = readdirSync(here)
  .filter((name) => name.endsWith('.test.ts') && name !== 'complete.test.ts')
  .map((name) => readFileSync(new URL(name, here), 'utf8'))
  // The rest of the room compares with Erlang, or looks at the build.
  .filter((text) => /\bit\(\s*['"`](X?\d+|\$\{number\}) \|/.test(text));

/** Numbers in titles, and in the tables of the titles that start with `${number}`. */
const tested = new Set(
  sources.flatMap((text) => [
    ...[...text.matchAll(/\bit\(\s*['"`](X?\d+) \|/g)].map((match) => match[1]!),
    ...(text.includes('it(`${number} |')
      ? [...text.matchAll(/^ +\[(\d+), '/gm)].map((match) => match[1]!)
      : []),
  ]),
);

const all = [
  ...Array.from({ length: 69 }, (_, i) => `${i + 1}`),
  ...Array.from({ length: 12 }, (_, i) => `X${i + 1}`),
];

it('each of the 69 + 12 cases is tested, or listed as not applicable with its reason, and none both', () => {
  const missing = all.filter((number) => !tested.has(number) && !(number in NOT_APPLICABLE));
  expect(missing).toEqual([]);
  expect(Object.keys(NOT_APPLICABLE).filter((number) => tested.has(number))).toEqual([]);
  expect([...tested].filter((number) => !all.includes(number))).toEqual([]);
});

it('at most six cases are not applicable', () => {
  expect(Object.keys(NOT_APPLICABLE).length).toBeLessThanOrEqual(6);
});

it('no case is skipped, left to do, or run alone', () => {
  for (const text of sources) expect(text).not.toMatch(/\b(it|describe)\.(skip|todo|only|fails)/);
});
