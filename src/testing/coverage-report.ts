import type { Coverage } from './contract.ts';
import { missingIn } from './coverage.ts';

const percent = (hit: number, all: number): string => (all === 0 ? '-' : `${Math.floor((100 * hit) / all)}%`);

/**
 * An aligned table, one line a machine, and below it what is missing, by name.
 * A guard counts twice: taken and refused.
 */
export function coverageText(coverages: readonly Coverage[], unreachable: readonly string[] = []): string {
  const rows = coverages.map((coverage) => rowOf(coverage));
  const table = [['machine', 'states', 'transitions', 'guards both ways'], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  const missing = coverages.flatMap((coverage) => missingLines(coverage, unreachable));
  return [...lines, ...(missing.length > 0 ? ['', ...missing] : []), ''].join('\n');
}

function rowOf({ machine, states, transitions, guards }: Coverage): string[] {
  const cell = (hits: readonly number[]): string => {
    const hit = hits.filter((count) => count > 0).length;
    return `${hit}/${hits.length} ${percent(hit, hits.length)}`;
  };
  const ways = Object.values(guards).flatMap(({ taken, refused }) => [taken, refused]);
  return [machine, cell(Object.values(states)), cell(Object.values(transitions)), cell(ways)];
}

function missingLines(coverage: Coverage, unreachable: readonly string[]): string[] {
  const missing = missingIn(coverage, unreachable);
  const list = (what: string, names: readonly string[]): string[] =>
    names.map((name) => `  ${what.padEnd(12)}${name}`);
  const lines = [
    ...list('state', missing.states),
    ...list('transition', missing.transitions),
    ...list('guard', missing.guards),
  ];
  return lines.length === 0 ? [] : [`missing in ${coverage.machine}:`, ...lines];
}

/** Every machine with its counts, what is missing, and totals. Plain JSON. */
export function coverageJson(coverages: readonly Coverage[], unreachable: readonly string[] = []): object {
  return coverages.map((coverage) => ({ ...coverage, missing: missingIn(coverage, unreachable) }));
}

/**
 * One lcov record per machine, for the usual viewers: each state is a function, each transition a line, each guard a
 * branch of two. There is no source to point into, so lines count through the definition: a state, then its transitions.
 * `fileOf` names the record (`SF`); default `MACHINE.machine`.
 */
export function coverageLcov(
  coverages: readonly Coverage[],
  fileOf: (machine: string) => string = (machine) => `${machine}.machine`,
): string {
  return coverages.map((coverage) => recordOf(coverage, fileOf(coverage.machine))).join('');
}

function recordOf({ machine, states, transitions, guards }: Coverage, file: string): string {
  const lines = linesOf({ machine, states, transitions, guards });
  const functions = lines.filter(({ kind }) => kind === 'state');
  const branches = lines.flatMap(({ name, line }) => {
    const ways = guards[name];
    if (!ways) return [];
    const ran = ways.taken + ways.refused > 0;
    const count = (hits: number): string => (ran ? String(hits) : '-');
    return [`BRDA:${line},0,0,${count(ways.taken)}`, `BRDA:${line},0,1,${count(ways.refused)}`];
  });
  const hit = (list: readonly { hits: number }[]): number => list.filter(({ hits }) => hits > 0).length;
  return [
    `TN:${machine.replaceAll(/\W+/g, '_')}`,
    `SF:${file}`,
    ...functions.map(({ line, name }) => `FN:${line},${name}`),
    ...functions.map(({ hits, name }) => `FNDA:${hits},${name}`),
    `FNF:${functions.length}`,
    `FNH:${hit(functions)}`,
    ...branches,
    `BRF:${branches.length}`,
    `BRH:${branches.filter((line) => !/,(?:0|-)$/.test(line)).length}`,
    ...lines.map(({ line, hits }) => `DA:${line},${hits}`),
    `LF:${lines.length}`,
    `LH:${hit(lines)}`,
    'end_of_record',
    '',
  ].join('\n');
}

interface Line {
  readonly kind: 'state' | 'transition';
  readonly name: string;
  readonly hits: number;
  readonly line: number;
}

function linesOf({ states, transitions }: Coverage): Line[] {
  const of = (state: string) => Object.entries(transitions).filter(([name]) => name.startsWith(`${state} `));
  const entries = [
    ...of('(root)').map(asTransition),
    ...Object.entries(states).flatMap(([name, hits]) => [
      { kind: 'state' as const, name, hits },
      ...of(name).map(asTransition),
    ]),
  ];
  return entries.map((entry, index) => ({ ...entry, line: index + 1 }));
}

const asTransition = ([name, hits]: [string, number]) => ({ kind: 'transition' as const, name, hits });
