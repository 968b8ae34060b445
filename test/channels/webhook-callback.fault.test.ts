import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createWebhook } from '../../src/channels/index.ts';
import type { WebhookOptions } from '../../src/channels/index.ts';
import { createClock } from '../../src/host/index.ts';
import { SECRET } from './hook-request.ts';
import { openReceiver } from './receiver.ts';

const delivery = {
  deliveryId: 'r1/build',
  account: 'default',
  target: 'ops',
  payload: { text: 'done: äöü', runId: 'r1', sessionKey: 'agent:main:build:ops' },
};

async function deliverTo(
  callbackUrl: string,
  more: Partial<WebhookOptions> & { callbackTimeoutMs?: number } = {},
  signal = new AbortController().signal,
) {
  const webhook = createWebhook({
    name: 'build',
    secret: SECRET,
    replayWindowMs: 300_000,
    maxBodyBytes: 1_000,
    clock: createClock(),
    callbackUrl,
    ...more,
  });
  const attempt = new AbortController();
  for (const leg of webhook.channel.legs) {
    const receive = async () => ({ kind: 'accepted', runId: 'r' }) as const;
    await leg.start({ signal: attempt.signal, lost: () => undefined, receive });
  }
  return webhook.channel.deliver(delivery, signal);
}

describe('a reply', () => {
  it('is posted as JSON, signed like a request to us, with a key by which a repeat is known', async () => {
    const receiver = await openReceiver();
    expect(await deliverTo(receiver.url)).toEqual({ kind: 'sent' });
    const [{ headers, body }] = receiver.requests as [(typeof receiver.requests)[number]];
    expect(JSON.parse(body)).toEqual({
      deliveryId: 'r1/build',
      runId: 'r1',
      sessionKey: 'agent:main:build:ops',
      target: 'ops',
      text: 'done: äöü',
    });
    expect(headers).toMatchObject({
      'idempotency-key': 'r1/build',
      'content-type': 'application/json; charset=utf-8',
    });
    const at = String(headers['x-coppice-timestamp']);
    const expected = createHmac('sha256', SECRET).update(`${at}.${body}`).digest('hex');
    expect(headers['x-coppice-signature']).toBe(`v1=${expected}`);
    expect(Math.abs(Date.now() - Number(at))).toBeLessThan(300_000);
  });

  it('is signed as GitHub does it where the operator chose that', async () => {
    const receiver = await openReceiver();
    await deliverTo(receiver.url, { scheme: 'github', signatureHeader: 'X-Sig' });
    const [{ headers, body }] = receiver.requests as [(typeof receiver.requests)[number]];
    expect(headers['x-sig']).toBe(`sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`);
    expect(headers['x-coppice-timestamp']).toBeUndefined();
  });

  it.each([
    [408, { permanent: false }],
    [425, { permanent: false }],
    [429, { permanent: false }],
    [500, { permanent: false }],
    [503, { permanent: false }],
    [400, { permanent: true }],
    [404, { permanent: true }],
    [410, { permanent: true }],
  ])('that is answered %i has failed, %o', async (status, outcome) => {
    const receiver = await openReceiver();
    receiver.answer = (response) => void response.writeHead(status).end();
    const answer = await deliverTo(receiver.url);
    expect(answer).toMatchObject({ kind: 'failed', ...outcome });
    expect(answer).toHaveProperty('reason', expect.stringContaining(String(status)));
  });

  it('waits as long as its receiver asks, in seconds or until a date, and no longer than an hour', async () => {
    const receiver = await openReceiver();
    const asked = async (value: string): Promise<number> => {
      receiver.answer = (response) => void response.writeHead(503, { 'retry-after': value }).end();
      return ((await deliverTo(receiver.url)) as { retryAfterMs?: number }).retryAfterMs ?? -1;
    };
    expect(await asked('7')).toBe(7_000);
    expect(await asked('999999999')).toBe(3_600_000);
    expect(await asked('soon')).toBe(-1);
    const until = await asked(new Date(Date.now() + 120_000).toUTCString());
    expect(until).toBeGreaterThan(60_000);
    expect(until).toBeLessThanOrEqual(120_000);
  });

  it('does not follow a redirect, wherever that leads', async () => {
    const [receiver, other] = [await openReceiver(), await openReceiver()];
    receiver.answer = (response) => void response.writeHead(307, { location: other.url }).end();
    expect(await deliverTo(receiver.url)).toMatchObject({ kind: 'failed', permanent: true });
    expect(other.requests).toEqual([]);
  });

  it('is sent as soon as the status says so, also when the answer never ends', async () => {
    const receiver = await openReceiver();
    receiver.answer = (response) => void response.writeHead(200).write('x');
    expect(await deliverTo(receiver.url)).toEqual({ kind: 'sent' });
  });
});

describe('a receiver that', () => {
  it('is not there was told nothing: the delivery failed and may be repeated', async () => {
    const receiver = await openReceiver();
    await receiver.close();
    expect(await deliverTo(receiver.url)).toMatchObject({ kind: 'failed', permanent: false });
  });

  it('hangs may have it', async () => {
    const receiver = await openReceiver();
    receiver.answer = () => undefined;
    const answer = await deliverTo(receiver.url, { callbackTimeoutMs: 100 });
    expect(answer).toEqual({ kind: 'unknown', reason: 'no answer within 100 ms' });
    expect(receiver.requests).toHaveLength(1);
  });

  it('drops the connection may have it', async () => {
    const receiver = await openReceiver();
    receiver.answer = (_response, _nth, socket) => void socket.destroy();
    expect(await deliverTo(receiver.url)).toMatchObject({ kind: 'unknown' });
    expect(receiver.requests).toHaveLength(1);
  });

  it('closes without a word, or speaks no HTTP, may have it', async () => {
    for (const word of ['', 'SSH-2.0-hello\r\n']) {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => socket.end(word));
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      onTestFinished(() => void server.close());
      const { port } = server.address() as AddressInfo;
      expect(await deliverTo(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'unknown' });
    }
  });

  it('speaks no TLS where it should was told nothing', async () => {
    const receiver = await openReceiver();
    const answer = await deliverTo(receiver.url.replace('http:', 'https:'));
    expect(answer).toMatchObject({ kind: 'failed', permanent: false });
  });

  it('is broken off may have it, and nothing is left open', async () => {
    const receiver = await openReceiver();
    const stop = new AbortController();
    const ended = Promise.withResolvers<void>();
    receiver.answer = (_response, _nth, socket) => {
      socket.once('close', () => ended.resolve());
      stop.abort();
    };
    expect(await deliverTo(receiver.url, {}, stop.signal)).toMatchObject({ kind: 'unknown' });
    await ended.promise;
  });

  it('was never begun with was told nothing', async () => {
    const receiver = await openReceiver();
    const answer = await deliverTo(receiver.url, {}, AbortSignal.abort());
    expect(answer).toMatchObject({ kind: 'failed', permanent: false });
    expect(receiver.requests).toEqual([]);
  });
});
