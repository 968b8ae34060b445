/**
 * What a gateway costs, as ratios within one run to floors that the run measures itself:
 *
 *   node bench/gateway.ts [--quick] [--json]
 *
 * The floors: `ws` sending every message back; a skeleton of a durable turn without actors; a process that only
 * imports what the gateway imports. The load comes from a process of its own over loopback sockets, to the built-in
 * model. Absolute numbers are those of this machine and this minute; compare the ratios. A full run takes less than
 * 4 minutes, a quick one less than one. The result is on stdout, what it is doing on stderr.
 */
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Io, processIo } from '../src/cli/io.ts';
import { onStopSignals } from '../src/cli/stop-signals.ts';
import type { LoopPlan } from './gateway/loops.ts';
import type { Result } from './gateway/table.ts';
import { answerHelp } from '../scripts/help.ts';

answerHelp(import.meta.filename);
const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    /** Hidden: be one of the processes of the measurement. */
    part: { type: 'string' },
  },
});
/** The longest step, and closing. */
const ORDERLY_MS = 12_000;
const PROGRAM = fileURLToPath(import.meta.url);

interface Plan {
  /** After this it gives up. */
  readonly limitMs: number;
  readonly runs: number;
  readonly settleMs: number;
  /** Code that has run a hundred times is another code: compiled, with its types known. */
  readonly heatMs: number;
  readonly closed: LoopPlan;
  readonly open: LoopPlan;
}

const FULL: Plan = {
  limitMs: 240_000,
  runs: 5,
  settleMs: 4_000,
  heatMs: 3_000,
  closed: { rounds: 3, warmMs: 700, measureMs: 2_300 },
  open: { rounds: 3, warmMs: 700, measureMs: 2_500 },
};
const QUICK: Plan = {
  limitMs: 60_000,
  runs: 1,
  settleMs: 1_000,
  heatMs: 1_200,
  closed: { rounds: 1, warmMs: 300, measureMs: 1_200 },
  open: { rounds: 1, warmMs: 300, measureMs: 1_200 },
};

// Each part loads what it needs and nothing else: they share two cores with what is measured.
if (flags.part === 'load') await import('./gateway/load.ts').then(({ runLoad }) => runLoad());
else if (flags.part === 'skeleton')
  await import('./gateway/skeleton.ts').then(({ runSkeleton }) => runSkeleton());
else await main(processIo());

async function main(io: Io): Promise<void> {
  const plan: Plan = flags.quick ? QUICK : FULL;
  const ended = new AbortController();
  const end = (reason: string): void => ended.abort(new Error(reason));
  const soft = setTimeout(
    () => end(`it takes longer than ${plan.limitMs / 1_000} s`),
    plan.limitMs - ORDERLY_MS,
  );
  const hard = setTimeout(() => process.exit(1), plan.limitMs);
  const stop = onStopSignals(() => end('it was stopped'));
  // Between two steps everything that was started can be closed.
  const say = (line: string): void => {
    ended.signal.throwIfAborted();
    io.stderr.write(`${line}\n`);
  };
  try {
    const result = await measureAll(io, plan, say);
    const { render } = await import('./gateway/table.ts');
    io.stdout.write(`${flags.json ? JSON.stringify(result, null, 2) : render(result).join('\n')}\n`);
  } catch (error) {
    io.stderr.write(`ended: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    clearTimeout(soft);
    clearTimeout(hard);
    stop();
  }
}

async function measureAll(io: Io, plan: Plan, say: (line: string) => void): Promise<Result> {
  const { measureIdle, measureStarts } = await import('./gateway/standing.ts');
  const { closedLoops, openLoop } = await import('./gateway/loops.ts');
  const { closeAll, startGenerator, startTargets } = await import('./gateway/targets.ts');
  const startedMs = performance.now();
  const starts = await measureStarts(io, plan.runs, say);
  say('idle memory');
  const idle = await measureIdle(io, plan.settleMs);
  const targets = await startTargets(io, PROGRAM);
  const generator = await startGenerator(io, PROGRAM);
  try {
    say('warming up');
    for (const target of targets)
      await generator.run(target, { connections: 50, warmMs: plan.heatMs, measureMs: 100 });
    const closed = await closedLoops(generator, targets, plan.closed, say);
    const capacity = closed.find(({ connections }) => connections === 50)!.turn.gateway.perSecond * 1.1;
    const open = await openLoop(generator, targets, { ...plan.open, capacity }, say);
    const built = existsSync(new URL('../dist/cli/main.js', import.meta.url));
    const machine = {
      cores: cpus().length,
      model: cpus()[0]?.model ?? 'unknown',
      node: process.versions.node,
      built,
    };
    const tookMs = Math.round(performance.now() - startedMs);
    return { machine, quick: flags.quick, tookMs, starts, idle, closed, open };
  } finally {
    await generator.close();
    await closeAll(targets);
  }
}
