import type { AnyStateMachine } from 'xstate';
import type { Coverage, Generated, GenerateOptions, Path } from './contract.ts';
import { coverageText } from './coverage-report.ts';
import { mergeCoverage } from './coverage.ts';
import { generation } from './generate.ts';
import type { Generation } from './generate.ts';
import { createModel } from './model.ts';
import { replayLive } from './replay-live.ts';
import type { LiveReport, ReplayOptions } from './replay-live.ts';
import { shrink } from './shrink.ts';
import type { LiveEffects } from './stage.ts';
import { pathText } from './steps-text.ts';

export interface ProveOptions<M extends AnyStateMachine = AnyStateMachine> extends GenerateOptions<M> {
  /** The live machine, when it is another than the one the paths are made from: a rewrite, a mutant. */
  readonly subject?: AnyStateMachine;
  readonly effects?: LiveEffects;
  /** Stops looking after so many failures. Default 3. */
  readonly maxFailures?: number;
  /** Replays spent on shrinking one failure. Default 2,000. */
  readonly shrinkTries?: number;
}

/** A path whose replay went wrong. */
export interface Failure {
  /** The path that failed first. */
  readonly path: Path;
  /** The shortest one found that fails. */
  readonly shrunk: Path;
  /** What is wrong at the end of `shrunk`. */
  readonly reasons: readonly string[];
  /** The shrunk path as a list of steps, and what is wrong behind them. */
  toString(): string;
}
/** What came of replaying all paths. */
export interface Proof {
  readonly ok: boolean;
  readonly generated: Generated;
  readonly failures: readonly Failure[];
  /** Of all replays, counted on live actors. */
  readonly coverage: Coverage;
  toString(): string;
}

/**
 * Generates paths, walks each with a live actor, looks at the invariant after every transition that is explored and
 * after every live step, and shrinks what fails. Throws TEST_* errors as `generate` does.
 */
export function prove<M extends AnyStateMachine>(machine: M, options: ProveOptions<M> = {}): Proof {
  const made = generation(createModel(machine, options), options as GenerateOptions);
  const { generated } = made;
  const replay = (path: Path): LiveReport =>
    replayLive(options.subject ?? (machine as AnyStateMachine), path, options as ReplayOptions);
  const failures: Failure[] = [];
  let coverage: Coverage | undefined;
  const suspects = [...generated.violations, ...generated.paths.map((path) => ({ path, text: undefined }))];
  for (const { path, text } of suspects) {
    if (failures.length >= (options.maxFailures ?? 3)) break;
    const report = replay(path);
    coverage = coverage ? mergeCoverage(coverage, report.coverage) : report.coverage;
    if (report.ok && text === undefined) continue;
    const failure = report.ok
      ? failureAt(path, path, [`${text} (in the model; a live actor does not show it)`])
      : failureOf(made, path, report, replay, options.shrinkTries ?? 2_000);
    if (!failures.some((known) => known.toString() === failure.toString())) failures.push(failure);
  }
  const ok = failures.length === 0;
  const shown = coverage ?? generated.coverage;
  return {
    ok,
    generated,
    failures,
    coverage: shown,
    toString: () =>
      [
        `${generated.machine}: ${counted(generated.paths.length, 'path')}, ${ok ? 'all as expected' : counted(failures.length, 'failure')}`,
        ...failures.map(String),
        coverageText([shown], options.unreachable),
        ...generated.cut.map(({ text }) => text),
        ...generated.fatal.map((text) => `the machine fails: ${text}`),
      ].join('\n'),
  };
}

function failureOf(
  { model, graph, expect }: Generation,
  path: Path,
  first: LiveReport,
  replay: (path: Path) => LiveReport,
  maxTries: number,
): Failure {
  const failing = path.steps.slice(0, first.mismatch?.step);
  const { path: shrunk } = shrink(
    model,
    graph,
    expect,
    failing,
    (one) => replay(one).mismatch?.step,
    maxTries,
  );
  const reasons = (replay(shrunk).mismatch ?? first.mismatch)?.reasons ?? [];
  return failureAt(path, shrunk, reasons);
}

function failureAt(path: Path, shrunk: Path, reasons: readonly string[]): Failure {
  return {
    path,
    shrunk,
    reasons,
    toString: () => [pathText(shrunk), ...reasons.map((reason) => `  - ${reason}`)].join('\n'),
  };
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
