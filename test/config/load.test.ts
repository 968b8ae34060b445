import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  agentConfigs,
  configPath,
  DEFAULT_MODELS,
  envKeys,
  loadConfig,
  parseDuration,
  stateDir,
} from '../../src/config/index.ts';
import type { Flags, Problem } from '../../src/config/index.ts';
import { settingsOf } from '../../src/gateway/settings.ts';
import { CoppiceError } from '../../src/errors.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'coppice-config-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const HOME = { HOME: '/nowhere' };
function load(text?: string, env: Record<string, string> = {}, flags: Flags = {}) {
  const path = join(dir, 'config.jsonc');
  if (text !== undefined) writeFileSync(path, text);
  return loadConfig({ path, env: { ...HOME, ...env }, flags });
}
function problems(text: string | undefined, env: Record<string, string> = {}, flags: Flags = {}): Problem[] {
  try {
    load(text, env, flags);
  } catch (error) {
    if (error instanceof CoppiceError && error.code === 'CONFIG_INVALID')
      return error.details['list'] as Problem[];
    throw error;
  }
  return [];
}

/** The complete sample that the field's best-known gateway is documented with. */
const SAMPLE = `{
  "logging": { "level": "info", "file": "/tmp/openclaw/openclaw.log", "consoleLevel": "info", "consoleStyle": "pretty", "redactSensitive": "tools" },
  "diagnostics": {
    "enabled": true, "flags": ["gateway.*", "agents.*"],
    "otel": { "enabled": true, "endpoint": "http://otel-collector:4318", "serviceName": "openclaw-gateway", "traces": true, "metrics": true, "logs": false, "sampleRate": 0.1, "flushIntervalMs": 30000 }
  },
  "agents": { "defaults": {
    "heartbeat": { "every": "60s", "prompt": "HEARTBEAT", "target": "last" },
    "sandbox": { "mode": "non-main", "allowlist": ["bash", "read", "write"] },
    "tools": { "loopDetection": { "enabled": true, "warningThreshold": 10, "criticalThreshold": 20, "globalCircuitBreakerThreshold": 30 } }
  } },
  "gateway": { "auth": { "mode": "token", "token": "your-secret-token" }, "bind": "loopback", "port": 18789 }
}`;

describe('with nothing said', () => {
  test('the built-in model answers on loopback, and every default is there', () => {
    const { config, warnings, file } = load();
    expect(config.gateway).toMatchObject({
      port: 18_789,
      bind: 'loopback',
      auth: { mode: 'token', rateLimit: { maxAttempts: 10 } },
      allowedOrigins: [],
    });
    expect(config.models).toEqual({ providers: { loopback: { api: 'loopback' } }, retry: {} });
    expect(config.agents.defaults).toMatchObject({
      model: { primary: 'loopback/echo', fallbacks: [] },
      timeoutMs: 600_000,
      workspace: '/nowhere/.local/state/coppice/workspace',
    });
    expect(config.agents.defaults.heartbeat).toMatchObject({
      every: 1_800_000,
      target: 'last',
      ackMaxChars: 300,
    });
    expect(config.lanes).toEqual({
      main: { maxConcurrent: 8 },
      cron: { maxConcurrent: 1 },
      subagent: { maxConcurrent: 8 },
      nested: { maxConcurrent: 1 },
    });
    expect(config.restart).toEqual({
      deferMs: 30_000,
      drainMs: 30_000,
      cooldownMs: 30_000,
      allowSignal: true,
    });
    expect(config.retry).toEqual({ attempts: 3, minDelayMs: 300, maxDelayMs: 30_000, jitter: 0.2 });
    expect(warnings).toEqual([{ path: '', message: expect.stringContaining('there is no file') }]);
    expect(file).toBeUndefined();
  });

  test('an empty file and one with comments only are as good as none', () => {
    expect(load('').config).toEqual(load('// nothing yet\n{}\n').config);
  });

  test.each(DEFAULT_MODELS.map((row) => [row.key, row] as const))(
    '%s adds its provider and takes it, and the key is known to the redactor',
    (key, { provider, api, baseUrl, model }) => {
      const { config, warnings, secrets } = load('{}', { [key]: 'sk-made-up-1234567890' });
      expect(config.models.providers).toEqual({
        [provider]: { api, baseUrl, apiKey: 'sk-made-up-1234567890' },
      });
      expect(config.agents.defaults.model).toEqual({ primary: `${provider}/${model}`, fallbacks: [] });
      expect(warnings).toMatchObject([{ path: `models.providers.${provider}` }]);
      expect(secrets).toEqual(['sk-made-up-1234567890']);
    },
  );

  const BOTH = { ANTHROPIC_API_KEY: 'sk-ant-made-up', OPENAI_API_KEY: 'sk-made-up-1234567890' };

  test('with both keys Anthropic answers and OpenAI stands by', () => {
    const { config } = load('{}', BOTH);
    expect(Object.keys(config.models.providers)).toEqual(['anthropic', 'openai']);
    const { primary, fallbacks } = config.agents.defaults.model;
    expect([primary, ...fallbacks].map((name) => name.split('/')[0])).toEqual(['anthropic', 'openai']);
  });

  test.each(['"openai/gpt-5.4"', '{ "primary": "openai/gpt-5.4" }'])(
    'who names the model %s gets no fallback that was not asked for',
    (model) => {
      const { config } = load(`{ "agents": { "defaults": { "model": ${model} } } }`, BOTH);
      expect(config.agents.defaults.model).toEqual({ primary: 'openai/gpt-5.4', fallbacks: [] });
    },
  );

  test('an OpenAI key changes nothing once a provider is configured', () => {
    const { config } = load(
      '{ "models": { "providers": { "local": { "api": "openai-completions", "baseUrl": "http://127.0.0.1:1/v1", "models": [{ "id": "qwen" }] } } } }',
      { OPENAI_API_KEY: 'sk-x' },
    );
    expect(Object.keys(config.models.providers)).toEqual(['local']);
    expect(config.agents.defaults.model.primary).toBe('local/qwen');
  });
});

