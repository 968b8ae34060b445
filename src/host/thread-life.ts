import type { Transferable } from 'node:worker_threads';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { CoppiceError, type NormalError, normalizeError } from '../errors.ts';
import type { Clock } from '../supervisor/clock.ts';
import { createClock } from './clock.ts';
import { GRACE_MS, KILL_MS, type Ending, type Life, type Mouth } from './life.ts';
import { readLines } from './lines.ts';
import { within } from './pause.ts';

/** Which module, and what it is given. */
export interface ThreadOptions extends Pick<
  WorkerOptions,
  'workerData' | 'argv' | 'env' | 'execArgv' | 'resourceLimits' | 'name'
> {
  /** The file (absolute path, `file:` or `data:` URL) that runs in the thread. */
  readonly entry: string | URL;
  /** It must be on line within this time. Default 10,000. */
  readonly startMs?: number;
  /** From being told to end to being terminated, if the supervisor's deadline is not shorter. Default: that deadline, else 5,000. */
  readonly graceMs?: number;
  /** From termination to the fault KILL_UNVERIFIED, if it is still there. Default 2,000. */
  readonly killMs?: number;
  /** A longer line is cut. Default 65,536 characters. */
  readonly maxLineLength?: number;
  /** So many messages it gets before it must have said something itself; more are refused. Default 10,000. */
  readonly maxUnanswered?: number;
  /** Default: the real one. */
  readonly clock?: Clock;
}

/** What it says. */
export type ThreadEvent =
  | { readonly type: 'thread.started'; readonly threadId: number }
  /** What its code posted on `parentPort`. */
  | { readonly type: 'thread.posted'; readonly message: unknown }
  | {
      readonly type: 'thread.printed';
      readonly stream: 'stdout' | 'stderr';
      readonly line: string;
      readonly truncated: boolean;
    }
  /** A message it did not get: CHILD_INPUT_REFUSED with the reason. */
  | { readonly type: 'thread.refused'; readonly error: NormalError };

/** What it is told. */
export interface ThreadCommand {
  readonly type: 'thread.post';
  readonly message: unknown;
  readonly transfer?: readonly Transferable[];
}

const DEFAULTS = { startMs: 10_000, killMs: KILL_MS, maxLineLength: 65_536, maxUnanswered: 10_000 };

/** One life of a worker thread: a heap and an event loop of its own, in this process. */
export class ThreadLife implements Life<ThreadCommand> {
  readonly ended: Promise<Ending>;
  readonly #options: ThreadOptions & typeof DEFAULTS;
  readonly #clock: Clock;
  readonly #mouth: Mouth<ThreadEvent>;
  readonly #worker: Worker;
  readonly #online: Promise<true>;
  readonly #exited: Promise<number>;
  /** Resolves with the fault when it cannot be terminated. */
  readonly #unkillable = Promise.withResolvers<CoppiceError>();
  #killing: Promise<CoppiceError | undefined> | undefined;
  #fault: CoppiceError | undefined;
  #unanswered = 0;
  #asked = false;
  #graceMs = 0;
  #overran = false;
  #over = false;

  /** Throws WORKER_THREAD_FAILED for what can be refused at once. */
  constructor(options: ThreadOptions, mouth: Mouth<ThreadEvent>) {
    this.#options = { ...DEFAULTS, ...options };
    this.#clock = options.clock ?? createClock();
    this.#mouth = mouth;
    this.#worker = this.#open();
    this.#online = new Promise((resolve) => this.#worker.once('online', () => resolve(true)));
    this.#exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#listen();
    this.ended = this.#live();
  }

