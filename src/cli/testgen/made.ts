import { CoppiceError } from '../../errors.ts';
import { generate, mergeCoverage, missingIn, toPlain } from '../../testing/index.ts';
import type {
  Budget,
  Coverage,
  Generated,
  Missing,
  Path,
  Plain,
  Progress,
  Strategy,
} from '../../testing/index.ts';
import type { Staging, Subject } from './subject.ts';

/** How the paths are chosen; absent: as the kit does it. */
export interface Choice {
  readonly strategy?: Strategy;
  readonly seed?: number;
  readonly walks?: number;
  readonly budget: Budget;
}

/** The paths of one staging, with what a replay must be given. */
export interface Part {
  readonly staging: Staging;
  readonly generated: Generated;
  /** Those of the strategy, and those that break an invariant. */
  readonly paths: readonly Path[];
  /** Of replays, as data: `input`, `snapshots`. */
  readonly given: Readonly<Record<string, Plain>>;
}

/** Everything a file is written from. */
export interface Made {
  readonly subject: Subject;
  readonly choice: Choice;
  readonly parts: readonly Part[];
  readonly coverage: Coverage;
  readonly unreachable: readonly string[];
  readonly missing: Missing;
}

/** Throws TEST_* errors of the kit, and TESTGEN_INPUT_NOT_DATA. */
export function make(subject: Subject, choice: Choice, progress: (progress: Progress) => void): Made {
  const parts = subject.stagings.map((staging): Part => {
    const { budget, ...chosen } = choice;
    const options = {
      ...staging.options,
      ...chosen,
      budget: { ...staging.options.budget, ...budget },
      progress,
    };
    const generated = generate(subject.machine, options);
    const broken = generated.violations.map(({ path }) => path);
    return { staging, generated, paths: [...generated.paths, ...broken], given: givenOf(subject, staging) };
  });
  const [first, ...others] = parts.map(({ generated }) => generated.coverage);
  const coverage = mergeCoverage(first!, ...others);
  const unreachable = [...new Set(parts.flatMap(({ staging }) => staging.options.unreachable ?? []))];
  return { subject, choice, parts, coverage, unreachable, missing: missingIn(coverage, unreachable) };
}

function givenOf({ name }: Subject, { options }: Staging): Record<string, Plain> {
  const given: Record<string, Plain> = {};
  for (const key of ['input', 'snapshots'] as const) {
    if (options[key] === undefined) continue;
    const plain = toPlain(options[key]);
    if (/"\$(function|symbol|actor|again)":/.test(JSON.stringify(plain)))
      throw new CoppiceError('TESTGEN_INPUT_NOT_DATA', { what: key, machine: name });
    given[key] = plain;
  }
  return given;
}

/** Hit and all, by what is counted. */
export function counts({ states, transitions, guards }: Coverage) {
  const hit = (hits: readonly number[]): readonly [number, number] => [
    hits.filter((count) => count > 0).length,
    hits.length,
  ];
  const ways = Object.values(guards).flatMap(({ taken, refused }) => [taken, refused]);
  return {
    states: hit(Object.values(states)),
    transitions: hit(Object.values(transitions)),
    guardWays: hit(ways),
  };
}

/** Paths and their steps, all together. */
export function sizeOf(parts: readonly Part[]): { readonly paths: number; readonly steps: number } {
  const paths = parts.flatMap((part) => part.paths);
  return { paths: paths.length, steps: paths.reduce((sum, { steps }) => sum + steps.length, 0) };
}

/** `1 path, 9 steps`. */
export function sizeText(parts: readonly Part[]): string {
  const { paths, steps } = sizeOf(parts);
  return `${paths} ${paths === 1 ? 'path' : 'paths'}, ${steps} ${steps === 1 ? 'step' : 'steps'}`;
}
