import { type ChildProcess, spawn } from 'node:child_process';
import type { Ending } from './launch-decision.ts';

export interface ChildOptions {
  /** Arguments of the child, after `process.execPath`. */
  readonly command: readonly string[];
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** The bound socket; the child finds it as descriptor 3. */
  readonly listenFd: number;
  /** No heartbeat for this long: the child's loop is frozen and it is killed. 0 switches the watchdog off. */
  readonly watchdogMs: number;
}

/** In a clone the dashboard is served from its sources, and Node says of every start that stripping types is young. */
const QUIET = '--disable-warning=ExperimentalWarning';
/** Where the child finds its socket; descriptors 0, 1 and 2 are standard, 4 is the IPC channel. */
const CHILD_LISTEN_FD = '3';

/**
 * One life of the gateway process.
 *
 * It is started in a session of its own (`detached`), so a Ctrl-C in the terminal reaches the launcher alone, which
 * passes it on once. The child learns of a dead launcher by the end of the IPC channel, not by its process group.
 */
export class LaunchedChild {
  readonly startedAtMs = performance.now();
  readonly ended: Promise<Ending>;
  readonly #process: ChildProcess;
  readonly #held = new Set<NodeJS.Signals>();
  #killedAs: 'stuck' | 'overran' | undefined;
  #beatAtMs = performance.now();
  #checkedAtMs = performance.now();
  #listens = false;

  constructor(options: ChildOptions) {
    this.#process = spawn(process.execPath, [...process.execArgv, QUIET, ...options.command], {
      detached: true,
      env: { ...options.env, COPPICE_LISTEN_FD: CHILD_LISTEN_FD, COPPICE_LAUNCHER_PID: String(process.pid) },
      stdio: ['inherit', 'inherit', 'inherit', options.listenFd, 'ipc'],
    });
    this.#process.on('message', () => this.#onBeat());
    const watchdog = options.watchdogMs > 0 ? this.#watch(options.watchdogMs) : undefined;
    this.ended = this.#untilEnd().finally(() => clearInterval(watchdog));
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get upMs(): number {
    return performance.now() - this.startedAtMs;
  }

  /**
   * A stop goes to the child at once. The other signals would end a process that has no handler for them yet (and
   * SIGUSR1 would open Node's debugger), so they wait for the first heartbeat, which is sent after the handlers stand.
   */
  signal(signal: NodeJS.Signals): void {
    const stops = signal === 'SIGTERM' || signal === 'SIGINT';
    if (stops || this.#listens) this.#process.kill(signal);
    else this.#held.add(signal);
  }

  kill(why: 'stuck' | 'overran'): void {
    this.#killedAs ??= why;
    this.#process.kill('SIGKILL');
  }

  #onBeat(): void {
    this.#beatAtMs = performance.now();
    if (this.#listens) return;
    this.#listens = true;
    for (const signal of this.#held) this.#process.kill(signal);
    this.#held.clear();
  }

  #watch(watchdogMs: number): NodeJS.Timeout {
    const everyMs = Math.min(1_000, Math.max(20, watchdogMs / 10));
    return setInterval(() => {
      const now = performance.now();
      // A late check means that this process was held up itself (stopped, or the machine slept): the heartbeats
      // are still in the pipe, and the child gets a full period to show itself.
      if (now - this.#checkedAtMs > everyMs * 5) this.#beatAtMs = now;
      this.#checkedAtMs = now;
      if (now - this.#beatAtMs > watchdogMs) this.kill('stuck');
    }, everyMs);
  }

  #untilEnd(): Promise<Ending> {
    return new Promise((resolve) => {
      // An 'error' with a pid is a failed kill of a process that is gone: its 'exit' tells the rest.
      this.#process.on('error', (error) => {
        if (this.pid === undefined) resolve({ kind: 'unspawnable', reason: error.message });
      });
      this.#process.once('exit', (code, signal) => {
        this.#sweep();
        resolve(this.#nameEnding(code, signal));
      });
    });
  }

  #nameEnding(code: number | null, signal: NodeJS.Signals | null): Ending {
    if (this.#killedAs && signal === 'SIGKILL') return { kind: this.#killedAs };
    return signal ? { kind: 'signal', signal } : { kind: 'exit', code: code ?? 70 };
  }

  /** Nothing of a dead life survives: what it had started in its own process group goes with it. */
  #sweep(): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch (error) {
      // ESRCH: the group is empty, as it should be. EPERM (macOS): only zombies are left.
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'ESRCH' && code !== 'EPERM') throw error;
    }
  }
}
