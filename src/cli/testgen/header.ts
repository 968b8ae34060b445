import { WIDTH } from './literal.ts';
import { counts, sizeText } from './made.ts';
import type { Made } from './made.ts';
import { MARK, regenerateCommand, relativeTo, baseOf } from './regenerate.ts';
import type { Place } from './render-test.ts';

/** What a generated file says about itself, a line each. */
export function headerLines(made: Made, place: Place): string[] {
  const { subject, parts, missing } = made;
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
    ...listed(
      'Cut',
      unique((part) => part.generated.cut.map(({ text }) => text)),
    ),
    ...listed('Taken from the module', subject.companions),
    ...listed(
      'Tried without a payload, for nobody gave one',
      unique((part) => part.generated.assumed),
    ),
    ...listed(
      'Reached, and the event would be ignored there',
      byState(unique((part) => part.generated.unhandled)),
    ),
    ...listed(
      'Broken invariants',
      unique((part) => part.generated.violations.map(({ text }) => text)),
    ),
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

/** Nothing, one line, or a line each. */
function listed(what: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const line = `${what}: ${items.join('; ')}.`;
  return line.length <= WIDTH - 3 ? [line] : [`${what}:`, ...items.map((item) => `- ${item}`)];
}