describe('the sample of the study', () => {
  test('loads whole, is mapped, and says what has no effect yet', () => {
    const { config, warnings, origins } = load(SAMPLE);
    expect(config.agents.defaults.heartbeat).toMatchObject({
      every: 60_000,
      prompt: 'HEARTBEAT',
      target: 'last',
    });
    expect(config.tools.loopDetection).toMatchObject({ enabled: true, globalCircuitBreakerThreshold: 30 });
    expect(config.tools.sandbox).toEqual({ mode: 'non-main', allowlist: ['bash', 'read', 'write'] });
    expect(config.gateway.auth.token).toBe('your-secret-token');
    expect(warnings.map((warning) => warning.path).toSorted()).toEqual([
      'agents.defaults.sandbox',
      'agents.defaults.tools.loopDetection',
      'diagnostics.flags',
      'diagnostics.otel',
      'logging.file',
      'tools.sandbox',
    ]);
    expect(origins['tools.sandbox.mode']).toMatchObject({
      layer: 'file',
      where: expect.stringMatching(/config\.jsonc:9:/),
    });
  });

  test('loop detection is on where nothing is said, and thresholds that contradict each other are refused', () => {
    expect(load().config.tools.loopDetection).toEqual({
      enabled: true,
      historySize: 30,
      warningThreshold: 10,
      criticalThreshold: 20,
      globalCircuitBreakerThreshold: 30,
      pollTools: [],
      detectors: { genericRepeat: true, knownPollNoProgress: true, pingPong: true },
    });
    const said = load('{ "tools": { "loopDetection": { "criticalThreshold": 15, "pollTools": ["job"] } } }');
    expect(settingsOf(said.config).runs.loop?.('main')).toMatchObject({
      criticalThreshold: 15,
      pollTools: ['job'],
    });
    const of = (loopDetection: object) =>
      problems(JSON.stringify({ tools: { loopDetection } })).map(({ path, message }) => [path, message]);
    expect(of({ warningThreshold: 20 })).toEqual([
      [
        'tools.loopDetection.criticalThreshold',
        expect.stringContaining('20 is not more than warningThreshold'),
      ],
    ]);
    expect(of({ criticalThreshold: 30 })).toEqual([
      ['tools.loopDetection.globalCircuitBreakerThreshold', expect.stringContaining('at least 31')],
    ]);
    expect(of({ warningThreshold: 5, criticalThreshold: 6, globalCircuitBreakerThreshold: 7 })).toEqual([]);
    expect(of({ detectors: { pingpong: false } })).toEqual([
      ['tools.loopDetection.detectors.pingpong', expect.stringContaining('pingPong')],
    ]);
  });

  test('each agent has its own longest turn, or that of all', () => {
    const agents = {
      defaults: { timeoutMs: 9_000 },
      list: [{ id: 'main' }, { id: 'ops', timeoutMs: 5_000 }],
    };
    const { turnTimeoutMs } = settingsOf(load(JSON.stringify({ agents })).config).sessions;
    expect(['main', 'ops', 'unheard-of'].map(turnTimeoutMs)).toEqual([9_000, 5_000, 9_000]);
  });

  test('one agent may have other loop thresholds, key by key over those of all, and no contradiction in them', () => {
    const agents = (loopDetection: object) => ({
      list: [{ id: 'main' }, { id: 'ops', tools: { loopDetection } }],
    });
    const said = load(
      JSON.stringify({
        tools: { loopDetection: { warningThreshold: 5, detectors: { pingPong: false } } },
        agents: agents({ criticalThreshold: 12, detectors: { genericRepeat: false } }),
      }),
    );
    const { loop } = settingsOf(said.config).runs;
    expect(loop?.('ops')).toMatchObject({
      warningThreshold: 5,
      criticalThreshold: 12,
      globalCircuitBreakerThreshold: 30,
      detectors: { genericRepeat: false, knownPollNoProgress: true, pingPong: false },
    });
    expect(loop?.('main')).toEqual(said.config.tools.loopDetection);
    expect(loop?.('unheard-of')).toEqual(said.config.tools.loopDetection);
    expect(
      settingsOf(load(JSON.stringify({ agents: agents({ enabled: false }) })).config).runs.loop?.('ops'),
    ).toMatchObject({
      enabled: false,
    });
    const found = problems(JSON.stringify({ agents: agents({ warningThreshold: 20 }) }));
    expect(found.map(({ path, message }) => [path, message])).toEqual([
      [
        'agents.list.1.tools.loopDetection.criticalThreshold',
        expect.stringContaining('20 is not more than warningThreshold (20)'),
      ],
    ]);
  });

  test('redaction cannot be switched off: the wish is reported and ignored', () => {
    expect(load('{ "logging": { "redactSensitive": "off" } }').warnings).toEqual([
      { path: 'logging.redactSensitive', message: expect.stringContaining('cannot be switched off') },
    ]);
  });
});

