import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CoppiceError } from '../errors.ts';
import type { Io } from './io.ts';
import { findOwner, type Owner, urlOf } from './owner.ts';

/**
 * A gateway of a command's own: a real one, through `coppice run`, on a free port, with an empty configuration in a
 * new state directory. It knows nothing of the user's, and nothing of it is left when it is closed.
 */
export interface OwnGateway {
  readonly stateDir: string;
  /** Of the process that was started: the launcher, if there is one. */
  readonly pid: number;
  /** The gateway process of now, when it stands and listens. */
  owner(): Owner | undefined;
  /** Resolves when a life other than that of `notPid` answers /readyz with 200. */
  ready(notPid?: number): Promise<Owner>;
  /** Stops it, gracefully if it can, and removes its directory. Idempotent. */
  close(): Promise<void>;
}

/** The program again: `bin` lies beside `src` and `dist` alike. */
export const PROGRAM = fileURLToPath(new URL('../../bin/coppice.js', import.meta.url));
const READY_MS = 30_000;
const STOP_MS = 10_000;
/** Later than what counts as one and the same stop. */
const SECOND_STOP_MS = 500;
const LOOK_EVERY_MS = 15;
/** What a program needs of its surroundings; keys and settings of the user are none of it. */
const KEPT = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'LANG', 'SystemRoot', 'NODE_OPTIONS', 'NODE_V8_COVERAGE'];

export interface OwnGatewayOptions {
  readonly launcher: boolean;
  /** Between two looks whether it is ready. Default 15: often enough for whoever does not measure the start itself. */
  readonly lookEveryMs?: number;
}

/** Rejects with START_FAILED and the last words of the process. */
export async function startOwnGateway(io: Io, options: OwnGatewayOptions): Promise<OwnGateway> {
  const gateway = new Spawned(io, options);
  try {
    await gateway.ready();
    return gateway;
  } catch (error) {
    await gateway.close();
    throw error;
  }
}

export function ownEnvironment({ env }: Io, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const kept = KEPT.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]));
  return { ...Object.fromEntries(kept), NO_COLOR: '1', ...more };
}

class Spawned implements OwnGateway {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'coppice-own-'));
  readonly #process: ChildProcess;
  readonly #lookEveryMs: number;
  readonly #ended: Promise<unknown>;
  #hasEnded = false;
  #words = '';
  #closing: Promise<void> | undefined;
  /** The last way out, when this process ends without having closed it. */
  readonly #atExit = (): void => this.#killAll();

  constructor(io: Io, { launcher, lookEveryMs = LOOK_EVERY_MS }: OwnGatewayOptions) {
    this.#lookEveryMs = lookEveryMs;
    const config = join(this.stateDir, 'empty.jsonc');
    writeFileSync(config, '{}\n');
    const where = ['--port', '0', '--bind', 'loopback', '--state-dir', this.stateDir, '--config', config];
    this.#process = spawn(
      process.execPath,
      [PROGRAM, 'run', ...where, ...(launcher ? [] : ['--no-launcher'])],
      { env: ownEnvironment(io), stdio: ['ignore', 'pipe', 'pipe'], detached: true },
    );
    this.#ended = once(this.#process, 'exit').then(() => (this.#hasEnded = true));
    for (const stream of [this.#process.stdout!, this.#process.stderr!])
      stream.on('data', (chunk) => (this.#words = (this.#words + String(chunk)).slice(-4_000)));
    process.once('exit', this.#atExit);
  }

  get pid(): number {
    return this.#process.pid!;
  }

  owner(): Owner | undefined {
    const owner = findOwner(this.stateDir);
    return owner?.port ? owner : undefined;
  }

  async ready(notPid?: number): Promise<Owner> {
    const deadlineMs = performance.now() + READY_MS;
    for (;;) {
      const owner = this.owner();
      if (owner && owner.pid !== notPid && (await isReady(owner))) return owner;
      if (this.#hasEnded) throw this.#failed('its process ended');
      if (performance.now() > deadlineMs) throw this.#failed(`it was not ready within ${READY_MS} ms`);
      await delay(this.#lookEveryMs);
    }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    // The second one asks for a fast stop: nothing in here is worth a drain.
    for (const waitMs of [SECOND_STOP_MS, STOP_MS]) {
      if (!this.#hasEnded) this.#process.kill('SIGTERM');
      await Promise.race([this.#ended, delay(waitMs, undefined, { ref: false })]);
    }
    this.#killAll();
    await this.#ended;
    // A gateway process that was killed without its launcher having noticed gives its lock back when it is dead.
    while (findOwner(this.stateDir)) await delay(LOOK_EVERY_MS);
    process.off('exit', this.#atExit);
    rmSync(this.stateDir, { recursive: true, force: true });
  }

  #killAll(): void {
    if (!this.#hasEnded) this.#process.kill('SIGKILL');
    const owner = findOwner(this.stateDir);
    if (owner) killIfAlive(owner.pid);
  }

  #failed(reason: string): CoppiceError {
    const words = this.#words.trim().split('\n').slice(-5).join('\n');
    return new CoppiceError('START_FAILED', { path: 'gateway', reason: `${reason}\n${words}` });
  }
}

function isReady(owner: Owner): Promise<boolean> {
  return fetch(`${urlOf(owner)}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(
    (response) => response.status === 200,
    // Refused or reset: a life that is just beginning or ending.
    () => false,
  );
}

export function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
