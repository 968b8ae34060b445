import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connect } from '../../src/cli/client.ts';
import { type FakeGateway, startFakeGateway } from './fake-gateway.ts';

let gateway: FakeGateway;
beforeEach(async () => {
  gateway = await startFakeGateway('secret', {
    echo: (params) => params,
    refuse: () => {
      throw { code: 'PARAMS_INVALID', message: 'key is missing' };
    },
    forbid: () => {
      throw { code: 'FORBIDDEN', message: 'needs operator.admin' };
    },
    hang: 'silent',
    garbage: () => {
      for (const socket of gateway.sockets) socket.send('{not json');
      return 'after the garbage';
    },
    drop: () => {
      for (const socket of gateway.sockets) socket.close(1012, 'service restart');
      return null;
    },
    event: () => {
      for (const socket of gateway.sockets)
        socket.send(JSON.stringify({ type: 'event', event: 'tick', payload: { ts: 1 } }));
      return null;
    },
  });
});
afterEach(() => gateway.close());

const open = (token = 'secret') => connect({ url: gateway.url, token, version: '0.0.0', timeoutMs: 5_000 });

test('a client with the token passes the handshake, offers protocols 3 to 4, and gets its answers', async () => {
  const client = await open();
  expect(client.hello).toMatchObject({ type: 'hello-ok', protocol: 4 });
  expect(gateway.connects[0]).toMatchObject({
    minProtocol: 3,
    maxProtocol: 4,
    role: 'operator',
    auth: { token: 'secret' },
  });
  const answers = await Promise.all([client.request('echo', { a: 1 }), client.request('echo', { b: 2 })]);
  expect(answers).toEqual([{ a: 1 }, { b: 2 }]);
  client.close();
});

test('a wrong token is not permitted, with the reason', async () => {
  await expect(open('wrong')).rejects.toMatchObject({
    code: 'NOT_PERMITTED',
    message: expect.stringContaining('the token is wrong'),
  });
});

test('a refusal names method, reason and code, and the connection lives on', async () => {
  const client = await open();
  await expect(client.request('refuse')).rejects.toMatchObject({
    code: 'REQUEST_REFUSED',
    details: { method: 'refuse', reason: 'key is missing', refusal: 'PARAMS_INVALID' },
  });
  await expect(client.request('forbid')).rejects.toMatchObject({ code: 'NOT_PERMITTED' });
  expect(await client.request('echo', { still: 'here' })).toEqual({ still: 'here' });
  client.close();
});

test('a request without an answer ends at its own limit', async () => {
  const client = await open();
  await expect(client.request('hang', {}, 30)).rejects.toMatchObject({
    code: 'REQUEST_TIMED_OUT',
    details: { method: 'hang', waitMs: 30 },
  });
  client.close();
});

test('requests under way fail when the gateway goes away, with the reason it gave', async () => {
  const client = await open();
  const hanging = client.request('hang');
  const dropped = client.request('drop');
  hanging.catch(() => undefined);
  await expect(dropped).rejects.toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
  await expect(hanging).rejects.toMatchObject({
    code: 'GATEWAY_UNREACHABLE',
    message: expect.stringContaining('service restart (1012)'),
  });
  expect(await client.closed).toEqual({ code: 1012, reason: 'service restart' });
  await expect(client.request('echo')).rejects.toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
});

test('garbage on the wire is survived', async () => {
  const client = await open();
  expect(await client.request('garbage')).toBe('after the garbage');
  client.close();
});

test('events reach the listener until it is removed', async () => {
  const client = await open();
  const seen: unknown[] = [];
  const remove = client.onEvent((event, payload) => seen.push([event, payload]));
  await client.request('event');
  remove();
  await client.request('event');
  expect(seen).toEqual([['tick', { ts: 1 }]]);
  client.close();
});

test('a port where nobody listens is unreachable', async () => {
  const { url } = gateway;
  await gateway.close();
  await expect(connect({ url, version: '0.0.0' })).rejects.toMatchObject({
    code: 'GATEWAY_UNREACHABLE',
    message: expect.stringContaining('ECONNREFUSED'),
  });
  gateway = await startFakeGateway('secret', {});
});

test('a server that accepts and says nothing is given up', async () => {
  const silent = createServer()
    .on('upgrade', () => undefined)
    .listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  await expect(
    connect({ url: `http://127.0.0.1:${port}`, version: '0.0.0', timeoutMs: 50 }),
  ).rejects.toMatchObject({
    code: expect.stringMatching(/GATEWAY_UNREACHABLE|REQUEST_TIMED_OUT/),
  });
  silent.closeAllConnections();
  silent.close();
});
