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
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Io, processIo } from '../src/cli/io.ts';
import type { Result } from './gateway/table.ts';

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    /** Hidden: be one of the processes of the measurement. */
    part: { type: 'string' },
  },
});
const PROGRAM = fileURLToPath(import.meta.url);

const FULL = {
  limitMs: 240_000,
  runs: 5,
  settleMs: 5_000,
  closed: { rounds: 3, warmMs: 700, measureMs: 2_500 },
  open: { rounds: 3, warmMs: 700, measureMs: 3_000 },
};
const QUICK = {
  limitMs: 60_000,
  runs: 2,
  settleMs: 2_000,
  closed: { rounds: 1, warmMs: 600, measureMs: 1_500 },
  open: { rounds: 1, warmMs: 500, measureMs: 1_500 },
};

// Each part loads what it needs and nothing else: they share two cores with what is measured.
if (flags.part === 'load') await import('./gateway/load.ts').then(({ runLoad }) => runLoad());
else if (flags.part === 'skeleton')
  await import('./gateway/skeleton.ts').then(({ runSkeleton }) => runSkeleton());
else await main(processIo());

async function main(io: Io): Promise<void> {
  const plan = flags.quick ? QUICK : FULL;
  const limit = setTimeout(() => {
    io.stderr.write(`ended: it took longer than ${plan.limitMs / 1_000} s\n`);
    process.exit(1);
  }, plan.limitMs);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const result = await measureAll(io, plan);
  clearTimeout(limit);
  const { render } = await import('./gateway/table.ts');
  io.stdout.write(`${flags.json ? JSON.stringify(result, null, 2) : render(result).join('\n')}\n`);
}

async function measureAll(io: Io, plan: typeof FULL): Promise<Result> {
  const { measureIdle, measureStarts } = await import('./gateway/standing.ts');
  const { closedLoops, openLoop } = await import('./gateway/loops.ts');
  const { closeAll, startGenerator, startTargets } = await import('./gateway/targets.ts');
  const say = (line: string): void => void io.stderr.write(`${line}\n`);
  const startedMs = performance.now();
  const starts = await measureStarts(io, plan.runs, say);
  say('idle memory');
  const idle = await measureIdle(io, plan.settleMs);
  const targets = await startTargets(io, PROGRAM);
  const generator = await startGenerator(io, PROGRAM);
  try {
    const closed = await closedLoops(generator, targets, plan.closed, say);
    const capacity = closed.find(({ connections }) => connections === 50)!.turn.gateway.perSecond * 1.1;
    const open = await openLoop(generator, targets, { ...plan.open, capacity }, say);
    const machine = {
      cores: cpus().length,
      model: cpus()[0]?.model ?? 'unknown',
      node: process.versions.node,
    };
    const tookMs = Math.round(performance.now() - startedMs);
    return { machine, quick: flags.quick, tookMs, starts, idle, closed, open };
  } finally {
    await generator.close();
    await closeAll(targets);
  }
}
