import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { main } from '../../src/cli/main.ts';
import { type FakeGateway, startFakeGateway } from './fake-gateway.ts';
import { eventually } from './launched.ts';

let gateway: FakeGateway;
let asked: { method: string; params: unknown }[];
let lives: { pid: number; startedAt: number; ready: boolean }[];
let incarnation: number;
const fact = (seq: number) => ({ seq, ts: 0, type: 'gate.opened', severity: 'info', data: { seq } });

beforeEach(async () => {
  asked = [];
  lives = [{ pid: 1, startedAt: 10, ready: true }];
  incarnation = 1;
  const answer =
    (method: string, payload: (params: never) => unknown) =>
    (params: unknown): unknown => {
      asked.push({ method, params });
      return payload(params as never);
    };
  const methods = {
    'sessions.list': () => ({
      ts: 1_000,
      sessions: [{ key: 's', agentId: 'main', updatedAt: 0, messageCount: 2 }],
    }),
    'chat.history': ({ sessionKey }: { sessionKey: string }) =>
      sessionKey === 'nobody'
        ? { sessionKey, sessionId: null, messages: [] }
        : {
            sessionKey,
            sessionId: '1',
            messages: [{ role: 'user', timestamp: 0, content: [{ type: 'text', text: 'hi' }] }],
          },
    'chat.abort': () => ({ aborted: true, runIds: ['r'] }),
    'sessions.reset': () => ({ sessionId: 'next' }),
    'sessions.delete': () => ({ deleted: true }),
    'actor.kill': () => ({ path: 'p', incarnation: incarnation++ }),
    'actor.park': () => ({ path: 'p', incarnation: 1 }),
    'actor.unpark': () => ({ path: 'p', incarnation: 2 }),
    'tree.get': () => ({ tree: { status: 'running', state: 'open', incarnation } }),
    'events.query': () => ({ facts: [fact(1), fact(2)] }),
    'events.subscribe': () => ({ subscribed: true, facts: [fact(3)] }),
    status: () => lives[0],
    'restart.request': () => {
      lives = [{ pid: 2, startedAt: 20, ready: true }];
      return { ok: true };
    },
    'restart.status': () => ({ state: 'draining', pending: 1 }),
  };
  gateway = await startFakeGateway(
    'secret',
    Object.fromEntries(Object.entries(methods).map(([name, payload]) => [name, answer(name, payload)])),
  );
});
afterEach(() => gateway.close());

function begin(...argv: string[]) {
  const seen = { out: '', err: '' };
  const io: Io = {
    stdout: { write: (text) => (seen.out += text) },
    stderr: { write: (text) => (seen.err += text) },
    env: {},
  };
  return { seen, code: main([...argv, '--url', gateway.url, '--token', 'secret'], io) };
}
async function cli(...argv: string[]) {
  const { seen, code } = begin(...argv);
  return { code: await code, ...seen };
}
const params = (method: string): unknown => asked.find((call) => call.method === method)?.params;

describe('sessions', () => {
  test('alone lists them, as `ls` does', async () => {
    const alone = await cli('sessions');
    expect(alone).toEqual(await cli('sessions', 'ls'));
    expect([alone.code, alone.out]).toEqual([0, expect.stringMatching(/^session .*\ns +main +2 +1s ago\n$/)]);
  });

  test('takes --json before and after the inner command, and --search', async () => {
    const { out } = await cli('sessions', 'ls', '--json', '--search', 'x');
    expect(JSON.parse(out).sessions).toHaveLength(1);
    expect(JSON.parse((await cli('sessions', '--json', 'ls')).out).sessions).toHaveLength(1);
    expect(params('sessions.list')).toEqual({ search: 'x' });
  });

  test.each([
    [['abort', 's'], 'chat.abort', { sessionKey: 's' }, 'ended 1 in s\n'],
    [['reset', 's'], 'sessions.reset', { key: 's', reason: 'reset' }, 's begins anew\n'],
    [['delete', 's'], 'sessions.delete', { key: 's' }, 's is deleted\n'],
  ])('%j asks for %s', async (argv, method, asks, says) => {
    expect(await cli('sessions', ...argv)).toMatchObject({ code: 0, out: says });
    expect(params(method)).toEqual(asks);
  });

  test.each(['show', 'reset', 'delete'])(
    '%s of a session that is not there changes nothing and ends with 1',
    async (name) => {
      const { code, err } = await cli('sessions', name, 'nobody');
      expect([code, err]).toEqual([1, expect.stringContaining('COPPICE_SESSION_NOT_FOUND')]);
      expect(asked.map(({ method }) => method)).toEqual(['chat.history']);
    },
  );

  test('with an unknown command end with 64 and name the known ones', async () => {
    const { code, err } = await cli('sessions', 'shoot');
    expect([code, err]).toEqual([64, expect.stringContaining('there is ls, show, abort, reset, delete')]);
  });
});

describe('the levers', () => {
  test('kill crashes an actor and shows its next life', async () => {
    const { code, out } = await cli('kill', 'core/gate');
    expect([code, out]).toEqual([0, 'killed gateway/core/gate, life 1\nnow life 2, running, state open\n']);
    expect(params('actor.kill')).toEqual({ path: 'gateway/core/gate' });
  });

  test('kill --json is one document', async () => {
    expect(JSON.parse((await cli('kill', 'core/gate', '--json')).out)).toEqual({
      path: 'gateway/core/gate',
      killed: 1,
      now: { status: 'running', incarnation: 2, state: 'open' },
    });
  });

  test.each(['park', 'unpark'])('%s asks for it by its whole path', async (name) => {
    const { code, out } = await cli(name, 'core/gate');
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(new RegExp(`^${name}ed gateway/core/gate, life [12]\n$`)),
    ]);
    expect(params(`actor.${name}`)).toEqual({ path: 'gateway/core/gate' });
  });
});

