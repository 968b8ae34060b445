/** Medians over the rounds of one run: on a shared machine a mean belongs to whoever was disturbed. */
import { type Measurement, type Ratios, ratiosOf } from '../../src/cli/bench/measure.ts';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return Number.isInteger(middle)
    ? ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
    : (sorted[Math.floor(middle)] ?? Number.NaN);
}

/** Of what is known of a field. */
function middle<K extends string>(
  all: readonly Readonly<Record<K, number | null>>[],
  name: K,
): number | null {
  const known = all.map((one) => one[name]).filter((value) => value !== null);
  return known.length === 0 ? null : Number(median(known).toPrecision(3));
}

export function medianMeasurement(all: readonly Measurement[]): Measurement {
  return {
    count: all.reduce((sum, { count }) => sum + count, 0),
    perSecond: middle(all, 'perSecond') ?? Number.NaN,
    p50Ms: middle(all, 'p50Ms') ?? Number.NaN,
    p99Ms: middle(all, 'p99Ms') ?? Number.NaN,
    cpuMsEach: middle(all, 'cpuMsEach'),
    rssMb: middle(all, 'rssMb'),
  };
}

/** Each round against the floor of the same round, for what disturbs one disturbs mostly both. */
export function medianRatios(all: readonly Measurement[], floors: readonly Measurement[]): Ratios {
  const rounds = all.map((one, at) => ratiosOf(one, floors[at]!));
  return {
    throughput: middle(rounds, 'throughput'),
    p50: middle(rounds, 'p50'),
    p99: middle(rounds, 'p99'),
    cpu: middle(rounds, 'cpu'),
    rss: middle(rounds, 'rss'),
  };
}
