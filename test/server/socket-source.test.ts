import { once } from 'node:events';
import { connect, createServer as createNetServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Fact } from '../../src/bus/events.ts';
import { createClock } from '../../src/host/index.ts';
import { createServer, listenOn, type ListenDeps, type ListeningSource } from '../../src/server/index.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';
import { CONNECT, TOKEN, connected, dial, endRigs, startRig, until } from './client.ts';
import { createFakePort } from './fake-port.ts';

const sources: ListeningSource[] = [];
afterEach(async () => {
  await endRigs();
  for (const source of sources.splice(0)) await source.close();
});

async function listen(deps: Partial<ListenDeps> = {}): Promise<ListeningSource> {
  const source = await listenOn({ host: '127.0.0.1', port: 0 }, { clock: createClock(), ...deps });
  sources.push(source);
  return source;
}

function call(source: ListeningSource): Socket {
  const socket = connect(source.address().port, '127.0.0.1');
  socket.on('error', () => {});
  return socket.resume();
}

describe('listenOn', () => {
  it('names the address when the port is taken, and what to do', async () => {
    const holder = createNetServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    await expect(listenOn({ host: '127.0.0.1', port }, { clock: createClock() })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${port}`),
      remedy: expect.stringContaining('--port'),
    });
    holder.close();
  });

  it('says so when the address is not of this machine', async () => {
    await expect(listenOn({ host: '192.0.2.1', port: 0 }, { clock: createClock() })).rejects.toMatchObject({
      code: 'BIND_FAILED',
    });
  });

  it('frees the port when closed, while a socket it handed over lives on', async () => {
    const source = await listen();
    const taken: Socket[] = [];
    source.attach((socket) => taken.push(socket));
    const caller = call(source);
    await until(() => taken.length === 1);
    const { port } = source.address();
    await source.close();
    sources.push(await listenOn({ host: '127.0.0.1', port }, { clock: createClock() }));
    const heard = once(caller, 'data');
    taken[0]!.write('still here');
    expect(String((await heard)[0])).toBe('still here');
    taken[0]!.destroy();
  });
});

describe('while nobody is attached', () => {
  it('sockets wait unread, and are handed over in order with what they said', async () => {
    const source = await listen();
    const callers = [];
    for (const word of ['one', 'two']) {
      const caller = call(source);
      callers.push(caller);
      caller.write(word);
      await until(() => source.waiting === callers.length);
    }
    const words: string[] = [];
    source.attach((socket) => {
      socket.on('data', (chunk) => words.push(String(chunk)));
      socket.resume();
    });
    expect(source.waiting).toBe(0);
    await until(() => words.length === 2);
    expect(words).toEqual(['one', 'two']);
    for (const caller of callers) caller.destroy();
  });

  it('the socket too many is closed and reported, the others wait on', async () => {
    const facts: Fact[] = [];
    const source = await listen({ limits: { waitingSockets: 1 }, report: (fact) => facts.push(fact) });
    const first = call(source);
    await until(() => source.waiting === 1);
    await once(call(source), 'close');
    expect(source.waiting).toBe(1);
    expect(facts).toMatchObject([{ type: 'client.refused', code: 'UNAVAILABLE' }]);
    first.destroy();
  });

  it('a socket that waits too long is closed and reported', async () => {
    const clock = createSimulatedClock();
    const facts: Fact[] = [];
    const source = await listen({ clock, report: (fact) => facts.push(fact) });
    const caller = call(source);
    await until(() => source.waiting === 1);
    clock.advance(9_999);
    expect(source.waiting).toBe(1);
    clock.advance(1);
    await once(caller, 'close');
    expect(facts).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('closing the source ends those who wait', async () => {
    const source = await listen();
    const caller = call(source);
    await until(() => source.waiting === 1);
    await source.close();
    await once(caller, 'close');
  });
});

describe('a restart of the server', () => {
  const serve = (listener: ListeningSource, fake = createFakePort()) =>
    createServer({
      port: fake.port,
      auth: { mode: 'token', token: TOKEN },
      clock: createClock(),
      listener,
      report: () => {},
    });

  it('refuses nobody: who came in between is served by the next one', async () => {
    const source = await listen();
    await serve(source).close('restart');
    const url = `ws://127.0.0.1:${source.address().port}/ws`;
    const client = dial(url);
    const page = fetch(url.replace('ws:', 'http:').replace('/ws', '/livez'));
    await until(() => source.waiting === 2);
    const next = serve(source);
    await client.event('connect.challenge');
    expect((await client.request('connect', CONNECT)).ok).toBe(true);
    expect((await page).status).toBe(200);
    next.destroy();
  });

  it('tells the clients, closes with 1012, and leaves nothing behind', async () => {
    const rig = await startRig();
    const client = await connected(rig);
    const stranger = dial(rig.url);
    await stranger.event('connect.challenge');
    await rig.server.close('planned restart', { restartExpectedMs: 1_500 });
    expect((await client.event('shutdown')).payload).toEqual({
      reason: 'planned restart',
      restartExpectedMs: 1_500,
    });
    expect(await client.closed).toEqual({ code: 1012, reason: 'service restart' });
    expect((await stranger.closed).code).toBe(1012);
    expect(rig.server.clients).toBe(0);
    expect(rig.fake.listeners()).toBe(0);
    expect(rig.facts).toContainEqual(expect.objectContaining({ type: 'client.disconnected', code: 1012 }));
  });

  it('is not held up by a client that does not answer', async () => {
    const rig = await startRig({ limits: { shutdownMs: 50, goodbyeMs: 60_000 } });
    const client = await connected(rig);
    client.ws.pause();
    await rig.server.close('stop');
    client.ws.resume();
    await client.closed;
    await until(() => rig.server.clients === 0);
  });

  it('leaves no timer behind', async () => {
    const clock = createSimulatedClock();
    const rig = await startRig({ clock });
    const client = await connected(rig);
    rig.fake.say('r', { kind: 'text', text: 'a', delta: 'a' });
    rig.fake.say('r', { kind: 'text', text: 'ab', delta: 'b' });
    await client.request('tree.subscribe');
    const guesser = dial(rig.url);
    await guesser.event('connect.challenge');
    guesser.send({
      type: 'req',
      id: 'g',
      method: 'connect',
      params: { ...CONNECT, auth: { token: 'guess' } },
    });
    await client.request('health');
    expect(clock.pending).toBeGreaterThan(4);
    rig.server.destroy();
    await Promise.all([client.closed, guesser.closed]);
    await until(() => clock.pending === 0);
  });

  it('closes once, however often it is told', async () => {
    const rig = await startRig();
    expect(rig.server.close('a')).toBe(rig.server.close('b'));
    await rig.server.close('c');
  });
});
