import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openReader, STORE_FILE } from '../../src/store/index.ts';
import { findOwner } from '../../src/cli/owner.ts';
import { type OpenAiServer, startOpenAiServer } from '../models/openai-server.ts';
import { type Gateway, type GatewayOptions, runCommand, startGateway } from './harness.ts';
import { exchangeFaults, historyOf, newKey, say, settled } from './talk.ts';
import { eventually } from './wire.ts';

/** Beyond this a stop is taken for one that waits for something it should not wait for. */
const PATIENCE_MS = 90_000;

let models: OpenAiServer;
let gateway: Gateway | undefined;
beforeAll(async () => {
  models = await startOpenAiServer();
});
afterEach(async () => {
  await gateway?.cleanUp();
  gateway = undefined;
});
afterAll(() => models.close());

/** Longer than any test: whoever is not told to hurry waits until the test fails. */
const PATIENT = { deferMs: 600_000, drainMs: 600_000 };

async function start(restart: object, options: GatewayOptions = {}): Promise<Gateway> {
  const local = { api: 'openai-completions', baseUrl: models.url, apiKey: 'k', models: ['normal'] };
  gateway = await startGateway({ ...options, config: { models: { providers: { local } }, restart } });
  return gateway;
}

function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const limit = new AbortController();
  const late = delay(PATIENCE_MS, undefined, { signal: limit.signal }).then(() => {
    throw new Error(`${what} took longer than ${PATIENCE_MS} ms\n${gateway?.tail() ?? ''}`);
  });
  return Promise.race([promise, late]).finally(() => limit.abort());
}

/** What the disk says when no process has it open. */
function recordOf({ stateDir }: Gateway, sessionKey: string, runId: string) {
  const reader = openReader(join(stateDir, STORE_FILE));
  try {
    const session = reader.session(sessionKey);
    const rows = session ? reader.history(sessionKey, session.sessionId, 10) : [];
    return { run: reader.run(runId), rows, pending: reader.pendingMessages(sessionKey, 10) };
  } finally {
    reader.close();
  }
}

describe('a gateway that is told to stop', () => {
  test('finishes the turn that runs, settles it, refuses new work by name, and ends with 0', async () => {
    const { wire: open, stop, ended, ...rest } = await start(PATIENT);
    const wire = await open();
    models.next('held?text=I+finish+what+I+have+begun');
    const runId = await say(wire, 'drain', 'go on', newKey('drain'));
    await wire.event('agent', (p) => p.runId === runId && p.stream === 'assistant');
    void stop();
    const refused = await eventually('the gate to close', async () => {
      const answer = await wire.request('chat.send', { message: 'me too', idempotencyKey: newKey('late') });
      return answer.ok ? undefined : answer.error;
    });
    expect(refused).toMatchObject({
      code: 'UNAVAILABLE',
      details: { coppiceCode: 'COPPICE_DRAINING' },
      retryable: true,
      retryAfterMs: 1_000,
    });
    expect((await rest.fetch('/readyz')).status).toBe(503);
    models.release();
    const final = await wire.event('chat', (p) => p.runId === runId && p.state === 'final');
    expect(final.message.content[0].text).toBe('I finish what I have begun');
    await wire.event('shutdown');
    expect(await within('the drained stop', ended)).toBe(0);
    const { run, rows, pending } = recordOf(gateway!, 'drain', runId);
    expect(run?.status).toBe('ok');
    expect(rows.map(({ role }) => role)).toEqual(['user', 'assistant']);
    expect(pending).toEqual([]);
  });

  test('hurries at the second signal, and keeps the message it did not answer', async () => {
    const { wire: open, launcherPid, ended } = await start(PATIENT);
    const wire = await open();
    models.next('hang-mid-stream');
    const runId = await say(wire, 'hurry', 'no answer today', newKey('hurry'));
    await wire.event('agent', (p) => p.runId === runId && p.stream === 'assistant');
    process.kill(launcherPid, 'SIGTERM');
    await gateway!.wrote('state="deferring"');
    // Within a moment two signals are one stop that reached the process twice.
    await delay(400);
    expect(findOwner(gateway!.stateDir)?.pid).toBe(gateway!.gatewayPid());
    process.kill(launcherPid, 'SIGTERM');
    expect(await within('the fast stop', ended)).toBe(0);
    const { run, pending } = recordOf(gateway!, 'hurry', runId);
    expect(run?.status).toBe('accepted');
    expect(pending.map((message) => message.runId)).toEqual([runId]);
  });

  test('stops when its launcher is killed', async () => {
    const { launcherPid, stateDir, ended, ...rest } = await start(PATIENT);
    const pid = rest.gatewayPid();
    process.kill(launcherPid, 'SIGKILL');
    expect(await ended).toBe('SIGKILL');
    await within(
      'the stop of the child',
      eventually('the lock to be free', () => (findOwner(stateDir) ? undefined : true)),
    );
    await eventually('the child to be gone', () => (isAlive(pid) ? undefined : true));
    await rest.wrote('the launcher is gone');
  });
});