  take(command: ThreadCommand): void {
    if (command.type !== 'thread.post') return;
    const { maxUnanswered } = this.#options;
    if (this.#unanswered >= maxUnanswered)
      return this.#refuse(`it has said nothing for ${maxUnanswered} messages`);
    try {
      this.#worker.postMessage(command.message, command.transfer ?? []);
      this.#unanswered += 1;
    } catch (error) {
      this.#refuse(normalizeError(error).message);
    }
  }

  stop(reason: string, deadlineMs: number): void {
    if (this.#asked) return;
    this.#asked = true;
    const limitMs = deadlineMs > 0 ? deadlineMs : GRACE_MS;
    this.#graceMs = Math.min(this.#options.graceMs ?? limitMs, deadlineMs > 0 ? deadlineMs : Infinity);
    this.#worker.postMessage({ type: 'supervisor.shutdown', reason, deadlineMs: this.#graceMs });
    void this.#enforce();
  }

  kill(): Promise<CoppiceError | undefined> {
    this.#killing ??= this.#terminate();
    return this.#killing;
  }

  present(): boolean {
    return !this.#over;
  }

  async #enforce(): Promise<void> {
    if (await within(this.#clock, this.#graceMs, this.ended)) return;
    this.#overran = true;
    await this.kill();
  }

  #open(): Worker {
    const { entry, ...options } = this.#options;
    try {
      return new Worker(entry, { ...options, stdout: true, stderr: true });
    } catch (error) {
      throw this.#failed(normalizeError(error).message, error);
    }
  }

  #listen(): void {
    const worker = this.#worker;
    const limit = this.#options.maxLineLength;
    for (const stream of ['stdout', 'stderr'] as const) {
      readLines(worker[stream], limit, ({ text, truncated }) =>
        this.#mouth.tell({ type: 'thread.printed', stream, line: text, truncated }),
      );
    }
    worker.on('message', (message: unknown) => {
      this.#unanswered = 0;
      this.#mouth.tell({ type: 'thread.posted', message });
    });
    worker.on('error', (error) => (this.#fault ??= this.#failed(normalizeError(error).message, error)));
    worker.on('messageerror', (error) =>
      this.#mouth.fail(this.#failed('it posted what cannot be read', error)),
    );
    void this.#exited.then(() => (this.#over = true));
  }

  async #live(): Promise<Ending> {
    const late = await this.#started();
    if (late) return { error: late };
    const code = await Promise.race([this.#exited, this.#unkillable.promise]);
    if (code instanceof CoppiceError) return { error: code };
    if (this.#asked) {
      return {
        output: { exit: this.#overran && this.#graceMs > 0 ? 'timeout' : 'shutdown', code, signal: null },
      };
    }
    if (this.#fault) return { error: this.#fault };
    if (code !== 0) return { error: this.#failed(`it ended with exit code ${code}`) };
    return { output: { exit: 'normal', code, signal: null } };
  }

  async #started(): Promise<CoppiceError | undefined> {
    const { startMs } = this.#options;
    const online = await within(
      this.#clock,
      startMs,
      Promise.race([this.#online, this.#exited.then(() => true)]),
    );
    if (!online) {
      await this.kill();
      return this.#failed(`it was not on line after ${startMs} ms`);
    }
    const { threadId } = this.#worker;
    this.#mouth.started({ threadId });
    this.#mouth.tell({ type: 'thread.started', threadId });
    return undefined;
  }

  async #terminate(): Promise<CoppiceError | undefined> {
    const { killMs } = this.#options;
    const gone = Promise.all([this.#worker.terminate(), this.#exited]);
    if (await within(this.#clock, killMs, gone)) return undefined;
    const fault = new CoppiceError('KILL_UNVERIFIED', { what: this.#name(), waitMs: killMs });
    this.#unkillable.resolve(fault);
    return fault;
  }

  #refuse(reason: string): void {
    const error = new CoppiceError('CHILD_INPUT_REFUSED', { what: this.#name(), input: 'a message', reason });
    this.#mouth.tell({ type: 'thread.refused', error: normalizeError(error) });
  }

  #failed(reason: string, cause?: unknown): CoppiceError {
    return new CoppiceError('WORKER_THREAD_FAILED', { what: this.#name(), reason }, { cause });
  }

  #name(): string {
    const { name, entry } = this.#options;
    return name ?? String(entry).slice(0, 200);
  }
}
