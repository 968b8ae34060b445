import { describe, expect, test } from 'vitest';
import { configJsonSchema, leaves, configSchema, isEffective, loadConfig } from '../../src/config/index.ts';

interface Schema {
  readonly [key: string]: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}
const schema = configJsonSchema() as Schema;
const at = (path: string): Schema =>
  path.split('.').reduce<Schema>((found, key) => found.properties?.[key] ?? {}, schema);

describe('the schema for editors', () => {
  test('names its draft and itself, and refuses unknown keys', () => {
    expect(schema).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'urn:coppice:config',
      type: 'object',
      additionalProperties: false,
    });
  });
  test('asks for nothing that is filled in', () => {
    for (const path of ['agents', 'agents.defaults']) expect(at(path).required, path).toBeUndefined();
    expect(schema.required).toBeUndefined();
  });
  test('tells defaults, descriptions and choices', () => {
    expect(at('gateway.port')).toMatchObject({
      default: 18_789,
      minimum: 0,
      maximum: 65_535,
      description: expect.any(String),
    });
    expect(at('logging.level')['enum']).toContain('warn');
    expect(at('agents.defaults.heartbeat.every')).toMatchObject({
      default: '30m',
      examples: expect.arrayContaining(['60s']),
    });
  });
  test('knows the bare model, the carried-over places, and marks secrets', () => {
    expect(at('agents.defaults.model')['anyOf']).toMatchObject([{ type: 'string' }, { type: 'object' }]);
    expect(at('agents.defaults.sandbox')).toMatchObject({
      deprecated: true,
      description: 'Taken as tools.sandbox.',
    });
    expect(at('gateway.auth.token')).toMatchObject({ writeOnly: true });
    expect(JSON.stringify(schema)).not.toContain('"secret":true');
  });
  test('describes every key that may be written', () => {
    const silent = leaves(configSchema)
      .filter(
        ({ path }) =>
          !path.includes('NAME') &&
          !path.includes('[]') &&
          path.join('.') !== 'agents.defaults.model.primary' &&
          path.join('.') !== 'agents.defaults.model.fallbacks',
      )
      .filter(({ path }) => typeof at(path.join('.'))['description'] !== 'string')
      .map(({ path }) => path.join('.'));
    expect(silent).toEqual([]);
  });
  test('may be named in the file', () => {
    const { config } = loadConfig({
      path: '/n/c.jsonc',
      text: '{ "$schema": "./coppice.schema.json" }',
      env: { HOME: '/n' },
    });
    expect(config.$schema).toBe('./coppice.schema.json');
  });
});

describe('what this version only accepts is said to be so:', () => {
  test.each([
    ['diagnostics.stuckSession', { diagnostics: { stuckSession: { warnMs: 5 } } }],
    ['diagnostics.prometheus', { diagnostics: { prometheus: { enabled: true } } }],
    ['models.failover', { models: { failover: { enabled: true } } }],
    ['models.budgets', { models: { budgets: { day: { costUsd: 5 } } } }],
    [
      'models.providers.x.profiles',
      { models: { providers: { x: { api: 'loopback', profiles: [{ id: 'a', apiKey: 'k' }] } } } },
    ],
    ['tools.mcp', { tools: { mcp: { servers: { fs: { command: 'x' } } } } }],
    ['plugins', { plugins: { allow: ['x'], entries: { x: { enabled: true, own: 1 } } } }],
    [
      'alerts',
      {
        alerts: { routes: { ops: { type: 'webhook', url: 'https://x' } }, rules: [{ fact: 'run.crashed' }] },
      },
    ],
    ['audit', { audit: { every: '1h' } }],
    ['cluster', { cluster: { engine: 'postgres', url: 'env:PG' } }],
  ])('%s', (path, written) => {
    const load = (text: string) =>
      loadConfig({ path: '/n/c.jsonc', text, env: { HOME: '/n', PG: 'postgres://u:p@h/d' } });
    expect(load(JSON.stringify(written)).warnings).toEqual([
      { path, message: 'accepted, not effective in this version' },
    ]);
    expect(load('{}').warnings).toEqual([]);
  });

  test.each([
    ['diagnostics.enabled', { diagnostics: { enabled: false } }, { diagnostics: { enabled: true } }],
    [
      'session.queue.mode',
      { session: { queue: { mode: 'steer' } } },
      { session: { queue: { mode: 'followup' } } },
    ],
    [
      'session.queue.drop',
      { session: { queue: { drop: 'old' } } },
      { session: { queue: { drop: 'refuse' } } },
    ],
  ])('%s, but for the value that it acts upon', (path, ignored, honoured) => {
    const warned = (written: object) =>
      loadConfig({ path: '/n/c.jsonc', text: JSON.stringify(written), env: { HOME: '/n' } }).warnings;
    expect(warned(ignored)).toEqual([{ path, message: expect.stringContaining('this version') }]);
    expect(warned(honoured)).toEqual([]);
  });

  test('and a page that lists keys can tell', () => {
    expect(isEffective(['diagnostics', 'flags'])).toBe(false);
    expect(isEffective(['models', 'providers', 'NAME', 'profiles', '[]', 'id'])).toBe(false);
    expect(isEffective(['models', 'providers', 'NAME', 'apiKey'])).toBe(true);
    expect(isEffective(['session', 'queue', 'mode'])).toBe(true);
    expect(isEffective(['auditing'])).toBe(true);
  });

  test('secrets in lists and in groups are known to the redactor', () => {
    const { secrets } = loadConfig({
      path: '/n/c.jsonc',
      text: JSON.stringify({
        models: { providers: { x: { api: 'loopback', profiles: [{ id: 'a', apiKey: 'one-1' }] } } },
        cluster: { url: 'two-2' },
        diagnostics: { otel: { headers: { authorization: 'three-3' } } },
      }),
      env: { HOME: '/n' },
    });
    expect(secrets.toSorted()).toEqual(['one-1', 'three-3', 'two-2']);
  });
});
