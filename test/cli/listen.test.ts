import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { bindWithoutAccepting, isBound, passedListenFd } from '../../src/cli/listen.ts';
import { describePortOwner } from '../../src/cli/port-owner.ts';

test('a busy port is noticed at the bind, not by a child that would listen on a random one', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(bindWithoutAccepting('127.0.0.1', port)).toEqual({ code: 'EADDRINUSE' });
  server.close();
});

test('port 0 gives a free port, known at once', () => {
  const bound = bindWithoutAccepting('127.0.0.1', 0);
  if (!isBound(bound)) throw new Error(bound.code);
  expect(bound.port).toBeGreaterThan(0);
  bound.close();
});

test('an address of another machine is refused by its name', () => {
  expect(bindWithoutAccepting('192.0.2.1', 0)).toEqual({ code: 'EADDRNOTAVAIL' });
});

test('a text that is no address is refused', () => {
  expect(isBound(bindWithoutAccepting('not-an-address', 0))).toBe(false);
});

test('the bound socket accepts nothing itself, and a child that listens on its descriptor answers', async () => {
  const bound = bindWithoutAccepting('127.0.0.1', 0);
  if (!isBound(bound)) throw new Error(bound.code);
  const [refusal] = (await once(net.connect(bound.port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
  expect(refusal.code).toBe('ECONNREFUSED');
  const code =
    "require('net').createServer((socket) => socket.end('hello')).listen({ fd: 3 }, () => console.log('up'))";
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit', bound.fd] });
  await once(child.stdout!, 'data');
  const [text] = (await once(net.connect(bound.port, '127.0.0.1'), 'data')) as [Buffer];
  child.kill('SIGKILL');
  await once(child, 'exit');
  bound.close();
  expect(String(text)).toBe('hello');
});

test.each<[string, NodeJS.ProcessEnv, number | undefined]>([
  ['the launcher', { COPPICE_LISTEN_FD: '3' }, 3],
  ['systemd', { LISTEN_FDS: '1', LISTEN_PID: '42' }, 3],
  ['systemd, for another process', { LISTEN_FDS: '1', LISTEN_PID: '41' }, undefined],
  ['systemd, with nothing', { LISTEN_FDS: '0', LISTEN_PID: '42' }, undefined],
  ['nobody', {}, undefined],
  ['nonsense', { COPPICE_LISTEN_FD: 'three' }, undefined],
])('a socket handed over by %s', (_who, env, fd) => {
  expect(passedListenFd(env, 42)).toBe(fd);
});

test.runIf(process.platform === 'linux')(
  'the owner of a busy port is named with its program, without its arguments',
  async () => {
    const code =
      "require('net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })";
    const child = spawn(process.execPath, ['-e', code, '--', '--token=secret'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    const owner = describePortOwner(Number(chunk));
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(owner).toContain(`process ${child.pid} (node`);
    expect(owner).not.toContain('secret');
  },
);
