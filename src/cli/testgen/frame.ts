import type { PathMove } from '../../testing/index.ts';
import type { Format } from './regenerate.ts';
import { STEP_WORDS, wordOf } from './steps.ts';
import type { StepWord } from './steps.ts';

const WORD_LINES: Readonly<Record<StepWord, readonly string[]>> = {
  send: [
    '/** An event is sent. */',
    "const send = (event‹: Move['event']›, expected‹: Expected›)‹: PathMove› => ({ kind: 'send', event, expected });",
  ],
  ends: [
    '/** An actor the machine invoked or spawned ends with an output. */',
    'const ends = (actor‹: string›, output‹: Plain | undefined›, expected‹: Expected›)‹: PathMove› =>',
    "  ended('done', actor, output === undefined ? {} : { output }, expected);",
  ],
  fails: [
    '/** Such an actor fails. */',
    'const fails = (actor‹: string›, error‹: Plain | undefined›, expected‹: Expected›)‹: PathMove› =>',
    "  ended('error', actor, error === undefined ? {} : { error }, expected);",
  ],
  shows: [
    '/** Such an actor shows a new snapshot. */',
    'const shows = (actor‹: string›, snapshot‹: Plain›, expected‹: Expected›)‹: PathMove› => ({',
    "  kind: 'snapshot',",
    '  actor,',
    '  event: { type: `xstate.snapshot.${actor}`, snapshot },',
    '  expected,',
    '});',
  ],
  wait: [
    '/** So many milliseconds pass, and the next timer fires. */',
    "const wait = (ms‹: number›, event‹: string | Move['event']›, expected‹: Expected›)‹: PathMove› => ({",
    "  kind: 'after',",
    '  ms,',
    "  event: typeof event === 'string' ? { type: event } : event,",
    '  expected,',
    '});',
  ],
};
const ENDED = [
  'const ended = (',
  "  kind‹: 'done' | 'error'›,",
  '  actor‹: string›,',
  '  what‹: { readonly [key: string]: Plain }›,',
  '  expected‹: Expected›,',
  ')‹: PathMove› => ({',
  '  kind,',
  '  actor,',
  '  event: { type: `xstate.${kind}.actor.${actor}`, ...what },',
  '  expected,',
  '});',
];

/** Types stand between ‹ and ›: they are left out of a file of JavaScript. */
export const typed = (lines: readonly string[], hasTypes: boolean): string[] =>
  lines.map((line) => line.replaceAll(/‹(.*?)›/g, hasTypes ? '$1' : ''));

/** What every generated file has: the words of its steps, and how a path becomes a test. */
export function frameLines(moves: readonly PathMove[], format: Format): string[] {
  const used = STEP_WORDS.filter((word) => moves.some((move) => wordOf(move) === word));
  const same =
    format === 'node'
      ? 'assert.ok(walk().ok, String(walk()))'
      : 'expect(walk().ok, String(walk())).toBe(true)';
  return [
    'const reports‹: (() => LiveReport)[]› = [];',
    '',
    '/** Where the machine is after a step, and in `more` what changed with it. */',
    "const at = (value‹: Plain›, more‹: Partial<Expected>› = {})‹: Expected› => ({ value, status: 'active', ...more });",
    ...(used.includes('ends') || used.includes('fails') ? ENDED : []),
    ...used.flatMap((word) => WORD_LINES[word]),
    '/** Makes a test of a path: a live actor on a simulated clock walks it, its effects scripted. */',
    'const walks =',
    '  (start‹: Expected›, options‹: ReplayOptions<typeof machine>› = {}, told‹: ExpectOptions› = {}) =>',
    '  (name‹: string›, ...steps‹: PathMove[]›)‹: void› => {',
    '    const path‹: Path› = { name, expect: told, start, steps };',
    '    let report‹: LiveReport | undefined›;',
    '    const walk = ()‹: LiveReport› => (report ??= replayLive(machine, path, options));',
    '    reports.push(walk);',
    `    test(name, () => ${same});`,
    '  };',
  ];
}