describe('layers', () => {
  test('flags win over the environment, the environment over the file, the file over defaults, and each origin is known', () => {
    const file =
      '{\n  "gateway": { "port": 1001, "bind": "127.0.0.2" },\n  "logging": { "level": "warn", "maxFileMb": 5 } }';
    const { config, origins } = load(
      file,
      { COPPICE_PORT: '1002', COPPICE_LOGGING_MAX_FILE_MB: '7', COPPICE_LOG_LEVEL: 'error' },
      { port: 1003 },
    );
    expect(config.gateway.port).toBe(1_003);
    expect(config.logging).toMatchObject({ level: 'error', maxFileMb: 7 });
    expect(origins['gateway.port']).toEqual({ layer: 'flag', where: '--port' });
    expect(origins['logging.maxFileMb']).toEqual({ layer: 'env', where: 'COPPICE_LOGGING_MAX_FILE_MB' });
    expect(origins['gateway.bind']).toEqual({ layer: 'file', where: expect.stringMatching(/:2:30$/) });
    expect(origins['restart.drainMs']).toEqual({ layer: 'default' });
  });

  test('every scalar key can be set by its variable, and each kind is read', () => {
    const { config } = load('{}', {
      COPPICE_RESTART_ALLOW_SIGNAL: 'false',
      COPPICE_AGENTS_DEFAULTS_HEARTBEAT_EVERY: '5',
      COPPICE_RETRY_JITTER: '0.5',
      COPPICE_GATEWAY_AUTH_RATE_LIMIT_MAX_ATTEMPTS: '3',
      COPPICE_DIAGNOSTICS_ENABLED: '',
    });
    expect(config.restart.allowSignal).toBe(false);
    expect(config.agents.defaults.heartbeat.every).toBe(300_000);
    expect(config.retry.jitter).toBe(0.5);
    expect(config.gateway.auth.rateLimit.maxAttempts).toBe(3);
    expect(config.diagnostics.enabled).toBe(true);
    expect([...envKeys().keys()]).toContain('COPPICE_AGENTS_DEFAULTS_MODEL_PRIMARY');
  });

  test('any key can be set by a flag', () => {
    expect(load('{}', {}, { set: { 'session.idleMinutes': '5' } }).config.session.idleMinutes).toBe(5);
  });

  test('a model may be written as a bare string', () => {
    const { config, origins } = load('{ "agents": { "defaults": { "model": "loopback/echo" } } }');
    expect(config.agents.defaults.model).toEqual({ primary: 'loopback/echo', fallbacks: [] });
    expect(origins['agents.defaults.model.primary']?.layer).toBe('file');
  });
});

