import type { BenchResult } from '../bench/measure.ts';
import { table } from './table.ts';
import type { Paint } from './style.ts';

/** The turn beside the floor, and how many times it is that. */
export function renderBench({ connections, turn, floor, ratios }: BenchResult, paint: Paint): string[] {
  const rows = [
    ['per second', number(turn.perSecond), number(floor.perSecond), times(ratios.throughput)],
    ['p50 ms', number(turn.p50Ms), number(floor.p50Ms), times(ratios.p50)],
    ['p99 ms', number(turn.p99Ms), number(floor.p99Ms), times(ratios.p99)],
    ['CPU ms each', number(turn.cpuMsEach), number(floor.cpuMsEach), times(ratios.cpu)],
    ['RSS MiB', number(turn.rssMb), number(floor.rssMb), times(ratios.rss)],
  ];
  return [
    `${turn.count} turns over ${connections} connections, each sent, journalled, answered by the loopback model and settled;`,
    `beside ${floor.count} plain WebSocket echoes over as many, in the same run. Compare the ratios: the rest is this machine.`,
    '',
    ...table(['', 'turn', 'echo', 'ratio'], rows, paint),
  ];
}

const number = (value: number | null): string => (value === null ? 'unknown' : String(value));
const times = (ratio: number | null): string => (ratio === null ? 'unknown' : `x ${ratio}`);
