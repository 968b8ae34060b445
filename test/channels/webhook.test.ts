import { describe, expect, it } from 'vitest';
import { createWebhook } from '../../src/channels/index.ts';
import type { ChannelMessage, Receipt, WebhookOptions } from '../../src/channels/index.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';
import { hookRequest, signed, signedLikeGitHub, SECRET } from './hook-request.ts';

type Receive = (message: ChannelMessage) => Promise<Receipt>;

async function open(options: Partial<WebhookOptions> = {}, receive?: Receive) {
  const clock = createSimulatedClock();
  const received: ChannelMessage[] = [];
  const webhook = createWebhook({
    name: 'build',
    secret: SECRET,
    replayWindowMs: 300_000,
    maxBodyBytes: 10_000,
    clock,
    ...options,
  });
  const attempt = new AbortController();
  for (const leg of webhook.channel.legs) {
    await leg.start({
      signal: attempt.signal,
      lost: () => undefined,
      receive: async (message) => {
        received.push(message);
        return receive ? receive(message) : { kind: 'accepted', runId: `run-${received.length}` };
      },
    });
  }
  const post = (body: string | Uint8Array, headers: Record<string, string>) =>
    webhook.handle(hookRequest(body, headers));
  return {
    webhook,
    received,
    post,
    now: () => clock.now(),
    down: () => attempt.abort(),
    /** Signed as it should be, now. */
    say: (body: object | string, headers: Record<string, string> = {}) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      return post(text, { ...signed(text, clock.now()), ...headers });
    },
  };
}

describe('a webhook channel takes', () => {
  it('a signed message, for the session of its target', async () => {
    const { say, received } = await open();
    const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
    expect(await say({ text: 'deploy is done', target: 'ops', id: 'd1' }, trace)).toEqual({
      target: 'ops',
      receipt: { kind: 'accepted', runId: 'run-1' },
    });
    expect(received).toEqual([
      {
        account: 'default',
        platformId: 'd1',
        target: 'ops',
        text: 'deploy is done',
        sessionKey: 'agent:main:build:ops',
        trace: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' },
      },
    ]);
  });

  it('`message` for `text`, a number for an id, a session by name, fields it does not know, and plain text', async () => {
    const { say, received } = await open();
    await say({ message: 'hello', id: 7, sessionKey: 'mine', action: { opened: true } });
    await say('hello as it is', { 'content-type': 'text/plain; charset=utf-8' });
    expect(received).toMatchObject([
      { text: 'hello', platformId: '7', sessionKey: 'mine' },
      { text: 'hello as it is', target: 'default', sessionKey: 'agent:main:build:default' },
    ]);
  });

  it('a session key of the operator’s making, and keeps to the operator’s agent', async () => {
    const { say, received } = await open({ agentId: 'ops', sessionKey: 'agent:{agentId}:hook-{target}' });
    await say({ text: 'a', target: 'x' });
    await say({ text: 'b', sessionKey: 'plain' });
    expect(received).toMatchObject([
      { sessionKey: 'agent:ops:hook-x', agentId: 'ops' },
      { sessionKey: 'plain', agentId: 'ops' },
    ]);
    await expect(say({ text: 'c', sessionKey: 'agent:main:main' })).rejects.toThrow(/agent ops only/);
  });

  it('a body signed in the style of GitHub, with the id of its delivery', async () => {
    const { post, received } = await open();
    const body = JSON.stringify({ text: 'pushed' });
    await post(body, signedLikeGitHub(body, 'gh-1'));
    expect(received).toMatchObject([{ platformId: 'gh-1', text: 'pushed' }]);
    await expect(post(body, signedLikeGitHub(body))).rejects.toMatchObject({ code: 'HOOK_BODY' });
  });

  it('a signature in another header, in seconds, or beside that of an older secret', async () => {
    const { post, now, received } = await open({ signatureHeader: 'x-my-signature' });
    const body = '{"text":"a"}';
    const seconds = Math.floor(now() / 1_000);
    const own = signed(body, seconds);
    const old = signed(body, seconds, 'the secret before')['x-coppice-signature'];
    await post(body, {
      'x-coppice-timestamp': String(seconds),
      'x-my-signature': `${old}, ${own['x-coppice-signature']}`,
    });
    expect(received).toHaveLength(1);
    await expect(post(body, own)).rejects.toMatchObject({ code: 'HOOK_SIGNATURE' });
  });
});

