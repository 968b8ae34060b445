import { table } from '../../src/cli/render/table.ts';
import { plain } from '../../src/cli/render/style.ts';
import type { Closed, Open } from './loops.ts';
import type { Idle, Starts } from './standing.ts';

export interface Result {
  readonly machine: {
    readonly cores: number;
    readonly model: string;
    readonly node: string;
    /** What ran was the built program, not the sources; the built one starts faster. */
    readonly built: boolean;
  };
  readonly quick: boolean;
  readonly tookMs: number;
  readonly starts: Starts;
  readonly idle: Idle;
  readonly closed: readonly Closed[];
  readonly open: Open;
}

const number = (value: number | null): string => (value === null ? 'unknown' : String(value));
const times = (value: number | null): string => (value === null ? 'unknown' : `x ${value}`);
const FLOORS = ['echo', 'skeleton', 'gateway', 'to echo', 'to skeleton'];

export function render({ machine, quick, tookMs, starts, idle, closed, open }: Result): string[] {
  return [
    `${machine.cores} cores (${machine.model}), Node ${machine.node}, ${machine.built ? 'built' : 'from the sources'}; ${Math.round(tookMs / 1_000)} s${quick ? ', quick' : ''}.`,
    'echo: ws alone. skeleton: ws, the same frames, and the same two commits of a turn, without actors.',
    'Medians; a ratio says how many times slower or larger the gateway is, round by round. Compare the ratios.',
    '',
    'Closed loop: every connection begins a turn when its last one has ended',
    ...table(['connections', '', ...FLOORS], closed.flatMap(closedRows), plain),
    '',
    `Open loop over 50 connections: ${openTitle(open)}`,
    ...table(['', ...FLOORS], openRows(open), plain),
    '',
    `Start to ready, median of ${starts.runs}, and idle memory, beside a process with the same imports`,
    ...table(['', 'bare imports', 'gateway', 'ratio'], standingRows(starts, idle), plain),
  ];
}

function closedRows({
  connections,
  turn: { echo, skeleton, gateway, toEcho, toSkeleton },
}: Closed): string[][] {
  const of = (what: string, name: 'perSecond' | 'cpuMsEach', ratio: 'throughput' | 'cpu'): string[] => [
    String(connections),
    what,
    ...[echo, skeleton, gateway].map((one) => number(one[name])),
    times(toEcho[ratio]),
    times(toSkeleton[ratio]),
  ];
  return [of('turns/s', 'perSecond', 'throughput'), of('CPU ms/turn', 'cpuMsEach', 'cpu')];
}

function openTitle({ rate, sustained, failed, beyond }: Open): string {
  const all = (rates: readonly number[]): string => rates.map((one) => `${one}/s`).join(', ');
  return [
    `${rate} turns/s offered${sustained ? '' : ', which it does not sustain: these are times in a queue'}`,
    ...(failed.length > 0 ? [`not sustained: ${all(failed)}`] : []),
    ...(beyond.length > 0 ? [`not offered, as a closed loop does not reach it: ${all(beyond)}`] : []),
  ].join('; ');
}

function openRows({ accept, turn }: Open): string[][] {
  const rows = [
    ['accept', accept],
    ['turn', turn],
  ] as const;
  return rows.flatMap(([what, { echo, skeleton, gateway, toEcho, toSkeleton }]) =>
    (['p50', 'p99'] as const).map((name) => [
      `${what} ${name} ms`,
      ...[echo, skeleton, gateway].map((one) => number(one[`${name}Ms`])),
      times(toEcho[name]),
      times(toSkeleton[name]),
    ]),
  );
}

function standingRows(starts: Starts, idle: Idle): string[][] {
  const { bareMs, aloneMs, launchedMs, aloneRatio, launchedRatio } = starts;
  const { bareMb, gatewayMb, launcherMb, gatewayRatio, bothRatio } = idle;
  return [
    ['start, gateway process alone, ms', number(bareMs), number(aloneMs), times(aloneRatio)],
    ['start, launcher and gateway, ms', number(bareMs), number(launchedMs), times(launchedRatio)],
    ['idle RSS, gateway process, MiB', number(bareMb), number(gatewayMb), times(gatewayRatio)],
    ['idle RSS, launcher, MiB', number(bareMb), number(launcherMb), times(ratio(launcherMb, bareMb))],
    ['idle RSS, both, MiB', number(bareMb), number(gatewayMb + launcherMb), times(bothRatio)],
  ];
}

const ratio = (value: number, floor: number): number => Number((value / floor).toPrecision(3));