describe('mistakes', () => {
  test('an unknown key names file, line, key and the nearest known name', () => {
    expect(problems('{\n  // comment\n  "gateway": {\n    "prot": 1\n  },\n}')).toEqual([
      {
        where: `${dir}/config.jsonc:4:5`,
        path: 'gateway.prot',
        message: 'unknown key "prot"; did you mean "port"?',
        source: '4 |     "prot": 1\n  |     ^^^^^^',
      },
    ]);
    expect(problems('{ "gatewya": {} }')[0]?.message).toContain('did you mean "gateway"?');
    expect(problems('{ "agents": { "list": [{ "id": "a", "modle": "x/y" }] } }')[0]).toMatchObject({
      where: expect.stringContaining(':1:'),
      message: expect.stringContaining('"model"'),
    });
    expect(
      problems('{ "models": { "providers": { "x": { "api": "loopback", "baseurl": "" } } } }')[0]?.message,
    ).toContain('"baseUrl"');
    expect(problems('{ "__proto__": { "port": 1 } }')[0]?.message).toContain('unknown key "__proto__"');
  });

  test('all of them are told at once, each at its line', () => {
    const found = problems(
      '{\n"gateway": { "port": "eighty" },\n"logging": { "level": "loud" },\n"agents": { "defaults": { "heartbeat": { "every": "soon" } } },\n"session": { "queue": { "cap": 0 } } }',
      { COPPICE_PROT: '1' },
    );
    expect(found.map((problem) => problem.path).toSorted()).toEqual([
      '',
      'agents.defaults.heartbeat.every',
      'gateway.port',
      'logging.level',
      'session.queue.cap',
    ]);
    expect(found.find((problem) => problem.path === 'gateway.port')?.where).toMatch(/config\.jsonc:2:/);
    expect(found.find((problem) => problem.path === 'agents.defaults.heartbeat.every')?.message).toContain(
      '"soon" is no duration',
    );
  });

  test('an unknown variable names the nearest; a bad value names its variable', () => {
    expect(problems('{}', { COPPICE_PROT: '1' })).toEqual([
      { where: 'COPPICE_PROT', path: '', message: 'there is no such variable; did you mean COPPICE_PORT?' },
    ]);
    expect(problems('{}', { COPPICE_PORT: 'x' })).toMatchObject([
      { where: 'COPPICE_PORT', path: 'gateway.port' },
    ]);
    expect(problems('{}', { COPPICE_PORT: '1', COPPICE_GATEWAY_PORT: '2' })).toMatchObject([
      { message: expect.stringContaining('contradicts') },
    ]);
    expect(problems('{}', {}, { bind: 'everywhere' })).toMatchObject([
      { where: '--bind', path: 'gateway.bind' },
    ]);
  });

  test('a file that is no JSON, says a key twice, is no object or cannot be read is refused with its line', () => {
    expect(problems('{\n "a" 1 }')[0]?.where).toMatch(/:2:/);
    expect(problems('{ "gateway": { "port": 1,\n "port": 2 } }')).toMatchObject([
      { where: expect.stringMatching(/:2:2$/), message: expect.stringContaining('second time') },
    ]);
    expect(problems('[1]')[0]?.message).toContain('one object');
    expect(() => loadConfig({ path: dir, env: HOME })).toThrow(/cannot be read/);
  });

  test.each([
    [
      'no auth beyond loopback',
      '{ "gateway": { "bind": "lan", "auth": { "mode": "none" } } }',
      'gateway.auth.mode',
    ],
    ['no token beyond loopback', '{ "gateway": { "bind": "0.0.0.0" } }', 'gateway.bind'],
    [
      'a log total below one file',
      '{ "logging": { "maxFileMb": 10, "maxTotalMb": 5 } }',
      'logging.maxTotalMb',
    ],
    [
      'a model of an unknown provider',
      '{ "agents": { "defaults": { "model": "lopback/x" } } }',
      'agents.defaults.model.primary',
    ],
    [
      'a model without provider',
      '{ "agents": { "defaults": { "model": "gpt" } } }',
      'agents.defaults.model.primary',
    ],
    [
      'two agents of one name',
      '{ "agents": { "list": [{ "id": "a" }, { "id": "a" }] } }',
      'agents.list.1.id',
    ],
    ['a pattern that is none', '{ "logging": { "redactPatterns": ["("] } }', 'logging.redactPatterns.0'],
    [
      'a provider nobody can name a model of',
      '{ "models": { "providers": { "x": { "api": "openai-completions", "baseUrl": "http://127.0.0.1" } } } }',
      'agents.defaults.model',
    ],
    [
      'a secret whose variable is not set',
      '{ "gateway": { "auth": { "token": "env:NOT_SET" } } }',
      'gateway.auth.token',
    ],
    [
      'a secret whose file is not there',
      '{ "gateway": { "auth": { "token": "file:missing" } } }',
      'gateway.auth.token',
    ],
  ])('%s is refused', (_name, text, path) => {
    expect(problems(text).map((problem) => problem.path)).toEqual([path]);
  });

  test('no auth on loopback, and a token beyond it, are accepted', () => {
    expect(load('{ "gateway": { "auth": { "mode": "none" } } }').config.gateway.auth.mode).toBe('none');
    expect(
      load('{ "gateway": { "bind": "lan", "auth": { "token": "t0ken-t0ken" } } }').config.gateway.bind,
    ).toBe('lan');
  });

  test('the message never shows a secret', () => {
    const text = JSON.stringify(
      problems(
        '{ "gateway": { "bind": "lan", "prot": 1, "auth": { "mode": "x", "token": "hunter2-hunter2" } } }',
      ),
    );
    expect(text).not.toContain('hunter2');
  });
});

