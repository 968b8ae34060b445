import { CoppiceError } from '../../errors.ts';
import { generate, mergeCoverage, missingIn, moveText, replayLive, toPlain } from '../../testing/index.ts';
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
import { BUDGET_FLAGS } from './budget-flags.ts';
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
  /** What is worth a look, beside what is not covered; each a line. */
  readonly remarks: Remarks;
}

/** By what it is about; empty lists are left out when they are shown. */
export interface Remarks {
  readonly cut: readonly string[];
  readonly fatal: readonly string[];
  readonly unguarded: readonly string[];
  readonly unused: readonly string[];
  readonly violations: readonly string[];
}

/** What is walked before the whole machine is: enough to see that it does the same twice. */
const REHEARSAL = { strategy: 'random', walks: 5, seed: 1, budget: { pathSteps: 10 } } as const;

/** Throws TEST_* errors of the kit, TESTGEN_INPUT_NOT_DATA and TESTGEN_NOT_REPEATABLE. */
export function make(subject: Subject, choice: Choice, progress: (progress: Progress) => void): Made {
  const parts = subject.stagings.map((staging): Part => {
    const { budget, ...chosen } = choice;
    const options = {
      ...staging.options,
      ...chosen,
      budget: { ...staging.options.budget, ...budget },
      progress,
    };
    const given = givenOf(subject, staging);
    rehearse(subject, staging, generate(subject.machine, { ...staging.options, ...REHEARSAL }).paths);
    const generated = generate(subject.machine, options);
    rehearse(subject, staging, generated.paths);
    const broken = generated.violations.map(({ path }) => path);
    return { staging, generated, paths: [...generated.paths, ...broken], given };
  });
  const [first, ...others] = parts.map(({ generated }) => generated.coverage);
  const coverage = mergeCoverage(first!, ...others);
  const unreachable = [...new Set(parts.flatMap(({ staging }) => staging.options.unreachable ?? []))];
  const missing = missingIn(coverage, unreachable);
  return { subject, choice, parts, coverage, unreachable, missing, remarks: remarksOf(parts) };
}

function remarksOf(parts: readonly Part[]): Remarks {
  const all = (pick: (generated: Generated) => readonly string[]): string[] => [
    ...new Set(parts.flatMap(({ generated }) => pick(generated))),
  ];
  return {
    cut: all(({ cut }) => cut.map(({ text }) => asFlag(text))),
    fatal: all(({ fatal }) => fatal),
    unguarded: all(({ unguarded }) => unguarded),
    unused: all(({ unused }) => unused).filter((one) =>
      parts.every(({ generated }) => generated.unused.includes(one)),
    ),
    violations: all(({ violations }) => violations.map(({ text }) => text)),
  };
}

/** The kit speaks of its options; here they are flags. */
const asFlag = (text: string): string =>
  text.replace(/budget\.(\w+)/, (whole, key: string) =>
    key in BUDGET_FLAGS ? `--${BUDGET_FLAGS[key as keyof Budget]}` : whole,
  );

/**
 * Walks the paths with a live actor, as the file will: a test that fails where nothing is wrong is worth less than none.
 * Not with effects of the caller, which would run.
 */
function rehearse({ name, machine }: Subject, { options, effects }: Staging, paths: readonly Path[]): void {
  if (effects !== undefined || options.inlineActors === 'run') return;
  const { input, snapshots } = options;
  for (const path of paths) {
    const { mismatch } = replayLive(machine, path, {
      ...(input === undefined ? {} : { input }),
      ...(snapshots === undefined ? {} : { snapshots }),
    });
    if (!mismatch) continue;
    const { step, move, reasons } = mismatch;
    const place = move ? `at step ${step}, ${moveText(move)}` : 'at its start';
    throw new CoppiceError('TESTGEN_NOT_REPEATABLE', { machine: name, place, reason: reasons.join('; ') });
  }
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