describe('restart', () => {
  test('waits for the next life and says which it is', async () => {
    const { code, out } = await cli('restart', '--reason', 'why not');
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^restarted: process 1 > 2, ready after [\d.]+ s\n$/),
    ]);
    expect(params('restart.request')).toEqual({ reason: 'why not' });
  });

  test('--json tells both lives, and --force is passed on', async () => {
    const { out } = await cli('restart', '--force', '--json');
    expect(JSON.parse(out)).toMatchObject({
      restarted: true,
      from: { pid: 1 },
      to: { pid: 2, startedAt: 20 },
    });
    expect(params('restart.request')).toEqual({ force: true });
  });
});

describe('events', () => {
  test('shows the last ones, filtered by the gateway', async () => {
    const { code, out } = await cli(
      'events',
      '--type',
      'gate.*, run.crashed',
      '--path',
      'core',
      '--trace',
      't',
      '-n',
      '2',
    );
    expect([code, out.split('\n')]).toEqual([
      0,
      ['00:00:00.000 gate.opened  seq=1', '00:00:00.000 gate.opened  seq=2', ''],
    ]);
    expect(params('events.query')).toEqual({
      types: ['gate.*', 'run.crashed'],
      path: 'gateway/core',
      traceId: 't',
      limit: 2,
    });
  });

  test('-f survives a lost connection, says what was left out, and ends with Ctrl-C', async () => {
    const { seen, code } = begin('events', '-f', '--json', '--type', 'gate.*');
    await eventually(() => seen.out.includes('"seq":3'));
    const send = (payload: object): void =>
      gateway.sockets.forEach((socket) =>
        socket.send(JSON.stringify({ type: 'event', event: 'fact', payload })),
      );
    send({ fact: fact(4), dropped: 7 });
    await eventually(() => seen.out.includes('"seq":4'));
    expect(seen.err).toContain('7 facts were left out');
    gateway.sockets.forEach((socket) => socket.terminate());
    await eventually(() => asked.filter(({ method }) => method === 'events.subscribe').length === 2);
    await eventually(() => seen.err.includes('connected again'));
    process.emit('SIGINT');
    expect(await code).toBe(0);
    const subscribed = asked.filter(({ method }) => method === 'events.subscribe').map((call) => call.params);
    expect(subscribed).toEqual([
      { types: ['gate.*'], recent: 20 },
      { types: ['gate.*'], recent: 0 },
    ]);
    for (const line of seen.out.trim().split('\n'))
      expect(JSON.parse(line)).toMatchObject({ type: 'gate.opened' });
  });

  test.each(['x', '-1', '1001'])('-n %s ends with 64', async (count) => {
    expect((await cli('events', `--last=${count}`)).code).toBe(64);
  });
});

describe('what needs no gateway', () => {
  test('machines names every machine, and asks nobody', async () => {
    const { code, out } = await cli('machines', 'ls', '--json');
    const { machines } = JSON.parse(out) as { machines: { name: string; states: number; effects: number }[] };
    expect(code).toBe(0);
    expect(machines.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['session', 'run', 'gate', 'restart']),
    );
    for (const { name, states } of machines) expect(states, name).toBeGreaterThan(1);
    expect(gateway.connects).toEqual([]);
  });

  test('machines show tells states, events and effects of one', async () => {
    const { machine } = JSON.parse((await cli('machines', 'show', 'gate', '--json')).out);
    expect(machine.states.map(({ path }: { path: string }) => path)).toEqual(
      expect.arrayContaining(['', 'open', 'draining']),
    );
    expect(machine.events).toContain('message.offered');
    expect(machine.effects).toContainEqual({ name: 'admit', kind: 'action' });
    expect(machine.effects).toContainEqual({ name: 'watchIngress', kind: 'actor' });
    expect((await cli('machines', 'show', 'gate')).out).toContain('gate.close > draining');
  });

  test('an unknown machine ends with 1 and names the nearest', async () => {
    const { code, err } = await cli('machines', 'show', 'sesion');
    expect([code, err]).toEqual([1, expect.stringContaining('the nearest known one is "session"')]);
  });

  test.each(['demo', 'bench'])('%s takes no gateway of anybody else', async (name) => {
    const { code, err } = await cli(name);
    expect([code, err]).toEqual([64, expect.stringContaining('leave out --url')]);
  });
});

test.each([
  'chat',
  'sessions',
  'sessions show',
  'events',
  'kill',
  'park',
  'unpark',
  'restart',
  'bench',
  'demo',
])('%s --help has an example and how to reach the gateway', async (name) => {
  const { code, out } = await cli(...name.split(' '), '--help');
  expect(code).toBe(0);
  for (const part of ['Example:', '--json', '--url', '--token', '--state-dir']) expect(out).toContain(part);
});

test.each(['machines', 'machines show', 'machines diagram', 'testgen'])(
  '%s --help has an example, and speaks of no gateway, since it asks none',
  async (name) => {
    const { code, out } = await cli(...name.split(' '), '--help');
    expect(code).toBe(0);
    for (const part of ['Example:', '--json']) expect(out).toContain(part);
    for (const part of ['--url', '--token', '--state-dir']) expect(out).not.toContain(part);
  },
);