describe('secrets', () => {
  test('come from variables, from files beside the configuration, or stand there', () => {
    writeFileSync(join(dir, 'key'), ' from-file \n');
    const { config, secrets } = load(
      '{ "gateway": { "auth": { "token": "env:MY_TOKEN" } }, "models": { "providers": { "x": { "api": "loopback", "apiKey": "file:key", "headers": { "x-a": "literal" } } } } }',
      { MY_TOKEN: 'from-env' },
    );
    expect(config.gateway.auth.token).toBe('from-env');
    expect(config.models.providers['x']).toMatchObject({
      apiKey: 'from-file',
      headers: { 'x-a': 'literal' },
    });
    expect(secrets.toSorted()).toEqual(['from-env', 'from-file', 'literal']);
  });
});

describe('agents', () => {
  test('with no list there is one, main, with all defaults and the heartbeat', () => {
    expect(agentConfigs(load().config)).toMatchObject([
      { id: 'main', default: true, model: { primary: 'loopback/echo' }, heartbeat: { every: 1_800_000 } },
    ]);
  });

  test('take what they say over the defaults, key by key; only agents with a heartbeat of their own have one', () => {
    const { config } = load(
      '{ "agents": { "defaults": { "timeoutMs": 5, "heartbeat": { "prompt": "P" } }, "list": [{ "id": "a" }, { "id": "b", "default": true, "heartbeat": { "every": 10 }, "tools": { "allow": ["read"] } }] } }',
    );
    expect(agentConfigs(config)).toMatchObject([
      { id: 'a', default: false, timeoutMs: 5, heartbeat: { every: 0 } },
      {
        id: 'b',
        default: true,
        heartbeat: { every: 600_000, prompt: 'P' },
        tools: { allow: [['*'], ['read']], deny: [] },
      },
    ]);
  });
});

test('the result is plain data', () => {
  const { config } = load(SAMPLE);
  expect(JSON.parse(JSON.stringify(config))).toEqual(config);
});

test.each([
  ['30m', 1_800_000],
  ['60s', 60_000],
  ['1h30m', 5_400_000],
  ['500ms', 500],
  ['1.5h', 5_400_000],
  ['1d', 86_400_000],
  [5, 300_000],
  ['5', 300_000],
  [0, 0],
  ['soon', undefined],
  ['', undefined],
  ['5x', undefined],
  ['-5m', undefined],
  ['m', undefined],
])('the duration %s is %s ms', (text, expected) => {
  expect(parseDuration(text, 'm')).toBe(expected);
});

describe('places', () => {
  test('the state directory: flag, variable, XDG, home', () => {
    const env = { HOME: '/h', XDG_STATE_HOME: '/x', COPPICE_STATE_DIR: '/e' };
    expect(stateDir(env, { stateDir: '/f' })).toBe('/f');
    expect(stateDir(env)).toBe('/e');
    expect(stateDir({ HOME: '/h', XDG_STATE_HOME: '/x' })).toBe('/x/coppice');
    expect(stateDir({ HOME: '/h' })).toBe('/h/.local/state/coppice');
  });

  test('the configuration: flag, variable, XDG, home', () => {
    expect(configPath({ COPPICE_CONFIG: '/e.jsonc' }, { config: '/f.jsonc' })).toEqual({
      path: '/f.jsonc',
      named: true,
    });
    expect(configPath({ COPPICE_CONFIG: '/e.jsonc' })).toEqual({ path: '/e.jsonc', named: true });
    expect(configPath({ HOME: '/h' })).toEqual({ path: '/h/.config/coppice/config.jsonc', named: false });
  });
});
