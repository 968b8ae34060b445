import { Worker } from 'node:worker_threads';
import { CoppiceError } from '../errors.ts';
import type { Statement, StatementResult } from './contract.ts';
import { errorOf } from './failure.ts';
import type { Outcome, Transaction } from './group-commit.ts';
import { arityOf, isWriteName } from './writes.ts';
import type { FromWriter, ToWriter, WriterData } from './writer-port.ts';

export interface WriterOptions extends WriterData {
  /** Transactions that may wait for their answer. More are refused with STORE_BUSY. */
  readonly queueLimit: number;
  /** Characters of text these may hold together. */
  readonly queueCharacters: number;
  /** Called once, when it can write no more and nobody asked it to stop. */
  readonly onFailed: (error: CoppiceError) => void;
}

/** Counted since the opening. */
export interface WriterStats {
  /** Commits that reached the disk: one fsync each. */
  readonly commits: number;
  readonly transactions: number;
  readonly failed: number;
  readonly largestGroup: number;
  /** Waiting for their answer now. */
  readonly queued: number;
}

export interface Writer {
  readonly schema: number;
  readonly epoch: number;
  commit(statements: readonly Statement[]): Promise<StatementResult[]>;
  stats(): WriterStats;
  /** Resolves when nothing waits for an answer. */
  idle(): Promise<void>;
  /** Closes the database and ends the thread; what was asked before is answered first. */
  close(): Promise<void>;
  /** Ends the thread at once. What waits is rejected with STORE_UNKNOWN. */
  terminate(): Promise<void>;
}

interface Waiting {
  readonly characters: number;
  resolve(results: StatementResult[]): void;
  reject(error: CoppiceError): void;
}

