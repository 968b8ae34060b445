import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import {
  createGateway,
  defineProvider,
  loadConfig,
  type Config,
  type GatewayHandle,
  type ModelRequest,
} from '../../src/index.ts';
import { historyOf, nodesOf, say, settled, textOf } from '../e2e/talk.ts';
import { eventually, openWire, type Wire } from '../e2e/wire.ts';

const TOKEN = 'a-token-of-the-test-0123456789';
const asked: ModelRequest[] = [];
/** Resolved: a model that was told to wait goes on. */
let release = Promise.withResolvers<void>();
/** Says which model answers, and remembers what it was asked. */
const mirror = defineProvider({
  name: 'mirror',
  api: 'custom',
  models: () => ['one', 'two'].map((id) => ({ id, provider: 'mirror' })),
  async *stream(request: ModelRequest) {
    asked.push(request);
    if (JSON.stringify(request.messages.at(-1)?.content).includes('wait')) await release.promise;
    yield { type: 'text', delta: `${request.model} answers` };
    yield { type: 'finish', reason: 'stop' };
  },
});

let dir: string;
let gateway: GatewayHandle | undefined;
let wire: Wire | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'coppice-reload-'));
  asked.length = 0;
  release = Promise.withResolvers<void>();
});
afterEach(async () => {
  release.resolve();
  wire?.close();
  await gateway?.stop('the test is over', { fast: true });
  [wire, gateway] = [undefined, undefined];
  rmSync(dir, { recursive: true, force: true });
});

const BASE = {
  models: { providers: { mirror: { api: 'loopback' } } },
  agents: { defaults: { model: 'mirror/one' } },
};
const read = (written: object): Config =>
  loadConfig({
    path: join(dir, 'config.jsonc'),
    text: JSON.stringify({ ...BASE, ...written }),
    env: {},
    flags: { stateDir: dir, port: 0, token: TOKEN },
  }).config;

async function start(written: object = {}, log = false): Promise<GatewayHandle> {
  gateway = createGateway(read(written), { stateDir: dir, log, providers: [mirror] });
  await gateway.start();
  return gateway;
}
async function ask(text: string): Promise<string> {
  wire ??= await openWire({ url: `http://127.0.0.1:${gateway!.port}`, token: TOKEN });
  expect(await settled(wire, await say(wire, 'mine', text))).toBe('ok');
  return textOf((await historyOf(wire, 'mine')).at(-1));
}
const lifeOf = (id: string): number | undefined =>
  nodesOf(gateway!.tree()).find((node) => node.path === `gateway/core/edge/${id}`)?.incarnation;
const defaults = (one: object) => ({ agents: { defaults: { model: 'mirror/one', ...one } } });

