/**
 * Asks the hand-written model-based test of one machine about mutants, one after the other, in a process of its own: the
 * machine is changed in place, and the file is imported anew for each. A line of JSON per mutant on stdout.
 *
 *   node test/mutation/hand-child.ts MACHINE FILE SECONDS NUMBER...
 */
import { registerHooks } from 'node:module';
import { shipped } from '../../src/testing/shipped.ts';
import { longForm } from './config.ts';
import { mutantsOf } from './faults.ts';
import { rebuilt } from './mutant.ts';

const [name = '', file = '', seconds = '', ...numbers] = process.argv.slice(2);
const standIn = new URL('vitest-stand-in.ts', import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'vitest' ? { url: standIn, shortCircuit: true } : next(specifier, context),
});
const { takeTests } = (await import(standIn)) as typeof import('./vitest-stand-in.ts');

const machine = (await shipped(name))!.machine;
const original = rebuilt(machine, longForm(machine.config));
const mutants = mutantsOf(original);
const until = performance.now() + Number(seconds) * 1_000;

/** Why the file fails; undefined when it passes. */
async function failure(round: number): Promise<string | undefined> {
  try {
    await import(`${new URL(`../model-based/${file}`, import.meta.url).href}?round=${round}`);
    for (const { name: title, run } of takeTests()) {
      await Promise.resolve(run()).catch((error: unknown) => {
        throw new Error(`${title}: ${String(error)}`, { cause: error });
      });
    }
    return undefined;
  } catch (error) {
    takeTests();
    return (error instanceof Error ? error.message : String(error)).slice(0, 400);
  }
}
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

for (const number of [-1, ...numbers.map(Number)]) {
  if (performance.now() > until) break;
  try {
    Object.assign(machine, number < 0 ? original : mutants[number]!.build());
    say({ number, reason: await failure(number) });
  } catch (error) {
    say({ number, reason: `refused: ${String(error)}` });
  }
}
process.exit(0);
