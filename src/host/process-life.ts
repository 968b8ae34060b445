import { type ChildProcess, spawn } from 'node:child_process';
import { CoppiceError, type NormalError, normalizeError } from '../errors.ts';
import type { Clock } from '../supervisor/clock.ts';
import { createClock } from './clock.ts';
import { GRACE_MS, KILL_MS, type Ending, type Life, type Mouth } from './life.ts';
import { readLines, type Line } from './lines.ts';
import { within } from './pause.ts';
import { signalGroup, tieGroup, untilAbsent } from './process-group.ts';
import { killMarked, newMark, withMark } from './process-mark.ts';

/** Which program, and how it is started. */
export interface ProcessOptions {
  readonly command: string;
  readonly args?: readonly string[];
  /** Default: that of this process, secrets included. */
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  readonly cwd?: string;
  /** It must be spawned within this time. Default 5,000. */
  readonly startMs?: number;
  /** From SIGTERM to SIGKILL, if the supervisor's deadline is not shorter. Default: that deadline, else 5,000. */
  readonly graceMs?: number;
  /** From SIGKILL to the fault KILL_UNVERIFIED, if something is still there. Default 2,000. */
  readonly killMs?: number;
  /**
   * What it has started outside of its group (`setsid`, a daemon) may outlive it. Default false: on Linux that is killed
   * too, when the process and its group are gone.
   */
  readonly keepDaemons?: boolean;
  /** A longer line is cut. Default 65,536 characters. */
  readonly maxLineLength?: number;
  /** What stdin may hold before a write is refused. Default 1 MiB. */
  readonly maxInputBytes?: number;
  /** Default: the real one. */
  readonly clock?: Clock;
}

/** What it says. */
export type ProcessEvent =
  | { readonly type: 'process.started'; readonly pid: number }
  | {
      readonly type: 'process.printed';
      readonly stream: 'stdout' | 'stderr';
      readonly line: string;
      readonly truncated: boolean;
    }
  /** A write or signal it did not get: CHILD_INPUT_REFUSED with the reason. */
  | { readonly type: 'process.refused'; readonly error: NormalError };

/** What it is told. */
export type ProcessCommand =
  | { readonly type: 'process.write'; readonly text: string }
  /** Closes its stdin. */
  | { readonly type: 'process.end' }
  /** To the process itself, not to its group. */
  | { readonly type: 'process.signal'; readonly signal: NodeJS.Signals };

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const DEFAULTS = { startMs: 5_000, killMs: KILL_MS, maxLineLength: 65_536, maxInputBytes: 2 ** 20 };
/** A process that left the group (a daemon) may hold the pipes open for ever. */
const DRAIN_MS = 1_000;
/** Of stderr, for the error. */
const TAIL_LINES = 10;
const TAIL_LENGTH = 200;

/** One life of a process, which leads a group of its own, so that what it starts goes with it. */
export class ProcessLife implements Life<ProcessCommand> {
  readonly ended: Promise<Ending>;
  readonly #options: ProcessOptions & typeof DEFAULTS;
  readonly #clock: Clock;
  readonly #mouth: Mouth<ProcessEvent>;
  readonly #child: ChildProcess;
  readonly #spawned: Promise<unknown>;
  readonly #exited: Promise<Exit>;
  readonly #closed: Promise<unknown>;
  /** Resolves with the fault when it cannot be killed. */
  readonly #unkillable = Promise.withResolvers<CoppiceError>();
  readonly #tail: string[] = [];
  readonly #mark = newMark();
  #killing: Promise<CoppiceError | undefined> | undefined;
  #untie: () => void = () => {};
  #askedMs: number | undefined;
  #graceMs = 0;
  #overran = false;
  #over = false;

