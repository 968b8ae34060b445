import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HISTORY_LINES, readHistory, writeHistory } from '../../src/cli/chat-history.ts';
import type { Io } from '../../src/cli/io.ts';
import { main } from '../../src/cli/main.ts';
import { type FakeGateway, startFakeGateway } from './fake-gateway.ts';
import { eventually } from './launched.ts';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

let dir: string;
let gateway: FakeGateway;
let said: Record<string, unknown>[];
let resets: unknown[];
let aborts: unknown[];
let hanging: PromiseWithResolvers<object> | undefined;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'coppice-chat-'));
  said = [];
  resets = [];
  aborts = [];
  hanging = undefined;
  gateway = await startFakeGateway('secret', {
    'chat.send': (params) => {
      said.push(params as Record<string, unknown>);
      return hanging && said.length > 1
        ? { status: 'error', error: { code: 'ABORTED', message: 'the run was aborted' } }
        : { status: 'started' };
    },
    'agent.wait': () => hanging?.promise ?? { status: 'ok' },
    agent: (params) => ({
      status: 'ok',
      result: { text: `heard ${(params as { message: string }).message}` },
    }),
    'chat.abort': (params) => {
      aborts.push(params);
      hanging!.resolve({ status: 'error', error: 'the run was aborted' });
      return { aborted: true, runIds: [] };
    },
    'sessions.reset': (params) => {
      resets.push(params);
      return { ok: true };
    },
  });
});
afterEach(async () => {
  await gateway.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A person at a terminal, as far as streams can tell. */
function sit(...argv: string[]) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  let shown = '';
  stdout.on('data', (chunk) => (shown += String(chunk)));
  let err = '';
  const io: Io = { stdin, stdout, stderr: { write: (text) => (err += text) }, env: { NO_COLOR: '1' } };
  const args = ['chat', '--url', gateway.url, '--token', 'secret', '--state-dir', dir, ...argv];
  const code = main(args, io);
  const sees = (text: string): Promise<void> => eventually(() => shown.includes(text));
  return { type: (keys: string) => stdin.write(keys), sees, code, shown: () => shown, err: () => err };
}

describe('a conversation', () => {
  test('answers line after line, and ends with Ctrl-D and 0', async () => {
    const person = sit();
    await person.sees('talking in agent:main:main');
    person.type('hello\r');
    await person.sees('heard hello\n');
    person.type('again\r');
    await person.sees('heard again\n');
    person.type(CTRL_D);
    expect(await person.code).toBe(0);
    expect(said.map(({ message }) => message)).toEqual(['hello', 'again']);
    expect(new Set(said.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
    expect(person.err()).toBe('');
  });

  test('knows its own commands, and hands every other one to the agent', async () => {
    const person = sit('--session', 'first');
    await person.sees('talking in first');
    person.type('/help\r');
    await person.sees('/session KEY');
    person.type('/new\r');
    await person.sees('first begins anew');
    person.type('/session second\r');
    await person.sees('talking in second');
    person.type('/tool list {}\r');
    await person.sees('heard /tool list {}');
    person.type('/quit\r');
    expect(await person.code).toBe(0);
    expect(resets).toEqual([{ key: 'first', reason: 'new' }]);
    expect(said).toMatchObject([{ sessionKey: 'second', message: '/tool list {}' }]);
  });

  test('survives a Ctrl-C while an answer comes: the turn ends, the conversation goes on', async () => {
    hanging = Promise.withResolvers();
    const person = sit();
    await person.sees('talking in');
    person.type('/hang\r');
    await eventually(() => said.length === 1);
    person.type(CTRL_C);
    await person.sees('(ended)');
    expect(aborts).toEqual([{ sessionKey: 'agent:main:main', runId: said[0]!['idempotencyKey'] }]);
    person.type('/quit\r');
    expect(await person.code).toBe(0);
  });

  test('is left by a second Ctrl-C while an answer comes, however long that would take', async () => {
    hanging = Promise.withResolvers();
    const person = sit();
    await person.sees('talking in');
    person.type('/hang\r');
    await eventually(() => said.length === 1);
    // Nobody answers the first one.
    gateway.sockets.forEach((socket) => socket.pause());
    person.type(CTRL_C);
    await person.sees('Ctrl-C once more leaves');
    person.type(CTRL_C);
    expect(await person.code).toBe(0);
  });

  test('is left by a second Ctrl-C at the prompt, and half a line is not sent', async () => {
    const person = sit();
    await person.sees('talking in');
    person.type(`half a line${CTRL_C}`);
    await person.sees('Ctrl-C once more');
    person.type(CTRL_C);
    expect(await person.code).toBe(0);
    expect(said).toEqual([]);
  });

  test('survives a connection that is lost at the prompt, and says so', async () => {
    const person = sit();
    await person.sees('talking in');
    gateway.sockets.forEach((socket) => socket.terminate());
    await person.sees('reconnecting');
    await person.sees('connected again');
    person.type('hello\r');
    await person.sees('heard hello');
    person.type(CTRL_D);
    expect(await person.code).toBe(0);
  });

  test('keeps what was typed for the next one, readable by its owner alone', async () => {
    const first = sit();
    await first.sees('talking in');
    first.type('remember me\r');
    await first.sees('heard remember me');
    first.type(CTRL_D);
    await first.code;
    expect(statSync(join(dir, 'chat-history')).mode & 0o777).toBe(0o600);
    const second = sit();
    await second.sees('talking in');
    second.type('\u001b[A\r');
    await eventually(() => said.length === 2);
    expect(said[1]).toMatchObject({ message: 'remember me' });
    second.type(CTRL_D);
    await second.code;
  });

  test('goes on when what is typed cannot be kept', async () => {
    writeFileSync(join(dir, 'file'), '');
    const args = sit('--state-dir', join(dir, 'file'));
    await args.sees('talking in');
    args.type('hello\r');
    await args.sees('is not kept');
    await args.sees('heard hello');
    args.type(CTRL_D);
    expect(await args.code).toBe(0);
  });
});

describe('chat without a terminal', () => {
  const cli = async (stdin: PassThrough | undefined, ...argv: string[]) => {
    let out = '';
    let err = '';
    const io: Io = {
      ...(stdin ? { stdin } : {}),
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      env: {},
    };
    const code = await main(['chat', '--url', gateway.url, '--token', 'secret', ...argv], io);
    return { code, out, err };
  };

  test('answers one message on stdout and nothing else', async () => {
    expect(await cli(undefined, 'hello', '--session', 's')).toEqual({
      code: 0,
      out: 'heard hello\n',
      err: '',
    });
    expect(said).toMatchObject([{ sessionKey: 's', message: 'hello' }]);
  });

  test('takes the message from a pipe', async () => {
    const stdin = new PassThrough();
    stdin.end('from\na pipe\n');
    expect((await cli(stdin)).out).toBe('heard from\na pipe\n');
  });

  test('answers with one JSON document', async () => {
    const { code, out } = await cli(undefined, 'hello', '--json');
    expect([code, JSON.parse(out)]).toMatchObject([
      0,
      { status: 'ok', text: 'heard hello', sessionKey: 'agent:main:main' },
    ]);
  });

  test.each([
    [undefined, [], 'needs a message'],
    [undefined, ['--json'], 'chat --json needs a message'],
    [undefined, [' '], 'the message is empty'],
    ['', [], 'the message is empty'],
    ['x'.repeat(1_100_000), [], 'at most'],
  ])('ends with 64 for no message, or none that can be sent', async (piped, argv, reason) => {
    const stdin = piped === undefined ? undefined : new PassThrough();
    stdin?.end(piped);
    const { code, err } = await cli(stdin, ...argv);
    expect(code).toBe(64);
    expect(err).toContain(reason);
  });
});

describe('the history', () => {
  test('is bounded, newest first, and none when there is none', () => {
    expect(readHistory(dir)).toEqual([]);
    const lines = Array.from({ length: HISTORY_LINES + 10 }, (_, at) => `line ${at}`);
    writeHistory(join(dir, 'new'), lines);
    expect(readHistory(join(dir, 'new'))).toEqual(lines.slice(0, HISTORY_LINES));
    expect(readFileSync(join(dir, 'new', 'chat-history'), 'utf8').split('\n')).toHaveLength(
      HISTORY_LINES + 1,
    );
  });
});
