import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Client, connect } from '../../src/cli/client.ts';
import { findOwner, type Owner, urlOf } from '../../src/cli/owner.ts';
import { readToken } from '../../src/cli/state-directory.ts';
import { eventually, openWire, type Wire, type WireOptions } from './wire.ts';

/** A real gateway: launcher, gateway process, state directory, port. Every wait has a limit and fails with the log. */
export interface Gateway {
  readonly stateDir: string;
  /** http://127.0.0.1:PORT; stays the same over the lives of the gateway process. */
  readonly url: string;
  readonly token: string;
  /** Of the process that was started: the launcher, or the gateway itself without one. */
  readonly launcherPid: number;
  /** Of the gateway process that owns the state directory now. Throws when there is none. */
  gatewayPid(): number;
  /** A fresh connection that has passed the handshake. Closed with the gateway. */
  connect(): Promise<Client>;
  /** The same with every frame kept, refusals and second answers included. */
  wire(protocols?: Pick<WireOptions, 'minProtocol' | 'maxProtocol'>): Promise<Wire>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Resolves when /readyz says 200; at once when it does already. Pass the pid of a dead life to wait for another. */
  ready(notPid?: number): Promise<void>;
  /** Everything launcher and gateway wrote so far. What they have just done may not be in it yet: see `wrote`. */
  output(): string;
  /** Resolves when they have written that. Their output and their sockets are independent: neither is behind the other. */
  wrote(text: string | RegExp): Promise<void>;
  /** The last lines of it, for the message of a failed test. */
  tail(lines?: number): string;
  /** Resolves with the exit code of the process that was started, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** SIGTERM, then waits. Resolves with the exit code. */
  stop(): Promise<number | string>;
  /** Ends what is left by pid, and removes the state directory unless it was given. Idempotent. */
  cleanUp(): Promise<void>;
}

export interface GatewayOptions {
  /** Written to a file and passed by --config. Default: no configuration. */
  readonly config?: object;
  /** More arguments of `coppice run`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  /** Given: it is used and left in place, for a second start on the same state. */
  readonly stateDir?: string;
  /** Default true. */
  readonly launcher?: boolean;
  /** Default true. False: resolves as soon as the port is known. */
  readonly waitReady?: boolean;
}

const BIN = fileURLToPath(new URL('../../bin/coppice.js', import.meta.url));
/** Far above what anything takes on a busy machine. */
const LIMIT_MS = 60_000;

/** Starts `coppice run` on a free port. Rejects with the log when it ends, or is not ready within a minute. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'coppice-e2e-'));
  const started = begin(stateDir, options);
  try {
    const owner = await until('the port to be known', started, () => ownerWithPort(stateDir, started));
    const gateway = makeGateway(stateDir, urlOf(owner)!, started, options);
    if (options.waitReady !== false) await gateway.ready();
    return gateway;
  } catch (error) {
    await end(stateDir, started, options);
    throw error;
  }
}

/** Runs one command of the command line to its end, against that state directory. */
export async function runCommand(
  stateDir: string,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: environment(stateDir),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}

/** A test that ran out of time never reaches its cleanup: what it started ends with the worker, by pid. */
const atExit = new Set<() => void>();
process.on('exit', () => atExit.forEach((kill) => kill()));

interface Started {
  readonly process: ChildProcess;
  readonly ended: Promise<number | string>;
  hasEnded: boolean;
  output: string;
}

