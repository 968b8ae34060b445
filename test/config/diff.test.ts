import { expect, test } from 'vitest';
import { diff, loadConfig, type Config, type Effect } from '../../src/config/index.ts';

const config = (written: object): Config =>
  loadConfig({ path: '/nowhere/config.jsonc', text: JSON.stringify(written), env: { HOME: '/nowhere' } })
    .config;
const agents = (one: object) => ({ agents: { list: [{ id: 'a', ...one }, { id: 'b' }] } });
const defaults = (one: object) => ({ agents: { defaults: one } });
const provider = (one: object) => ({ models: { providers: { loopback: { api: 'loopback', ...one } } } });

/** Before, after, the key that is named, and what it takes. */
const CASES: readonly (readonly [path: string, effect: Effect, before: object, after: object])[] = [
  ['$schema', 'live', {}, { $schema: 'x' }],
  ['logging.level', 'live', {}, { logging: { level: 'debug' } }],
  ['logging.consoleLevel', 'live', {}, { logging: { consoleLevel: 'warn' } }],
  ['logging.redactPatterns', 'live', {}, { logging: { redactPatterns: ['a'] } }],
  ['diagnostics.flags', 'live', {}, { diagnostics: { flags: ['gateway.*'] } }],
  ['diagnostics.enabled', 'restart', {}, { diagnostics: { enabled: false } }],
  ['gateway.port', 'stop', {}, { gateway: { port: 1 } }],
  ['gateway.bind', 'stop', {}, { gateway: { bind: '127.0.0.2' } }],
  ['gateway.allowedOrigins', 'live', {}, { gateway: { allowedOrigins: ['http://a'] } }],
  ['gateway.auth.token', 'restart', {}, { gateway: { auth: { token: 't' } } }],
  ['gateway.limits.frameBytes', 'restart', {}, { gateway: { limits: { frameBytes: 2_048 } } }],
  ['models.retry.attempts', 'live', {}, { models: { retry: { attempts: 5 } } }],
  ['models.providers.loopback.apiKey', 'restart', provider({}), provider({ apiKey: 'k' })],
  [
    'models.providers.other',
    'restart',
    provider({}),
    { models: { providers: { loopback: { api: 'loopback' }, other: { api: 'loopback' } } } },
  ],
  ['models.budgets', 'restart', {}, { models: { budgets: { day: { tokens: 1 } } } }],
  ['retry.attempts', 'live', {}, { retry: { attempts: 5 } }],
  ['agents.defaults.model.primary', 'live', {}, defaults({ model: 'loopback/other' })],
  ['agents.defaults.systemPrompt', 'live', {}, defaults({ systemPrompt: 's' })],
  ['agents.defaults.heartbeat.every', 'live', {}, defaults({ heartbeat: { every: '5m' } })],
  [
    'agents.defaults.heartbeat.activeHours',
    'live',
    {},
    defaults({ heartbeat: { activeHours: { start: '8:00', end: '9:00' } } }),
  ],
  ['agents.defaults.tools.deny', 'live', {}, defaults({ tools: { deny: ['x'] } })],
  ['tools.loopDetection.enabled', 'live', {}, { tools: { loopDetection: { enabled: false } } }],
  ['agents.defaults.timeoutMs', 'live', {}, defaults({ timeoutMs: 5 })],
  ['agents.defaults.workspace', 'restart', {}, defaults({ workspace: '/w' })],
  ['agents.list.0.systemPrompt', 'live', agents({}), agents({ systemPrompt: 's' })],
  ['agents.list.0.heartbeat', 'live', agents({}), agents({ heartbeat: { every: 1 } })],
  ['agents.list.0.model', 'live', agents({}), agents({ model: 'loopback/x' })],
  ['agents.list.0.tools', 'live', agents({}), agents({ tools: { allow: ['x'] } })],
  ['agents.list.0.id', 'restart', agents({}), agents({ id: 'c' })],
  ['agents.list.0.default', 'restart', agents({}), agents({ default: true })],
  ['agents.list', 'restart', {}, agents({})],
  ['tools.allow', 'live', {}, { tools: { allow: ['read'] } }],
  ['tools.mcp', 'restart', {}, { tools: { mcp: { servers: {} } } }],
  ['session.idleMinutes', 'live', {}, { session: { idleMinutes: 5 } }],
  ['session.queue.cap', 'live', {}, { session: { queue: { cap: 5 } } }],
  ['lanes.main.maxConcurrent', 'live', {}, { lanes: { main: { maxConcurrent: 5 } } }],
  ['lanes.extra', 'restart', {}, { lanes: { extra: { maxConcurrent: 5 } } }],
  ['restart.deferMs', 'live', {}, { restart: { deferMs: 5 } }],
  [
    'supervision.gateway/core',
    'restart',
    {},
    { supervision: { 'gateway/core': { intensity: 5, periodMs: 5 } } },
  ],
  ['alerts', 'restart', {}, { alerts: {} }],
];

test.each(CASES)('%s takes effect: %s', (path, effect, before, after) => {
  expect(diff(config(before), config(after))).toEqual([{ path, effect }]);
  expect(diff(config(after), config(before))).toEqual([{ path, effect }]);
});

test('what is the same is no change, in whatever order it stands', () => {
  const one = { lanes: { main: { maxConcurrent: 1 }, cron: { maxConcurrent: 2 } } };
  const other = { lanes: { cron: { maxConcurrent: 2 }, main: { maxConcurrent: 1 } } };
  expect(diff(config(one), config(other))).toEqual([]);
});
