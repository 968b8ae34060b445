import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/main.ts';

/**
 * Invalid configurations, each in the way of somebody who did not read the documents. What is asserted is what a
 * stranger needs: where, what, and what to do.
 */

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'coppice-invalid-'));
  file = join(dir, 'config.jsonc');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function check(text: string, env: Record<string, string> = {}): Promise<{ code: number; err: string }> {
  writeFileSync(file, text);
  let err = '';
  const code = await main(['config', 'check'], {
    stdout: { write: () => true },
    stderr: { write: (said) => (err += said) },
    env: { HOME: dir, COPPICE_CONFIG: file, COPPICE_STATE_DIR: join(dir, 'state'), ...env },
  });
  return { code, err };
}

/** What is wrong, the text, `line:column`, the culprit, and the advice. */
const CASES: readonly (readonly [what: string, text: string, at: string, culprit: string, advice: string])[] =
  [
    ['a misspelt group', '{ "gatewya": {} }', '1:3', 'gatewya', 'did you mean "gateway"?'],
    [
      'a misspelt key',
      '{\n  "gateway": {\n    "prot": 1 }\n}',
      '3:5',
      'gateway.prot',
      'did you mean "port"?',
    ],
    ['a key in the wrong group', '{ "port": 1 }', '1:3', 'port', 'it belongs to gateway.port'],
    ['a key of another gateway', '{ "messages": {} }', '1:3', 'messages', 'config import FILE'],
    [
      'a key nobody knows',
      '{ "session": { "zzzzzzzz": 1 } }',
      '1:16',
      'session.zzzzzzzz',
      'known here: idleMinutes, queue',
    ],
    [
      'a number as text',
      '{ "gateway": { "port": "8080" } }',
      '1:16',
      'gateway.port',
      'write 8080 without the quotes',
    ],
    [
      'a port as words',
      '{ "gateway": { "port": "http" } }',
      '1:16',
      'gateway.port',
      'expected a number, not text (default: 18789)',
    ],
    [
      'a port too high',
      '{ "gateway": { "port": 70000 } }',
      '1:16',
      'gateway.port',
      'it must be at most 65535',
    ],
    ['a port below zero', '{ "gateway": { "port": -1 } }', '1:16', 'gateway.port', 'it must be at least 0'],
    ['half a port', '{ "gateway": { "port": 80.5 } }', '1:16', 'gateway.port', 'expected a whole number'],
    [
      'a switch as text',
      '{ "diagnostics": { "enabled": "true" } }',
      '1:20',
      'diagnostics.enabled',
      'write true without the quotes',
    ],
    ['null', '{ "session": null }', '1:3', 'session', 'delete the key to take the default'],
    [
      'a value for a group',
      '{ "gateway": 18789 }',
      '1:3',
      'gateway',
      'expected an object: { ... }, not a number',
    ],
    [
      'text for a list',
      '{ "gateway": { "allowedOrigins": "http://a" } }',
      '1:16',
      'gateway.allowedOrigins',
      'write ["http://a"]',
    ],
    [
      'a list for text',
      '{ "gateway": { "bind": [] } }',
      '1:16',
      'gateway.bind',
      'expected text in "quotes", not a list',
    ],
    [
      'a word nearly right',
      '{ "logging": { "level": "wran" } }',
      '1:16',
      'logging.level',
      'did you mean "warn"?',
    ],
    [
      'a word not right',
      '{ "logging": { "level": "loud" } }',
      '1:16',
      'logging.level',
      'expected one of "silent", "fatal"',
    ],
    [
      'a duration that is none',
      '{ "agents": { "defaults": { "heartbeat": { "every": "soon" } } } }',
      '1:44',
      'agents.defaults.heartbeat.every',
      'write "30m", "60s" or "1h30m"',
    ],
    [
      'a switch for a duration',
      '{ "agents": { "defaults": { "heartbeat": { "every": true } } } }',
      '1:44',
      'agents.defaults.heartbeat.every',
      'expected a duration such as "30m"',
    ],
    [
      'an hour after midnight',
      '{ "agents": { "defaults": { "heartbeat": { "activeHours": { "start": "25:00", "end": "9:00" } } } } }',
      '1:61',
      'activeHours.start',
      'expected HH:MM',
    ],
    [
      'half of the active hours',
      '{ "agents": { "defaults": { "heartbeat": { "activeHours": { "start": "8:00" } } } } }',
      '1:44',
      'activeHours.end',
      '"end" is missing; add it',
    ],
    [
      'an address to listen on that is none',
      '{ "gateway": { "bind": "everywhere" } }',
      '1:16',
      'gateway.bind',
      'expected "loopback", "lan" or an IP address',
    ],
    [
      'no token beyond loopback',
      '{ "gateway": { "bind": "lan" } }',
      '1:16',
      'gateway.bind',
      'set gateway.auth.token',
    ],
    [
      'no auth beyond loopback',
      '{ "gateway": { "bind": "lan", "auth": { "mode": "none" } } }',
      '1:41',
      'gateway.auth.mode',
      'write "token", or bind to "loopback"',
    ],
    [
      'an empty token',
      '{ "gateway": { "auth": { "token": "" } } }',
      '1:26',
      'gateway.auth.token',
      'it is empty; write a value, or delete the key',
    ],
    [
      'a token in a variable that is not there',
      '{ "gateway": { "auth": { "token": "env:NOT_THERE" } } }',
      '1:26',
      'gateway.auth.token',
      'the environment variable NOT_THERE is not set',
    ],
    [
      'a token in a file that is not there',
      '{ "gateway": { "auth": { "token": "file:nowhere" } } }',
      '1:26',
      'gateway.auth.token',
      'the file nowhere cannot be read',
    ],
    [
      'a log smaller than one file',
      '{ "logging": { "maxTotalMb": 5 } }',
      '1:16',
      'logging.maxTotalMb',
      'make it at least 20',
    ],
    [
      'a pattern that is none',
      '{ "logging": { "redactPatterns": ["("] } }',
      '1:35',
      'logging.redactPatterns.0',
      'check its brackets',
    ],
    [
      'a provider without its wire format',
      '{ "models": { "providers": { "x": { } } } }',
      '1:30',
      'models.providers.x.api',
      '"api" is missing; add it: one of "openai-completions"',
    ],
    [
      'a wire format nobody speaks',
      '{ "models": { "providers": { "x": { "api": "openai-completion" } } } }',
      '1:37',
      'models.providers.x.api',
      'did you mean "openai-completions"?',
    ],
    [
      'a provider with a slash',
      '{ "models": { "providers": { "a/b": { "api": "loopback" } } } }',
      '1:30',
      'models.providers.a/b',
      'use a name without slash or space',
    ],
    [
      'an address that is none',
      '{ "models": { "providers": { "x": { "api": "loopback", "baseUrl": "localhost:11434" } } } }',
      '1:56',
      'models.providers.x.baseUrl',
      'begins with http:// or https://',
    ],
    [
      'a key and profiles',
      '{ "models": { "providers": { "x": { "api": "loopback", "apiKey": "k", "profiles": [{ "id": "a", "apiKey": "k" }] } } } }',
      '1:71',
      'models.providers.x.profiles',
      'move the key into profiles',
    ],
    [
      'a model without its provider',
      '{ "agents": { "defaults": { "model": "gpt" } } }',
      '1:29',
      'agents.defaults.model',
      'expected "provider/model", such as "loopback/echo"',
    ],
    [
      'a model of a provider that is misspelt',
      '{ "agents": { "defaults": { "model": "lopback/x" } } }',
      '1:29',
      'agents.defaults.model',
      'did you mean "loopback"?',
    ],
    [
      'an agent with a space in its name',
      '{ "agents": { "list": [{ "id": "a b" }] } }',
      '1:26',
      'agents.list.0.id',
      'letters, digits, dot, dash',
    ],
    [
      'two agents of one name',
      '{ "agents": { "list": [{ "id": "a" }, { "id": "a" }] } }',
      '1:41',
      'agents.list.1.id',
      'give one of them another id',
    ],
    [
      'two default agents',
      '{ "agents": { "list": [{ "id": "a", "default": true }, { "id": "b", "default": true }] } }',
      '1:15',
      'agents.list',
      'leave "default": true on one',
    ],
    [
      'a lane that lets nobody in',
      '{ "lanes": { "main": { "maxConcurrent": 0 } } }',
      '1:24',
      'lanes.main.maxConcurrent',
      'it must be at least 1',
    ],
    ['more than certain', '{ "retry": { "jitter": 2 } }', '1:14', 'retry.jitter', 'it must be at most 1'],
    [
      'an MCP server with a misspelt key',
      '{ "tools": { "mcp": { "servers": { "fs": { "comand": "x" } } } } }',
      '1:44',
      'tools.mcp.servers.fs.comand',
      'did you mean "command"?',
    ],
    [
      'an engine that is none',
      '{ "cluster": { "engine": "postgress" } }',
      '1:16',
      'cluster.engine',
      'did you mean "postgres"?',
    ],
    [
      'a key that stands twice',
      '{ "gateway": {\n  "port": 1,\n  "port": 2 } }',
      '3:3',
      '"port"',
      'delete one of the two',
    ],
    ['a key that is a trap', '{ "__proto__": {} }', '1:3', '__proto__', 'delete it'],
    ['a list for a file', '[1]', '1:1', 'the file', 'must hold one object'],
    [
      'a forgotten comma',
      '{ "gateway": {\n  "port": 1\n  "bind": "lan" } }',
      '3:3',
      '"bind"',
      'put a "," between two entries',
    ],
    ['a forgotten colon', '{ "gateway" {} }', '1:13', 'gateway', 'put a ":" between a key and its value'],
    ['a forgotten brace', '{ "gateway": {', '1:', 'gateway', 'a "}" is missing'],
    ['single quotes', "{ 'gateway': {} }", '1:3', '***', 'double quotes'],
    ['a bare word', '{ "logging": { "level": info } }', '1:25', 'logging', 'put text in "double quotes"'],
    ['text that never ends', '{ "logging": { "level": "info } }', '1:25', 'logging', 'close it with a "'],
    ['something behind the end', '{ } }', '1:5', '}', 'delete what stands here'],
  ];