function begin(stateDir: string, options: GatewayOptions): Started {
  const child = spawn(process.execPath, [BIN, 'run', ...argumentsFor(stateDir, options)], {
    env: { ...environment(stateDir), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const started: Started = {
    process: child,
    ended: once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string),
    hasEnded: false,
    output: '',
  };
  child.once('exit', () => (started.hasEnded = true));
  const kill = (): void => {
    const gateway = ownerOf(stateDir, started)?.pid;
    child.kill('SIGKILL');
    if (gateway !== undefined) killIfAlive(gateway);
  };
  atExit.add(kill);
  void started.ended.then(() => atExit.delete(kill));
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (started.output += String(chunk)));
  return started;
}

function argumentsFor(stateDir: string, options: GatewayOptions): string[] {
  const args = [
    '--port',
    '0',
    '--state-dir',
    stateDir,
    ...(options.launcher === false ? ['--no-launcher'] : []),
  ];
  // Its own empty configuration, so that no file of the user who runs the tests is read.
  const file = join(stateDir, 'test-config.jsonc');
  if (options.config || !existsSync(file)) writeFileSync(file, JSON.stringify(options.config ?? {}));
  return [...args, '--config', file, ...(options.args ?? [])];
}

/** Nothing of the tester's own set-up: no keys of real providers, no settings. */
function environment(stateDir: string): NodeJS.ProcessEnv {
  const keep = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'NODE_OPTIONS', 'NODE_V8_COVERAGE'];
  const kept = Object.fromEntries(
    keep.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  return { ...kept, COPPICE_STATE_DIR: stateDir, NO_COLOR: '1' };
}

function makeGateway(stateDir: string, url: string, started: Started, options: GatewayOptions): Gateway {
  const clients = new Set<Pick<Client, 'close'>>();
  const token = (): string => readToken(stateDir) ?? fail('there is no token file', started);
  return {
    stateDir,
    url,
    get token() {
      return token();
    },
    launcherPid: started.process.pid!,
    gatewayPid: () => ownerOf(stateDir, started)?.pid ?? fail('it does not own its state directory', started),
    async connect() {
      const client = await connect({ url, token: token(), version: 'test' });
      clients.add(client);
      return client;
    },
    async wire(protocols) {
      const wire = await openWire({ url, token: token(), ...protocols });
      clients.add(wire);
      return wire;
    },
    fetch: (path, init) => fetchFresh(new URL(path, url), { signal: AbortSignal.timeout(LIMIT_MS), ...init }),
    ready: (notPid) => untilReady(stateDir, url, started, notPid),
    output: () => started.output,
    wrote: (text) => untilWritten(started, text),
    tail: (lines) => tail(started, lines),
    ended: started.ended,
    stop() {
      started.process.kill('SIGTERM');
      return started.ended;
    },
    async cleanUp() {
      for (const client of clients) client.close();
      await end(stateDir, started, options);
    },
  };
}

/** Also after its end: what a process wrote last is read after its exit is known. */
async function untilWritten(started: Started, text: string | RegExp): Promise<void> {
  const isThere = (): true | undefined =>
    (typeof text === 'string' ? started.output.includes(text) : text.test(started.output)) || undefined;
  await eventually(`${text} in the output`, isThere).catch((error: Error) => fail(error.message, started));
}

/** Over a connection of its own: one that was kept may be closed by its far side at the very moment of its next use. */
function fetchFresh(url: URL, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set('connection', 'close');
  return fetch(url, { ...init, headers });
}

async function untilReady(
  stateDir: string,
  url: string,
  started: Started,
  notPid: number | undefined,
): Promise<void> {
  await until('/readyz to say 200', started, async () => {
    const pid = ownerOf(stateDir, started)?.pid;
    if (pid === undefined || pid === notPid) return undefined;
    // Refused or reset: a life that is just ending or beginning. The limit of `until` bounds the patience.
    const status = await fetchFresh(new URL('/readyz', url), { signal: AbortSignal.timeout(10_000) }).then(
      (response) => response.status,
      () => 0,
    );
    return status === 200 ? true : undefined;
  });
}

function ownerWithPort(stateDir: string, started: Started): Owner | undefined {
  if (started.hasEnded) fail('the gateway ended before it was up', started);
  const owner = ownerOf(stateDir, started);
  return owner?.port ? owner : undefined;
}

/** The owner of the state directory, if it belongs to what was started here: an earlier gateway may still be stopping. */
function ownerOf(stateDir: string, started: Started): Owner | undefined {
  const owner = findOwner(stateDir);
  const pid = started.process.pid;
  return owner?.pid === pid || owner?.launcherPid === pid ? owner : undefined;
}

async function until<T>(
  what: string,
  started: Started,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = performance.now() + LIMIT_MS;
  for (;;) {
    // Asked before the look: a machine that was held up gets a last one.
    const [ended, last] = [started.hasEnded, performance.now() > deadlineMs];
    const found = await look();
    if (found !== undefined) return found;
    if (ended) fail(`the process ended while the test waited for ${what}`, started);
    if (last) fail(`waited ${LIMIT_MS} ms for ${what}`, started);
    await delay(20);
  }
}

async function end(stateDir: string, started: Started, options: GatewayOptions): Promise<void> {
  const gatewayPid = ownerOf(stateDir, started)?.pid;
  if (!started.hasEnded) started.process.kill('SIGKILL');
  await started.ended;
  if (gatewayPid !== undefined && gatewayPid !== started.process.pid) killIfAlive(gatewayPid);
  // Another life may have begun between the look and the kill; the lock is free when the last of them is dead.
  await until('the lock to be free', { ...started, hasEnded: false }, () => {
    const pid = ownerOf(stateDir, started)?.pid;
    if (pid !== undefined) killIfAlive(pid);
    return pid === undefined ? true : undefined;
  });
  if (options.stateDir === undefined) rmSync(stateDir, { recursive: true, force: true });
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function tail(started: Started, lines = 40): string {
  return started.output.split('\n').slice(-lines).join('\n');
}

/** Fails the test with the reason and the log. */
function fail(reason: string, started: Started): never {
  throw new Error(`${reason}\n--- the last lines of the gateway\n${tail(started)}`);
}

/** Lines of a file of the state directory, for a look at logs. Empty when it is not there. */
export function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
}
