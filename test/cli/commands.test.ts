import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { main } from '../../src/cli/main.ts';
import { ensureToken, stateDirectory } from '../../src/cli/state-directory.ts';
import { stateDir } from '../../src/config/index.ts';
import { acquireLock } from '../../src/store/index.ts';
import { treeNode } from '../fixtures/tree-node.ts';
import { type FakeGateway, startFakeGateway } from './fake-gateway.ts';
import { eventually } from './launched.ts';

const core = treeNode('gateway/core', { children: [treeNode('gateway/core/gate')] });
const root = treeNode('gateway', { children: [core, treeNode('gateway/core2')] });
const status = (grade: string) => ({
  pid: 42,
  startedAt: 0,
  uptimeMs: 1_000,
  version: '0.1.0',
  protocol: 4,
  health: {
    grade,
    reasons: [],
    channels: {},
    channelOrder: [],
    channelLabels: {},
    sessions: { path: '', count: 0, recent: [] },
  },
});

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'coppice-cli-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function cli(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const io: Io = {
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    env: { COPPICE_STATE_DIR: dir },
  };
  const code = await main(argv, io);
  return { code, out, err };
}

/** A gateway that owns the state directory and answers on a real port. */
async function withGateway(
  methods: Parameters<typeof startFakeGateway>[1],
  use: (gateway: FakeGateway) => Promise<void>,
): Promise<void> {
  const token = ensureToken(dir);
  const gateway = await startFakeGateway(token, methods);
  const lock = acquireLock({
    dir,
    owner: { pid: process.pid, startedAt: 0, version: '0', host: '127.0.0.1', port: gateway.port },
  });
  try {
    await use(gateway);
  } finally {
    lock.release();
    await gateway.close();
  }
}

describe('usage', () => {
  test('an unknown command ends with 64 and names the nearest', async () => {
    const { code, err } = await cli('tre');
    expect(code).toBe(64);
    expect(err).toMatch(
      /^coppice: unknown command 'tre' \(Did you mean tree\?\)\n.*--help.*\n {2}COPPICE_USAGE\n$/,
    );
  });

  test('an unknown option ends with 64 and names the nearest', async () => {
    const { code, err } = await cli('tree', '--wach');
    expect(code).toBe(64);
    expect(err).toContain('Did you mean --watch?');
  });

  test.each(['x', '-1', '65536', '1.5', ''])('the port %j ends with 64', async (port) => {
    expect((await cli('run', `--port=${port}`)).code).toBe(64);
  });

  test('no command at all shows the help and ends with 64', async () => {
    const { code, out, err } = await cli();
    expect([code, out]).toEqual([64, '']);
    expect(err).toContain('Usage: coppice');
  });

  test('--version prints the version of the package', async () => {
    const { code, out } = await cli('--version');
    expect([code, out]).toEqual([
      0,
      `${(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version}\n`,
    ]);
  });

  test.each(['run', 'tree', 'status', 'stop'])(
    '%s --help has an example and the options every command takes',
    async (name) => {
      const { code, out } = await cli(name, '--help');
      expect(code).toBe(0);
      for (const part of ['Example:', '--json', '--url', '--token', '--state-dir'])
        expect(out).toContain(part);
    },
  );

  test('with --json an error is one JSON document', async () => {
    const { code, err } = await cli('status', '--json');
    expect(code).toBe(69);
    expect(JSON.parse(err)).toMatchObject({
      error: { code: 'COPPICE_GATEWAY_NOT_RUNNING', message: expect.stringContaining(dir) },
    });
  });
});

describe('without a gateway', () => {
  test.each(['tree', 'status', 'stop'])('%s ends with 69 and says how to start one', async (name) => {
    const { code, out, err } = await cli(name);
    expect([code, out]).toEqual([69, '']);
    expect(err).toContain('coppice run');
    expect(err).toContain('COPPICE_GATEWAY_NOT_RUNNING');
  });

  test('the lock of a dead gateway is no gateway', async () => {
    acquireLock({ dir, owner: { pid: process.pid, startedAt: 0, version: '0', port: 1 } }).release();
    expect((await cli('status')).code).toBe(69);
  });

  test('an address where nobody listens ends with 69', async () => {
    const gateway = await startFakeGateway('t', {});
    await gateway.close();
    const { code, err } = await cli('status', '--url', gateway.url, '--token', 't');
    expect(code).toBe(69);
    expect(err).toContain('COPPICE_GATEWAY_UNREACHABLE');
  });
});