describe('a running gateway takes a new configuration', () => {
  test('and the next turn has the new model and system prompt, in the same session and on the same socket', async () => {
    const running = await start(defaults({ systemPrompt: 'old' }));
    expect(await ask('one')).toBe('one answers');
    const taken = running.reconfigure(() => read(defaults({ model: 'mirror/two', systemPrompt: 'new' })));
    expect(taken).toMatchObject({
      live: ['agents.defaults.model.primary', 'agents.defaults.systemPrompt'],
      restart: [],
      version: 2,
    });
    expect(await ask('two')).toBe('two answers');
    expect(asked.map(({ messages }) => JSON.stringify(messages[0]?.content).includes('new'))).toEqual([
      false,
      true,
    ]);
  });

  test('and the tools of an agent change with the next turn', async () => {
    const running = await start();
    await ask('one');
    running.reconfigure(() => read({ tools: { deny: ['*'] } }));
    await ask('two');
    expect(asked.map(({ tools }) => (tools ?? []).length > 0)).toEqual([true, false]);
  });

  test('and a lane lets more in at once: who waited for it comes in', async () => {
    const running = await start({ lanes: { main: { maxConcurrent: 1 } } });
    const facts: string[] = [];
    running.on(({ type, data }) => facts.push(`${type} ${JSON.stringify(data)}`));
    wire = await openWire({ url: `http://127.0.0.1:${running.port}`, token: TOKEN });
    const slow = await say(wire, 'slow', 'wait');
    await eventually('the slow one', () => (asked.length === 1 ? true : undefined));
    const quick = await say(wire, 'quick', 'now');
    await eventually('the queue', () =>
      facts.some((fact) => /^queue\.lane\.enqueue/.test(fact)) ? true : undefined,
    );
    expect(asked.length).toBe(1);
    running.reconfigure(() => read({ lanes: { main: { maxConcurrent: 3 } } }));
    expect(await settled(wire, quick)).toBe('ok');
    release.resolve();
    expect(await settled(wire, slow)).toBe('ok');
    expect(facts.find((fact) => fact.startsWith('config.applied'))).toContain(
      '"live":["lanes.main.maxConcurrent"]',
    );
    expect(facts.join()).not.toContain('restart.requested');
  });

  test('and a restart keeps to the new times, also while a turn hangs', async () => {
    const times = { deferMs: 600_000, drainMs: 600_000, cooldownMs: 0 };
    const running = await start({ restart: times });
    wire = await openWire({ url: `http://127.0.0.1:${running.port}`, token: TOKEN });
    await say(wire, 'slow', 'wait');
    await eventually('the slow one', () => (asked.length === 1 ? true : undefined));
    running.reconfigure(() => read({ restart: { ...times, deferMs: 1, drainMs: 1 } }));
    running.requestRestart('to try the times');
    expect(await running.ended).toMatchObject({ code: 75, reason: 'to try the times' });
  });

  test('and the heartbeat begins a new life with the new time; the others live on', async () => {
    const running = await start(defaults({ heartbeat: { every: '1h' } }));
    running.reconfigure(() => read(defaults({ heartbeat: { every: '2h' } })));
    await eventually('the new life', () => (lifeOf('heartbeat') === 2 ? true : undefined));
    running.reconfigure(() => read(defaults({ heartbeat: { every: '2h' }, systemPrompt: 'x' })));
    expect(await ask('one')).toBe('one answers');
    expect(lifeOf('heartbeat')).toBe(2);
  });

  test('and the log has the new level from then on', async () => {
    const running = await start({ logging: { level: 'info', consoleLevel: 'silent' } }, true);
    const logged = (): string =>
      readdirSync(join(dir, 'logs'))
        .map((name) => readFileSync(join(dir, 'logs', name), 'utf8'))
        .join('');
    await eventually('the start', () => (logged().includes('gateway.started') ? true : undefined));
    running.reconfigure(() => read({ logging: { level: 'error', consoleLevel: 'silent' } }));
    const before = logged();
    await ask('one');
    expect(logged().replace(before, '')).not.toContain('"level":"info"');
    expect(before).toContain('gateway.started');
  });

  test('and a page of another origin may connect when it is listed', async () => {
    const running = await start();
    const knock = (): Promise<string> =>
      new Promise((resolve) => {
        const page = new WebSocket(`ws://127.0.0.1:${running.port}/ws`, { origin: 'http://desk.example' });
        page.on('open', () => resolve('let in')).on('error', (error) => resolve(error.message));
        page.on('open', () => page.terminate());
      });
    expect(await knock()).toContain('403');
    running.reconfigure(() => read({ gateway: { allowedOrigins: ['http://desk.example'] } }));
    expect(await knock()).toBe('let in');
    running.reconfigure(() => read({}));
    expect(await knock()).toContain('403');
  });

  test('and what a restart must bring waits for it, with everything that came along', async () => {
    const running = await start();
    const other = {
      models: { providers: { ...BASE.models.providers, more: { api: 'loopback' } } },
      ...defaults({ model: 'more/echo' }),
    };
    const taken = running.reconfigure(() => read(other));
    expect(taken).toMatchObject({ live: [], restart: ['models.providers.more'], version: 1 });
    expect(await running.ended).toMatchObject({
      code: 75,
      reason: 'the configuration changed: models.providers.more',
    });
  });

  test('and a new port is told to need a full stop, as often as it is asked', async () => {
    const running = await start();
    const moved = (): Config => {
      const next = read({ session: { idleMinutes: 5 } });
      return { ...next, gateway: { ...next.gateway, port: 1 } };
    };
    expect(running.reconfigure(moved)).toMatchObject({
      live: ['session.idleMinutes'],
      stop: ['gateway.port'],
    });
    expect(running.reconfigure(moved)).toMatchObject({
      changed: ['gateway.port'],
      live: [],
      stop: ['gateway.port'],
    });
  });

  test('and one that is invalid changes nothing and is told as a fact', async () => {
    const running = await start();
    const facts: string[] = [];
    running.on(({ type, data }) => facts.push(`${type} ${JSON.stringify(data)}`));
    expect(() => running.reconfigure(() => read({ gateway: { prot: 1 } }))).toThrow(/did you mean "port"/);
    await eventually('the fact', () => facts.find((fact) => /^config\.rejected .*prot/.test(fact)));
    expect(running.reconfigure(() => read({}))).toMatchObject({ changed: [], version: 1 });
  });

  test('and the config actor, killed, comes back with what is in force', async () => {
    const running = await start();
    running.reconfigure(() => read({ lanes: { main: { maxConcurrent: 3 } } }));
    wire = await openWire({ url: `http://127.0.0.1:${running.port}`, token: TOKEN });
    await wire.ask('actor.kill', { path: 'gateway/core/foundation/config' });
    const life = (): number | undefined =>
      nodesOf(running.tree()).find((node) => node.path === 'gateway/core/foundation/config')?.incarnation;
    await eventually('its new life', () => (life() === 2 ? true : undefined));
    expect(running.reconfigure(() => read({ lanes: { main: { maxConcurrent: 3 } } }))).toMatchObject({
      changed: [],
      version: 2,
    });
    expect(await ask('one')).toBe('one answers');
  });
});

