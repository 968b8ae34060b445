import { STRATEGIES } from '../../testing/index.ts';
import type { PathMove, Plain } from '../../testing/index.ts';
import { laid, literal, words } from './literal.ts';
import { handed, handedName, STEP_WORDS } from './steps.ts';
import type { Say } from './steps.ts';

/** Values shorter than this stand where they are used. */
const LONG = 60;
const TAKEN = new Set<string>([...STEP_WORDS, ...STRATEGIES]);
for (const word of [
  'at',
  'test',
  'expect',
  'assert',
  'describe',
  'machine',
  'walks',
  'path',
  'reports',
  'given',
])
  TAKEN.add(word);

/** Long values that occur more than once get a name, so that a step fits into a line. */
export interface Given {
  readonly lines: readonly string[];
  readonly say: Say;
}

export function namedValues(moves: readonly PathMove[], reserved: readonly string[]): Given {
  const uses = new Map<string, { count: number; move: PathMove; value: Plain }>();
  for (const move of moves) {
    const value = handed(move);
    if (value === undefined || move.kind === 'after') continue;
    const text = JSON.stringify(value);
    const known = uses.get(text);
    if (known) known.count += 1;
    else if (text.length > LONG) uses.set(text, { count: 1, move, value });
  }
  const taken = new Set([...TAKEN, ...reserved]);
  const names = new Map<string, string>();
  const lines: string[] = [];
  for (const [text, { count, move, value }] of uses) {
    if (count < 2) continue;
    const name = freeName(camel(handedName(move)), taken);
    names.set(text, name);
    const before = `const ${name} = `;
    lines.push(`${before}${laid(literal(value), '', `${before};`)};`);
  }
  return {
    lines,
    say: (value) => {
      const name = names.get(JSON.stringify(value));
      return name === undefined ? literal(value) : words(name);
    },
  };
}

function camel(text: string): string {
  const [first = 'value', ...rest] = text.split(/[^A-Za-z0-9]+/).filter(Boolean);
  const name = first.toLowerCase() === first.toUpperCase() ? `value${first}` : first;
  const lower = /^[A-Z0-9_]+$/.test(name) ? name.toLowerCase() : name[0]!.toLowerCase() + name.slice(1);
  return [lower, ...rest.map((word) => word[0]!.toUpperCase() + word.slice(1))].join('');
}

/** Every name has a number behind it, or it could be a word of the language. */
function freeName(name: string, taken: Set<string>): string {
  let number = 1;
  while (taken.has(`${name}${number}`)) number += 1;
  taken.add(`${name}${number}`);
  return `${name}${number}`;
}
