/**
 * `node test/long/differential.ts [--trees 50000] [--seed N] [--minutes M]`: random supervision trees and operations,
 * run by ours and by Erlang's. Ends with 1 at the first difference and prints it, shrunk. Needs `erl`.
 */
import { parseArgs } from 'node:util';
import * as fc from 'fast-check';
import { hasErlang, INSTALL, startOtp } from '../conformance/differential/otp.ts';
import { runOurs } from '../conformance/differential/ours.ts';
import { type Script, scripts, toTerm } from '../conformance/differential/script.ts';
import { difference } from '../conformance/differential/trace.ts';
import { answerHelp } from '../../scripts/help.ts';

answerHelp(import.meta.filename);
const { values } = parseArgs({
  options: { trees: { type: 'string' }, seed: { type: 'string' }, minutes: { type: 'string' } },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const trees = Number(values.trees ?? 50_000);
const seed = Number(values.seed ?? process.pid);
const minutes = Number(values.minutes ?? 120);

if (!hasErlang()) {
  say(`erl is missing: ${INSTALL}`);
  process.exit(2);
}
const otp = startOtp();
const startedAtMs = performance.now();
let done = 0;
let steps = 0;
const seconds = (): number => Math.round((performance.now() - startedAtMs) / 1_000);
const compare = async (script: Script): Promise<void> => {
  const theirs = await otp.run(script);
  const fault = difference(script, await runOurs(script), theirs);
  done += 1;
  steps += theirs.length;
  if (done % 1_000 === 0) say(`${done} trees, ${steps} steps, ${seconds()} s`);
  if (fault) throw new Error(fault);
};
const result = await fc.check(fc.asyncProperty(scripts, compare), {
  seed,
  numRuns: trees,
  interruptAfterTimeLimit: minutes * 60_000,
});
await otp.close();
if (result.counterexample) {
  const [script] = result.counterexample;
  say(`difference (seed ${seed}, path ${result.counterexamplePath}):\n${toTerm(script)}`);
  say(JSON.stringify(script));
  say(result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance));
}
say(
  `${result.counterexample ? 'FAILED' : 'ok'}: ${result.numRuns} trees, ${steps} steps, seed ${seed}, ${seconds()} s`,
);
process.exitCode = result.counterexample ? 1 : 0;