describe('a stranger can mend', () => {
  test.each(CASES)('%s', async (_what, text, at, culprit, advice) => {
    const { code, err } = await check(text);
    expect(err).toContain(`${file}:${at}`);
    expect(err).toContain(culprit);
    expect(err).toContain(advice);
    // The line itself, and a mark below it.
    expect(err).toMatch(/\n\s+\d+ \| .*\n\s+\| .*\^/);
    expect(err).toContain('COPPICE_CONFIG_INVALID');
    expect(code).toBe(78);
  });

  test('a variable: it is named, with the nearest known one', async () => {
    const { code, err } = await check('{}', { COPPICE_PROT: '1' });
    expect(err).toContain('COPPICE_PROT: there is no such variable; did you mean COPPICE_PORT?');
    expect(code).toBe(78);
  });

  test('many mistakes in one go, in the order of the file', async () => {
    const { err } = await check(
      '{\n"retry": { "jitter": 2 },\n"gateway": { "prot": 1, "port": "x" },\n"logging": { "level": 1 } }',
    );
    const places = [...err.matchAll(/jsonc:(\d+):\d+ /g)].map(([, line]) => Number(line));
    expect(places).toEqual([2, 3, 3, 4]);
    expect(err).toContain('4 mistake(s)');
  });
});

