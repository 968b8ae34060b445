import { fileURLToPath } from 'node:url';
import { complaint, exitCodeOf } from '../complain.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { launch } from '../launcher.ts';
import { launcherTimes } from '../launcher-environment.ts';
import { passedListenFd } from '../listen.ts';
import { claimPortAfterOrphan } from '../port-claim.ts';
import { type RunConfig, type RunOptions, readRunConfig } from '../run-config.ts';

/** `coppice run`: the launcher, which starts this same command again with --no-launcher; or the gateway itself. */
export async function run(io: Io, options: RunOptions): Promise<number> {
  if (options.launcher !== false) return runLauncher(io, options);
  const { runGateway } = await import('../run.ts');
  const code = await runGateway(io, options).catch((error: unknown) => {
    io.stderr.write(`${complaint(error, options.json === true)}\n`);
    return exitCodeOf(error, EXIT.fault);
  });
  // Whatever a channel or tool left open must not keep a stopped gateway's process.
  process.exit(code);
}

/** The program again: `bin` lies beside `src` and `dist` alike. */
const program = fileURLToPath(new URL('../../../bin/coppice.js', import.meta.url));

async function runLauncher(io: Io, options: RunOptions): Promise<number> {
  const say = (line: string): void => void io.stderr.write(`${line}\n`);
  const times = launcherTimes(io.env);
  // A configuration that cannot be read is reported here, before anything is started.
  const config = readRunConfig(io, options);
  const listenFd = passedListenFd(io.env, process.pid) ?? (await bind(config, times.stopMs, say)).fd;
  return launch({
    ...times,
    listenFd,
    say,
    command: [program, 'run', '--no-launcher', ...flags(options)],
    env: childEnvironment(io, options),
  });
}

function bind(
  config: RunConfig,
  stopMs: number,
  say: (line: string) => void,
): ReturnType<typeof claimPortAfterOrphan> {
  return claimPortAfterOrphan(config, config.stateDir, {
    waitMs: stopMs,
    say: (line) => say(`coppice launcher: ${line}`),
  });
}

function flags(options: RunOptions): string[] {
  const given: readonly [string, string | number | undefined][] = [
    ['--port', options.port],
    ['--bind', options.bind],
    ['--config', options.config],
    ['--state-dir', options.stateDir],
  ];
  return given.flatMap(([flag, value]) => (value === undefined ? [] : [flag, String(value)]));
}

/** A token goes through the environment: a command line can be read by every user of the machine. */
function childEnvironment(io: Io, options: RunOptions): NodeJS.ProcessEnv {
  return { ...io.env, ...(options.token === undefined ? {} : { COPPICE_TOKEN: options.token }) };
}