describe('SIGHUP', () => {
  const bin = fileURLToPath(new URL('../../bin/coppice.js', import.meta.url));
  let child: ChildProcess | undefined;
  afterEach(async () => {
    if (!child || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  test('is answered in words: what is in force, what is refused and why, and the gateway lives on', async () => {
    const file = join(dir, 'config.jsonc');
    writeFileSync(file, '{ "logging": { "consoleLevel": "silent" } }');
    child = spawn(process.execPath, [bin, 'run', '--no-launcher', '--port', '0'], {
      env: { HOME: dir, COPPICE_CONFIG: file, COPPICE_STATE_DIR: join(dir, 'state') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += String(chunk)));
    const heard = (text: string): Promise<true> =>
      eventually(`"${text}"`, () => (said.includes(text) ? true : undefined));
    await heard('is up at');
    const hangUp = async (text: string, answer: string): Promise<void> => {
      writeFileSync(file, text);
      child?.kill('SIGHUP');
      await heard(answer);
    };
    await hangUp(
      '{ "logging": { "consoleLevel": "silent", "level": "warn" } }',
      'in force from now on: logging.level',
    );
    await hangUp(
      '{\n  "loging": {} }',
      'config.jsonc:2:3 loging: unknown key "loging"; did you mean "logging"?',
    );
    expect(said).toContain('is not used');
    await hangUp('{ "logging": { "consoleLevel": "silent", "level": "warn" } }', 'nothing changed');
    await hangUp(
      '{ "logging": { "consoleLevel": "silent", "level": "warn" }, "gateway": { "bind": "127.0.0.2" } }',
      'only a full stop and start',
    );
    expect(child.exitCode).toBeNull();
    await hangUp(
      '{ "logging": { "consoleLevel": "silent" }, "gateway": { "limits": { "frameBytes": 2048 } } }',
      'a planned restart brings: gateway.limits.frameBytes',
    );
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
    expect(code).toBe(75);
  });
});
