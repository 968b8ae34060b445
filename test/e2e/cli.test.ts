import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startOpenAiServer } from '../models/openai-server.ts';
import { type Gateway, runCommand, startGateway } from './harness.ts';
import { exchangeFaults, historyOf, nodeAt } from './talk.ts';
import { eventually, type Wire } from './wire.ts';

const BIN = fileURLToPath(new URL('../../bin/coppice.js', import.meta.url));
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** A command that is watched, fed and signalled while it runs. */
function begin(program: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], NO_COLOR: '1', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  started.push(child);
  const seen = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (seen.out += String(chunk)));
  child.stderr.on('data', (chunk) => (seen.err += String(chunk)));
  const ended = once(child, 'close').then(([code]) => code as number);
  const sees = (text: string): Promise<true> =>
    eventually(`"${text}" on stdout`, () => seen.out.includes(text) || undefined).catch((error: Error) => {
      throw new Error(`${error.message}; it wrote ${JSON.stringify(seen)}`);
    });
  return { child, seen, ended, sees };
}
const coppice = (stateDir: string, ...args: string[]) =>
  begin(process.execPath, [BIN, ...args], { COPPICE_STATE_DIR: stateDir, TMPDIR: tmpdir() });

describe('the commands of a running gateway', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway();
  });
  afterAll(() => gateway.cleanUp());

  const run = (...args: string[]) => runCommand(gateway.stateDir, ...args);
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await run(...args, '--json');
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout);
  };
  const using = async <T>(use: (wire: Wire) => Promise<T>): Promise<T> => {
    const wire = await gateway.wire();
    return use(wire).finally(() => wire.close());
  };

  test('chat answers one message on stdout alone, once', async () => {
    const { code, stdout, stderr } = await run('chat', 'hello', '--session', 'once');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^I am the loopback model.*You said: "hello".*\n$/);
    const { messages } = await json('sessions', 'show', 'once');
    expect(messages).toHaveLength(2);
    expect(messages[1].content[0].text).toBe(stdout.trimEnd());
  });

  test('chat --json tells run, text, usage and status, and a failed turn ends with 1', async () => {
    const good = await json('chat', 'hello', '--session', 'json');
    expect(good).toMatchObject({ sessionKey: 'json', status: 'ok', usage: { total: expect.any(Number) } });
    const { code, stdout } = await run('chat', '/fail 400', '--session', 'json', '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([
      1,
      { status: 'error', error: { code: 'MODEL_FAILED' } },
    ]);
  });

  test('chat takes its message from a pipe', async () => {
    const { child, seen, ended } = coppice(gateway.stateDir, 'chat', '--session', 'pipe');
    child.stdin.end('from a pipe\n');
    expect(await ended).toBe(0);
    expect(seen.out).toContain('You said: "from a pipe"');
  });

  test('chat ends its turn with the first Ctrl-C, and then itself with 1', async () => {
    const { child, seen, ended } = coppice(gateway.stateDir, 'chat', '/hang', '--session', 'hung');
    await using(async (wire) => {
      await eventually('the hanging run', () => nodeAt(wire, 'gateway/core/work/sessions/hung/run'));
      child.kill('SIGINT');
      expect(await ended).toBe(1);
      await eventually('no run any more', async () =>
        (await nodeAt(wire, 'gateway/core/work/sessions/hung/run')) ? undefined : true,
      );
    });
    expect(seen.err).toContain('ended with aborted');
  });

  /** A pseudo terminal from util-linux; elsewhere the conversation is tested over streams alone. */
  const PTY = 'script';
  const { stdout: about } = spawnSync(PTY, ['--version'], { encoding: 'utf8' });
  const hasPty = about?.includes('util-linux') === true;
  const why = hasPty ? '' : ' (skipped without util-linux `script`: apt-get install bsdutils)';
  test.skipIf(!hasPty)(
    `chat on a terminal talks, goes back to what was typed, and leaves with Ctrl-D${why}`,
    async () => {
      const command = `"${process.execPath}" "${BIN}" chat --session terminal`;
      const { child, ended, seen, sees } = begin(PTY, ['-qec', command, '/dev/null'], {
        COPPICE_STATE_DIR: gateway.stateDir,
        TERM: 'xterm',
      });
      await sees('you > ');
      child.stdin.write('hello\r');
      await sees('You said: "hello".');
      child.stdin.write('\u001b[A again\r');
      await sees('You said: "hello again".');
      child.stdin.write('\u0004');
      expect(await ended, seen.out).toBe(0);
    },
  );

  test('sessions lists, resets and deletes what chat began', async () => {
    await run('chat', 'hello', '--session', 'doomed');
    const keys = async (): Promise<string[]> =>
      ((await json('sessions')).sessions as { key: string }[]).map(({ key }) => key);
    expect(await keys()).toContain('doomed');
    await json('sessions', 'reset', 'doomed');
    expect((await json('sessions', 'show', 'doomed')).messages).toEqual([]);
    expect(await json('sessions', 'delete', 'doomed')).toMatchObject({ deleted: true });
    expect(await keys()).not.toContain('doomed');
    expect((await run('sessions', 'show', 'doomed')).code).toBe(1);
  });

  test('kill shows the next life of an actor, and survives the death of the server it talks to', async () => {
    for (const path of ['core/work/lanes/cron', 'control/server']) {
      // It looks for five seconds; what is not back by then it shows as it is, and one would do it again.
      const shown = await eventually(`the next life of ${path}`, async () => {
        const found = await json('kill', path);
        return found.now.status === 'running' ? found : undefined;
      });
      expect(shown.now.incarnation, path).toBeGreaterThan(shown.killed);
    }
    expect((await run('kill', 'gateway')).stderr).toContain('it is the root');
  });

  test('a parked actor stays down until it is unparked, and everybody else goes on', async () => {
    const path = 'gateway/core/work/lanes/nested';
    expect(await json('park', path)).toMatchObject({ path, parked: true });
    expect((await json('tree', path)).tree).toMatchObject({ status: 'parked' });
    expect((await run('chat', 'still there?', '--session', 'park')).code).toBe(0);
    expect(await json('unpark', path)).toMatchObject({ path, unparked: true });
    expect((await json('tree', path)).tree).toMatchObject({ status: 'running' });
    expect((await run('unpark', path)).stderr).toContain('not parked');
    expect((await run('park', 'core/work/sessions/hung/run')).code).toBe(1);
  });

  test('the way in cannot be parked: nobody could unpark it', async () => {
    for (const path of ['gateway', 'control', 'control/server'])
      expect((await run('park', path)).code, path).toBe(1);
    expect((await run('status')).code).toBeLessThan(2);
  });

  test('events -f hears what happens, filtered, and survives a restart that it shows', async () => {
    const { child, seen, ended, sees } = coppice(
      gateway.stateDir,
      'events',
      '-f',
      '--json',
      '-n',
      '1000',
      '--type',
      'message.*,gateway.*,restart.*',
    );
    await sees('"gateway.started"');
    await run('chat', 'hello', '--session', 'watched');
    await sees('"message.processed"');
    const before = gateway.gatewayPid();
    const { code, stdout } = await run('restart', '--reason', 'a test', '--force', '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([
      0,
      { restarted: true, from: { pid: before }, to: { pid: gateway.gatewayPid() } },
    ]);
    expect(gateway.gatewayPid()).not.toBe(before);
    await sees('"restart.requested"');
    await eventually('the next connection', async () =>
      seen.err.includes('connected again') ? true : undefined,
    );
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    const facts = seen.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    expect(facts.filter(({ type }) => !/^(message|gateway|restart)\./.test(type))).toEqual([]);
    expect(seen.out).not.toContain(gateway.token);
  });

  test('events shows the last ones of one session, whatever else happens', async () => {
    await run('chat', 'hello', '--session', 'filtered');
    const path = 'gateway/core/work/sessions/filtered';
    const { facts } = (await json('events', '--path', path, '-n', '50')) as { facts: { path: string }[] };
    expect(facts.length).toBeGreaterThan(0);
    expect(facts.filter((fact) => !fact.path.startsWith(path))).toEqual([]);
  });
});

