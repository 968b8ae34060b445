import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { editConfig, parseKeyPath, parseValue, writeConfigText } from '../../src/config/index.ts';
import { removeEntry } from '../../src/config/removal.ts';

const options = { path: '/nowhere/config.jsonc', env: { HOME: '/nowhere' } };
const edit = (text: string, path: string, value: unknown) =>
  editConfig(text, { keys: parseKeyPath(path) ?? [], value }, options);

describe('the text survives an edit:', () => {
  const text = '// mine\n{\n\t"gateway": {\n\t\t"port": 1, // here\n\t},\n}\n';

  test('comments, tabs and trailing commas', () => {
    expect(edit(text, 'gateway.port', 2).text).toBe(text.replace('1', '2'));
    expect(edit(text, 'session.idleMinutes', 5).text).toContain('// here');
  });
  test('what is taken out leaves the rest', () => {
    const { text: left, loaded } = edit(
      '{ "gateway": { "port": 1, "bind": "lan", "auth": { "token": "t" } } }',
      'gateway.port',
      undefined,
    );
    expect(left).toBe('{ "gateway": { "bind": "lan", "auth": { "token": "t" } } }');
    expect(loaded?.config.gateway.port).toBe(18_789);
  });
  test('an empty file becomes one with that key; a file of comments keeps them', () => {
    expect(JSON.parse(edit('', 'gateway.port', 5).text)).toEqual({ gateway: { port: 5 } });
    expect(edit('// only this\n', 'gateway.port', 5).text).toMatch(/^\/\/ only this\n\{[^]*"port": 5/);
  });
  test('a place in a list', () => {
    expect(
      edit('{ "agents": { "list": [{ "id": "a" }] } }', 'agents.list[0].id', 'b').loaded?.config.agents.list,
    ).toEqual([{ id: 'b' }]);
  });
});

test.each([
  ['the first of a line', '{ "a": 1, "b": 2 }', '{ "b": 2 }'],
  ['the last of a line', '{ "b": 2, "a": 1 }', '{ "b": 2 }'],
  ['the only one', '{ "a": 1 }', '{ }'],
  ['the first line', '{\n  "a": 1,\n  // about b\n  "b": 2\n}', '{\n  // about b\n  "b": 2\n}'],
  ['the last line', '{\n  "b": 2, // about b\n  "a": 1\n}', '{\n  "b": 2 // about b\n}'],
  ['the last line, trailing comma', '{\n  "b": 2,\n  "a": 1,\n}', '{\n  "b": 2,\n}'],
  ['with a comment of its own', '{\n  "a": 1, // mine\n  "b": 2\n}', '{\n  // mine\n  "b": 2\n}'],
  ['a group of lines', '{\n  "a": {\n    "x": 1\n  },\n  "b": 2\n}', '{\n  "b": 2\n}'],
  ['what is not there', '{ "b": 2 }', '{ "b": 2 }'],
])('%s goes, and no comment of others with it', (_what, text, left) => {
  expect(removeEntry(text, ['a'])).toBe(left);
});

describe('nothing comes of an edit that', () => {
  const refusal = (text: string, path: string, value: unknown): string => {
    try {
      edit(text, path, value);
    } catch (error) {
      return String(error);
    }
    return '';
  };
  test.each([
    ['is invalid', '{}', 'gateway.port', 'x', 'expected a number'],
    ['names no key', '{}', 'gateway.prot', 1, 'did you mean "port"?'],
    [
      'leaves another key invalid',
      '{ "logging": { "maxTotalMb": 30 } }',
      'logging.maxFileMb',
      40,
      'logging.maxTotalMb',
    ],
    [
      'goes below a value',
      '{ "agents": { "defaults": { "model": "loopback/a" } } }',
      'agents.defaults.model.primary',
      'loopback/b',
      'agents.defaults.model is no object',
    ],
    ['meets a broken text', '{ "gateway": ', 'gateway.port', 1, 'a value is expected'],
  ])('%s', (_what, text, path, value, reason) => expect(refusal(text, path, value)).toContain(reason));

  test('but a file with two mistakes can be mended one by one', () => {
    const first = edit('{ "gateway": { "port": "x" }, "retry": { "jitter": 3 } }', 'gateway.port', 1);
    expect(first.remaining.map(({ path }) => path)).toEqual(['retry.jitter']);
    expect(edit(first.text, 'retry.jitter', 0.5).remaining).toEqual([]);
  });
});

test.each([
  ['gateway.port', ['gateway', 'port']],
  ['agents.list[0].id', ['agents', 'list', '0', 'id']],
  ['supervision["gateway/core.x"].intensity', ['supervision', 'gateway/core.x', 'intensity']],
  ['a..b', undefined],
  ['a[', undefined],
  ['', undefined],
])('the path %s', (text, keys) => expect(parseKeyPath(text)).toEqual(keys));

test.each([
  ['5', 'gateway.port', 5],
  ['["a"]', 'gateway.allowedOrigins', ['a']],
  ['lan', 'gateway.bind', 'lan'],
  ['12345', 'gateway.auth.token', '12345'],
  ['true', 'logging.level', 'true'],
  ['5', 'agents.defaults.heartbeat.every', 5],
  ['"quoted"', 'gateway.bind', 'quoted'],
])('the value %s for %s', (text, path, value) =>
  expect(parseValue(text, parseKeyPath(path) ?? [])).toEqual(value),
);

describe('the file', () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'coppice-edit-'));
    file = join(dir, 'config.jsonc');
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const mode = (path: string): number => statSync(path).mode & 0o777;

  test('is replaced in one step, private, the text before beside it', () => {
    writeFileSync(file, 'before', { mode: 0o644 });
    expect(writeConfigText(file, 'after', 'before')).toEqual({ backup: `${file}.bak` });
    expect([readFileSync(file, 'utf8'), readFileSync(`${file}.bak`, 'utf8')]).toEqual(['after', 'before']);
    expect([mode(file), mode(`${file}.bak`)]).toEqual([0o600, 0o600]);
    expect(readdirSync(dir).toSorted()).toEqual(['config.jsonc', 'config.jsonc.bak']);
  });
  test('and its folder are made when there is none, without a backup', () => {
    const deep = join(dir, 'a', 'b', 'config.jsonc');
    expect(writeConfigText(deep, 'new', '')).toEqual({ backup: undefined });
    expect([readFileSync(deep, 'utf8'), mode(deep)]).toEqual(['new', 0o600]);
  });
  test('of somebody who keeps it elsewhere stays a link', () => {
    const real = join(dir, 'real.jsonc');
    writeFileSync(real, 'before');
    symlinkSync(real, file);
    writeConfigText(file, 'after', 'before');
    expect(readFileSync(real, 'utf8')).toBe('after');
  });
  test('that another editor has changed is left alone', () => {
    writeFileSync(file, 'theirs');
    expect(() => writeConfigText(file, 'ours', 'before')).toThrow(/changed by somebody else/);
    expect(readFileSync(file, 'utf8')).toBe('theirs');
  });
  test('that cannot be written stays, and the reason is told', () => {
    mkdirSync(file);
    expect(() => writeConfigText(file, 'after', '')).toThrow(/cannot be read/);
  });
});
