/**
 * What supervision costs, beside the supervisor of Erlang/OTP in the same run: starting, crash to serving with 0, 1,000
 * and 10,000 siblings, start and stop of one, stop of all, bytes for each idle child, and what 1,000,000 restarts leave.
 *
 *   node bench/supervisor.ts [--quick] [--json]
 *
 * Beside both stands XState alone: the same actor made, started, crashed or finished, and nobody who supervises it.
 * What lies between that and our figure is the price of supervision; what lies below it is XState's.
 *
 * Medians of interleaved rounds. Absolute numbers are those of this machine; compare the ratios. The child is a
 * gen_server there; here XState's smallest machine, whose like is a gen_statem, and beside it a reducer
 * (`fromTransition`), whose like is a gen_server. Needs `erl` (apt-get install -y erlang-base).
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createActor, fromTransition, setup, type AnyActorLogic } from 'xstate';
import { createClock } from '../src/host/index.ts';
import { createSupervision, type ChildSpec, type Supervision } from '../src/supervisor/index.ts';
import { answerHelp } from '../scripts/help.ts';

answerHelp(import.meta.filename);
const { values: flags } = parseArgs({ options: { json: { type: 'boolean' }, quick: { type: 'boolean' } } });
const many = flags.quick ? 1_000 : 10_000;
const times = flags.quick ? 500 : 5_000;
/** Fewer: OTP walks its log of the period's restarts at every restart, and a thousand within a second are plenty. */
const crashes = flags.quick ? 200 : 1_000;
const restarts = flags.quick ? 5_000 : 1_000_000;
const rounds = flags.quick ? 1 : 5;

type Ask =
  | readonly ['start' | 'stop' | 'bytes' | 'slope', number]
  | readonly ['crash' | 'cycle', number, number];

interface Row {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly erlang: number;
  /** Ours by Erlang's. */
  readonly ratio: number;
  /** Ours with the lightest child. */
  readonly light: number;
  /** The same without a supervisor; undefined where that means nothing. */
  readonly bare: number | undefined;
}

const WARM_UP = flags.quick ? 2_000 : 10_000;
/** The sliding log of the restarts covers a second; measured after it has forgotten. */
const PERIOD_MS = 1_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const child = setup({
  actions: {
    crash: () => {
      throw new Error('crash');
    },
  },
}).createMachine({
  initial: 'up',
  states: {
    up: { on: { ping: {}, crash: { actions: 'crash' }, 'supervisor.shutdown': 'down' } },
    down: { type: 'final' },
  },
  output: { exit: 'shutdown' },
});

const reducer = fromTransition((state: number, event: { type: string }) => {
  if (event.type === 'crash') throw new Error('crash');
  return state;
}, 0);

interface House {
  readonly child: AnyActorLogic;
  readonly supervision: Supervision;
  stop(): Promise<void>;
}

function open(logicOfChildren: AnyActorLogic): House {
  const clock = createClock();
  const supervision = createSupervision({ clock, random: Math.random, report: () => {} });
  const logic = supervision.supervisor({
    strategy: 'one_for_one',
    intensity: 10_000_000,
    periodMs: PERIOD_MS,
  });
  const root = createActor(logic, { clock, input: { path: 'root', incarnation: 1 } });
  supervision.root(root, 'root');
  const ended = new Promise<void>((resolve, reject) => root.subscribe({ complete: resolve, error: reject }));
  root.start();
  return {
    child: logicOfChildren,
    supervision,
    stop() {
      root.send({ type: 'supervisor.shutdown', reason: 'done', deadlineMs: 0 });
      return ended;
    },
  };
}

const spec = (id: string, logic: AnyActorLogic): ChildSpec => ({ id, logic });

function add({ supervision, child: logic }: House, id: string): void {
  const reply = supervision.startChild('root', spec(id, logic));
  if (reply === 'pending' || !reply.ok) throw new Error(`${id} did not start`);
}

function fill(house: House, count: number): void {
  for (let i = 0; i < count; i += 1) add(house, `s${i}`);
}

async function crash({ supervision: { registry } }: House, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const before = registry.incarnation('root/victim')!;
    registry.tell('root/victim', { type: 'crash' });
    while (registry.incarnation('root/victim') !== before + 1) await macrotask();
    registry.tell('root/victim', { type: 'ping' });
  }
}

/** Another id each time, as sessions have: one and the same is a case of its own, see docs/performance.md. */
async function cycle(house: House, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const id = `guest${i}`;
    add(house, id);
    for (const type of ['terminate_child', 'delete_child'] as const) {
      const reply = await house.supervision.admin('root', { type, id });
      if (!reply.ok) throw new Error(`${type}: ${reply.reason}`);
    }
  }
}

/** What the siblings' starts left for the collector is not the price of what comes after; so on both sides. */
function settled(house: House, siblings: number): void {
  fill(house, siblings);
  collect();
}

/** Microseconds. */
async function timed(work: () => void | Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) * 1_000;
}

