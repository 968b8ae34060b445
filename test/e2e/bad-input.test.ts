import { spawn, spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { SERVER_LIMITS } from '../../src/server/limits.ts';
import { fill, smallDisk } from '../store/small-disk.ts';
import { tempDir } from '../store/fixture.ts';
import { type Gateway, type GatewayOptions, startGateway } from './harness.ts';
import { heapProbe } from './heap.ts';
import { floodWithKeys } from './key-flood.ts';
import { exchangeFaults, historyOf, newKey, nodesOf, say, settled, textOf } from './talk.ts';
import { eventually, type Wire } from './wire.ts';

/** A turn of somebody who means well; fails unless it stands exactly once. */
async function honestTurn(wire: Wire): Promise<void> {
  const text = 'is anybody there?';
  const runId = await say(wire, 'honest', text, newKey('honest'));
  expect(await settled(wire, runId)).toBe('ok');
  expect(exchangeFaults(await historyOf(wire, 'honest'), runId, text)).toEqual([]);
}

/** A gateway for one test. */
async function gatewayFor(options: GatewayOptions): Promise<Gateway> {
  const gateway = await startGateway({ launcher: false, ...options });
  onTestFinished(() => gateway.cleanUp());
  return gateway;
}

const KEYS: readonly string[] = [
  ...['/', '..', '.', '../../etc/passwd', '/etc/passwd', 'a/../b', 'C:\\con', 'file:///etc/passwd'],
  ...['%', '%2F', '%2e%2e', '%00', 'a%2Fb', 'a/b', '#', 'a/b#7', '?a=b', '*', ' ', '  ', '-', '--help'],
  ...[
    '\0',
    'a\0b',
    'a\0c',
    '\n',
    '\r\n',
    '\t',
    '\u001B[31mred',
    '\u007F',
    '\u0085',
    '\u2028',
    '\u202Egnp',
    '\uFEFF',
  ],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', 'undefined', '0', 'NaN'],
  ...["'; DROP TABLE inbox;--", '$(id)', '`id`', '{{key}}', '<script>alert(1)</script>', '${x}', '%s%n'],
  ...['core', 'gateway/core/gate', 'agent::', 'agent:nobody:x', 'agent:main:../..', 'webchat/default/1'],
  ...['é', 'e\u0301', 'ﬀ', 'ff', 'İ', 'i', 'I', '😀'.repeat(256), 'x'.repeat(512)],
];

describe('a gateway that is spoken to badly', () => {
  const probe = heapProbe();
  let gateway: Gateway;
  let wire: Wire;
  beforeAll(async () => {
    gateway = await startGateway({ launcher: false, env: probe.env });
    wire = await gateway.wire();
    await honestTurn(wire);
  });
  afterAll(() => gateway.cleanUp());

  test('keeps a message byte for byte, whatever characters it has', async () => {
    const messages = [
      'a\0b',
      '\u001B[2J\u001B[31m',
      '\r\n\t\b',
      '\u202E\u2066',
      '\uFEFFx',
      '😀'.repeat(262_000),
    ];
    for (const text of messages) {
      const runId = await say(wire, 'bytes', text);
      expect(await settled(wire, runId)).toBe('ok');
      const kept = (await historyOf(wire, 'bytes')).filter((message) => message.runId === runId);
      expect([textOf(kept[0]) === text, kept.length], JSON.stringify(text.slice(0, 9))).toEqual([true, 2]);
    }
    await honestTurn(wire);
  });

  test('serves an honest client while 2,000 connections never speak, and forgets them', async () => {
    const before = await probe.used();
    const port = Number(new URL(gateway.url).port);
    // Three times over, so that what each of them leaves behind adds up.
    for (let round = 0; round < 3; round += 1) {
      const silent = await Promise.all(
        Array.from({ length: 2_000 }, (_, index) => mute(port, index % 2 === 0)),
      );
      onTestFinished(() => silent.forEach(({ socket }) => socket.destroy()));
      for (let turn = 0; turn < 3; turn += 1) await honestTurn(wire);
      await honestTurn(await gateway.wire());
      expect((await gateway.fetch('/readyz')).status).toBe(200);
      // Nobody is closed before the time that everybody has to speak.
      const dropped = silent.filter(({ socket }) => socket.destroyed).map(({ keptMs }) => keptMs());
      expect(dropped.filter((ms) => ms < SERVER_LIMITS.handshakeMs)).toEqual([]);
      for (const { socket } of silent) socket.destroy();
    }
    await memoryIsBack(before);
    await honestTurn(wire);
  });

  test('answers 10,000 distinct session keys, and their memory comes back', async () => {
    // Hundreds here; the full number is the last part of test/long/fuzz.ts.
    await floodWithKeys(wire, 50);
    const before = await probe.used();
    expect(await floodWithKeys(wire, 300)).toEqual([]);
    await eventually('the last session to be gone', async () => {
      const sessions = (await wire.ask('tree.get', { path: 'gateway/core/work/sessions' })).tree;
      return nodesOf(sessions).some(({ path }) => path.includes('flood')) ? undefined : true;
    });
    await memoryIsBack(before);
    await honestTurn(wire);
  });

  /** A generous factor: it is within a few hundredths, and what each of them leaves behind would be a fifth. */
  const memoryIsBack = (before: number): Promise<true> =>
    eventually('the memory to come back', async () =>
      (await probe.used()) < before * 1.2 ? true : undefined,
    );
});

interface Mute {
  readonly socket: Socket;
  /** How long it has been kept, or was kept: at least as long as the gateway knew it. */
  readonly keptMs: () => number;
}

/** Connected, or even upgraded; after that it says nothing. */
function mute(port: number, upgraded: boolean): Promise<Mute> {
  return new Promise((resolve, reject) => {
    const dialledMs = performance.now();
    let closedMs: number | undefined;
    const keptMs = (): number => (closedMs ?? performance.now()) - dialledMs;
    const socket = createConnection(port, '127.0.0.1', () => {
      if (!upgraded) return resolve({ socket, keptMs });
      socket.once('data', () => resolve({ socket, keptMs }));
      socket.write(
        'GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
    });
    socket.on('error', reject);
    socket.on('close', () => (closedMs = performance.now()));
  });
}

test('keeps sessions apart whatever their keys look like, in the next life too', async () => {
  const stateDir = tempDir();
  const first = await gatewayFor({ stateDir });
  const wire = await first.wire();
  const said = await Promise.all(
    KEYS.map(async (key, index) => ({
      key,
      text: `message ${index}`,
      runId: await say(wire, key, `message ${index}`),
    })),
  );
  for (const { runId } of said) expect(await settled(wire, runId)).toBe('ok');
  const faults = async (from: Wire): Promise<string[]> => {
    const found: string[] = [];
    for (const { key, text, runId } of said) {
      const messages = await historyOf(from, key);
      const { session } = await from.ask('sessions.describe', { key });
      if (session?.key !== key || messages.length !== 2)
        found.push(JSON.stringify([key, session?.key, messages.length]));
      found.push(...exchangeFaults(messages, runId, text));
    }
    return found;
  };
  expect(await faults(wire)).toEqual([]);
  await first.stop();
  const second = await gatewayFor({ stateDir });
  expect(await faults(await second.wire())).toEqual([]);
  expect(
    readdirSync(stateDir).filter(
      (name) => !/^(coppice\.db|gateway\.lock|logs$|token$|workspace$|test-config)/.test(name),
    ),
  ).toEqual([]);
});

describe('a state directory', () => {
  const root = process.getuid?.() === 0;
  const BIN = fileURLToPath(new URL('../../bin/coppice.js', import.meta.url));
  const NOBODY = 65_534;

  interface Made {
    readonly dir: string;
    /** As whom to run. Default: as ourselves. */
    readonly uid?: number;
  }

  const CASES: readonly (readonly [string, string, () => Made | string])[] = [
    ['a file in its place', 'STORE_UNWRITABLE', () => ({ dir: written(join(tempDir(), 'state'), 'mine') })],
    [
      'the directory of another user',
      'STORE_UNWRITABLE',
      () => {
        if (!root) return 'only root can give a directory away';
        const dir = tempDir();
        chownSync(dir, NOBODY, NOBODY);
        return { dir };
      },
    ],
    ['a directory nobody may write to', 'STORE_UNWRITABLE', closedDirectory],
    [
      'a read-only file system',
      'STORE_UNWRITABLE',
      () => {
        const dir = smallDisk(64);
        if (dir === undefined) return NO_MOUNT;
        written(join(dir, 'keep'), 'mine');
        spawnSync('mount', ['-o', 'remount,ro', dir]);
        return { dir };
      },
    ],
    [
      'a full file system',
      'STORE_FULL',
      () => {
        const dir = smallDisk(64);
        if (dir === undefined) return NO_MOUNT;
        fill(join(dir, 'keep'));
        return { dir };
      },
    ],
    [
      'a database of another program',
      'STORE_DAMAGED',
      () => {
        const dir = tempDir();
        const db = new DatabaseSync(join(dir, 'coppice.db'));
        db.exec('CREATE TABLE notes (x)');
        db.close();
        return { dir };
      },
    ],
    [
      'a folder where the token should be',
      'NOT_PERMITTED',
      () => {
        const dir = tempDir();
        mkdirSync(join(dir, 'token'));
        return { dir };
      },
    ],
  ];
  const NO_MOUNT = 'mounting a file system needs root: sudo npx vitest run --project e2e test/e2e/bad-input';

  test.for(CASES)('%s is refused by name, and nothing is changed', ([, code, make], { skip }) => {
    const made = make();
    if (typeof made === 'string') return skip(made);
    const { dir, uid } = made;
    const before = contents(dir);
    const child = spawnSync(
      process.execPath,
      [BIN, 'run', '--port', '0', '--no-launcher', '--state-dir', dir],
      {
        encoding: 'utf8',
        timeout: 90_000,
        env: { PATH: process.env['PATH'], HOME: dir, XDG_CONFIG_HOME: dir, NO_COLOR: '1' },
        ...(uid === undefined ? {} : { uid, gid: uid }),
      },
    );
    expect(child.stderr).toContain(`COPPICE_${code}`);
    expect(child.stderr).toContain(dir);
    expect([70, 77, 78]).toContain(child.status);
    const after = contents(dir);
    expect([...before].filter(([path, text]) => after.get(path) !== text)).toEqual([]);
  });

  /** Its own user may not write there; root may, so root runs it as somebody else. */
  function closedDirectory(): Made | string {
    const parent = tempDir();
    const dir = join(parent, 'state');
    mkdirSync(dir, { mode: 0o500 });
    if (!root) return { dir };
    chmodSync(parent, 0o755);
    chownSync(dir, NOBODY, NOBODY);
    const reads = spawnSync(process.execPath, ['-e', `require('fs').accessSync(${JSON.stringify(BIN)})`], {
      uid: NOBODY,
    });
    return reads.status === 0
      ? { dir, uid: NOBODY }
      : 'another user cannot read this clone: move it out of a private home';
  }
});

function written(path: string, text: string): string {
  writeFileSync(path, text);
  return path;
}

/** Path to content of everything in it, or of itself. */
function contents(dir: string): Map<string, string> {
  if (!statSync(dir).isDirectory()) return new Map([[dir, readFileSync(dir, 'latin1')]]);
  const files = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(files.map(({ name }) => [join(dir, name), readFileSync(join(dir, name), 'latin1')]));
}

describe('a gateway', () => {
  test('whose disk fills up refuses by name, loses nothing it accepted, and goes on when there is room', async ({
    skip,
  }) => {
    const stateDir = smallDisk(8_192);
    if (stateDir === undefined) return skip('mounting a file system needs root');
    const gateway = await gatewayFor({ stateDir });
    const wire = await gateway.wire();
    await honestTurn(wire);
    fill(join(stateDir, 'ballast'));
    const accepted: { readonly text: string; readonly runId: string }[] = [];
    const refused = await eventually('the disk to be full', async () => {
      const text = `${accepted.length} ${'x'.repeat(100_000)}`;
      const runId = newKey('full');
      const answer = await wire.request('chat.send', {
        sessionKey: 'full',
        message: text,
        idempotencyKey: runId,
      });
      if (answer.ok) accepted.push({ text, runId });
      return answer.error;
    });
    expect(refused).toMatchObject({ retryable: true, details: { coppiceCode: 'COPPICE_UNAVAILABLE' } });
    expect(refused.message).toContain(`no room left on the file system of ${stateDir}`);
    rmSync(join(stateDir, 'ballast'));
    const pid = gateway.gatewayPid();
    await eventually('a turn to be taken again', async () => {
      const again = await wire.request('chat.send', {
        sessionKey: 'room',
        message: 'x',
        idempotencyKey: newKey('room'),
      });
      return again.ok ? true : undefined;
    });
    await honestTurn(wire);
    for (const { runId } of accepted) expect(await settled(wire, runId)).toBe('ok');
    const messages = await historyOf(wire, 'full');
    expect(accepted.flatMap(({ text, runId }) => exchangeFaults(messages, runId, text))).toEqual([]);
    expect(gateway.gatewayPid()).toBe(pid);
  });

  test('closes a token file that others could read, and says so', async () => {
    const stateDir = tempDir();
    const file = written(join(stateDir, 'token'), 'a-token-somebody-copied-here\n');
    chmodSync(file, 0o644);
    const gateway = await gatewayFor({ stateDir });
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    await gateway.wrote(`others could read the token in ${file} (mode 644)`);
    expect(gateway.output()).not.toContain('a-token-somebody');
    await honestTurn(await gateway.wire());
  });

  test('survives 2,000 frames changed at random', async () => {
    const script = fileURLToPath(new URL('../long/fuzz.ts', import.meta.url));
    accessSync(script);
    const child = spawn(process.execPath, [script, '--frames', '2000', '--keys', '0', '--seed', '1'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    onTestFinished(() => void child.kill());
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => (output += String(chunk)));
    const code = await new Promise((resolve) => void child.once('close', resolve));
    expect(output).toMatch(/2000 frames, .* no violation/);
    expect(code, output).toBe(0);
  });
});
