import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { main } from '../../src/cli/main.ts';
import { acquireLock } from '../../src/store/index.ts';

const SECRET = 'hunter2-hunter2';
const TEXT = `{
  // the port of the office
  "gateway": { "port": 4000, "auth": { "token": "${SECRET}" } },
  "diagnostics": { "otel": { "headers": { "authorization": "${SECRET}" } } },
}
`;

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'coppice-cli-config-'));
  file = join(dir, 'config.jsonc');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** `coppice config ...` with nothing of the user who runs the tests. */
async function config(argv: readonly string[], env: Record<string, string> = {}) {
  let out = '';
  let err = '';
  const io: Io = {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { HOME: dir, COPPICE_CONFIG: file, COPPICE_STATE_DIR: join(dir, 'state'), ...env },
  };
  const code = await main(['config', ...argv], io);
  return { code, out, err, json: () => JSON.parse(out) as Record<string, unknown> };
}
const text = (): string => readFileSync(file, 'utf8');

test.each(['show', 'check', 'set', 'unset', 'schema', 'import'])(
  'config %s --help has an example',
  async (name) => {
    const { code, out } = await config([name, '--help']);
    expect(code).toBe(0);
    for (const part of [`coppice config ${name}`, 'Example:', '--json', '--config'])
      expect(out).toContain(part);
  },
);

