/** What it costs to start a gateway and to keep one standing, beside a process that only has its imports. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Io } from '../../src/cli/io.ts';
import { startOwnGateway } from '../../src/cli/own-gateway.ts';
import { usageOf } from '../../src/cli/process-usage.ts';
import { gatewayImports, startBare } from './bare.ts';
import { median } from './median.ts';

/** Milliseconds from the beginning of the process to its line, or to a 200 of /readyz. Medians. */
export interface Starts {
  readonly runs: number;
  readonly bareMs: number;
  /** The gateway process alone, as under a service manager. */
  readonly aloneMs: number;
  /** The launcher, and the gateway process it starts. */
  readonly launchedMs: number;
  readonly aloneRatio: number;
  readonly launchedRatio: number;
}

/** Mebibytes. */
export interface Idle {
  readonly bareMb: number;
  readonly gatewayMb: number;
  readonly launcherMb: number;
  /** The gateway process, and both. */
  readonly gatewayRatio: number;
  readonly bothRatio: number;
}

const LOOK_EVERY_MS = 3;

export async function measureStarts(io: Io, runs: number, say: (line: string) => void): Promise<Starts> {
  const packages = gatewayImports();
  const rounds: { bare: number; alone: number; launched: number }[] = [];
  // The first of several reads its files from the disk: it is not counted.
  for (let run = runs > 1 ? 0 : 1; run <= runs; run += 1) {
    say(run === 0 ? 'starts, uncounted' : `starts, ${run} of ${runs}`);
    const bare = await timed(() => startBare(io, packages));
    const alone = await timed(() => startOwnGateway(io, { launcher: false, lookEveryMs: LOOK_EVERY_MS }));
    const launched = await timed(() => startOwnGateway(io, { launcher: true, lookEveryMs: LOOK_EVERY_MS }));
    if (run > 0) rounds.push({ bare, alone, launched });
  }
  const mid = (of: (round: (typeof rounds)[number]) => number): number => three(median(rounds.map(of)));
  return {
    runs,
    bareMs: mid(({ bare }) => bare),
    aloneMs: mid(({ alone }) => alone),
    launchedMs: mid(({ launched }) => launched),
    aloneRatio: mid(({ alone, bare }) => alone / bare),
    launchedRatio: mid(({ launched, bare }) => launched / bare),
  };
}

async function timed(start: () => Promise<{ close(): Promise<void> }>): Promise<number> {
  const startedMs = performance.now();
  const started = await start();
  const tookMs = performance.now() - startedMs;
  await started.close();
  return tookMs;
}

/** `settleMs`: how long all of them stand before they are looked at. */
export async function measureIdle(io: Io, settleMs: number): Promise<Idle> {
  const bare = await startBare(io, gatewayImports());
  const gateway = await startOwnGateway(io, { launcher: true });
  try {
    await delay(settleMs);
    const [bareMb, launcherMb, gatewayMb] = await Promise.all(
      [bare.pid, gateway.pid, gateway.owner()!.pid].map(residentMb),
    );
    const gatewayRatio = three(gatewayMb! / bareMb!);
    const bothRatio = three((gatewayMb! + launcherMb!) / bareMb!);
    return { bareMb: bareMb!, gatewayMb: gatewayMb!, launcherMb: launcherMb!, gatewayRatio, bothRatio };
  } finally {
    await gateway.close();
    await bare.close();
  }
}

async function residentMb(pid: number): Promise<number> {
  const usage = await usageOf(pid);
  return usage ? three(usage.rssBytes / 1_048_576) : Number.NaN;
}

const three = (value: number): number => Number(value.toPrecision(3));
