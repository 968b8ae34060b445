import { connectEcho, runEcho, startEcho } from '../bench/echo.ts';
import { type BenchResult, measure, type Measurement, ratiosOf } from '../bench/measure.ts';
import { MESSAGE, openTalker } from '../bench/turns.ts';
import { CoppiceError } from '../../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import { startOwnGateway } from '../own-gateway.ts';
import { urlOf } from '../owner.ts';
import type { CommonOptions } from '../options.ts';
import { renderBench } from '../render/bench.ts';
import { paintFor } from '../render/style.ts';
import { readToken } from '../state-directory.ts';
import { onStopSignals } from '../stop-signals.ts';

export interface BenchOptions extends CommonOptions {
  readonly turns?: number;
  readonly connections?: number;
  /** The hidden part: be the floor. */
  readonly floor?: boolean;
}

const TURNS = 300;
const CONNECTIONS = 4;
/** Echoes are many times cheaper: fewer would be over before a clock tick. */
const ECHOES_PER_TURN = 20;
/** Turns of each connection before the measured ones: code gets compiled, sessions come up. */
const WARM_UP = 5;

/** `coppice bench`: whole turns through a gateway of its own, beside the floor measured in the same run. */
export async function bench(io: Io, options: BenchOptions): Promise<number> {
  if (options.floor) return runEcho(io).then(() => EXIT.ok);
  if (options.url ?? options.token ?? options.stateDir)
    throw new CoppiceError('USAGE', {
      reason: 'bench measures a gateway of its own: leave out --url, --token and --state-dir',
    });
  const ended = new AbortController();
  const stop = onStopSignals(() => ended.abort());
  try {
    const result = await run(io, options, ended.signal);
    if (options.json) writeJson(io.stdout, result);
    else writeLines(io.stdout, renderBench(result, paintFor(io.stdout, io.env)));
    return EXIT.ok;
  } catch (error) {
    if (!ended.signal.aborted) throw error;
    io.stderr.write('the measurement was ended\n');
    return EXIT.error;
  } finally {
    stop();
  }
}

async function run(io: Io, options: BenchOptions, signal: AbortSignal): Promise<BenchResult> {
  const { turns = TURNS, connections = CONNECTIONS } = options;
  const floor = await measureFloor(io, turns * ECHOES_PER_TURN, connections, signal);
  const turn = await measureTurns(io, turns, connections, signal);
  return { connections, turn, floor, ratios: ratiosOf(turn, floor) };
}

async function measureFloor(
  io: Io,
  count: number,
  connections: number,
  signal: AbortSignal,
): Promise<Measurement> {
  const echo = await startEcho(io);
  try {
    const clients = await Promise.all(Array.from({ length: connections }, () => connectEcho(echo.line)));
    const message = JSON.stringify({ type: 'req', id: '1', method: 'echo', params: { message: MESSAGE } });
    const workers = clients.map((client) => () => client.send(message));
    await warmUp(workers);
    return await measure({ pid: echo.pid, count, workers, progress: progressTo(io, 'echoes'), signal });
  } finally {
    await echo.close();
  }
}

async function measureTurns(
  io: Io,
  count: number,
  connections: number,
  signal: AbortSignal,
): Promise<Measurement> {
  const gateway = await startOwnGateway(io, { launcher: false });
  try {
    const url = urlOf(gateway.owner()!)!;
    const token = readToken(gateway.stateDir);
    const talkers = await Promise.all(
      Array.from({ length: connections }, (_, at) => openTalker(url, token, `bench-${at}`)),
    );
    const workers = talkers.map((talker) => talker.turn);
    await warmUp(workers);
    const result = await measure({
      pid: gateway.pid,
      count,
      workers,
      progress: progressTo(io, 'turns'),
      signal,
    });
    for (const talker of talkers) talker.close();
    return result;
  } finally {
    await gateway.close();
  }
}

async function warmUp(workers: readonly (() => Promise<void>)[]): Promise<void> {
  for (let round = 0; round < WARM_UP; round += 1) await Promise.all(workers.map((work) => work()));
}

/** Tenths, on stderr: stdout has the result alone. */
function progressTo(io: Io, what: string): (done: number, count: number) => void {
  let tenth = 0;
  return (done, count) => {
    const now = Math.floor((done / count) * 10);
    if (now === tenth) return;
    tenth = now;
    const line = `${done} of ${count} ${what}`;
    if (io.stderr.isTTY) io.stderr.write(`\r\u001b[K${line}${now === 10 ? '\n' : ''}`);
    else if (now === 10) io.stderr.write(`${line}\n`);
  };
}