describe('config show', () => {
  test('names the file and the layers, and prints no secret', async () => {
    writeFileSync(file, TEXT);
    const { code, out } = await config(['show'], { COPPICE_LOG_LEVEL: 'warn' });
    expect(code).toBe(0);
    expect(out).toContain(`// file: ${file}`);
    expect(out).toContain('defaults, the file, the environment (COPPICE_LOG_LEVEL)');
    expect(out).toContain('"level": "warn"');
    expect(out).not.toContain(SECRET);
    const values = JSON.parse(out.replaceAll(/^\/\/.*$/gm, '')) as { gateway: object };
    expect(values.gateway).toMatchObject({ port: 4_000, auth: { token: '(set)' } });
  });
  test('tells who said each value, and where', async () => {
    writeFileSync(file, TEXT);
    const { out } = await config(['show', '--origin'], { COPPICE_LOG_LEVEL: 'warn' });
    expect(out).toMatch(new RegExp(`gateway\\.port = 4000 +# file ${file}:3:16`));
    expect(out).toMatch(/logging\.level = "warn" +# env COPPICE_LOG_LEVEL/);
    expect(out).toMatch(/gateway\.auth\.token = \(set\) +# file/);
    expect(out).toMatch(/restart\.drainMs = 30000 +# default/);
    expect(out).not.toContain(SECRET);
  });
  test('shows one key, also as JSON', async () => {
    writeFileSync(file, TEXT);
    expect((await config(['show', 'gateway.port'])).out).toMatch(/\n4000\n$/);
    const { json, out } = await config(['show', 'gateway.auth', '--origin', '--json']);
    expect(json()).toMatchObject({
      file,
      found: true,
      path: 'gateway.auth',
      value: { token: '(set)' },
      origins: { 'gateway.auth.token': { layer: 'file' }, 'gateway.auth.mode': { layer: 'default' } },
    });
    expect(out).not.toContain(SECRET);
  });
  test('needs no file', async () => {
    const { code, out } = await config(['show', 'gateway.port']);
    expect([code, out]).toEqual([0, expect.stringContaining('(there is none)')]);
  });
  test.each([
    ['gateway.prot', 'did you mean "port"?'],
    ['gateway.auth.token', 'is not set and has no default'],
    ['a..b', 'is no path of a key'],
  ])('of %s ends with 64 and says why', async (path, reason) => {
    const { code, err } = await config(['show', path]);
    expect([code, err]).toEqual([64, expect.stringContaining(reason)]);
  });
});

describe('config check', () => {
  test('is content with a valid file and says what has no effect', async () => {
    writeFileSync(file, TEXT);
    const { code, out } = await config(['check']);
    expect([code, out]).toEqual([
      0,
      expect.stringContaining(`${file} is valid\n  diagnostics.otel: accepted`),
    ]);
  });
  test('looks at another file; one that is not there is no valid one', async () => {
    const other = join(dir, 'other.jsonc');
    expect(await config(['check', other])).toMatchObject({
      code: 64,
      err: expect.stringContaining('there is no file'),
    });
    writeFileSync(other, '{ "gateway": { "port": "x" } }');
    expect(await config(['check', other])).toMatchObject({
      code: 78,
      err: expect.stringContaining(`${other}:1:16`),
    });
  });
  test('tells a program every mistake in its parts, and ends with 78', async () => {
    writeFileSync(file, '{ "gateway": { "prot": 1 }, "retry": { "jitter": 9 } }');
    const { code, json } = await config(['check', '--json']);
    expect(code).toBe(78);
    expect(json()).toMatchObject({
      ok: false,
      problems: [{ path: 'gateway.prot' }, { path: 'retry.jitter', where: `${file}:1:40` }],
    });
  });
});

describe('config set and unset', () => {
  test('change the key alone, keep the comment, and the text before beside it', async () => {
    writeFileSync(file, TEXT);
    const { code, out } = await config(['set', 'gateway.port', '4001']);
    expect([code, out]).toEqual([0, `set gateway.port in ${file} (before: ${file}.bak)\n`]);
    expect(text()).toBe(TEXT.replace('4000', '4001'));
    expect(readFileSync(`${file}.bak`, 'utf8')).toBe(TEXT);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await config(['unset', 'gateway.port']);
    expect(text()).toContain('// the port of the office');
    expect((await config(['show', 'gateway.port'])).out).toMatch(/\n18789\n$/);
  });
  test('make the file where there is none', async () => {
    expect((await config(['set', 'agents.defaults.model', 'loopback/other'])).code).toBe(0);
    expect(JSON.parse(text())).toEqual({ agents: { defaults: { model: 'loopback/other' } } });
    expect(existsSync(`${file}.bak`)).toBe(false);
  });
  test.each([
    ['an invalid value', ['set', 'gateway.port', 'http'], 'expected a number'],
    ['an unknown key', ['set', 'gateway.prot', '1'], 'did you mean "port"?'],
    ['an end to what another key needs', ['set', 'gateway.bind', 'lan'], 'set gateway.auth.token'],
  ])('write nothing for %s, and end with 78', async (_what, argv, reason) => {
    const before = '{ "gateway": { "auth": { "mode": "token" } } }';
    writeFileSync(file, before);
    const { code, err } = await config(argv);
    expect(code).toBe(78);
    expect(err).toContain('nothing was written');
    expect(err).toContain(reason);
    expect([text(), existsSync(`${file}.bak`)]).toEqual([before, false]);
  });
  test('never print the secret they write', async () => {
    writeFileSync(file, '{}');
    const said = [
      await config(['set', 'gateway.auth.token', SECRET]),
      await config(['set', 'gateway.auth.token', SECRET, '--json']),
      await config(['set', 'gateway.auth.tokn', SECRET]),
    ];
    expect(said.map(({ out, err }) => out + err).join()).not.toContain(SECRET);
    expect(JSON.parse(text())).toEqual({ gateway: { auth: { token: SECRET } } });
  });
  test('say when a variable wins all the same', async () => {
    const { out } = await config(['set', 'gateway.port', '4001'], { COPPICE_PORT: '5000' });
    expect(out).toContain('COPPICE_PORT says something else, and wins over the file');
  });
  test('write nothing when the file says so already', async () => {
    writeFileSync(file, TEXT);
    expect(await config(['set', 'gateway.port', '4000', '--json']).then(({ json }) => json())).toMatchObject({
      changed: false,
    });
    expect(existsSync(`${file}.bak`)).toBe(false);
  });
  test.each([
    ['logging.level', 'debug', /without a restart: `kill -HUP \d+`/],
    ['gateway.auth.mode', 'none', /with a planned restart: `kill -HUP \d+`/],
    ['gateway.port', '1234', /full stop and start: `coppice stop`/],
  ])('say how a running gateway takes %s', async (path, value, how) => {
    const owner = { pid: process.pid, startedAt: 0, version: '0', host: '127.0.0.1', port: 1 };
    const lock = acquireLock({ dir: join(dir, 'state'), owner });
    try {
      expect((await config(['set', path, value])).out).toMatch(how);
    } finally {
      lock.release();
    }
  });
});

test('config schema prints the schema for editors', async () => {
  expect((await config(['schema'])).json()).toMatchObject({ $id: 'urn:coppice:config' });
});

describe('config import', () => {
  const OTHER = {
    gateway: { port: 4000, auth: { token: SECRET }, reload: { mode: 'hot' } },
    messages: { queue: { cap: 5 } },
  };
  const from = (): string => {
    const other = join(dir, 'other.json');
    writeFileSync(other, JSON.stringify(OTHER));
    return other;
  };
  test('says what it takes and what not, prints no secret, and writes nothing', async () => {
    const { code, out } = await config(['import', from()]);
    expect(code).toBe(0);
    expect(out).toContain('messages.queue.cap  as  session.queue.cap');
    expect(out).toMatch(/gateway\.reload \(.*other\.json:1:\d+\): the configuration is read again on SIGHUP/);
    expect(out).toContain('nothing was written');
    expect(out).not.toContain(SECRET);
    expect(existsSync(file)).toBe(false);
  });
  test('writes when told to, privately, and what it wrote is valid', async () => {
    expect((await config(['import', from(), '--write'])).out).toContain(`written to ${file}`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await config(['check'])).code).toBe(0);
    expect((await config(['show', 'session.queue.cap'])).out).toMatch(/\n5\n$/);
  });
  test('leaves a file that is there already', async () => {
    writeFileSync(file, TEXT);
    const { code, err } = await config(['import', from(), '--write']);
    expect([code, err]).toEqual([78, expect.stringContaining('is there already')]);
    expect(text()).toBe(TEXT);
  });
  test('tells a program all of it', async () => {
    const { json, out } = await config(['import', from(), '--json']);
    expect(json()).toMatchObject({
      written: false,
      left: [{ path: 'gateway.reload' }],
      config: { gateway: { auth: { token: '(set)' } } },
    });
    expect(out).not.toContain(SECRET);
  });
});
