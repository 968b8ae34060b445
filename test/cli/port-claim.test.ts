import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net, { type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exitCodeOf } from '../../src/cli/complain.ts';
import { claimPort, claimPortAfterOrphan } from '../../src/cli/port-claim.ts';
import { findOwner } from '../../src/cli/owner.ts';
import { acquireLock } from '../../src/store/index.ts';
import { CoppiceError } from '../../src/errors.ts';

let dir: string;
let busy: Server;
let port: number;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'coppice-port-'));
  busy = net.createServer().listen(0, '127.0.0.1');
  await once(busy, 'listening');
  port = (busy.address() as AddressInfo).port;
});
afterEach(() => {
  busy.close();
  rmSync(dir, { recursive: true, force: true });
});

const claim = () => ({ host: '127.0.0.1', port });
const caught = (run: () => unknown): CoppiceError => {
  try {
    run();
  } catch (error) {
    if (error instanceof CoppiceError) return error;
  }
  throw new Error('no error of ours was thrown');
};

test('a busy port is refused with the address in its message, and ends with 78', () => {
  const error = caught(() => claimPort(claim()));
  expect(error.code).toBe('PORT_IN_USE');
  expect(error.message).toMatch(new RegExp(`^127\\.0\\.0\\.1:${port} is in use by `));
  expect(exitCodeOf(error)).toBe(78);
});

test('an address of another machine is refused, and ends with 78', () => {
  const error = caught(() => claimPort({ host: '192.0.2.1', port: 0 }));
  expect(error).toMatchObject({
    code: 'BIND_FAILED',
    message: 'cannot listen on 192.0.2.1:0: EADDRNOTAVAIL',
  });
  expect(exitCodeOf(error)).toBe(78);
});

test('a cause decides the exit code when the error around it has none', () => {
  const inner = new CoppiceError('LOCK_HELD', { path: dir, pid: 1, since: 'now' });
  expect(
    exitCodeOf(new CoppiceError('START_FAILED', { path: 'gateway', reason: 'x' }, { cause: inner })),
  ).toBe(78);
  expect(exitCodeOf(new Error('anything'), 70)).toBe(70);
});

/** The pid of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid!;
}

test('a launcher waits for a gateway whose own launcher is dead, and gets its port', async () => {
  const lock = acquireLock({
    dir,
    owner: { pid: process.pid, startedAt: 0, version: '0', port, launcherPid: await deadPid() },
  });
  const said: string[] = [];
  const waiting = claimPortAfterOrphan(claim(), dir, { waitMs: 10_000, say: (line) => void said.push(line) });
  // As a gateway stops: first the port, some time later the lock.
  setTimeout(() => busy.close(), 100);
  setTimeout(() => lock.release(), 250);
  const bound = await waiting;
  expect(findOwner(dir)).toBeUndefined();
  bound.close();
  expect(bound.port).toBe(port);
  expect(said).toEqual([expect.stringContaining(`gateway process ${process.pid}, whose launcher is gone`)]);
});

test.each<[string, () => number]>([
  ['whose launcher lives', () => process.pid],
  ['that has no launcher', () => 0],
])('a launcher does not wait for a gateway %s', async (_who, launcherPid) => {
  const owner = { pid: process.pid, startedAt: 0, version: '0', port };
  const lock = acquireLock({ dir, owner: launcherPid() ? { ...owner, launcherPid: launcherPid() } : owner });
  await expect(
    claimPortAfterOrphan(claim(), dir, { waitMs: 10_000, say: () => undefined }),
  ).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  lock.release();
});

test('a launcher gives up on an orphan that does not stop', async () => {
  const lock = acquireLock({
    dir,
    owner: { pid: process.pid, startedAt: 0, version: '0', port, launcherPid: await deadPid() },
  });
  await expect(
    claimPortAfterOrphan(claim(), dir, { waitMs: 50, say: () => undefined }),
  ).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  lock.release();
});
