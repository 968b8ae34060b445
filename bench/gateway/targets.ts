/** The processes that are measured, and the one that measures. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { startEcho } from '../../src/cli/bench/echo.ts';
import { type Part, startPart } from '../../src/cli/bench/part.ts';
import type { Io } from '../../src/cli/io.ts';
import { ownEnvironment, startOwnGateway } from '../../src/cli/own-gateway.ts';
import { urlOf } from '../../src/cli/owner.ts';
import { readToken } from '../../src/cli/state-directory.ts';
import type { Job, Outcome } from './load.ts';

export type TargetName = 'echo' | 'skeleton' | 'gateway';

export interface Target {
  readonly name: TargetName;
  readonly pid: number;
  readonly url: string;
  readonly token?: string | undefined;
  close(): Promise<void>;
}

/** This program again, as one of its hidden parts. */
const part = (program: string, name: string): string[] => [program, '--part', name];

export async function startTargets(io: Io, program: string): Promise<Target[]> {
  const started: Target[] = [];
  try {
    started.push(target('echo', await startEcho(io)));
    started.push(target('skeleton', await startPart(io, part(program, 'skeleton'))));
    started.push(await startGatewayTarget(io));
    return started;
  } catch (error) {
    await closeAll(started);
    throw error;
  }
}

/** Without its launcher, so that the process that is measured is the one that does the work. */
export async function startGatewayTarget(io: Io): Promise<Target> {
  const gateway = await startOwnGateway(io, { launcher: false });
  return {
    name: 'gateway',
    pid: gateway.pid,
    url: urlOf(gateway.owner()!)!,
    token: readToken(gateway.stateDir),
    close: () => gateway.close(),
  };
}

const target = (name: TargetName, { pid, line, close }: Part): Target => ({ name, pid, url: line, close });

export async function closeAll(all: readonly { close(): Promise<void> }[]): Promise<void> {
  for (const one of all.toReversed()) await one.close();
}

export interface Generator {
  run(target: Target, job: Omit<Job, 'name' | 'url' | 'token' | 'pid' | 'echo'>): Promise<Outcome>;
  close(): Promise<void>;
}

export async function startGenerator(io: Io, program: string): Promise<Generator> {
  const [file = '', ...args] = part(program, 'load');
  const child = fork(file, args, { env: ownEnvironment(io) });
  const ended = once(child, 'exit');
  const answer = (): Promise<Answer> =>
    Promise.race([
      once(child, 'message').then(([said]) => said as Answer),
      ended.then(() => ({ fault: 'the load generator ended' })),
    ]);
  const first = await answer();
  if (first.fault !== undefined) throw new Error(first.fault);
  let jobs = 0;
  return {
    async run({ name, url, token, pid }, job) {
      const heard = answer();
      child.send({ ...job, name: `bench-${(jobs += 1)}`, url, token, pid, echo: name === 'echo' });
      const { outcome, fault = 'nothing was measured' } = await heard;
      if (!outcome) throw new Error(`${name}: ${fault}`);
      return outcome;
    },
    async close() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

interface Answer {
  readonly outcome?: Outcome;
  readonly fault?: string;
}
