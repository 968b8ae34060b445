/** The loops of load, closed and open. Floor and candidate take turns, so that what disturbs one disturbs the other. */
import type { Measurement, Ratios } from '../../src/cli/bench/measure.ts';
import type { Outcome } from './load.ts';
import { medianMeasurement, medianRatios } from './median.ts';
import type { Generator, Target, TargetName } from './targets.ts';

export interface LoopPlan {
  readonly rounds: number;
  readonly warmMs: number;
  readonly measureMs: number;
}

/** Medians, and how many times slower or larger the gateway is than each floor. */
export type Compared = Readonly<Record<TargetName, Measurement>> & {
  readonly toEcho: Ratios;
  readonly toSkeleton: Ratios;
};

export interface Closed {
  readonly connections: number;
  readonly turn: Compared;
}

export interface Open {
  readonly rate: number;
  /** False: not even the lowest rate was kept up with, and its figures are those of a queue that grows. */
  readonly sustained: boolean;
  /** Rates it was offered and did not keep up with. */
  readonly failed: readonly number[];
  /** Rates it was not offered: a closed loop did not reach them either. */
  readonly beyond: readonly number[];
  readonly accept: Compared;
  readonly turn: Compared;
}

const LEVELS = [1, 50, 400];
const LOWEST = 100;
const RATES = [1_000, 500, 200, LOWEST];
const OPEN_CONNECTIONS = 50;
/** Ten times what an undisturbed turn takes: half of the turns being slower than this is a queue. */
const QUEUE_MS = 250;

type Rounds = Record<TargetName, Outcome[]>;
type Say = (line: string) => void;

export async function closedLoops(
  generator: Generator,
  targets: readonly Target[],
  plan: LoopPlan,
  say: Say,
): Promise<Closed[]> {
  const found: Closed[] = [];
  for (const connections of LEVELS) {
    const { warmMs, measureMs } = plan;
    const load = (target: Target): Promise<Outcome> =>
      generator.run(target, { connections, warmMs, measureMs });
    const rounds = await takeTurns(targets, plan.rounds, load, (round) =>
      say(`closed loop, ${connections} connections, round ${round} of ${plan.rounds}`),
    );
    found.push({ connections, turn: compared(rounds, 'turn') });
  }
  return found;
}

/** `capacity`: turns a second of a closed loop. A rate far above it would only build a queue. */
export async function openLoop(
  generator: Generator,
  targets: readonly Target[],
  plan: LoopPlan & { readonly capacity: number },
  say: Say,
): Promise<Open> {
  const load = (target: Target, rate: number): Promise<Outcome> => {
    const { warmMs, measureMs } = plan;
    return generator.run(target, { connections: OPEN_CONNECTIONS, warmMs, measureMs, rate });
  };
  const gateway = targets.find(({ name }) => name === 'gateway')!;
  const beyond = RATES.filter((rate) => rate > plan.capacity && rate !== LOWEST);
  const failed: number[] = [];
  let rate = LOWEST;
  for (const one of RATES.filter((candidate) => !beyond.includes(candidate))) {
    rate = one;
    say(`open loop: can it keep up with ${rate}/s?`);
    if (isSustained(await load(gateway, rate))) break;
    failed.push(rate);
  }
  const rounds = await takeTurns(
    targets,
    plan.rounds,
    (target) => load(target, rate),
    (round) => say(`open loop, ${rate}/s, round ${round} of ${plan.rounds}`),
  );
  return {
    rate,
    sustained: rounds.gateway.filter(isSustained).length * 2 > plan.rounds,
    failed,
    beyond,
    accept: compared(rounds, 'accept'),
    turn: compared(rounds, 'turn'),
  };
}

const isSustained = ({ late, turn }: Outcome): boolean => late === 0 && turn.p50Ms < QUEUE_MS;

async function takeTurns(
  targets: readonly Target[],
  rounds: number,
  load: (target: Target) => Promise<Outcome>,
  begins: (round: number) => void,
): Promise<Rounds> {
  const found: Rounds = { echo: [], skeleton: [], gateway: [] };
  for (let round = 1; round <= rounds; round += 1) {
    begins(round);
    for (const target of targets) found[target.name].push(await load(target));
  }
  return found;
}

function compared(rounds: Rounds, what: 'turn' | 'accept'): Compared {
  const of = (name: TargetName): Measurement[] => rounds[name].map((outcome) => outcome[what]);
  const [echo, skeleton, gateway] = [of('echo'), of('skeleton'), of('gateway')];
  return {
    echo: medianMeasurement(echo),
    skeleton: medianMeasurement(skeleton),
    gateway: medianMeasurement(gateway),
    toEcho: medianRatios(gateway, echo),
    toSkeleton: medianRatios(gateway, skeleton),
  };
}
