import { createConnection } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createWebhook } from '../../src/channels/index.ts';
import type { Receipt } from '../../src/channels/index.ts';
import { CoppiceError } from '../../src/errors.ts';
import { createClock } from '../../src/host/index.ts';
import type { ServerLimits } from '../../src/server/index.ts';
import { SECRET, signed } from '../channels/hook-request.ts';
import { endRigs, rawHttp, startRig } from './client.ts';

afterEach(endRigs);

/** A server with one real webhook channel, `build`; `receive` is its inbox. */
async function open(receive: () => Promise<Receipt>, limits: Partial<ServerLimits> = {}) {
  const rig = await startRig({ limits: { authDelayMinMs: 1, authDelayMaxMs: 1, ...limits } });
  const webhook = createWebhook({
    name: 'build',
    secret: SECRET,
    replayWindowMs: 300_000,
    maxBodyBytes: 1_000,
    clock: createClock(),
  });
  const attempt = new AbortController();
  for (const leg of webhook.channel.legs)
    await leg.start({ signal: attempt.signal, lost: () => undefined, receive });
  rig.fake.state.hook = async (name, request) => {
    if (name !== 'build') throw new CoppiceError('HOOK_NOT_FOUND', { name });
    return webhook.handle(request);
  };
  const post = (body: string, headers: Record<string, string>, path = '/hooks/build') =>
    fetch(rig.http + path, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
  return {
    rig,
    post,
    down: () => attempt.abort(),
    say: (body: string) => post(body, signed(body, Date.now())),
  };
}
const accept = async (): Promise<Receipt> => ({ kind: 'accepted', runId: 'r1' });

describe('POST /hooks/NAME', () => {
  it('answers 202 with the run, and only after the message is committed', async () => {
    const commit = Promise.withResolvers<Receipt>();
    const asked = Promise.withResolvers<void>();
    const { say } = await open(() => (asked.resolve(), commit.promise));
    let answered = false;
    const answer = say('{"text":"a"}').finally(() => (answered = true));
    await asked.promise;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(answered).toBe(false);
    commit.resolve({ kind: 'accepted', runId: 'r1' });
    expect((await answer).status).toBe(202);
    expect(await (await answer).json()).toEqual({ runId: 'r1', status: 'accepted' });
  });

  it('answers 200 with the first outcome when it came before', async () => {
    const { say } = await open(async () => ({ kind: 'known', runId: 'r1', status: 'ok', text: 'done' }));
    const answer = await say('{"text":"a"}');
    expect([answer.status, await answer.json()]).toEqual([200, { runId: 'r1', status: 'ok', text: 'done' }]);
  });

  it.each([
    [400, 'COPPICE_HOOK_BODY', '{"text":', () => Date.now()],
    [401, 'COPPICE_HOOK_STALE', '{"text":"a"}', () => Date.now() - 400_000],
    [413, 'COPPICE_HOOK_TOO_LARGE', JSON.stringify({ text: 'a'.repeat(2_000) }), () => Date.now()],
  ])('answers %i %s with what to do', async (status, code, body, at) => {
    const { post } = await open(accept);
    const answer = await post(body, signed(body, at()));
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ error: { code, remedy: expect.any(String) } });
  });

  it('answers 404 for a channel that is not there, and to any other method', async () => {
    const { rig, post } = await open(accept);
    expect((await post('{}', {}, '/hooks/nobody')).status).toBe(404);
    expect((await fetch(`${rig.http}/hooks/build`)).status).toBe(404);
  });

  it.each([
    ['DRAINING', { retryAfterMs: 2_500 }],
    ['OVERLOADED', { where: 'the inbox', limit: 1, retryAfterMs: 2_500 }],
  ] as const)('answers 503 with retry-after when the gateway is %s', async (code, details) => {
    const { say } = await open(async () => {
      throw new CoppiceError(code, details);
    });
    const answer = await say('{"text":"a"}');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '3']);
  });

  it('answers 503 while its leg is down', async () => {
    const { say, down } = await open(accept);
    down();
    const answer = await say('{"text":"a"}');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  });

  it('stops reading a body of undeclared length that grows too large', async () => {
    const { rig } = await open(accept);
    const chunk = `400\r\n${'x'.repeat(1_024)}\r\n`;
    const head = 'POST /hooks/build HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
    const answer = await rawHttp(rig, `${head}${chunk.repeat(20)}`);
    expect(answer).toMatch(/^HTTP\/1.1 413/);
    expect(answer).toMatch(/connection: close/i);
  });

  it('outlives a sender who goes away in the middle of the body', async () => {
    const { rig, say } = await open(accept);
    const { hostname, port } = new URL(rig.http);
    const socket = createConnection(Number(port), hostname);
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write('POST /hooks/build HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nabc');
    await new Promise((resolve) => setTimeout(resolve, 20));
    socket.destroy();
    expect((await say('{"text":"a"}')).status).toBe(202);
    expect(rig.facts.filter(({ type }) => type === 'actor.fault')).toEqual([]);
  });
});

describe('a wrong signature', () => {
  const wrong = signed('{"text":"a"}', Date.now(), 'another secret');

  it('is answered 401 and asks for no token', async () => {
    const { post } = await open(accept);
    const answer = await post('{"text":"a"}', wrong);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBeNull();
    expect(await answer.text()).not.toContain(SECRET);
  });

  it('is answered late on loopback, and unread when too many are held back; tokens are another matter', async () => {
    const slow = { authHeld: 2, authDelayMinMs: 3_000, authDelayMaxMs: 3_000 };
    const { rig, post } = await open(accept, slow);
    const answers = await Promise.all(Array.from({ length: 5 }, () => post('{"text":"a"}', wrong)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([401, 401, 429, 429, 429]);
    expect(answers.find(({ status }) => status === 429)?.headers.get('retry-after')).toBe('3');
    expect(rig.facts).toContainEqual(
      expect.objectContaining({ type: 'client.refused', code: 'AUTH_LOCKED' }),
    );
    const blocked = post('{"text":"a"}', wrong);
    const authorization = 'Bearer a-token-for-tests';
    expect((await fetch(`${rig.http}/api/health`, { headers: { authorization } })).status).toBe(200);
    await blocked;
  });
});
