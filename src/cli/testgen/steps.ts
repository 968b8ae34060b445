import type { Expected, Path, PathMove, Plain } from '../../testing/index.ts';
import { call, entry, literal, words } from './literal.ts';
import type { Code } from './literal.ts';

/** The words of the generated file: `send(event, at(...))`, `ends('load', output, at(...))`, `wait(1000, event, at(...))`. */
export const STEP_WORDS = ['send', 'ends', 'fails', 'shows', 'wait'] as const;
export type StepWord = (typeof STEP_WORDS)[number];

const WORD_OF: Readonly<Record<PathMove['kind'], StepWord>> = {
  send: 'send',
  done: 'ends',
  error: 'fails',
  snapshot: 'shows',
  after: 'wait',
};
const FIELD = { done: 'output', error: 'error', snapshot: 'snapshot' } as const;

export const wordOf = ({ kind }: PathMove): StepWord => WORD_OF[kind];

/** What is handed to the machine in a step: the event, or what the actor ends with. Undefined: nothing. */
export function handed({ kind, event }: PathMove): Plain | undefined {
  return kind === 'send' || kind === 'after'
    ? event
    : (event as Readonly<Record<string, Plain | undefined>>)[FIELD[kind]];
}

/** What it is called, for a constant: the type of the event, or the actor and what becomes of it. */
export function handedName(move: PathMove): string {
  return move.actor === undefined ? move.event.type : `${move.actor} ${wordOf(move)}`;
}

/** Says a value by its constant, or as it is. */
export type Say = (value: Plain, move: PathMove) => Code;

/** One step as a call. */
export function stepCode(move: PathMove, say: Say): Code {
  const value = handed(move);
  const said = value === undefined ? words('undefined') : say(value, move);
  const expected = atCode(move.expected);
  if (move.kind === 'send') return call('send', [said, expected]);
  if (move.kind === 'after') return call('wait', [words(String(move.ms)), timerCode(move), expected]);
  return call(wordOf(move), [literal(move.actor ?? ''), said, expected]);
}

/** A timer is told by the type of its event, unless the event says more. */
const timerCode = ({ event }: PathMove): Code =>
  literal(Object.keys(event).length === 1 ? event.type : event);

/** `at('open', { actions: ['ring'] })`: where the machine is, and what else it shows. */
export function atCode({ value, status, ...rest }: Expected): Code {
  const more = { ...(status === 'active' ? {} : { status }), ...rest } as Readonly<Record<string, Plain>>;
  return call('at', [literal(value), ...(Object.keys(more).length === 0 ? [] : [literal(more)])]);
}

/** `3: from closed to open, by push, 2 more, unlock ends`. */
export function titleOf({ start, steps }: Path, number: number): string {
  const told = steps.map(moveWords);
  const short = told.length <= 5 ? told : [...told.slice(0, 2), `${told.length - 4} more`, ...told.slice(-2)];
  const to = steps.at(-1)?.expected ?? start;
  const [here, there] = [valueText(start.value), endText(to)];
  if (short.length === 0) return `${number}: ${here === '' ? 'it begins' : `begins in ${there}`}`;
  const way = `by ${short.join(', ')}`;
  if (here === '') return `${number}: ${there === '' ? way : `to ${there}, ${way}`}`;
  return `${number}: ${here === there ? `from ${here} back to it` : `from ${here} to ${there}`}, ${way}`;
}

const endText = ({ value, status }: Expected): string =>
  status === 'error' ? `a failure${valueText(value) && ` in ${valueText(value)}`}` : valueText(value);

function moveWords({ kind, event, actor, ms }: PathMove): string {
  if (kind === 'send') return event.type;
  if (kind === 'after') return `${ms} ms`;
  return `${actor} ${WORD_OF[kind]}`;
}

/** `a.b`, and `a.b + c` for states side by side. */
function valueText(value: Plain): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const parts = Object.entries(value).map(([key, inner]) => {
    const below = valueText(inner as Plain);
    return below === '' ? key : `${key}.${below}`;
  });
  return parts.join(' + ');
}

/** An object of code, for options. */
export const objectCode = (parts: Readonly<Record<string, Code>>): Code => {
  const entries = Object.entries(parts).map(([key, value]) => entry(key, value));
  return {
    flat: entries.length === 0 ? '{}' : `{ ${entries.map(({ flat }) => flat).join(', ')} }`,
    broken: (indent) =>
      `{\n${entries.map((one) => `${indent}  ${one.broken(`${indent}  `)},\n`).join('')}${indent}}`,
  };
};