function heap(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

async function slope(house: House, count: number): Promise<number> {
  add(house, 'victim');
  await crash(house, WARM_UP);
  await sleep(PERIOD_MS * 1.1);
  await crash(house, 1);
  const before = heap();
  await crash(house, count);
  await sleep(PERIOD_MS * 1.1);
  await crash(house, 1);
  return (heap() - before) / count;
}

async function ours([what, count, more = 0]: Ask, logic: AnyActorLogic = child): Promise<number> {
  const house = open(logic);
  try {
    switch (what) {
      case 'start':
        return (await timed(() => fill(house, count))) / count;
      case 'stop':
        fill(house, count);
        return (await timed(() => house.stop())) / count;
      case 'bytes': {
        const before = heap();
        fill(house, count);
        return (heap() - before) / count;
      }
      case 'slope':
        return await slope(house, count);
      case 'crash':
        settled(house, count);
        add(house, 'victim');
        return (await timed(() => crash(house, more))) / more;
      case 'cycle':
        settled(house, count);
        return (await timed(() => cycle(house, more))) / more;
    }
  } finally {
    await house.stop();
  }
}

const ignored = { error: () => undefined, complete: () => undefined };
function bareChild() {
  const actor = createActor(child);
  actor.subscribe(ignored);
  return actor.start();
}

/** XState alone. */
async function bare([what, count, more = 0]: Ask): Promise<number | undefined> {
  switch (what) {
    case 'start':
      return (await timed(() => void Array.from({ length: count }, bareChild))) / count;
    case 'stop': {
      const actors = Array.from({ length: count }, bareChild);
      return (await timed(() => actors.forEach((actor) => actor.send(SHUTDOWN)))) / count;
    }
    case 'bytes': {
      const before = heap();
      const actors = Array.from({ length: count }, bareChild);
      const bytes = (heap() - before) / count;
      actors.forEach((actor) => actor.stop());
      return bytes;
    }
    case 'crash':
      return (await timed(() => bareCrashes(more))) / more;
    case 'cycle':
      return (
        (await timed(() => {
          for (let i = 0; i < more; i += 1) bareChild().send(SHUTDOWN);
        })) / more
      );
    case 'slope':
      return undefined;
  }
}
const SHUTDOWN = { type: 'supervisor.shutdown' };

async function bareCrashes(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    bareChild().send({ type: 'crash' });
    await macrotask();
  }
}

function startErlang(): { ask(question: Ask): Promise<number>; close(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'coppice-bench-'));
  const source = fileURLToPath(new URL('erlang/supervisor_bench.erl', import.meta.url));
  const compiled = spawnSync('erlc', ['-o', directory, source], { encoding: 'utf8' });
  if (compiled.error) throw new Error('erl is missing: apt-get install -y erlang-base');
  if (compiled.status !== 0) throw new Error(compiled.stdout + compiled.stderr);
  const args = ['+S', '1:1', '-noshell', '-pa', directory, '-s', 'supervisor_bench', 'main'];
  const erl = spawn('erl', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: erl.stdout })[Symbol.asyncIterator]();
  return {
    async ask(question) {
      erl.stdin.write(`{${question.join(',')}}.\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`Erlang ended while it measured ${question.join(' ')}`);
      return Number(value);
    },
    close() {
      erl.stdin.end();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

const asks: readonly (readonly [name: string, unit: string, ask: Ask])[] = [
  [`start ${many}, each`, 'us', ['start', many]],
  ['crash to serving, alone', 'us', ['crash', 0, crashes]],
  [`crash to serving, ${many / 10} siblings`, 'us', ['crash', many / 10, crashes]],
  [`crash to serving, ${many} siblings`, 'us', ['crash', many, crashes]],
  ['start and stop one, alone', 'us', ['cycle', 0, times]],
  [`start and stop one, ${many} siblings`, 'us', ['cycle', many, times]],
  [`stop ${many} in order, each`, 'us', ['stop', many]],
  ['idle child', 'bytes', ['bytes', many]],
  [`left by each of ${restarts} restarts`, 'bytes', ['slope', restarts]],
];

const erlang = startErlang();
try {
  // Neither side is measured cold.
  for (const warm of [
    ['stop', WARM_UP],
    ['crash', 0, WARM_UP],
    ['cycle', 0, WARM_UP],
  ] as const) {
    await ours(warm);
    await ours(warm, reducer);
    await bare(warm);
    await erlang.ask(warm);
  }
  const rows: Row[] = [];
  for (const [name, unit, ask] of asks) {
    const mine: number[] = [];
    const theirs: number[] = [];
    const light: number[] = [];
    const alone: number[] = [];
    for (let round = 0; round < (ask[0] === 'slope' ? 1 : rounds); round += 1) {
      mine.push(await ours(ask));
      light.push(await ours(ask, reducer));
      theirs.push(await erlang.ask(ask));
      const without = await bare(ask);
      if (without !== undefined) alone.push(without);
    }
    rows.push({
      name,
      unit,
      ours: median(mine),
      erlang: median(theirs),
      ratio: median(mine) / median(theirs),
      light: median(light),
      bare: alone.length === 0 ? undefined : median(alone),
    });
  }
  if (flags.json)
    process.stdout.write(`${JSON.stringify({ node: process.version, rounds, rows }, null, 2)}\n`);
  else console.table(rows.map(shown));
} finally {
  erlang.close();
}

function shown({ name, unit, ours: mine, erlang: theirs, ratio, light, bare: alone }: Row) {
  const rounded = (n: number): number => Number(n.toFixed(2));
  return {
    what: name,
    unit,
    coppice: rounded(mine),
    'Erlang/OTP': rounded(theirs),
    ratio: rounded(ratio),
    'with reducers': rounded(light),
    'its ratio': rounded(light / theirs),
    'XState alone': alone === undefined ? '' : rounded(alone),
  };
}
