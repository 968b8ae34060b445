import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { type Link, type LinkNews, newsLine, openLink } from '../../src/cli/link.ts';
import { type FakeGateway, type Methods, startFakeGateway } from './fake-gateway.ts';
import { eventually } from './launched.ts';

const io: Io = { stdout: { write: () => true }, stderr: { write: () => true }, env: {} };
let gateway: FakeGateway;
let link: Link;
let news: LinkNews[];

const methods: Methods = { echo: (params) => params };
beforeEach(async () => {
  news = [];
  gateway = await startFakeGateway('secret', methods);
});
afterEach(async () => {
  link?.close();
  await gateway.close();
});

const open = (patienceMs?: number): Promise<Link> =>
  openLink(
    io,
    { url: gateway.url, token: 'secret' },
    { onNews: (one) => news.push(one), ...(patienceMs === undefined ? {} : { patienceMs }) },
  );
const drop = (): void => gateway.sockets.forEach((socket) => socket.terminate());
const event = (name: string): void =>
  gateway.sockets.forEach((socket) =>
    socket.send(JSON.stringify({ type: 'event', event: name, payload: 1 })),
  );

test('a link survives the loss of its connection, and so do its listeners', async () => {
  link = await open();
  const heard: string[] = [];
  link.onEvent((name) => heard.push(name));
  drop();
  await eventually(() => news.length > 0);
  expect(await (await link.client()).request('echo', { a: 1 })).toEqual({ a: 1 });
  expect(news.map(({ kind }) => kind)).toEqual(['lost', 'back']);
  event('tick');
  await (await link.client()).request('echo');
  expect(heard.filter((name) => name === 'tick')).toEqual(['tick']);
});

test('a gateway that is not there at first is not waited for', async () => {
  const { url } = gateway;
  await gateway.close();
  await expect(openLink(io, { url, token: 'secret' })).rejects.toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
  gateway = await startFakeGateway('secret', methods);
});

test('a gateway that does not come back is given up when patience ends, with the reason', async () => {
  link = await open(100);
  await gateway.close();
  await eventually(() => news.at(-1)?.kind === 'failed');
  await expect(link.client()).rejects.toMatchObject({ code: 'GATEWAY_UNREACHABLE' });
  expect(newsLine(news.at(-1)!)).toMatch(/^not connected again: .*does not answer/);
  gateway = await startFakeGateway('secret', methods);
});

test('a gateway that comes back with another token is not asked again and again', async () => {
  link = await open();
  const { port } = gateway;
  await gateway.close();
  gateway = await startFakeGateway('another', methods, port);
  await eventually(() => news.at(-1)?.kind === 'failed');
  await expect(link.client()).rejects.toMatchObject({ code: 'NOT_PERMITTED' });
  expect(gateway.connects).toHaveLength(1);
});

test('a closed link says nothing more, and makes no connection any more', async () => {
  link = await open();
  drop();
  await eventually(() => news.length > 0);
  link.close();
  await expect(link.client()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(news.map(({ kind }) => kind)).toEqual(['lost']);
  expect(gateway.connects).toHaveLength(1);
});
