import { KINDS, type Kind, type Mutant } from './mutant.ts';
import { STAGES } from './suite.ts';

/** What became of one mutant. */
export interface Verdict {
  readonly machine: string;
  readonly kind: Kind;
  readonly name: string;
  /** What of the generated suite caught it. */
  readonly suite: string | undefined;
  /** Did the hand-written test fail on it? Undefined: it was not asked. */
  readonly hand: boolean | undefined;
  /** Why nothing can catch it, if it is listed so. */
  readonly equivalent: string | undefined;
  /** What showed it first. */
  readonly reason: string | undefined;
}

export const isCaught = ({ suite, hand }: Verdict): boolean => suite !== undefined || hand === true;
export const survives = (one: Verdict): boolean => !isCaught(one) && one.equivalent === undefined;
export const isStale = (one: Verdict): boolean => isCaught(one) && one.equivalent !== undefined;

const cells = (verdicts: readonly Verdict[]): string => {
  const asked = verdicts.filter(({ hand }) => hand !== undefined);
  const count = (one: (verdict: Verdict) => boolean): number => verdicts.filter(one).length;
  const hand = asked.length === 0 ? '-' : `${asked.filter((one) => one.hand).length} of ${asked.length}`;
  return [
    verdicts.length,
    count(({ suite }) => suite !== undefined),
    hand,
    count(({ equivalent }) => equivalent !== undefined),
    count(survives),
  ].join(' | ');
};

/** A Markdown table: a line per machine and kind, and one for all. */
export function scoreTable(verdicts: readonly Verdict[]): string {
  const machines = [...new Set(verdicts.map(({ machine }) => machine))];
  const lines = machines.flatMap((machine) =>
    KINDS.flatMap((kind) => {
      const own = verdicts.filter((one) => one.machine === machine && one.kind === kind);
      return own.length === 0 ? [] : [`| ${machine} | ${kind} | ${cells(own)} |`];
    }),
  );
  return [
    '| machine | kind | planted | generated suite | hand-written test | equivalent | survivors |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...lines,
    `| all | all | ${cells(verdicts)} |`,
  ].join('\n');
}

/** `count` of a kind, spread evenly over the list by a seed; all of them where there are fewer. */
export function sample(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  return KINDS.flatMap((kind) => {
    const own = mutants.filter((one) => one.kind === kind);
    if (own.length <= count) return own;
    return Array.from(
      { length: count },
      (_, at) => own[(Math.floor((at * own.length) / count) + seed) % own.length]!,
    );
  });
}

/** How many the generated tests caught, by stage and machine. */
export function stageTable(verdicts: readonly Verdict[]): string {
  const machines = [...new Set(verdicts.map(({ machine }) => machine)), 'all'];
  const rows = machines.map((machine) => {
    const own = verdicts.filter((one) => machine === 'all' || one.machine === machine);
    return `| ${machine} | ${STAGES.map((stage) => own.filter(({ suite }) => suite === stage).length).join(' | ')} |`;
  });
  return [
    `| caught first by | ${STAGES.join(' | ')} |`,
    `|${' --- |'.repeat(STAGES.length + 1)}`,
    ...rows,
  ].join('\n');
}