describe('a secret is never shown', () => {
  test.each([
    ['beside a mistake', '{ "gateway": { "auth": { "token": "hunter2-hunter2" }, "prot": 1 } }'],
    ['under a misspelt key', '{ "gateway": { "auth": { "tokn": "hunter2-hunter2" } } }'],
    ['in a comment', '{ "gatewya": {} } // token hunter2-hunter2'],
    ['in a text that never ends', '{ "gateway": { "auth": { "token": "hunter2-hunter2 } } }'],
    ['without quotes', '{ "gateway": { "auth": { "token": hunter2-hunter2 } } }'],
    ['in single quotes', `{ "gateway": { "auth": { "token": 'hunter2-hunter2' } } }`],
    [
      'in a list of profiles',
      '{ "models": { "providers": { "x": { "api": "loopback", "profiles": [{ "id": "a b", "apiKey": "hunter2-hunter2" }] } } } }',
    ],
    [
      'in the password of an address',
      '{ "models": { "providers": { "x": { "apy": 1, "baseUrl": "http://me:hunter2-hunter2@host/v1" } } } }',
    ],
    [
      'as a header',
      '{ "models": { "providers": { "x": { "apy": 1, "headers": { "x-key": "hunter2-hunter2" } } } } }',
    ],
  ])('%s', async (_where, text) => {
    const { code, err } = await check(text);
    expect(code).toBe(78);
    expect(err).not.toContain('hunter2');
  });
});

describe('the process ends with 78 and starts nothing', () => {
  const bin = fileURLToPath(new URL('../../bin/coppice.js', import.meta.url));
  test.each([
    ['run', ['run', '--port', '0']],
    ['run without launcher', ['run', '--no-launcher', '--port', '0']],
    ['config check', ['config', 'check']],
    ['config show', ['config', 'show']],
  ])('%s', (_name, argv) => {
    writeFileSync(file, '{\n  "gateway": { "prot": 1 }\n}');
    const { status, stderr } = spawnSync(process.execPath, [bin, ...argv], {
      encoding: 'utf8',
      env: { HOME: dir, COPPICE_CONFIG: file, COPPICE_STATE_DIR: join(dir, 'state') },
      timeout: 30_000,
    });
    expect(status).toBe(78);
    expect(stderr).toContain(`${file}:2:16 gateway.prot: unknown key "prot"; did you mean "port"?`);
  });
});
