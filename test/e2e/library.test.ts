import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  createGateway,
  defineProvider,
  defineTool,
  type GatewayHandle,
  loadConfig,
  type ModelRequest,
  type Tool,
} from '../../src/index.ts';
import { exchangeFaults, historyOf, nodeAt, nodesOf, say, settled, textOf } from './talk.ts';
import { eventually, openWire, type Wire } from './wire.ts';

const TOKEN = 'a-token-of-the-host-0123456789';
const dirs: string[] = [];
const gateways: GatewayHandle[] = [];
const wires: Wire[] = [];

const newStateDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'coppice-e2e-library-'));
  dirs.push(dir);
  return dir;
};

/** Says `ledger AMOUNT` by calling the tool of that name; anything else it repeats. */
const clerk = defineProvider({
  name: 'clerk',
  api: 'custom',
  models: () => [{ id: 'one', provider: 'clerk' }],
  async *stream({ messages }: ModelRequest) {
    const last = messages.at(-1)!;
    const part = last.content[0]!;
    const said = part.type === 'text' ? part.text : '';
    const amount = /^ledger (\d+)/.exec(said)?.[1];
    if (last.role === 'tool' && part.type === 'tool-result')
      yield { type: 'text', delta: `the ledger says ${JSON.stringify(part.output)}` };
    else if (amount)
      yield {
        type: 'tool-call',
        toolCallId: `book-${amount}`,
        toolName: 'ledger',
        input: { amount: Number(amount) },
      };
    else yield { type: 'text', delta: `clerk heard ${said}` };
    yield { type: 'finish', reason: amount && last.role === 'user' ? 'tool-calls' : 'stop' };
  },
});

interface Options {
  readonly stateDir?: string;
  readonly tools?: readonly Tool[];
  readonly signal?: AbortSignal;
}

async function start({ stateDir = newStateDir(), tools = [], signal }: Options = {}): Promise<GatewayHandle> {
  const path = join(stateDir, 'test-config.jsonc');
  // The entry makes the name known to the configuration; the host's own provider takes its place.
  writeFileSync(path, JSON.stringify({ models: { providers: { clerk: { api: 'loopback' } } } }));
  const { config } = loadConfig({ path, env: {}, flags: { stateDir, port: 0, token: TOKEN } });
  const gateway = createGateway(config, {
    stateDir,
    log: false,
    providers: [clerk],
    tools,
    ...(signal ? { signal } : {}),
  });
  gateways.push(gateway);
  await gateway.start();
  return gateway;
}

async function connect(gateway: GatewayHandle): Promise<Wire> {
  const wire = await openWire({ url: `http://127.0.0.1:${gateway.port}`, token: TOKEN });
  wires.push(wire);
  return wire;
}

afterEach(async () => {
  for (const wire of wires.splice(0)) wire.close();
  for (const gateway of gateways.splice(0)) await gateway.stop('the test is over', { fast: true });
});
afterAll(() => dirs.forEach((dir) => rmSync(dir, { recursive: true, force: true })));

describe('two gateways in one process', () => {
  test('have tree, port, sessions and facts of their own, and stop one by one', async () => {
    const [left, right] = [await start(), await start()];
    expect(left.port).not.toBe(right.port);
    const heard: { left: string[]; right: string[] } = { left: [], right: [] };
    const remove = left.on((fact) => heard.left.push(fact.type));
    right.on((fact) => heard.right.push(fact.type));
    const wire = await connect(left);
    const other = await connect(right);
    const runId = await say(wire, 'mine', 'good morning');
    expect(await settled(wire, runId)).toBe('ok');
    const messages = await historyOf(wire, 'mine');
    expect(exchangeFaults(messages, runId, 'good morning')).toEqual([]);
    expect(textOf(messages.at(-1))).toBe('clerk heard good morning');

    expect(await historyOf(other, 'mine')).toEqual([]);
    expect((await other.ask('sessions.list')).sessions).toEqual([]);
    expect(other.events('chat')).toEqual([]);
    const paths = (gateway: GatewayHandle): string[] => nodesOf(gateway.tree()).map((node) => node.path);
    expect(paths(left)).toContain('gateway/core/work/sessions/mine');
    expect(paths(right)).not.toContain('gateway/core/work/sessions/mine');
    await eventually('the fact', () => (heard.left.includes('message.processed') ? true : undefined));
    expect(heard.right.filter((type) => /^(message|run|session)\./.test(type))).toEqual([]);

    remove();
    const before = heard.left.length;
    expect(await settled(wire, await say(wire, 'mine', 'nobody listens'))).toBe('ok');
    expect(heard.left).toHaveLength(before);

    expect(await left.stop('enough')).toEqual({ clean: true });
    expect(await left.ended).toEqual({ code: 0, reason: 'enough' });
    expect((await wire.closed).code).not.toBe(1006);
    expect(await settled(other, await say(other, 'mine', 'still here?'))).toBe('ok');
  });

  test('leave no handler on the process', async () => {
    const signals = [
      'SIGTERM',
      'SIGINT',
      'SIGUSR1',
      'SIGUSR2',
      'SIGHUP',
      'uncaughtException',
      'unhandledRejection',
    ];
    const count = (): number[] => signals.map((name) => process.listenerCount(name));
    const before = count();
    await start();
    expect(count()).toEqual(before);
  });
});

