/**
 * The load generator: a process of its own, which does one job after the other and sends each outcome back. Closed
 * loop: every connection begins a turn when its last one has ended. Open loop: turns are due at a fixed rate whatever
 * becomes of them, and latency counts from when a turn was due, so that a queue shows.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Measurement, summary } from '../../src/cli/bench/measure.ts';
import { outliveCtrlC } from '../../src/cli/bench/part.ts';
import { usageOf } from '../../src/cli/process-usage.ts';
import { openEchoLine, openLine } from './line.ts';
import { type Recorded, Traffic } from './traffic.ts';

export interface Job {
  /** Unlike that of any other job. */
  readonly name: string;
  readonly url: string;
  readonly token?: string | undefined;
  /** Of the measured process. */
  readonly pid: number;
  readonly echo?: boolean;
  readonly connections: number;
  readonly warmMs: number;
  readonly measureMs: number;
  /** Turns a second: an open loop. Absent: a closed one. */
  readonly rate?: number;
}

export interface Outcome {
  /** Of whole turns; CPU is that of the measured process. */
  readonly turn: Measurement;
  /** From the request to its answer, which comes after the commit. */
  readonly accept: Measurement;
  /** Turns that were due and had not ended one second after the last one was due. 0 in a closed loop. */
  readonly late: number;
}

/** Sessions of each connection in an open loop: a turn finds a free one unless the gateway lags by half a second. */
const PLACES = 10;
const SILENCE_MS = 20_000;
const CONNECT_AT_ONCE = 25;
const GRACE_MS = 1_000;

export async function runLoad(): Promise<void> {
  process.on('message', (job: Job) => {
    perform(job).then(
      (outcome) => process.send!({ outcome }),
      (error: unknown) => process.send!({ fault: error instanceof Error ? error.message : String(error) }),
    );
  });
  outliveCtrlC();
  process.once('disconnect', () => process.exit());
  process.send!({ ready: true });
}

async function perform(job: Job): Promise<Outcome> {
  const traffic = new Traffic(job.name);
  const lines = [];
  while (lines.length < job.connections) {
    const more = Math.min(CONNECT_AT_ONCE, job.connections - lines.length);
    const open = () => (job.echo ? openEchoLine(job.url, traffic) : openLine(job.url, job.token, traffic));
    lines.push(...(await Promise.all(Array.from({ length: more }, open))));
  }
  for (let place = 0; place < (job.rate === undefined ? 1 : PLACES); place += 1)
    for (const line of lines) traffic.add(line);
  const stopWatch = watch(traffic);
  try {
    const work = job.rate === undefined ? closedLoop(job, traffic) : openLoop(job, job.rate, traffic);
    return await Promise.race([work, traffic.fault.promise]);
  } finally {
    stopWatch();
    for (const line of lines) line.close();
  }
}

/** A turn that never ends would leave a closed loop waiting for ever. */
function watch(traffic: Traffic): () => void {
  let seen = -1;
  const timer = setInterval(() => {
    if (seen === traffic.ends.length) traffic.failed(`no turn ended within ${SILENCE_MS} ms`);
    seen = traffic.ends.length;
  }, SILENCE_MS);
  return () => clearInterval(timer);
}

async function closedLoop(job: Job, traffic: Traffic): Promise<Outcome> {
  let going = true;
  traffic.onEnd = () => {
    if (going) traffic.offer(performance.now());
  };
  for (let at = 0; at < job.connections; at += 1) traffic.offer(performance.now());
  await delay(job.warmMs);
  const before = await usageOf(job.pid);
  const fromMs = performance.now();
  await delay(job.measureMs);
  const toMs = performance.now();
  const after = await usageOf(job.pid);
  going = false;
  while (traffic.unfinished > 0) await delay(5);
  const within = ({ atMs }: Recorded): boolean => atMs >= fromMs && atMs < toMs;
  const sum = (all: readonly Recorded[]): Measurement =>
    summary(all.filter(within).map(tookMs), toMs - fromMs, before, after);
  return { turn: sum(traffic.ends), accept: sum(traffic.accepts), late: 0 };
}

async function openLoop(job: Job, rate: number, traffic: Traffic): Promise<Outcome> {
  const startMs = performance.now();
  const fromMs = startMs + job.warmMs;
  const toMs = fromMs + job.measureMs;
  const before = delay(job.warmMs).then(() => usageOf(job.pid));
  const dueMs = (turn: number): number => startMs + (turn * 1_000) / rate;
  for (let turn = 0; dueMs(turn) < toMs; await delay(1))
    for (const now = performance.now(); dueMs(turn) <= now; turn += 1) traffic.offer(dueMs(turn));
  const after = await usageOf(job.pid);
  await delay(GRACE_MS);
  const late = traffic.unfinished;
  const within = ({ dueMs: due }: Recorded): boolean => due >= fromMs && due < toMs;
  const used = await before;
  const sum = (all: readonly Recorded[]): Measurement =>
    summary(all.filter(within).map(tookMs), job.measureMs, used, after);
  const outcome = { turn: sum(traffic.ends), accept: sum(traffic.accepts), late };
  // What is left over must not fall into the next measurement.
  while (traffic.unfinished > 0) await delay(5);
  return outcome;
}

const tookMs = ({ dueMs, atMs }: Recorded): number => atMs - dueMs;
