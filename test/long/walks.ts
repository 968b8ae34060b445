/**
 * Random walks of the whole gateway: messages, models, tools, a platform, a lying disk and crashes of every actor, in
 * any order. The first walk that breaks something ends the run, shrunk to the fewest steps.
 *
 *   node test/long/walks.ts [--walks 2000] [--seed 20261123]
 */
import { parseArgs } from 'node:util';
import * as fc from 'fast-check';
import { steps, walk } from '../model-based/composed/walk.ts';
import { answerHelp } from '../../scripts/help.ts';

answerHelp(import.meta.filename);
const { values } = parseArgs({
  options: {
    walks: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '20261123' },
    path: { type: 'string' },
  },
});
const walks = Number(values.walks);
const startedAt = performance.now();
let done = 0;
let taken = 0;

const show = (): void => {
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  process.stderr.write(`${done} of ${walks} walks, ${taken} steps, ${seconds} s\n`);
};
const timer = setInterval(show, 15_000);
const details = await fc.check(
  fc.asyncProperty(steps, fc.nat(), async (plan, seed) => {
    const broken = await walk(plan, seed);
    done += 1;
    taken += plan.length;
    if (broken.length > 0) throw new Error(broken.join('\n'));
  }),
  {
    seed: Number(values.seed),
    numRuns: walks,
    ...(values.path === undefined ? {} : { path: values.path }),
  },
);
clearInterval(timer);
show();
if (details.failed) {
  process.stdout.write(`${fc.defaultReportMessage(details)}\n`);
  process.exitCode = 1;
} else process.stdout.write(`${done} walks of ${taken} steps, seed ${details.seed}: nothing broken\n`);
