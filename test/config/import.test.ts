import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { importConfig, loadConfig } from '../../src/config/index.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'coppice-import-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function carry(written: object) {
  const file = join(dir, 'other.json');
  writeFileSync(file, JSON.stringify(written, null, 2));
  return importConfig(file);
}
const load = (text: string, env: Record<string, string> = {}) =>
  loadConfig({ path: join(dir, 'config.jsonc'), text, env: { HOME: dir, ...env } });

test('the sample of the study is carried over whole, but for the place of the log', () => {
  const { text, left, todo } = carry({
    logging: {
      level: 'info',
      file: '/tmp/openclaw/openclaw.log',
      consoleLevel: 'info',
      consoleStyle: 'pretty',
      redactSensitive: 'tools',
    },
    diagnostics: {
      enabled: true,
      flags: ['gateway.*', 'agents.*'],
      otel: {
        enabled: true,
        endpoint: 'http://otel-collector:4318',
        serviceName: 'openclaw-gateway',
        traces: true,
        metrics: true,
        logs: false,
        sampleRate: 0.1,
        flushIntervalMs: 30_000,
      },
    },
    agents: {
      defaults: {
        heartbeat: { every: '60s', prompt: 'HEARTBEAT', target: 'last' },
        sandbox: { mode: 'non-main', allowlist: ['bash', 'read', 'write'] },
        tools: {
          loopDetection: {
            enabled: true,
            warningThreshold: 10,
            criticalThreshold: 20,
            globalCircuitBreakerThreshold: 30,
          },
        },
      },
    },
    gateway: { auth: { mode: 'token', token: 'your-secret-token' }, bind: 'loopback', port: 18_789 },
  });
  expect(left.map(({ path }) => path)).toEqual(['logging.file']);
  expect(todo).toEqual([]);
  const { config, warnings } = load(text);
  expect(config).toMatchObject({
    logging: { level: 'info', consoleStyle: 'pretty' },
    diagnostics: { otel: { sampleRate: 0.1, logs: false } },
    agents: { defaults: { heartbeat: { every: 60_000, prompt: 'HEARTBEAT' } } },
    tools: { sandbox: { mode: 'non-main' }, loopDetection: { criticalThreshold: 20 } },
    gateway: { auth: { token: 'your-secret-token' }, port: 18_789 },
  });
  // Already in their places here.
  expect(warnings.map(({ message }) => message).join()).not.toContain('taken as');
});

test.each([
  [
    'agents.defaults.maxConcurrent',
    { agents: { defaults: { maxConcurrent: 4 } } },
    { lanes: { main: { maxConcurrent: 4 } } },
  ],
  [
    'agents.defaults.subagents.maxConcurrent',
    { agents: { defaults: { subagents: { maxConcurrent: 3 } } } },
    { lanes: { subagent: { maxConcurrent: 3 } } },
  ],
  ['cron.maxConcurrentRuns', { cron: { maxConcurrentRuns: 2 } }, { lanes: { cron: { maxConcurrent: 2 } } }],
  [
    'agents.defaults.timeoutSeconds',
    { agents: { defaults: { timeoutSeconds: 90 } } },
    { agents: { defaults: { timeoutMs: 90_000 } } },
  ],
  [
    'agents.defaults.workspace',
    { agents: { defaults: { workspace: '~/w' } } },
    { agents: { defaults: { workspace: join(homedir(), 'w') } } },
  ],
  [
    'messages.queue',
    { messages: { queue: { mode: 'collect', cap: 20, drop: 'summarize' } } },
    { session: { queue: { mode: 'collect', cap: 20, drop: 'summarize' } } },
  ],
  ['logging.maxFileBytes', { logging: { maxFileBytes: 104_857_600 } }, { logging: { maxFileMb: 100 } }],
  ['commands.restart', { commands: { restart: false } }, { restart: { allowSignal: false } }],
  ['gateway.bind auto', { gateway: { bind: 'auto' } }, { gateway: { bind: 'loopback' } }],
  [
    'gateway.controlUi.allowedOrigins',
    { gateway: { controlUi: { allowedOrigins: ['http://a'] } } },
    { gateway: { allowedOrigins: ['http://a'] } },
  ],
  [
    'diagnostics.stuckSessionWarnMs',
    { diagnostics: { stuckSessionWarnMs: 5 } },
    { diagnostics: { stuckSession: { warnMs: 5 } } },
  ],
  [
    'mcp.servers',
    { mcp: { servers: { fs: { command: 'x' } } } },
    { tools: { mcp: { servers: { fs: { command: 'x' } } } } },
  ],
  [
    'a variable in a secret',
    { gateway: { auth: { token: '${MY_TOKEN}' } } },
    { gateway: { auth: { token: 'env:MY_TOKEN' } } },
  ],
  [
    'a reference to a secret',
    { gateway: { auth: { token: { source: 'env', provider: 'default', id: 'MY_TOKEN' } } } },
    { gateway: { auth: { token: 'env:MY_TOKEN' } } },
  ],
  [
    'the identity of an agent',
    { agents: { list: [{ id: 'a', identity: { name: 'Ada' } }] } },
    { agents: { list: [{ id: 'a', name: 'Ada' }] } },
  ],
  [
    'heartbeat.activeHours',
    {
      agents: {
        defaults: { heartbeat: { activeHours: { start: '08:00', end: '24:00', timezone: 'user' } } },
      },
    },
    {
      agents: {
        defaults: { heartbeat: { activeHours: { start: '08:00', end: '24:00', timezone: 'user' } } },
      },
    },
  ],
])('%s finds its place', (_name, written, raw) => {
  const carried = carry(written);
  expect(carried.left).toEqual([]);
  expect(carried.raw).toEqual(raw);
  load(carried.text, { MY_TOKEN: 'x' });
});