test('a gateway stops when the signal of its host is aborted', async () => {
  const host = new AbortController();
  const gateway = await start({ signal: host.signal });
  const wire = await connect(gateway);
  host.abort();
  expect(await gateway.ended).toMatchObject({ code: 0 });
  await wire.closed;
  await expect(fetch(`http://127.0.0.1:${gateway.port}/livez`)).rejects.toThrow();
});

describe('a tool call of unknown outcome', () => {
  /** Hangs at its first call of an amount, whatever happens to whoever called; books at the second. */
  const makeLedger = () => {
    const calls: number[] = [];
    const ledger = defineTool({
      name: 'ledger',
      description: 'Books an amount. Never twice by itself.',
      input: z.object({ amount: z.number() }),
      idempotent: false,
      async run({ amount }) {
        const first = !calls.includes(amount);
        calls.push(amount);
        return first ? new Promise(() => {}) : { booked: amount };
      },
    });
    return { calls, ledger: ledger as Tool };
  };
  const session = (key: string): string => `gateway/core/work/sessions/${key}`;

  /** Begins a call and waits until the tool hangs. */
  const book = async (wire: Wire, key: string, amount: number, calls: number[]): Promise<string> => {
    const runId = await say(wire, key, `ledger ${amount}`);
    await eventually('the tool to be called', () => (calls.includes(amount) ? true : undefined));
    return runId;
  };

  const question = async (wire: Wire, key: string): Promise<string> => {
    await eventually('the session to wait for its user', async () =>
      (await nodeAt(wire, session(key)))?.state.startsWith('waiting') ? true : undefined,
    );
    return textOf((await historyOf(wire, key)).at(-1));
  };

  test('is asked about when its run was killed, and "skip" goes on without a second call', async () => {
    const { calls, ledger } = makeLedger();
    const wire = await connect(await start({ tools: [ledger] }));
    const runId = await book(wire, 'skip', 5, calls);
    await wire.ask('actor.kill', { path: `${session('skip')}/run` });
    expect(await question(wire, 'skip')).toMatch(/ledger.*unknown.*retry.*skip/s);
    expect((await wire.ask('actor.explain', { sessionKey: 'skip' })).findings.length).toBeGreaterThan(0);
    const answer = await say(wire, 'skip', 'skip');
    expect(await settled(wire, answer)).toBe('ok');
    expect(await settled(wire, runId)).toBe('ok');
    expect(calls).toEqual([5]);
    expect(textOf((await historyOf(wire, 'skip')).at(-1))).toContain('the ledger says');
  });

  test('is made once more after "retry", by the next gateway too', async () => {
    const { calls, ledger } = makeLedger();
    const stateDir = newStateDir();
    const first = await start({ stateDir, tools: [ledger] });
    const runId = await book(await connect(first), 'again', 7, calls);
    await first.stop('now', { fast: true });
    const wire = await connect(await start({ stateDir, tools: [ledger] }));
    expect(await question(wire, 'again')).toContain('"retry"');
    expect(calls).toEqual([7]);
    const answer = await say(wire, 'again', 'retry');
    expect(await settled(wire, answer)).toBe('ok');
    expect(await settled(wire, runId)).toBe('ok');
    expect(calls).toEqual([7, 7]);
    expect(textOf((await historyOf(wire, 'again')).at(-1))).toBe('the ledger says {"booked":7}');
  });
});