describe('with a gateway', () => {
  test('tree finds it by the state directory and shows the whole tree', () =>
    withGateway({ 'tree.get': () => ({ tree: root }) }, async () => {
      const { code, out } = await cli('tree');
      expect(code).toBe(0);
      expect(out).toContain('│  └─ gate');
    }));

  test.each(['gateway/core', 'core'])('tree %s shows that actor and what is below it', (path) =>
    withGateway({ 'tree.get': () => ({ tree: root }) }, async () => {
      const { out } = await cli('tree', path, '--json');
      expect(JSON.parse(out)).toEqual({ tree: root.children[0] });
    }),
  );

  test('tree of a path that is not there ends with 1 and says so', () =>
    withGateway({ 'tree.get': () => ({ tree: root }) }, async () => {
      const { code, err } = await cli('tree', 'core/gat');
      expect(code).toBe(1);
      expect(err).toContain('COPPICE_ACTOR_NOT_FOUND');
    }));

  test.each([
    ['ok', 0],
    ['degraded', 1],
    ['failing', 2],
  ] as const)('status %s ends with %d', (grade, expected) =>
    withGateway({ status: () => status(grade) }, async () => {
      const { code, out } = await cli('status');
      expect(code).toBe(expected);
      expect(out).toContain(`${grade}  coppice 0.1.0 at http://127.0.0.1:`);
    }),
  );

  test('a token that is configured is found, although the file holds another', async () => {
    const file = join(dir, 'config.jsonc');
    writeFileSync(file, JSON.stringify({ gateway: { auth: { token: 'configured' } } }));
    const gateway = await startFakeGateway('configured', { status: () => status('ok') });
    ensureToken(dir);
    const lock = acquireLock({
      dir,
      owner: { pid: process.pid, startedAt: 0, version: '0', port: gateway.port },
    });
    const io: Io = {
      stdout: { write: () => true },
      stderr: { write: () => true },
      env: { COPPICE_STATE_DIR: dir, COPPICE_CONFIG: file },
    };
    expect(await main(['status'], io)).toBe(0);
    expect(gateway.connects).toHaveLength(2);
    lock.release();
    await gateway.close();
  });

  test('a wrong token ends with 77', () =>
    withGateway({ status: () => status('ok') }, async () => {
      const { code, err } = await cli('status', '--token', 'wrong');
      expect(code).toBe(77);
      expect(err).toContain('COPPICE_NOT_PERMITTED');
    }));
});

describe('tree --watch', () => {
  const watching = (terminal: boolean) => {
    let out = '';
    const io: Io = {
      stdout: { isTTY: terminal, columns: 80, rows: 24, write: (text) => (out += text) },
      stderr: { write: () => true },
      env: { COPPICE_STATE_DIR: dir, NO_COLOR: '1' },
    };
    return { ended: main(['tree', '--watch', ...(terminal ? [] : ['--json'])], io), out: () => out };
  };

  test('survives a gateway that drops the connection, and Ctrl-C gives the terminal back', async () => {
    let asked = 0;
    await withGateway({ 'tree.get': () => ({ tree: treeNode(`life-${(asked += 1)}`) }) }, async (gateway) => {
      const { ended, out } = watching(true);
      await eventually(() => out().includes('life-1'));
      for (const socket of gateway.sockets) socket.close(1012, 'service restart');
      await eventually(() => out().includes('life-2'));
      process.emit('SIGINT');
      expect(await ended).toBe(0);
      expect(out().startsWith('\u001b[?1049h')).toBe(true);
      expect(out().endsWith('\u001b[?1049l')).toBe(true);
    });
  });

  test('writes JSON lines where there is no terminal, and ends within the second of a Ctrl-C', async () => {
    await withGateway({ 'tree.get': () => ({ tree: root }) }, async () => {
      const { ended, out } = watching(false);
      await eventually(() => out().includes('\n'));
      process.emit('SIGINT');
      expect(await ended).toBe(0);
      for (const line of out().trim().split('\n')) expect(JSON.parse(line)).toEqual({ tree: root });
    });
  });

  test('does not wait for a gateway that was never there', async () => {
    expect((await cli('tree', '--watch')).code).toBe(69);
  });
});

describe('stop', () => {
  const holder = fileURLToPath(new URL('./fixtures/hold-lock.ts', import.meta.url));
  const hold = async (mode: string) => {
    const child = spawn(process.execPath, [holder, dir, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    return child;
  };

  test('asks the owner of the state directory and waits until it is gone', async () => {
    const child = await hold('obey');
    const ended = once(child, 'exit');
    const { code, out } = await cli('stop', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ stopped: true, pid: child.pid });
    expect(await ended).toEqual([0, null]);
  });

  test('ends with 75 when the gateway is still there at the end of the wait', async () => {
    const child = await hold('deaf');
    const { stop } = await import('../../src/cli/commands/stop.ts');
    const io: Io = {
      stdout: { write: () => true },
      stderr: { write: () => true },
      env: { COPPICE_STATE_DIR: dir },
    };
    await expect(stop(io, {}, 200)).rejects.toMatchObject({
      code: 'STOP_TIMED_OUT',
      details: { pid: child.pid },
    });
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  test('does not guess at a process behind an address', async () => {
    expect((await cli('stop', '--url', 'http://127.0.0.1:1')).code).toBe(64);
  });
});

describe('the token file', () => {
  test('is made once, for its owner alone', () => {
    const token = ensureToken(dir);
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(statSync(join(dir, 'token')).mode & 0o777).toBe(0o600);
    expect(ensureToken(dir)).toBe(token);
  });

  test('of an interrupted first run is replaced', () => {
    writeFileSync(join(dir, 'token'), '');
    expect(ensureToken(dir)).not.toBe('');
  });

  test.runIf(process.getuid?.() !== 0)('that may not be read is not permitted, rather than replaced', () => {
    ensureToken(dir);
    chmodSync(join(dir, 'token'), 0o000);
    expect(() => ensureToken(dir)).toThrow(expect.objectContaining({ code: 'NOT_PERMITTED' }) as Error);
  });
});

test.each<[string | undefined, NodeJS.ProcessEnv, string]>([
  ['/flag', { COPPICE_STATE_DIR: '/env', XDG_STATE_HOME: '/xdg' }, '/flag'],
  [undefined, { COPPICE_STATE_DIR: '/env', XDG_STATE_HOME: '/xdg' }, '/env'],
  [undefined, { XDG_STATE_HOME: '/xdg' }, '/xdg/coppice'],
  [undefined, { HOME: '/home/ann' }, '/home/ann/.local/state/coppice'],
])('the state directory of flag %j and environment %j is %j', (flag, env, expected) => {
  expect(stateDirectory(flag, env)).toBe(expected);
  expect(stateDir(env, { stateDir: flag })).toBe(expected);
});
