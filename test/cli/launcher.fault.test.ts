import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { endLaunchers, eventually, isAlive, startLauncher } from './launched.ts';

afterEach(endLaunchers);

describe('a launcher with a real child process', () => {
  test('survives a child killed with SIGKILL and starts the next one on the same port', async () => {
    const launched = await startLauncher('serve');
    await launched.said(/up \d+/);
    const first = Number(await launched.get('/'));
    process.kill(first, 'SIGKILL');
    const second = Number(await launched.get('/'));
    expect(second).not.toBe(first);
    expect(launched.output()).toMatch(new RegExp(`process ${first} was ended by SIGKILL`));
  });

  test('keeps a connection made while the child is dead, and the next child answers it', async () => {
    const launched = await startLauncher('serve', { policy: { minMs: 4_000, maxMs: 4_000 } });
    await launched.said(/up \d+/);
    const first = Number(await launched.get('/'));
    process.kill(first, 'SIGKILL');
    await launched.said(/starting it again in/);
    const socket = net.connect(launched.port, '127.0.0.1');
    socket.end('GET / HTTP/1.0\r\n\r\n');
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    // Connected while only one child had ever lived: the kernel holds the connection.
    expect(launched.output().match(/up \d+/g)).toHaveLength(1);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 200/);
    expect(answer).not.toContain(String(first));
  });

  test('stops with 0 when the child ends with 0', async () => {
    const launched = await startLauncher('exit=0');
    expect(await launched.ended).toBe(0);
    expect(launched.output()).not.toContain('again');
  });

  test('stops with 78 when the child ends with 78, instead of looping on it', async () => {
    const launched = await startLauncher('exit=78');
    expect(await launched.ended).toBe(78);
    expect(launched.output()).not.toContain('again');
  });

  test('starts the child again at once after a planned restart', async () => {
    const launched = await startLauncher('serve', { policy: { minMs: 60_000, maxMs: 60_000 } });
    const first = (await launched.said(/up (\d+)/))[1]!;
    process.kill(launched.pid, 'SIGUSR2');
    await launched.said(new RegExp(`restart ${first} SIGUSR2[^]*up (?!${first})\\d+`));
  });

  test('gives up with 70 after a crash loop and says what happened', async () => {
    const launched = await startLauncher('exit=70', { policy: { intensity: 2 } });
    expect(await launched.ended).toBe(70);
    expect(launched.output()).toContain('ended uncleanly 3 times');
    expect(launched.output().match(/Z the gateway process \d+ ended with code 70/g)).toHaveLength(3);
  });

  test('kills a child whose event loop is frozen, and the next one answers', async () => {
    const launched = await startLauncher('serve', { watchdogMs: 3_000 });
    const first = (await launched.said(/up (\d+)/))[1]!;
    const frozen = launched.get('/freeze').catch((error: unknown) => error);
    await launched.said(/its heartbeat stopped \(a frozen event loop\)/);
    expect(await frozen).toBeInstanceOf(Error);
    expect(await launched.get('/')).not.toBe(first);
    expect(isAlive(Number(first))).toBe(false);
  });

  test('kills a child that never shows a heartbeat', async () => {
    const launched = await startLauncher('mute', { watchdogMs: 1_000 });
    await launched.said(/its heartbeat stopped/);
  });

  test('spares a child whose heartbeats arrive late because the launcher itself stood still', async () => {
    const launched = await startLauncher('serve', { watchdogMs: 3_000 });
    const first = (await launched.said(/up (\d+)/))[1]!;
    process.kill(launched.pid, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 3_600));
    process.kill(launched.pid, 'SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await launched.get('/')).toBe(first);
  });

  test('takes the processes a dead child had started with it', async () => {
    const launched = await startLauncher('serve');
    const first = Number((await launched.said(/up (\d+)/))[1]);
    const grandchild = Number(await launched.get('/grandchild'));
    expect(isAlive(grandchild)).toBe(true);
    process.kill(first, 'SIGKILL');
    await eventually(() => !isAlive(grandchild));
  });
});

describe('stopping', () => {
  test('a Ctrl-C in the terminal reaches the child once, and both end', async () => {
    const launched = await startLauncher('serve');
    await launched.said(/up \d+/);
    // What a terminal does: SIGINT to the whole foreground process group.
    process.kill(-launched.pid, 'SIGINT');
    expect(await launched.ended).toBe(0);
    expect(launched.output().match(/^stop/gm)).toHaveLength(1);
    expect(launched.output()).not.toMatch(/^fast/m);
  });

  test('a second Ctrl-C asks the child for a fast stop', async () => {
    const launched = await startLauncher('slow');
    await launched.said(/up \d+/);
    process.kill(-launched.pid, 'SIGINT');
    await launched.said(/^stop/m);
    await new Promise((resolve) => setTimeout(resolve, 250));
    process.kill(-launched.pid, 'SIGINT');
    expect(await launched.ended).toBe(0);
    expect(launched.output()).toMatch(/^fast \d+ a second stop signal/m);
  });

  test('a child that does not stop in time is killed, and the launcher says so', async () => {
    const launched = await startLauncher('deaf', { stopMs: 200 });
    const child = Number((await launched.said(/up (\d+)/))[1]);
    process.kill(launched.pid, 'SIGTERM');
    expect(await launched.ended).toBe(70);
    expect(launched.output()).toContain('did not stop within 200 ms');
    expect(isAlive(child)).toBe(false);
  });

  test('a second signal shortens the time a deaf child has', async () => {
    const launched = await startLauncher('deaf', { stopMs: 60_000, fastStopMs: 100 });
    await launched.said(/up \d+/);
    process.kill(launched.pid, 'SIGTERM');
    await launched.said(/^stop/m);
    process.kill(launched.pid, 'SIGTERM');
    expect(await launched.ended).toBe(70);
  });

  test('a stop during a backoff ends the launcher without another life', async () => {
    const launched = await startLauncher('exit=1', { policy: { minMs: 60_000, maxMs: 60_000 } });
    await launched.said(/starting it again in/);
    process.kill(launched.pid, 'SIGTERM');
    expect(await launched.ended).toBe(0);
  });

  test('the child stops gracefully when its launcher is killed with SIGKILL', async () => {
    const launched = await startLauncher('serve');
    const child = Number((await launched.said(/up (\d+)/))[1]);
    process.kill(launched.pid, 'SIGKILL');
    expect(await launched.ended).toBe('SIGKILL');
    await launched.said(new RegExp(`stop ${child} the launcher is gone`));
    await eventually(() => !isAlive(child));
  });

  test('SIGHUP asks the child to read its configuration again, and everything lives on', async () => {
    const launched = await startLauncher('serve');
    const child = (await launched.said(/up (\d+)/))[1]!;
    await launched.get('/');
    process.kill(launched.pid, 'SIGHUP');
    await launched.said(new RegExp(`reload ${child} SIGHUP`));
    expect(await launched.get('/')).toBe(child);
  });
});
