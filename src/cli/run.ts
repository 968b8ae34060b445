import { hostname } from 'node:os';
import { CoppiceError } from '../errors.ts';
import { createGateway, type GatewayHandle, type Reconfigured } from '../index.ts';
import { acquireLock } from '../store/index.ts';
import { complaint } from './complain.ts';
import { trapFaults } from './fault-budget.ts';
import { GatewayControl } from './gateway-control.ts';
import { needsOwnToken, readRunConfig, type RunConfig, type RunOptions, withToken } from './run-config.ts';
import type { Io } from './io.ts';
import { writeLines } from './io.ts';
import { dropLauncherVariables, launcherTimes } from './launcher-environment.ts';
import { linkToLauncher } from './launcher-link.ts';
import { addressOf, passedListenFd } from './listen.ts';
import { httpUrl } from './owner.ts';
import { type Claim, claimPort } from './port-claim.ts';
import { ensureToken, tokenFile } from './state-directory.ts';
import { handleSignals } from './stop-signals.ts';
import { packageVersion } from './version.ts';

/**
 * The gateway process: one life of one gateway. Resolves with its exit code: 0 stopped on purpose, 70 internal
 * fault, 75 planned restart. Rejects with what made it impossible to start (most of it 78: see complain.ts).
 *
 * The order is deliberate: the handlers stand before the first heartbeat, on which the launcher begins to pass
 * signals on; the lock is taken before anything in the state directory is written.
 */
export async function runGateway(io: Io, options: RunOptions): Promise<number> {
  const life = openLife(io, options);
  try {
    return await live(io, options, life);
  } finally {
    life.close();
  }
}

interface Life {
  readonly say: (line: string) => void;
  readonly control: GatewayControl;
  readonly listenFd: number | undefined;
  readonly launcherPid: number | undefined;
  /** Of the configuration in force. */
  config: RunConfig | undefined;
  gateway: GatewayHandle | undefined;
  /** Made by ourselves, when nobody configured one. */
  token: string | undefined;
  close(): void;
}

function openLife(io: Io, options: RunOptions): Life {
  const say = (line: string): void => void io.stderr.write(`coppice: ${line}\n`);
  const { stopMs } = launcherTimes(io.env);
  const listenFd = passedListenFd(io.env, process.pid);
  const control = new GatewayControl({
    say,
    stopMs,
    reload: () => reload(io, options, life),
    allowSignal: () => life.config?.config.restart.allowSignal !== false,
    exit: (code) => process.exit(code),
  });
  const closers = [handleSignals(control), trapFaults(control)];
  const link = linkToLauncher(() => control.orphaned());
  const launcherPid = link ? process.ppid : undefined;
  dropLauncherVariables();
  const close = (): void => {
    link?.close();
    for (const closer of closers) closer();
  };
  const life: Life = {
    say,
    control,
    listenFd,
    launcherPid,
    config: undefined,
    gateway: undefined,
    token: undefined,
    close,
  };
  return life;
}

async function live(io: Io, options: RunOptions, life: Life): Promise<number> {
  const config = readRunConfig(io, options);
  life.config = config;
  for (const warning of config.warnings) life.say(`configuration: ${warning}`);
  const { listenFd, host, port } = socketOf(life, config);
  const version = packageVersion();
  const owner = { pid: process.pid, startedAt: Date.now(), version, hostname: hostname(), host, port };
  const lock = acquireLock({
    dir: config.stateDir,
    owner: life.launcherPid ? { ...owner, launcherPid: life.launcherPid } : owner,
  });
  try {
    const token = needsOwnToken(config) ? ensureToken(config.stateDir, life.say) : undefined;
    life.token = token;
    const gateway = createGateway(token ? withToken(config, token) : config.config, {
      stateDir: config.stateDir,
      version,
      listenFd,
      ...(config.file ? { configPath: config.file } : {}),
    });
    life.gateway = gateway;
    return await life.control.run(gateway, () => announce(io, config, httpUrl(host, gateway.port), token));
  } finally {
    lock.release();
  }
}

/**
 * The socket that was handed over, or one of our own. Either way it is bound before the lock is taken, so that the
 * owner's row can name the port, and never closed here: whoever listens on the descriptor closes it.
 */
function socketOf(life: Life, config: RunConfig): Claim & { readonly listenFd: number } {
  if (life.listenFd !== undefined)
    return { host: config.host, port: config.port, ...addressOf(life.listenFd), listenFd: life.listenFd };
  const { host, port, fd } = claimPort(config);
  return { host, port, listenFd: fd };
}

/** One line. The token itself is shown on a terminal only: what is not a terminal is a log. */
function announce(io: Io, config: RunConfig, url: string, token: string | undefined): void {
  const where = token ? `token in ${tokenFile(config.stateDir)}` : foreignToken(config);
  writeLines(io.stdout, [
    `coppice ${packageVersion()} is up at ${url} (state in ${config.stateDir}; ${where})`,
  ]);
  if (token && io.stdout.isTTY) writeLines(io.stdout, [`dashboard: ${url}/#token=${token}`]);
}

function foreignToken({ config: { gateway } }: RunConfig): string {
  return gateway.auth.mode === 'none' ? 'no token is asked for' : 'the token is the configured one';
}

/** SIGHUP: what can change now does, the rest comes with a planned restart; what is invalid changes nothing. */
function reload(io: Io, options: RunOptions, life: Life): void {
  const { gateway } = life;
  if (!gateway) return life.say('the gateway is still starting: send SIGHUP again when it is up');
  let next: RunConfig | undefined;
  try {
    const taken = gateway.reconfigure(() => {
      next = readRunConfig(io, options);
      return needsOwnToken(next) && life.token ? withToken(next, life.token) : next.config;
    });
    for (const line of outcomeLines(taken)) life.say(line);
    if (next && taken.live.length > 0) life.config = next;
  } catch (error) {
    life.say(`the configuration was read again and is not used:\n${complaint(error, false)}`);
    if (!(error instanceof CoppiceError)) throw error;
  }
}

function outcomeLines({ changed, live, restart, stop }: Reconfigured): string[] {
  if (changed.length === 0) return ['the configuration was read again; nothing changed'];
  const line = (paths: readonly string[], what: string): string[] =>
    paths.length === 0 ? [] : [`the configuration was read again; ${what}: ${paths.join(', ')}`];
  return [
    ...line(live, 'in force from now on'),
    ...line(restart, 'a planned restart brings'),
    ...line(stop, 'only a full stop and start (`coppice stop`, then `coppice run`) brings'),
  ];
}
