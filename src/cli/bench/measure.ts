import { type Usage, usageOf } from '../process-usage.ts';

/** One measured run against one process. Rates per second, times in milliseconds. */
export interface Measurement {
  readonly count: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the measured process, for one turn or echo; null where the system does not tell. */
  readonly cpuMsEach: number | null;
  readonly rssMb: number | null;
}

export interface Load {
  /** Of the process that is measured. */
  readonly pid: number;
  readonly count: number;
  /** One after the other on each of these; resolves when one is done. */
  readonly workers: readonly (() => Promise<void>)[];
  readonly progress: (done: number, count: number) => void;
  readonly signal: AbortSignal;
}

/** Runs `count` of them over all workers. Rejects with what a worker rejects with. */
export async function measure({ pid, count, workers, progress, signal }: Load): Promise<Measurement> {
  const times: number[] = [];
  let taken = 0;
  const before = await usageOf(pid);
  const startedMs = performance.now();
  await Promise.all(
    workers.map(async (work) => {
      while (taken < count) {
        signal.throwIfAborted();
        taken += 1;
        const sentMs = performance.now();
        await work();
        times.push(performance.now() - sentMs);
        progress(times.length, count);
      }
    }),
  );
  const tookMs = performance.now() - startedMs;
  return summary(times, tookMs, before, await usageOf(pid));
}

export function summary(
  times: readonly number[],
  tookMs: number,
  before: Usage | undefined,
  after: Usage | undefined,
): Measurement {
  const sorted = times.toSorted((a, b) => a - b);
  const cpuMs = before && after ? after.cpuMs - before.cpuMs : null;
  return {
    count: times.length,
    perSecond: round((times.length / tookMs) * 1_000),
    p50Ms: round(quantile(sorted, 0.5)),
    p99Ms: round(quantile(sorted, 0.99)),
    cpuMsEach: cpuMs === null ? null : round(cpuMs / times.length),
    rssMb: after ? round(after.rssBytes / 1_048_576) : null,
  };
}

/** Of a sorted list: the smallest value that at least `share` of them do not exceed. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export interface Ratios {
  /** How many times slower, or larger, a turn is than an echo. */
  readonly throughput: number | null;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly cpu: number | null;
  readonly rss: number | null;
}

/** What one run of the benchmark found: whole turns beside echoes, over as many connections. */
export interface BenchResult {
  readonly connections: number;
  readonly turn: Measurement;
  readonly floor: Measurement;
  readonly ratios: Ratios;
}

export function ratiosOf(turn: Measurement, floor: Measurement): Ratios {
  return {
    throughput: ratio(floor.perSecond, turn.perSecond),
    p50: ratio(turn.p50Ms, floor.p50Ms),
    p99: ratio(turn.p99Ms, floor.p99Ms),
    cpu: ratio(turn.cpuMsEach, floor.cpuMsEach),
    rss: ratio(turn.rssMb, floor.rssMb),
  };
}

/** Null where one of them is unknown, or the floor too small to be measured. */
function ratio(value: number | null, floor: number | null): number | null {
  return value === null || floor === null || floor === 0 ? null : round(value / floor);
}

/** Three digits are all that such a measurement has. */
function round(value: number): number {
  return Number(value.toPrecision(3));
}
