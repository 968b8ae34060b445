import { CoppiceError } from '../errors.ts';

/**
 * What a launcher and its gateway process tell each other through the environment. They are no configuration, so
 * they are taken out before configuration is read and before a tool of the gateway could inherit them.
 */
const OURS = [
  'COPPICE_LISTEN_FD',
  'COPPICE_LAUNCHER_PID',
  'COPPICE_WATCHDOG_MS',
  'COPPICE_STOP_MS',
  // systemd's; sd_listen_fds(3) asks for the same.
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_FDNAMES',
] as const;

export function dropLauncherVariables(): void {
  for (const name of OURS) delete process.env[name];
}

export interface LauncherTimes {
  /** COPPICE_WATCHDOG_MS: a heartbeat missed for this long ends the life. 0: no watchdog. */
  readonly watchdogMs: number;
  /** COPPICE_STOP_MS: what a graceful stop may take. */
  readonly stopMs: number;
}

/** Throws USAGE for a value that is no number of milliseconds. */
export function launcherTimes(env: Readonly<NodeJS.ProcessEnv>): LauncherTimes {
  return {
    watchdogMs: milliseconds(env, 'COPPICE_WATCHDOG_MS', 30_000),
    stopMs: milliseconds(env, 'COPPICE_STOP_MS', 100_000),
  };
}

function milliseconds(env: Readonly<NodeJS.ProcessEnv>, name: string, otherwise: number): number {
  const text = env[name];
  if (text === undefined || text === '') return otherwise;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CoppiceError('USAGE', {
    reason: `${name} is ${JSON.stringify(text)}, expected a whole number of milliseconds`,
  });
}
