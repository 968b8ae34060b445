import { dirname, isAbsolute } from 'node:path';
import type { PathMove, Path, Plain } from '../../testing/index.ts';
import { frameLines, typed } from './frame.ts';
import { namedValues } from './given.ts';
import { headerLines } from './header.ts';
import type { Place } from './header.ts';
import { call, laid, literal, quoted, words } from './literal.ts';
import { counts } from './made.ts';
import type { Made, Part } from './made.ts';
import { relativeTo } from './regenerate.ts';
import { atCode, objectCode, stepCode, titleOf } from './steps.ts';
import type { Code } from './literal.ts';
import type { Say } from './steps.ts';

const hasTypes = ({ out = '' }: Place): boolean => !/\.[cm]?js$/.test(out);

/** The whole text of a test file. The same for the same machine and choice, byte for byte. */
export function testFile(made: Made, place: Place): string {
  const { subject, parts } = made;
  const moves = parts.flatMap((part) => part.paths.flatMap(({ steps }) => steps));
  const imported = subject.imports.flatMap(({ names }) => names.match(/\w+/g) ?? []);
  const given = namedValues(moves, imported);
  return [
    ...headerLines(made, place).map((line) => `// ${line}`.trimEnd()),
    ...importLines(made, place, moves),
    '',
    ...(subject.expression ? [`const machine = ${subject.expression};`] : []),
    ...typed(frameLines(moves, place.format), hasTypes(place)),
    '',
    ...(given.lines.length > 0 ? ['// What occurs more than once.', ...given.lines, ''] : []),
    ...parts.flatMap((part) => partLines(part, subject.name, given.say, hasTypes(place))),
    ...typed(coverageLines(made, place), hasTypes(place)),
    '',
  ].join('\n');
}

function importLines({ subject, parts }: Made, place: Place, moves: readonly PathMove[]): string[] {
  const { format, out } = place;
  const folder = dirname(out ?? 'stdout');
  const from = (source: string): string => {
    if (!isAbsolute(source)) return source;
    const path = relativeTo(isAbsolute(folder) ? folder : `${process.cwd()}/${folder}`, source);
    return path.startsWith('.') ? path : `./${path}`;
  };
  const events = moves.some(({ kind }) => kind === 'send' || kind === 'after') ? ['Move'] : [];
  const types = ['Expected', 'ExpectOptions', 'LiveReport', ...events, 'Path', 'PathMove', 'Plain'];
  const values = ['mergeCoverage', 'missingIn', 'replayLive'];
  const revived = parts.some(({ given }) => isTagged(given)) ? ['fromPlain'] : [];
  return [
    ...(format === 'node'
      ? ["import assert from 'node:assert/strict';", "import { describe, test } from 'node:test';"]
      : ["import { describe, expect, test } from 'vitest';"]),
    ...subject.imports.map(({ names, from: source }) => `import ${names} from ${quoted(from(source))};`),
    `import { ${[...revived, ...values].join(', ')} } from 'coppice/testing';`,
    ...(hasTypes(place)
      ? [`import type { ${[...types, 'ReplayOptions'].join(', ')} } from 'coppice/testing';`]
      : []),
  ];
}

function partLines(part: Part, name: string, say: Say, asTypes: boolean): string[] {
  const { staging, paths, given } = part;
  const options = objectCode({
    ...Object.fromEntries(Object.entries(given).map(([key, value]) => [key, revivedCode(value, asTypes)])),
    ...Object.fromEntries(Object.entries(staging.imported).map(([key, text]) => [key, words(text)])),
  });
  const told = paths[0]?.expect;
  const parts = [
    ...paths.slice(0, 1).map(({ start }) => atCode(start)),
    ...(options.flat === '{}' && !told ? [] : [options]),
    ...(told ? [literal(told as Plain)] : []),
  ];
  const title = staging.name === undefined ? name : `${name}, ${staging.name}`;
  const before = '  const path = ';
  return [
    `describe(${quoted(title)}, () => {`,
    `${before}${laid(call('walks', parts), '  ', before)};`,
    ...paths.flatMap((path, index) => ['', ...pathLines(path, index + 1, say)]),
    '});',
    '',
  ];
}

/** What JSON has no word for: an object with one key that begins with `$`. */
const isTagged = (value: Plain): boolean =>
  /"\$(?:error|date|map|set|bigint|number|bytes|undefined)":/.test(JSON.stringify(value));
const revivedCode = (value: Plain, asTypes: boolean): Code => {
  const end = asTypes ? ') as never' : ')';
  const code = literal(value);
  if (!isTagged(value)) return code;
  return {
    flat: `fromPlain(${code.flat}${end}`,
    broken: (indent) => `fromPlain(${code.broken(indent)}${end}`,
  };
};

function pathLines(path: Path, number: number, say: Say): string[] {
  const title = path.name.startsWith(`${number} `) ? titleOf(path, number) : `${number}: breaks ${path.name}`;
  const lines = path.steps.map((step) => `    ${laid(stepCode(step, say), '    ', ',')},`);
  return ['  path(', `    ${quoted(title)},`, ...lines, '  );'];
}

function coverageLines({ coverage, missing, unreachable }: Made, { format }: Place): string[] {
  const { states, transitions, guardWays } = counts(coverage);
  const of = ([hit, all]: readonly [number, number], what: string): string => `${hit} of ${all} ${what}`;
  const title = `together they take it through ${[
    of(states, 'states'),
    of(transitions, 'transitions'),
    of(guardWays, 'ways of its guards'),
  ].join(', ')}`;
  const expected = laid(literal(missing as unknown as Plain), '  ', 'expect(missing).toEqual();');
  const rules = unreachable.length > 0 ? `, ${laid(literal(unreachable), '  ')}` : '';
  return [
    `test(${quoted(title)}, () => {`,
    '  const [first, ...others] = reports.map((walk) => walk().coverage);',
    `  const missing = missingIn(mergeCoverage(first‹!›, ...others)${rules});`,
    `  ${format === 'node' ? `assert.deepEqual(missing, ${expected})` : `expect(missing).toEqual(${expected})`};`,
    '});',
  ];
}
