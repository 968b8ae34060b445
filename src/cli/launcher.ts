import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import {
  decideAfterEnd,
  describeEnding,
  type Ending,
  LAUNCH_POLICY,
  type LaunchPolicy,
  NO_HISTORY,
  type Verdict,
} from './launch-decision.ts';
import { LaunchedChild } from './launched-child.ts';

/**
 * The last supervisor: a small process outside the loop it watches. It holds the bound socket, starts the gateway
 * process, watches its heartbeat, restarts it by the table of `launch-decision.ts`, and passes signals on. It
 * imports nothing but `node:` modules and its own parts: what it needs must not be able to fail with the gateway.
 */
export interface LaunchOptions {
  /** A bound descriptor (`bindWithoutAccepting`, or systemd's). The launcher never accepts from it. */
  readonly listenFd: number;
  /** Arguments of the gateway process, after `process.execPath`. */
  readonly command: readonly string[];
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  readonly policy?: LaunchPolicy;
  /** Default 30,000. 0: no watchdog. */
  readonly watchdogMs?: number;
  /** How long the gateway may take to stop before it is killed. Default 60,000. */
  readonly stopMs?: number;
  /** The same, after the second stop signal. Default 5,000. */
  readonly fastStopMs?: number;
  /** One line for the operator. Default: stderr. */
  readonly say?: (line: string) => void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
type Handled = (typeof SIGNALS)[number];

/** Runs the gateway process until it stops for good. Resolves with the exit code for this process. */
export async function launch(options: LaunchOptions): Promise<number> {
  const launcher = new Launcher(options);
  const handlers = SIGNALS.map((signal) => [signal, () => launcher.onSignal(signal)] as const);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  try {
    return await launcher.run();
  } finally {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  }
}

class Launcher {
  readonly #options: LaunchOptions;
  readonly #policy: LaunchPolicy;
  #history = NO_HISTORY;
  #child: LaunchedChild | undefined;
  #stopSignals = 0;
  #deadline: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  /** The last endings in words, for the report of a crash loop. */
  #endings: string[] = [];

  constructor(options: LaunchOptions) {
    this.#options = options;
    this.#policy = options.policy ?? LAUNCH_POLICY;
  }

  async run(): Promise<number> {
    for (;;) {
      const verdict = await this.#oneLife();
      if (verdict.action === 'stop') return verdict.code;
      if (verdict.action === 'give-up') return this.#giveUp(verdict.uncleanEnds, verdict.code);
      await this.#pause(verdict.delayMs);
      if (this.#stopSignals > 0) return 0;
    }
  }

  onSignal(signal: Handled): void {
    if (signal === 'SIGTERM' || signal === 'SIGINT') return this.#stop(signal);
    // A terminal that was closed takes its foreground programs with it. SIGHUP without that means "read again".
    if (signal === 'SIGHUP' && terminalIsGone()) return this.#stop('SIGTERM');
    this.#child?.signal(signal);
    // Whoever asks for a restart during a backoff wants it now.
    if (signal !== 'SIGHUP') this.#wake?.();
  }

  async #oneLife(): Promise<Verdict> {
    const child = new LaunchedChild({
      command: this.#options.command,
      env: this.#options.env ?? process.env,
      listenFd: this.#options.listenFd,
      watchdogMs: this.#options.watchdogMs ?? 30_000,
    });
    this.#child = child;
    const ending = await child.ended;
    this.#child = undefined;
    clearTimeout(this.#deadline);
    return this.#decide(child, ending);
  }

  #decide(child: LaunchedChild, ending: Ending): Verdict {
    const { verdict, history } = decideAfterEnd(
      this.#history,
      ending,
      { nowMs: performance.now(), upMs: child.upMs, stopping: this.#stopSignals > 0, random: Math.random() },
      this.#policy,
    );
    this.#history = history;
    this.#report(child, ending, verdict);
    return verdict;
  }

  #report(child: LaunchedChild, ending: Ending, verdict: Verdict): void {
    const what = `the gateway process ${child.pid ?? ''} ${describeEnding(ending)} after ${(child.upMs / 1_000).toFixed(1)} s`;
    this.#endings = [...this.#endings, `${new Date().toISOString()} ${what}`].slice(
      -this.#policy.intensity - 1,
    );
    if (verdict.action === 'restart')
      this.#say(`${what}; starting it again ${verdict.delayMs > 0 ? `in ${verdict.delayMs} ms` : 'at once'}`);
    else if (verdict.action === 'stop' && verdict.code !== 0 && verdict.code !== 78) this.#say(what);
  }

  #giveUp(uncleanEnds: number, code: number): number {
    const seconds = Math.round(this.#policy.periodMs / 1_000);
    this.#say(
      `crash loop: the gateway process ended uncleanly ${uncleanEnds} times within ${seconds} s, so it is not started again:`,
    );
    for (const ending of this.#endings) this.#say(`  ${ending}`);
    this.#say('read the log of the last life for the cause, then start coppice again. COPPICE_CRASH_LOOP');
    return code;
  }

  #stop(signal: 'SIGTERM' | 'SIGINT'): void {
    this.#stopSignals += 1;
    this.#wake?.();
    const child = this.#child;
    if (!child) return;
    child.signal(signal);
    const limitMs =
      this.#stopSignals === 1 ? (this.#options.stopMs ?? 100_000) : (this.#options.fastStopMs ?? 5_000);
    if (this.#stopSignals > 2) return;
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      this.#say(`the gateway process ${child.pid} did not stop within ${limitMs} ms and is killed`);
      child.kill('overran');
    }, limitMs);
  }

  #pause(delayMs: number): Promise<void> {
    if (delayMs === 0 || this.#stopSignals > 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#wake?.(), delayMs);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #say(line: string): void {
    const say = this.#options.say ?? ((text: string) => process.stderr.write(`${text}\n`));
    say(`coppice launcher: ${line}`);
  }
}

const hadTerminal = isatty(0) || isatty(1);

/** Was this process started from a terminal that is closed now? */
function terminalIsGone(): boolean {
  if (!hadTerminal) return false;
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return false;
  } catch {
    // ENXIO or EIO: this process has no terminal any more.
    return true;
  }
}