test('chat survives a kill -9 of the gateway in the middle of an answer, and finishes it exactly once', async () => {
  const models = await startOpenAiServer();
  onTestFinished(() => models.close());
  const local = { api: 'openai-completions', baseUrl: models.url, apiKey: 'k', models: ['normal'] };
  const gateway = await startGateway({ config: { models: { providers: { local } } } });
  onTestFinished(() => gateway.cleanUp());
  const script = 'held?text=Slowly,+word+by+word';
  models.next(script, script);
  const message = 'take your time';
  const { seen, ended, sees } = coppice(gateway.stateDir, 'chat', message, '--session', 'survivor');
  await sees('Slowly,');
  const pid = gateway.gatewayPid();
  process.kill(pid, 'SIGKILL');
  await models.received(1);
  models.release();
  expect(await ended, seen.err).toBe(0);
  expect(seen.out).toBe('Slowly, word by word\n');
  expect(seen.err).toMatch(/is lost .*reconnecting\nconnected again after/);
  expect(gateway.gatewayPid()).not.toBe(pid);
  const messages = await historyOf(await gateway.wire(), 'survivor');
  expect(exchangeFaults(messages, messages[0]!.runId, message)).toEqual([]);
});

describe('the commands that need no gateway, or bring their own', () => {
  const own = (): string[] => readdirSync(dir).filter((name) => name.startsWith('coppice-own-'));
  const before = process.env['TMPDIR'];
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'coppice-none-'));
    // Theirs alone, so that what is left behind is theirs.
    process.env['TMPDIR'] = dir;
  });
  afterAll(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    rmSync(dir, { recursive: true, force: true });
  });

  test('chat, restart and kill end with 69 when none is running', async () => {
    for (const args of [['chat', 'hi'], ['restart'], ['kill', 'core'], ['events', '-f'], ['sessions']])
      expect((await runCommand(dir, ...args)).code, args.join(' ')).toBe(69);
  });

  test('machines show works without any', async () => {
    const { code, stdout } = await runCommand(dir, 'machines', 'show', 'session');
    expect([code, stdout]).toEqual([0, expect.stringContaining('processing')]);
  });

  test('demo shows what it promises, from the record, and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await runCommand(dir, 'demo', '--fast', '--json');
    expect(code, stderr).toBe(0);
    const evidence = JSON.parse(stdout);
    expect(evidence.ok).toBe(true);
    expect(evidence.checks).toHaveLength(6);
    expect(evidence.sessionLives).toMatchObject({ before: 1, after: 2 });
    expect(evidence.kill.nextPid).not.toBe(evidence.kill.pid);
    expect(own()).toEqual([]);
    expect(existsSync(join(dir, 'coppice.db'))).toBe(false);
  });

  test('demo in plain words names every step, and no colour reaches a pipe', async () => {
    const { code, stdout } = await runCommand(dir, 'demo', '--fast');
    expect(code).toBe(0);
    for (const word of [
      '1. A message',
      '3. A crash',
      'killed with -9',
      'the launcher brought it back',
      '5. What the record',
    ])
      expect(stdout).toContain(word);
    expect(stdout).not.toContain('\u001b');
    expect(stdout).not.toContain('   NO');
  });

  test('demo that is ended with Ctrl-C cleans up', async () => {
    const { child, ended, seen, sees } = coppice(dir, 'demo');
    await sees('1. A message');
    expect(own()).toHaveLength(1);
    child.kill('SIGINT');
    expect(await ended).toBe(1);
    expect(seen.err).toBe('the demonstration was ended\n');
    expect(own()).toEqual([]);
  });

  test('bench sets turns beside the floor of the same run', async () => {
    const { code, stdout, stderr } = await runCommand(
      dir,
      'bench',
      '--turns',
      '20',
      '--connections',
      '2',
      '--json',
    );
    expect(code, stderr).toBe(0);
    const { turn, floor, ratios } = JSON.parse(stdout);
    expect([turn.count, floor.count]).toEqual([20, 400]);
    // Of the middle ones: a pause of the machine makes a few of either slow, and their rates say nothing then.
    expect(ratios.p50).toBeGreaterThan(1);
    expect(ratios.throughput / (floor.perSecond / turn.perSecond)).toBeCloseTo(1, 1);
    expect(own()).toEqual([]);
  });
});