  /** Throws CHILD_PROCESS_SPAWN_FAILED for what can be refused at once. */
  constructor(options: ProcessOptions, mouth: Mouth<ProcessEvent>) {
    this.#options = { ...DEFAULTS, ...options };
    this.#clock = options.clock ?? createClock();
    this.#mouth = mouth;
    this.#child = this.#spawn();
    const child = this.#child;
    this.#spawned = new Promise((resolve) => {
      child.once('spawn', () => resolve(undefined));
      // With a pid this would be a failed kill; ours go to the group and are observed there.
      child.on('error', (error) => resolve(error));
    });
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    this.#closed = new Promise((resolve) => child.once('close', resolve));
    if (child.pid !== undefined) this.#untie = tieGroup(child.pid);
    this.#listen();
    this.ended = this.#live();
  }

  take(command: ProcessCommand): void {
    if (command.type === 'process.write') this.#write(command.text);
    if (command.type === 'process.end') this.#child.stdin?.end();
    if (command.type === 'process.signal' && !this.#child.kill(command.signal))
      this.#refuse(command.signal, 'it cannot be signalled');
  }

  stop(_reason: string, deadlineMs: number): void {
    const { pid } = this.#child;
    if (this.#askedMs !== undefined || pid === undefined) return;
    const limitMs = deadlineMs > 0 ? deadlineMs : GRACE_MS;
    this.#graceMs = Math.min(this.#options.graceMs ?? limitMs, deadlineMs > 0 ? deadlineMs : Infinity);
    this.#askedMs = this.#clock.now();
    this.#child.stdin?.end();
    if (!this.#over) signalGroup(pid, 'SIGTERM');
    void this.#enforce();
  }

  kill(): Promise<CoppiceError | undefined> {
    this.#killing ??= this.#killGroup();
    return this.#killing;
  }

  present(): boolean {
    const { pid } = this.#child;
    return !this.#over && pid !== undefined && signalGroup(pid, 0) !== 'absent';
  }

  async #enforce(): Promise<void> {
    const ending = await within(this.#clock, this.#graceMs, this.ended);
    if (ending || this.#over) return;
    this.#overran = true;
    await this.kill();
  }

  #spawn(): ChildProcess {
    const { command, args = [], env = process.env, cwd } = this.#options;
    if (process.platform === 'win32') throw this.#unspawnable('Windows has no process groups');
    try {
      return spawn(command, args, {
        detached: true,
        stdio: 'pipe',
        env: withMark(env, this.#mark),
        ...(cwd === undefined ? {} : { cwd }),
      });
    } catch (error) {
      throw this.#unspawnable(error);
    }
  }

  #listen(): void {
    const { stdin, stdout, stderr } = this.#child;
    const limit = this.#options.maxLineLength;
    if (stdout) readLines(stdout, limit, (line) => this.#print('stdout', line));
    if (stderr) readLines(stderr, limit, (line) => this.#print('stderr', line));
    for (const pipe of [stdout, stderr]) pipe?.on('error', this.#mouth.fail);
    // Each write hears of it by its own callback; here it only must not be an `error` without a listener.
    stdin?.on('error', () => stdin.destroy());
  }

  #print(stream: 'stdout' | 'stderr', { text, truncated }: Line): void {
    if (stream === 'stderr') this.#tail.push(text.slice(0, TAIL_LENGTH));
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
    this.#mouth.tell({ type: 'process.printed', stream, line: text, truncated });
  }

  #write(text: string): void {
    const { stdin } = this.#child;
    const bytes = Buffer.byteLength(text);
    const input = `${bytes} bytes`;
    if (!stdin?.writable) return this.#refuse(input, 'its stdin is closed');
    const held = stdin.writableLength;
    const { maxInputBytes } = this.#options;
    if (held + bytes > maxInputBytes)
      return this.#refuse(input, `its stdin holds ${held} of ${maxInputBytes} bytes already`);
    stdin.write(text, (error) => {
      if (error) this.#refuse(input, error.message);
    });
  }

  #refuse(input: string, reason: string): void {
    const error = new CoppiceError('CHILD_INPUT_REFUSED', {
      what: this.#name(),
      input,
      reason,
    });
    this.#mouth.tell({ type: 'process.refused', error: normalizeError(error) });
  }

  async #live(): Promise<Ending> {
    const refused = await this.#started();
    if (refused) return { error: refused };
    const exit = await Promise.race([this.#exited, this.#unkillable.promise]);
    if (exit instanceof CoppiceError) return { error: exit };
    const fault = await this.#clear();
    if (fault) return { error: fault };
    await this.#drain();
    return this.#nameEnding(exit);
  }

  async #started(): Promise<CoppiceError | undefined> {
    const { startMs } = this.#options;
    const outcome = await within(
      this.#clock,
      startMs,
      this.#spawned.then((error) => ({ error })),
    );
    const { pid } = this.#child;
    if (outcome && pid !== undefined) {
      this.#mouth.started({ pid });
      this.#mouth.tell({ type: 'process.started', pid });
      return undefined;
    }
    await this.kill();
    return this.#unspawnable(outcome?.error ?? `it was not there after ${startMs} ms`);
  }

  /** The process is gone. What it started gets the rest of the grace, if it was told to end; else none. */
  async #clear(): Promise<CoppiceError | undefined> {
    const { pid } = this.#child;
    if (this.#askedMs !== undefined && pid !== undefined) {
      const restMs = this.#askedMs + this.#graceMs - this.#clock.now();
      if (await untilAbsent(pid, this.#clock, restMs)) this.#gone();
    }
    return this.kill();
  }

  async #drain(): Promise<void> {
    await within(this.#clock, DRAIN_MS, this.#closed);
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  async #killGroup(): Promise<CoppiceError | undefined> {
    const { pid } = this.#child;
    const { killMs } = this.#options;
    if (pid === undefined) return undefined;
    if ((await this.#isGroupGone(pid, killMs)) && (await this.#areDaemonsGone(killMs))) return undefined;
    const fault = new CoppiceError('KILL_UNVERIFIED', { what: this.#name(), waitMs: killMs });
    this.#unkillable.resolve(fault);
    return fault;
  }

  async #isGroupGone(pid: number, killMs: number): Promise<boolean> {
    if (this.#over) return true;
    signalGroup(pid, 'SIGKILL');
    if (await untilAbsent(pid, this.#clock, killMs)) this.#gone();
    return this.#over;
  }

  async #areDaemonsGone(killMs: number): Promise<boolean> {
    return this.#options.keepDaemons === true || (await killMarked(this.#mark, this.#clock, killMs));
  }

  /** From now on its number may belong to somebody else: nothing is sent to it again. */
  #gone(): void {
    this.#over = true;
    this.#untie();
  }

  #nameEnding({ code, signal }: Exit): Ending {
    if (this.#askedMs !== undefined) {
      return { output: { exit: this.#overran && this.#graceMs > 0 ? 'timeout' : 'shutdown', code, signal } };
    }
    if (code === 0) return { output: { exit: 'normal', code, signal } };
    const how = signal ?? `exit code ${code}`;
    const last = this.#tail.length > 0 ? `; its last words: ${this.#tail.join(' | ')}` : '';
    return {
      error: new CoppiceError('CHILD_PROCESS_EXITED', { what: this.#name(), how, last, code, signal }),
    };
  }

  #unspawnable(cause: unknown): CoppiceError {
    const { command, cwd = process.cwd() } = this.#options;
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new CoppiceError('CHILD_PROCESS_SPAWN_FAILED', { command, cwd, reason }, { cause });
  }

  #name(): string {
    return `${this.#options.command} (pid ${this.#child.pid})`;
  }
}
