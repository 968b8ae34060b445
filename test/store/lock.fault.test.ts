import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { acquireLock, readLockOwner } from '../../src/store/index.ts';
import { startChild, tempDir } from './fixture.ts';

const owner = { pid: process.pid, startedAt: 1_700_000_000_000, version: '0.1.0' };
const refusal = (dir: string): unknown => {
  try {
    acquireLock({ dir, owner }).release();
    return 'taken';
  } catch (error) {
    const { code, details, remedy } = error as {
      code: string;
      details: { pid: number; since: string };
      remedy: string;
    };
    return { code, pid: details.pid, since: details.since, remedy };
  }
};

test('the lock is held once: a second try is refused with the owner, its start and a remedy', () => {
  const dir = join(tempDir(), 'state');
  expect(readLockOwner(dir)).toBeUndefined();
  const lock = acquireLock({ dir, owner });
  expect(statSync(join(dir, 'gateway.lock')).mode & 0o777).toBe(0o600);
  expect(readLockOwner(dir)).toEqual({ held: true, owner });
  expect(refusal(dir)).toEqual({
    code: 'LOCK_HELD',
    pid: process.pid,
    since: '2023-11-14T22:13:20.000Z',
    remedy: expect.stringContaining('coppice stop'),
  });
  lock.release();
  lock.release();
  expect(readLockOwner(dir)).toEqual({ held: false, owner });
  expect(refusal(dir)).toBe('taken');
});

test('looking at the lock does not make one, and does not disturb who takes it', () => {
  const dir = tempDir();
  expect(readLockOwner(dir)).toBeUndefined();
  expect(() => statSync(join(dir, 'gateway.lock'))).toThrow('ENOENT');
  acquireLock({ dir, owner }).release();
  for (let look = 0; look < 20; look += 1) {
    expect(readLockOwner(dir)?.held).toBe(false);
    expect(refusal(dir)).toBe('taken');
  }
});

test('another process holds it: we are refused with its pid, also while it is frozen, and it is free after kill -9', async () => {
  const dir = tempDir();
  const child = startChild('lock-child.ts', dir);
  await child.said(1);
  expect(child.lines).toEqual(['owner']);
  const held = {
    held: true,
    owner: expect.objectContaining({ pid: child.pid, hostname: 'here', port: 4_321 }),
  };
  expect(readLockOwner(dir)).toEqual(held);
  expect(refusal(dir)).toMatchObject({ code: 'LOCK_HELD', pid: child.pid });

  child.process.kill('SIGSTOP');
  await sleep(50);
  expect(readLockOwner(dir)).toEqual(held);
  expect(refusal(dir)).toMatchObject({ code: 'LOCK_HELD', pid: child.pid });

  await child.kill('SIGKILL');
  expect(readLockOwner(dir)).toEqual({ ...held, held: false });
  expect(refusal(dir)).toBe('taken');
});

test('a second process is refused while we hold it, and an owner that is told to stop gives it back', async () => {
  const dir = tempDir();
  const lock = acquireLock({ dir, owner });
  const second = startChild('lock-child.ts', dir);
  await second.said(1);
  expect(second.lines).toEqual([`LOCK_HELD ${process.pid}`]);
  lock.release();
  const third = startChild('lock-child.ts', dir);
  await third.said(1);
  expect(third.lines).toEqual(['owner']);
  await third.kill('SIGTERM');
  expect(readLockOwner(dir)?.held).toBe(false);
});

test('somebody who is stopped while he looks keeps nobody out, if the last owner is dead', async () => {
  const dir = tempDir();
  const { pid } = spawnSync(process.execPath, ['--version']);
  acquireLock({ dir, owner: { ...owner, pid } }).release();
  const looker = startChild('lock-holder-child.ts', dir, 'IMMEDIATE', '700');
  await looker.said(1);
  expect(refusal(dir)).toBe('taken');
});

test('an owner that is held up while it writes down who it is is waited for by who looks', async () => {
  const dir = tempDir();
  acquireLock({ dir, owner }).release();
  const holder = startChild('lock-holder-child.ts', dir, 'EXCLUSIVE', '700');
  await holder.said(1);
  expect(readLockOwner(dir)).toMatchObject({ owner });
});

test('of eight processes that start at once exactly one owns it', { timeout: 60_000 }, async () => {
  const dir = join(tempDir(), 'state');
  mkdirSync(dir);
  const children = Array.from({ length: 8 }, () => startChild('lock-child.ts', dir));
  await Promise.all(children.map((child) => child.said(1)));
  const owners = children.filter((child) => child.lines[0] === 'owner');
  expect(owners).toHaveLength(1);
  expect(readLockOwner(dir)).toMatchObject({ held: true, owner: { pid: owners[0]?.pid } });
  const refused = children.filter((child) => /^LOCK_HELD \d+$/.test(child.lines[0] ?? ''));
  expect(refused).toHaveLength(7);
});
