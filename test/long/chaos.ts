/**
 * Random trees of chaotic children, and random orders at any moment. The first run that breaks something ends it, shrunk.
 *
 *   node test/long/chaos.ts [--runs 20000] [--seed 20261123] [--path ...] [--minutes 60]
 */
import { parseArgs } from 'node:util';
import * as fc from 'fast-check';
import { plans } from '../supervisor/chaos/plan.ts';
import { runPlan } from '../supervisor/chaos/run.ts';
import { answerHelp } from '../../scripts/help.ts';

answerHelp(import.meta.filename);
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '20261123' },
    path: { type: 'string' },
    minutes: { type: 'string', default: '60' },
  },
});
const startedAt = performance.now();
let done = 0;
let steps = 0;
const stray: string[] = [];
process.on('uncaughtException', (error) => void stray.push(`uncaught: ${error.stack}`));
process.on('unhandledRejection', (error) => void stray.push(`unhandled: ${String(error)}`));
// XState's development build says that the dead hear nothing.
Object.assign(console, { warn: () => {} });

const show = (): void => {
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  const mib = Math.round(process.memoryUsage().heapUsed / 2 ** 20);
  process.stderr.write(`${done} of ${values.runs} runs, ${steps} steps, ${seconds} s, ${mib} MiB\n`);
};
const timer = setInterval(show, 15_000);
const details = await fc.check(
  fc.asyncProperty(plans, async (plan) => {
    const broken = await runPlan(plan);
    broken.push(...stray.splice(0));
    done += 1;
    steps += plan.ops.length;
    if (broken.length > 0) throw new Error(broken.slice(0, 6).join('\n'));
  }),
  {
    seed: Number(values.seed),
    numRuns: Number(values.runs),
    interruptAfterTimeLimit: Number(values.minutes) * 60_000,
    ...(values.path === undefined ? {} : { path: values.path }),
  },
);
clearInterval(timer);
show();
if (details.failed) {
  const [plan] = details.counterexample ?? [];
  process.stdout.write(`seed ${details.seed}, path ${details.counterexamplePath}\n${JSON.stringify(plan)}\n`);
  process.stdout.write(`${details.errorInstance instanceof Error ? details.errorInstance.message : ''}\n`);
  process.exitCode = 1;
} else process.stdout.write(`${done} runs of ${steps} steps, seed ${details.seed}: nothing broken\n`);
