import { shipped } from '../../src/testing/shipped.ts';
import { EQUIVALENT, unknownEquivalents } from './equivalent.ts';
import { mutantsOf } from './faults.ts';
import { longForm } from './config.ts';
import { askHandWritten } from './hand-written.ts';
import { rebuilt, type Kind, type Mutant } from './mutant.ts';
import type { Verdict } from './score.ts';
import { STAGES, suiteOf, type Stage } from './suite.ts';

export interface CheckOptions {
  readonly kinds?: readonly Kind[] | undefined;
  /** Of all that are planted, these are looked at. Default: all. */
  readonly choose?: (mutants: readonly Mutant[]) => readonly Mutant[];
  readonly stages?: readonly Stage[];
  /** Time for the hand-written test. 0: it is not asked. */
  readonly handSeconds?: number;
  readonly progress?: (text: string) => void;
}
export interface Checked {
  readonly verdicts: readonly Verdict[];
  /** What makes the check itself worthless: a list that is out of date, a suite that fails without a fault. */
  readonly faults: readonly string[];
}

/** Plants faults into one of our machines and looks who notices. Throws for a machine we do not ship. */
export async function check(machineName: string, options: CheckOptions = {}): Promise<Checked> {
  const own = await shipped(machineName);
  if (!own) throw new Error(`there is no machine ${machineName}`);
  const {
    kinds,
    choose = (all) => all,
    stages = STAGES,
    handSeconds = 0,
    progress = () => undefined,
  } = options;
  const suite = suiteOf(own);
  const same: Mutant = {
    kind: 'target',
    name: 'no fault',
    build: () => rebuilt(own.machine, longForm(own.machine.config)),
  };
  const sick = suite.catches(same, stages.slice(0, 1));
  const all = mutantsOf(own.machine);
  const chosen = choose(all.filter(({ kind }) => kinds === undefined || kinds.includes(kind)));
  const found = chosen.map((mutant, at): Verdict => {
    progress(`${machineName}: ${at} of ${chosen.length} mutants, ${mutant.name}`);
    const caught = suite.catches(mutant, stages);
    return {
      machine: machineName,
      ...{ kind: mutant.kind, name: mutant.name },
      suite: caught?.by,
      hand: undefined,
      equivalent: EQUIVALENT[machineName]?.[mutant.name],
      reason: caught?.reason,
    };
  });
  const verdicts = handSeconds > 0 ? await withHand(machineName, all, found, handSeconds, progress) : found;
  return {
    verdicts,
    faults: [
      ...(sick ? [`${machineName} fails its own suite: ${sick.reason}`] : []),
      ...unknownEquivalents(
        machineName,
        all.map(({ name }) => name),
      ).map((name) => `${name}: listed, not planted`),
    ],
  };
}

/** Asks the hand-written test: about what the suite missed first, then about the others, spread over the machine. */
async function withHand(
  machine: string,
  all: readonly Mutant[],
  found: readonly Verdict[],
  seconds: number,
  progress: (text: string) => void,
): Promise<Verdict[]> {
  const numbers = new Map(all.map(({ name }, at) => [name, at]));
  const missed = found.filter(({ suite }) => suite === undefined);
  const order = [...missed, ...spread(found.filter((one) => !missed.includes(one)))];
  const answers = await askHandWritten(
    machine,
    order.map(({ name }) => numbers.get(name)!),
    seconds,
    (count) => progress(`${machine}: ${count} of ${order.length} mutants through the hand-written test`),
  );
  return found.map((one) => {
    const number = numbers.get(one.name)!;
    if (!answers.has(number)) return one;
    const reason = answers.get(number);
    return { ...one, hand: reason !== undefined, reason: one.reason ?? reason };
  });
}

/** Every eleventh, then those behind them: whatever is cut off, what came before is of all parts. */
function spread<T>(list: readonly T[]): T[] {
  const STRIDE = 11;
  return Array.from({ length: STRIDE }, (_, from) => list.filter((_one, at) => at % STRIDE === from)).flat();
}
