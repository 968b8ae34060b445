/**
 * Where the CPU time of a turn goes, by group, and within XState by actor:
 *
 *   node bench/profile.ts [--connections=50] [--seconds=5] [--json]
 *
 * A gateway of its own under `node --cpu-prof`, loaded as by `bench/gateway.ts`. The profiler costs time itself: read
 * the shares, and take times from there. The main thread alone; the writer of the store is a thread beside it.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { processIo } from '../src/cli/io.ts';
import { plain } from '../src/cli/render/style.ts';
import { table } from '../src/cli/render/table.ts';
import { type Profile, sharesOf } from './gateway/samples.ts';
import { startGatewayTarget, startGenerator } from './gateway/targets.ts';
import { answerHelp } from '../scripts/help.ts';

answerHelp(import.meta.filename);
const { values: flags } = parseArgs({
  options: {
    connections: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});
const WARM_MS = 3_000;
const program = fileURLToPath(new URL('gateway.ts', import.meta.url));
const markers = new URL('gateway/markers.ts', import.meta.url).href;
const nowUs = (): number => Number(process.hrtime.bigint() / 1_000n);

const dir = mkdtempSync(join(tmpdir(), 'coppice-profile-'));
try {
  const connections = Number(flags.connections);
  const measureMs = Number(flags.seconds) * 1_000;
  const io = processIo();
  const options = `--cpu-prof --cpu-prof-dir=${dir} --cpu-prof-interval=500 --import=${markers}`;
  const gateway = await startGatewayTarget({ ...io, env: { ...io.env, NODE_OPTIONS: options } });
  const generator = await startGenerator(io, program);
  const outcome = generator.run(gateway, { connections, warmMs: WARM_MS, measureMs });
  const fromUs = nowUs() + WARM_MS * 1_000;
  const { turn } = await outcome;
  await generator.close();
  await gateway.close();
  const { groups, actors } = sharesOf(mainThread(dir), fromUs, fromUs + measureMs * 1_000);
  if (flags.json) console.log(JSON.stringify({ connections, turn, groups, actors }, null, 2));
  else show(connections, turn.count, groups, actors);
} finally {
  rmSync(dir, { recursive: true, force: true });
}

type Shares = ReturnType<typeof sharesOf>['groups'];

function show(connections: number, turns: number, groups: Shares, actors: Shares): void {
  const total = groups.reduce((sum, { ms }) => sum + ms, 0);
  const rows = (shares: Shares): string[][] =>
    shares
      .filter(({ ms }) => ms * 200 > total)
      .map(({ group, ms }) => [group, ((ms * 100) / total).toFixed(1), (ms / turns).toFixed(3)]);
  console.log(`${turns} turns over ${connections} connections, main thread\n`);
  console.log(table(['group', '%', 'ms a turn'], rows(groups), plain).join('\n'));
  console.log(`\nof these XState and machines, by actor\n`);
  console.log(table(['actor', '%', 'ms a turn'], rows(actors), plain).join('\n'));
}

/** Each thread writes a profile of its own; the main one is thread 0. */
function mainThread(from: string): Profile {
  const name = readdirSync(from).find((file) => /^CPU\.\d+\.\d+\.\d+\.0\.\d+\.cpuprofile$/.test(file));
  if (!name) throw new Error(`the gateway left no profile in ${from}`);
  return JSON.parse(readFileSync(join(from, name), 'utf8')) as Profile;
}