describe('a webhook channel refuses', () => {
  const body = '{"text":"a"}';
  const wrong: readonly [string, (at: number) => Record<string, string>, RegExp][] = [
    ['no signature', () => ({}), /no header x-coppice-signature/],
    ['a wrong secret', (at) => signed(body, at, 'another'), /does not match/],
    ['another body', (at) => signed('{"text":"b"}', at), /does not match/],
    [
      'another time',
      (at) => ({ ...signed(body, at), 'x-coppice-timestamp': String(at + 1) }),
      /does not match/,
    ],
    [
      'no time',
      (at) => ({ 'x-coppice-signature': signed(body, at)['x-coppice-signature']! }),
      /milliseconds/,
    ],
    ['a short digest', () => ({ ...signed(body, 1), 'x-coppice-signature': 'v1=abc' }), /64 hex digits/],
    ['a bare digest', (at) => ({ ...signed(body, at), 'x-coppice-signature': 'f'.repeat(64) }), /64 hex/],
  ];
  it.each(wrong)('%s, before it looks at the body', async (_, headers, reason) => {
    const { post, now, received } = await open();
    const failure = expect(post(body, headers(now()))).rejects;
    await failure.toMatchObject({ code: 'HOOK_SIGNATURE', message: expect.stringMatching(reason) });
    await expect(post('no json', headers(now()))).rejects.toMatchObject({ code: 'HOOK_SIGNATURE' });
    expect(received).toEqual([]);
  });

  it.each([-300_001, 300_001])('a time that is %i ms off, and takes one a moment nearer', async (offMs) => {
    const { post, now } = await open();
    await expect(post(body, signed(body, now() + offMs))).rejects.toMatchObject({ code: 'HOOK_STALE' });
    const inside = now() + offMs - Math.sign(offMs);
    await expect(post(body, signed(body, inside))).resolves.toBeDefined();
  });

  it.each([
    ['{"text":', /not JSON/],
    ['[]', /expected object|it has neither|Invalid input/],
    ['{}', /neither text nor message/],
    ['{"text":"  "}', /neither text nor message/],
    ['{"text":5}', /text:/],
    ['{"text":"a","target":"a\\u0000b"}', /target: it has control characters/],
    ['{"text":"a","id":"\\ud800"}', /id: .*half a character/],
    ['{"text":"a","sessionKey":"\\udfff"}', /sessionKey: .*half a character/],
    ['{"text":"a","id":""}', /id:/],
    ['{"text":"a","deliveryId":"r/build"}', /reply of a gateway/],
  ])('%s', async (text, reason) => {
    const { say, received } = await open();
    const failure = expect(say(text)).rejects;
    await failure.toMatchObject({ code: 'HOOK_BODY', message: expect.stringMatching(reason) });
    expect(received).toEqual([]);
  });

  it('bytes that are no UTF-8, an encoded body, and one that is too large', async () => {
    const { post, now, say } = await open();
    const binary = Buffer.from([0x7b, 0xff, 0x7d]);
    await expect(post(binary, signed(binary, now()))).rejects.toThrow(/not UTF-8/);
    await expect(say({ text: 'a' }, { 'content-encoding': 'gzip' })).rejects.toMatchObject({
      code: 'HOOK_BODY',
    });
    await expect(say({ text: 'a'.repeat(10_000) })).rejects.toMatchObject({ code: 'HOOK_TOO_LARGE' });
  });

  it('a request of the stronger kind replayed as one of the weaker, where its bytes would be a text', async () => {
    const { post, now, received } = await open();
    const at = now();
    // Of `AT.BODY` the sender made an HMAC; as a plain text signed without a time it would be a message for ever.
    const replayed = `${at}.${body}`;
    const digest = signed(body, at)['x-coppice-signature']!.slice('v1='.length);
    const headers = { 'x-hub-signature-256': `sha256=${digest}`, 'x-github-delivery': 'again' };
    await expect(post(replayed, { ...headers, 'content-type': 'text/plain' })).rejects.toMatchObject({
      code: 'HOOK_BODY',
    });
    await expect(post(replayed, headers)).rejects.toMatchObject({ code: 'HOOK_BODY' });
    expect(received).toEqual([]);
  });

  it('the other way of signing where the operator chose one', async () => {
    const strict = await open({ scheme: 'hmac-sha256' });
    await expect(strict.post(body, signedLikeGitHub(body, 'd'))).rejects.toMatchObject({
      code: 'HOOK_SIGNATURE',
    });
    const github = await open({ scheme: 'github' });
    await expect(github.say(body)).rejects.toMatchObject({ code: 'HOOK_SIGNATURE' });
  });

  it('everything while its leg is down', async () => {
    const { say, down } = await open();
    down();
    await expect(say({ text: 'a' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('a repeated delivery', () => {
  it('has the id that was signed, or one made of what was signed; a header cannot make it new', async () => {
    const { post, now, received } = await open();
    const plain = '{"text":"a"}';
    for (const delivery of ['one', 'two'])
      await post(plain, { ...signed(plain, now()), 'x-coppice-delivery': delivery });
    expect(new Set(received.map(({ platformId }) => platformId)).size).toBe(1);
    const named = '{"text":"a","id":"n"}';
    await post(named, signed(named, now() + 1));
    expect(received.at(-1)?.platformId).toBe('n');
  });

  it('shares the answer of the first while that is under way: a hundred of them are one write', async () => {
    const commit = Promise.withResolvers<Receipt>();
    const { say, received } = await open({}, () => commit.promise);
    const storm = Array.from({ length: 100 }, () => say({ text: 'a', id: 'same' }));
    await new Promise((resolve) => setImmediate(resolve));
    commit.resolve({ kind: 'accepted', runId: 'r1' });
    const answers = (await Promise.all(storm)).map(({ receipt }) => receipt);
    expect(received).toHaveLength(1);
    expect(answers.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
    expect(answers.filter((answer) => answer.kind === 'known' && answer.status === 'in_flight')).toHaveLength(
      99,
    );
    expect(new Set(answers.map(({ runId }) => runId))).toEqual(new Set(['r1']));
  });

  it('is tried anew after a first that was refused', async () => {
    let fail = true;
    const { say, received } = await open({}, async () => {
      if (fail) throw new Error('the disk is full');
      return { kind: 'accepted', runId: 'r2' };
    });
    const [one, two] = await Promise.allSettled([say({ text: 'a', id: 'x' }), say({ text: 'a', id: 'x' })]);
    expect([one?.status, two?.status]).toEqual(['rejected', 'rejected']);
    fail = false;
    expect((await say({ text: 'a', id: 'x' })).receipt).toEqual({ kind: 'accepted', runId: 'r2' });
    expect(received).toHaveLength(2);
  });
});

describe('a webhook without a callback', () => {
  it('has no outbound leg, and keeps what an earlier configuration left to be sent', async () => {
    const { webhook } = await open();
    expect(webhook.channel.legs.map(({ name }) => name)).toEqual(['inbound']);
    const delivery = { deliveryId: 'd', account: 'default', target: 't', payload: { text: 'x' } };
    const answer = await webhook.channel.deliver(delivery, new AbortController().signal);
    expect(answer).toMatchObject({ kind: 'failed', permanent: false });
  });
});