test.each([
  ['gateway.bind', { gateway: { bind: 'tailnet' } }, 'set gateway.bind'],
  ['gateway.auth.mode', { gateway: { auth: { mode: 'password' } } }, 'asks for a token'],
  ['session.idleMinutes', { session: { idleMinutes: 60 } }, 'there it resets a session'],
  ['channels', { channels: { telegram: { botToken: 't' } } }, 'set up anew'],
  ['auth', { auth: { cooldowns: { billingBackoffHours: 5 } } }, 'models.providers.NAME'],
  ['gateway.reload', { gateway: { reload: { mode: 'hot' } } }, 'SIGHUP'],
  ['tools.exec', { tools: { exec: 1 } }, 'coppice has no "exec"'],
  ['tools.allow', { tools: { allow: [] } }, 'an empty list meant everything'],
  ['hooks.token', { hooks: { token: 't' } }, 'coppice has no "hooks"'],
  ['logging.level', { logging: { level: 'loud' } }, 'expected one of'],
  ['agents.defaults.model', { agents: { defaults: { model: 'nobody/x' } } }, 'there is no provider "nobody"'],
  [
    'models.providers.g.api',
    { models: { providers: { g: { api: 'google-generative-ai' } } } },
    'expected one of',
  ],
])('%s is left, with its line and the reason, and what is taken is valid', (path, written, reason) => {
  const { left, text, taken } = carry({ ...written, retry: { attempts: 2 } });
  expect(left).toEqual([
    { path, where: expect.stringMatching(/other\.json:\d+:\d+$/), reason: expect.stringContaining(reason) },
  ]);
  expect(taken).toEqual([{ from: 'retry.attempts', to: 'retry.attempts' }]);
  load(text);
});

test('a provider that needs no entry there gets one here, and what is missing is told', () => {
  const { raw, todo, text } = carry({
    agents: { defaults: { model: { primary: 'anthropic/claude', fallbacks: [] } } },
  });
  expect(raw['models']).toMatchObject({ providers: { anthropic: { apiKey: 'env:ANTHROPIC_API_KEY' } } });
  expect(todo).toEqual([expect.stringContaining('set ANTHROPIC_API_KEY')]);
  expect(load(text, { ANTHROPIC_API_KEY: 'k' }).config.agents.defaults.model.primary).toBe(
    'anthropic/claude',
  );
});

test('a file that is no JSON, or not there, is told with its line', () => {
  const file = join(dir, 'broken.json');
  writeFileSync(file, '{ gateway: {} }');
  expect(() => importConfig(file)).toThrow(/broken\.json:1:3/);
  expect(() => importConfig(join(dir, 'none.json'))).toThrow(/there is no such file/);
});
