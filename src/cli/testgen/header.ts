import { WIDTH } from './literal.ts';
import { counts, sizeText } from './made.ts';
import type { Made } from './made.ts';
import { MARK, regenerateCommand, relativeTo, baseOf } from './regenerate.ts';
import type { Format } from './regenerate.ts';

/** Where the file will stand decides what it imports. */
export interface Place {
  readonly format: Format;
  readonly out: string | undefined;
}

/** What a generated file says about itself, a line each. */
export function headerLines(made: Made, place: Place): string[] {
  const { subject, parts, missing, remarks } = made;
  const [{ generated }] = parts as [(typeof parts)[number]];
  const source = subject.module
    ? `${relativeTo(baseOf(place.out ?? 'stdout'), subject.module.file)} (its export "${subject.module.exported}")`
    : `the machine ${subject.name} of coppice`;
  const unique = (pick: (part: (typeof parts)[number]) => readonly string[]): string[] => [
    ...new Set(parts.flatMap(pick)),
  ];
  const missed = [...missing.states, ...missing.transitions, ...missing.guards];
  return [
    `${MARK} from ${source}. Do not edit it; write it again, in the folder of package.json:`,
    '',
    `  ${regenerateCommand(subject, made.choice, place)}`,
    '',
    `Strategy ${generated.strategy}, seed ${generated.seed}: ${sizeText(parts)}. ${coverageLine(made)}`,
    ...listed('Not covered', missed),
    ...listed('Cut', remarks.cut),
    ...listed('The machine fails there', remarks.fatal),
    ...listed('Nothing listens when these fail, and the machine fails with them', remarks.unguarded),
    ...listed('Cases of the module for actors that were never running', remarks.unused),
    ...listed('Taken from the module', subject.companions),
    ...listed(
      'Tried without a payload, for nobody gave one',
      unique((part) => part.generated.assumed),
    ),
    ...listed(
      'Reached, and the event would be ignored there',
      byState(unique((part) => part.generated.unhandled)),
    ),
    ...listed('Broken invariants', remarks.violations),
    '',
  ];
}

export function coverageLine({ coverage }: Pick<Made, 'coverage'>): string {
  const { states, transitions, guardWays } = counts(coverage);
  return `Covered: ${states.join(' of ')} states, ${transitions.join(' of ')} transitions, ${guardWays.join(' of ')} ways of guards.`;
}

/** `idle: push, pull` of `idle push` and `idle pull`. */
function byState(pairs: readonly string[]): string[] {
  const groups = Map.groupBy(pairs, (pair) => pair.split(' ')[0] ?? '');
  return [...groups].map(
    ([state, list]) => `${state}: ${list.map((pair) => pair.slice(state.length + 1)).join(', ')}`,
  );
}

/** Names one behind the other, over as many lines as they take. */
function wrapped(names: readonly string[]): string[] {
  const lines = ['- '];
  names.forEach((name, index) => {
    const word = index < names.length - 1 ? `${name}, ` : name;
    if (`${lines.at(-1)}${word}`.length > WIDTH - 3) lines.push('  ');
    lines[lines.length - 1] += word;
  });
  return lines;
}

/** A list in the head of a file is read by people: no longer than this. */
const LONGEST = 16;

/** Nothing, one line, or a line each. */
function listed(what: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const line = `${what}: ${items.join('; ')}.`;
  if (line.length <= WIDTH - 3) return [line];
  if (items.every((item) => !/[\s:]/.test(item))) return [`${what}:`, ...wrapped(items)];
  const short = items.length <= LONGEST ? items : items.slice(0, LONGEST - 1);
  const rest = items.length - short.length;
  return [`${what}:`, ...short.map((item) => `- ${item}`), ...(rest > 0 ? [`- and ${rest} more`] : [])];
}
