import { extname } from 'node:path';
import { CoppiceError } from '../../errors.ts';
import type { Budget, Strategy } from '../../testing/index.ts';
import { EXIT } from '../exit-codes.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import type { CommonOptions } from '../options.ts';
import { firstDifference } from '../testgen/compare.ts';
import { coverageLine } from '../testgen/header.ts';
import { make, sizeOf, sizeText } from '../testgen/made.ts';
import type { Choice, Made } from '../testgen/made.ts';
import { isFile, moduleSubject } from '../testgen/module-subject.ts';
import { progressOn } from '../testgen/progress.ts';
import { BUDGET_FLAGS } from '../testgen/budget-flags.ts';
import { choiceIn } from '../testgen/regenerate.ts';
import type { Format } from '../testgen/regenerate.ts';
import { shippedSubject } from '../testgen/shipped-subject.ts';
import type { Subject } from '../testgen/subject.ts';
import { placeOf, reasonOf } from '../testgen/thrown.ts';
import { existing, refuseForeign, textOf, writeWhole } from '../testgen/test-file.ts';

interface TestgenOptions extends CommonOptions {
  readonly from?: string;
  readonly export?: string;
  readonly strategy?: Strategy;
  readonly seed?: number;
  readonly walks?: number;
  readonly out?: string;
  readonly format?: Format;
  readonly check?: boolean;
  readonly force?: boolean;
  readonly maxStates?: number;
  readonly maxTransitions?: number;
  readonly maxPaths?: number;
  readonly maxSteps?: number;
  readonly pathSteps?: number;
}

/**
 * `coppice testgen`: needs no gateway. Rejects with USAGE, MACHINE_UNKNOWN, FILE_UNWRITABLE, TESTGEN_* and, for a
 * machine no path can be made of, TEST_*.
 */
export async function testgen(io: Io, name: string | undefined, options: TestgenOptions): Promise<number> {
  const { from, check, out } = options;
  if (name !== undefined && from === undefined && isFile(name))
    throw new CoppiceError('USAGE', { reason: `${name} is a file: say --from ${name}` });
  if ((name === undefined) === (from === undefined))
    throw new CoppiceError('USAGE', { reason: 'testgen takes either a machine of coppice or --from FILE' });
  if (check && out === undefined) throw new CoppiceError('USAGE', { reason: '--check needs --out FILE' });
  if (options.export !== undefined && from === undefined)
    throw new CoppiceError('USAGE', { reason: '--export goes with --from FILE' });
  const old = out !== undefined && check ? checked(out) : undefined;
  if (out !== undefined && !check && !options.force) refuseForeign(out);
  if (from !== undefined) io.foreign?.();
  const subject =
    from === undefined ? await shippedSubject(name!) : await moduleSubject(from, options.export);
  const { format, ...choice } = { ...choiceOf(options, old), ...formatOf(options, old) };
  const made = build(io, subject, choice);
  const text = textOf(made, { format, out });
  if (old !== undefined) return compare(io, made, { old, text, file: out! }, options);
  if (out !== undefined) writeWhole(out, text);
  report(io, made, { text, out }, options);
  return EXIT.ok;
}

/** The file that is compared. Throws TESTGEN_FILE_MISSING, TESTGEN_FILE_FOREIGN. */
function checked(file: string): string {
  const text = existing(file);
  if (text === undefined) throw new CoppiceError('TESTGEN_FILE_MISSING', { file });
  refuseForeign(file);
  return text;
}

/** What the command line says; else, for `--check`, what the file says it was made with. */
function choiceOf(options: TestgenOptions, old: string | undefined): Choice {
  const known = old === undefined ? undefined : choiceIn(old);
  const [strategy, seed, walks] = (['strategy', 'seed', 'walks'] as const).map(
    (key) => options[key] ?? known?.[key],
  ) as [Strategy | undefined, number | undefined, number | undefined];
  const said = Object.entries(BUDGET_FLAGS).flatMap(([key, flag]) => {
    const limit =
      options[flag.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase()) as 'maxPaths'];
    return limit === undefined ? [] : [[key, limit] as const];
  });
  return {
    ...(strategy === undefined ? {} : { strategy }),
    ...(seed === undefined ? {} : { seed }),
    ...(walks === undefined ? {} : { walks }),
    budget: { ...known?.budget, ...(Object.fromEntries(said) as Budget) },
  };
}

function formatOf(
  { format, out = '' }: TestgenOptions,
  old: string | undefined,
): { readonly format: Format } {
  const known = old === undefined ? undefined : choiceIn(old)?.format;
  return { format: format ?? known ?? (extname(out) === '.json' ? 'json' : 'vitest') };
}

function build(io: Io, subject: Subject, choice: Choice): Made {
  const progress = progressOn(io.stderr, subject.name);
  try {
    return make(subject, choice, progress.tell);
  } catch (cause) {
    if (cause instanceof CoppiceError || !(cause instanceof Error) || placeOf(cause) === undefined)
      throw cause;
    const details = { machine: subject.name, reason: reasonOf(cause) };
    throw new CoppiceError('TESTGEN_COMPANION_THREW', details, { cause });
  } finally {
    progress.end();
  }
}

interface Compared {
  readonly old: string;
  readonly text: string;
  readonly file: string;
}

/** Ends well, or throws TESTGEN_STALE with the first difference. Writes nothing. */
function compare(io: Io, made: Made, { old, text, file }: Compared, { json }: TestgenOptions): number {
  const { name } = made.subject;
  const difference = old === text ? undefined : firstDifference(old, text);
  if (difference !== undefined) throw new CoppiceError('TESTGEN_STALE', { file, machine: name, difference });
  if (json) writeJson(io.stdout, { ok: true, machine: name, file, ...sizeOf(made.parts) });
  else writeLines(io.stdout, [`${file} is what ${name} gives now: ${sizeText(made.parts)}`]);
  return EXIT.ok;
}

interface Written {
  readonly text: string;
  readonly out: string | undefined;
}

function report(io: Io, made: Made, { text, out }: Written, { json }: TestgenOptions): void {
  const { subject, parts, missing, coverage, remarks } = made;
  if (json)
    return writeJson(io.stdout, {
      ...{ machine: subject.name, ...sizeOf(parts), coverage, missing, ...remarks },
      ...(out === undefined ? { text } : { file: out }),
    });
  if (out === undefined) return void io.stdout.write(text);
  const missed = [...missing.states, ...missing.transitions, ...missing.guards];
  writeLines(io.stdout, [
    `wrote ${out}: ${sizeText(parts)}. ${coverageLine(made)}`,
    ...missed.map((one) => `  not covered: ${one}`),
    ...remarks.cut.map((one) => `  cut: ${one}`),
    ...remarks.fatal.map((one) => `  the machine fails: ${one}`),
    ...remarks.unguarded.map((one) => `  nothing listens if it fails: ${one}`),
    ...remarks.unused.map((one) => `  no such actor was running: ${one}`),
    ...remarks.violations.map((one) => `  broken invariant: ${one}`),
  ]);
}