/** The entry has the extension of this file: `.ts` in the clone, `.js` when built. */
const ENTRY = new URL(`./writer-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** Starts the worker thread and waits until it has the store open. Rejects with what it was refused for. */
export async function startWriter(options: WriterOptions): Promise<Writer> {
  const { file, owner, busyTimeoutMs, groupLimit } = options;
  const data: WriterData = { file, owner, busyTimeoutMs, groupLimit };
  // No flags of the host: some of them (--input-type) refuse a file, and the thread runs nothing but our own.
  const worker = new Worker(ENTRY, { workerData: data, name: 'coppice-store', execArgv: [] });
  const handle = new WriterHandle(worker, options);
  await handle.opened;
  return handle;
}

class WriterHandle implements Writer {
  schema = 0;
  epoch = 0;
  readonly opened: Promise<void>;
  readonly #worker: Worker;
  readonly #options: WriterOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended = later();
  readonly #opening = later();
  #unsent: Transaction[] = [];
  #idle: (() => void)[] = [];
  #nextId = 1;
  #characters = 0;
  #counts = { commits: 0, transactions: 0, failed: 0, largestGroup: 0 };
  #stopping = false;
  /** Why nothing can be written any more. */
  #failure: CoppiceError | undefined;
  #cause: unknown;

  constructor(worker: Worker, options: WriterOptions) {
    this.#worker = worker;
    this.#options = options;
    this.opened = this.#opening.promise;
    worker.on('message', (message: FromWriter) => this.#onMessage(message));
    // An 'exit' follows and settles everything.
    worker.on('error', (error) => (this.#cause = error));
    worker.on('exit', (code) => this.#onExit(code));
  }

  commit(statements: readonly Statement[]): Promise<StatementResult[]> {
    if (statements.length === 0) return Promise.resolve([]);
    const characters = sizeOf(statements);
    const refusal = this.#failure ?? this.#refuseFull(characters) ?? findBadValue(statements);
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => this.#enqueue(statements, { characters, resolve, reject }));
  }

  stats(): WriterStats {
    return { ...this.#counts, queued: this.#waiting.size };
  }

  idle(): Promise<void> {
    return this.#waiting.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  async close(): Promise<void> {
    this.#stopping = true;
    await this.idle();
    this.#worker.ref();
    this.#post({ type: 'close' });
    await this.#ended.promise;
  }

  async terminate(): Promise<void> {
    this.#stopping = true;
    await this.#worker.terminate();
    await this.#ended.promise;
  }

  #refuseFull(characters: number): CoppiceError | undefined {
    const { queueLimit, queueCharacters } = this.#options;
    const crowded = this.#waiting.size > 0 && this.#characters + characters > queueCharacters;
    if (this.#waiting.size < queueLimit && !crowded) return undefined;
    return new CoppiceError('STORE_BUSY', { reason: `${this.#waiting.size} transactions wait for the disk` });
  }

  #enqueue(statements: readonly Statement[], waiting: Waiting): void {
    // A write under way keeps the process alive; an open store does not.
    if (this.#waiting.size === 0) this.#worker.ref();
    // One message for all that is asked in this turn of the loop. A tick queued by a microtask runs after all
    // microtasks, so that everybody whom the last answer woke up is in.
    if (this.#unsent.length === 0) process.nextTick(() => this.#send());
    const id = this.#nextId++;
    this.#unsent.push({ id, statements });
    this.#waiting.set(id, waiting);
    this.#characters += waiting.characters;
  }

  #send(): void {
    const transactions = this.#unsent;
    this.#unsent = [];
    if (!this.#failure) this.#post({ type: 'commit', transactions });
  }

  #post(message: ToWriter): void {
    this.#worker.postMessage(message);
  }

  #onMessage(message: FromWriter): void {
    if (message.type === 'group') return this.#onGroup(message);
    if (message.type === 'refused') return this.#opening.reject(errorOf(message.failure));
    this.schema = message.schema;
    this.epoch = message.epoch;
    this.#worker.unref();
    this.#opening.resolve();
  }

  #onGroup({ outcomes, commits, broken }: Extract<FromWriter, { type: 'group' }>): void {
    this.#counts.commits += commits;
    this.#counts.largestGroup = Math.max(this.#counts.largestGroup, outcomes.length);
    for (const outcome of outcomes) this.#settle(outcome);
    if (broken) this.#fail(errorOf(broken));
    this.#rest();
  }

  #settle(outcome: Outcome): void {
    const waiting = this.#waiting.get(outcome.id);
    if (!waiting) return;
    this.#waiting.delete(outcome.id);
    this.#characters -= waiting.characters;
    this.#counts.transactions += 1;
    if ('changes' in outcome) return waiting.resolve(outcome.changes.map((changes) => ({ changes })));
    this.#counts.failed += 1;
    waiting.reject(errorOf(outcome.failure));
  }

  /** Nobody waits any more: let the process go and tell who asked. */
  #rest(): void {
    if (this.#waiting.size > 0) return;
    if (!this.#stopping) this.#worker.unref();
    const idle = this.#idle;
    this.#idle = [];
    for (const tell of idle) tell();
  }

  #fail(error: CoppiceError): void {
    if (this.#failure) return;
    this.#failure = error;
    if (!this.#stopping) this.#options.onFailed(error);
  }

  #onExit(code: number): void {
    const reason =
      this.#cause instanceof Error ? this.#cause.message : `the writer thread ended with code ${code}`;
    const cause = this.#cause === undefined ? undefined : { cause: this.#cause };
    const wasOpen = this.epoch > 0;
    this.#opening.reject(new CoppiceError('STORE_FAILED', { reason }, cause));
    const lost = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#unsent = [];
    this.#characters = 0;
    for (const { reject } of lost) reject(new CoppiceError('STORE_UNKNOWN', { reason }, cause));
    this.#counts.failed += lost.length;
    if (wasOpen)
      this.#fail(new CoppiceError(this.#stopping ? 'STORE_CLOSED' : 'STORE_FAILED', { reason }, cause));
    this.#rest();
    this.#ended.resolve();
  }
}

interface Later {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: CoppiceError): void;
}

function later(): Later {
  let settle: Pick<Later, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle! };
}

function sizeOf(statements: readonly Statement[]): number {
  let characters = 0;
  for (const { values } of statements) {
    for (const value of values) characters += typeof value === 'string' ? value.length : 8;
  }
  return characters;
}

/** Refused here, by name: across the thread a Date would arrive as something else, and NaN be stored as NULL. */
function findBadValue(statements: readonly Statement[]): CoppiceError | undefined {
  for (const { name, values } of statements) {
    if (!isWriteName(name)) {
      return new CoppiceError('STORE_FAILED', { reason: `there is no statement "${name}"` });
    }
    if (values.length !== arityOf(name)) {
      return new CoppiceError('STORE_VALUE', {
        field: name,
        reason: `it takes ${arityOf(name)} values, not ${values.length}`,
      });
    }
    const bad = values.findIndex((value: unknown) => !isStorable(value));
    if (bad >= 0) {
      const field = `value ${bad + 1} of ${name}`;
      return new CoppiceError('STORE_VALUE', { field, reason: `it is ${describe(values[bad])}` });
    }
  }
  return undefined;
}

function isStorable(value: unknown): boolean {
  return value === null || typeof value === 'string' || (typeof value === 'number' && Number.isFinite(value));
}

function describe(value: unknown): string {
  return typeof value === 'number' ? String(value) : `of type ${typeof value}`;
}