describe('a gateway that others want to replace', () => {
  const dirs: string[] = [];
  afterAll(() => dirs.forEach((dir) => rmSync(dir, { recursive: true, force: true })));

  test('keeps its state and its port, is restarted without refusing anybody, and obeys `coppice stop`', async () => {
    // Impatient, so that a hanging turn is taken over by the next life.
    const {
      wire: open,
      stateDir,
      url,
      ended,
      ...rest
    } = await start({ deferMs: 100, drainMs: 100, cooldownMs: 0 });
    const pid = rest.gatewayPid();
    const { host, port } = new URL(url);

    const second = await runCommand(stateDir, 'run', '--port', '0');
    expect(second.code, second.stderr).toBe(78);
    expect(second.stderr).toContain(`pid ${pid}`);
    expect(second.stderr).toContain('COPPICE_LOCK_HELD');

    const elsewhere = mkdtempSync(join(tmpdir(), 'coppice-e2e-'));
    dirs.push(elsewhere);
    const third = await runCommand(elsewhere, 'run', '--port', port);
    expect(third.code, third.stderr).toBe(78);
    expect(third.stderr).toContain(host);
    expect(third.stderr).toContain('COPPICE_PORT_IN_USE');

    const wire = await open();
    models.next('hang-mid-stream', 'normal?text=the+next+life+speaks');
    const runId = await say(wire, 'restart', 'wait for it', newKey('restart'));
    await wire.event('agent', (p) => p.runId === runId && p.stream === 'assistant');
    const dialler = dialEvery(20, Number(port));
    process.kill(pid, 'SIGUSR2');
    expect(await wire.event('shutdown')).toMatchObject({ restartExpectedMs: expect.any(Number) });
    expect((await wire.closed).code).toBe(1012);
    await rest.ready(pid);
    await eventually('a dozen calls', () => (dialler.attempts() > 12 ? true : undefined));
    expect(await dialler.stop()).toEqual([]);
    expect(rest.gatewayPid()).not.toBe(pid);
    const after = await open();
    expect(await settled(after, runId)).toBe('ok');
    expect(exchangeFaults(await historyOf(after, 'restart'), runId, 'wait for it')).toEqual([]);

    const stopped = await runCommand(stateDir, 'stop', '--json');
    expect(stopped.code, stopped.stderr).toBe(0);
    expect(JSON.parse(stopped.stdout)).toMatchObject({ stopped: true });
    expect(await within('the launcher', ended)).toBe(0);
    const nobody = await runCommand(stateDir, 'stop');
    expect([nobody.code, nobody.stderr]).toEqual([
      69,
      expect.stringContaining('COPPICE_GATEWAY_NOT_RUNNING'),
    ]);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A fresh connection every so often, each closed at once. `stop` tells those that were refused. */
function dialEvery(everyMs: number, port: number) {
  const failures: string[] = [];
  const under: Promise<void>[] = [];
  const dial = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = createConnection(port, '127.0.0.1', () => socket.end());
      socket.resume();
      socket.on('error', (error: NodeJS.ErrnoException) => failures.push(error.code ?? error.message));
      socket.on('close', () => resolve());
    });
  const timer = setInterval(() => under.push(dial()), everyMs);
  return {
    attempts: () => under.length,
    async stop() {
      clearInterval(timer);
      await Promise.all(under);
      return failures.filter((code) => code === 'ECONNREFUSED');
    },
  };
}
