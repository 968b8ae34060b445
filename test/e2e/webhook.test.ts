import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signed } from '../channels/hook-request.ts';
import { startReceiver, type Receiver } from '../channels/receiver.ts';
import { type Gateway, startGateway } from './harness.ts';
import { exchangeFaults, historyOf, settled } from './talk.ts';
import { eventually } from './wire.ts';

const SECRET = 'the-secret-of-an-end-to-end-test';

describe('a gateway with a webhook channel', () => {
  let gateway: Gateway;
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await startReceiver();
    gateway = await startGateway({
      env: { BUILD_SECRET: SECRET },
      config: {
        channels: {
          build: { type: 'webhook', secret: 'env:BUILD_SECRET', callbackUrl: receiver.url },
          quiet: { type: 'webhook', secret: 'env:BUILD_SECRET' },
          off: { type: 'webhook', secret: 'env:BUILD_SECRET', enabled: false },
        },
      },
    });
  });
  afterAll(async () => {
    await gateway.cleanUp();
    await receiver.close();
  });

  const post = (body: object, name = 'build', secret = SECRET): Promise<Response> => {
    const text = JSON.stringify(body);
    const headers = { 'content-type': 'application/json', ...signed(text, Date.now(), secret) };
    return gateway.fetch(`/hooks/${name}`, { method: 'POST', body: text, headers });
  };
  const repliesTo = (runId: string) =>
    receiver.requests.map(({ body }) => JSON.parse(body)).filter((reply) => reply.runId === runId);

  test('answers a signed message by a signed reply, once', async () => {
    const answer = await post({ text: 'is it green?', target: 'ops', id: 'first' });
    expect(answer.status).toBe(202);
    const { runId } = (await answer.json()) as { runId: string };
    const [reply] = await eventually('the reply', () => {
      const found = repliesTo(runId);
      return found.length > 0 ? found : undefined;
    });
    const sessionKey = 'agent:main:build:ops';
    expect(reply).toMatchObject({ deliveryId: `${runId}/build`, runId, sessionKey, target: 'ops' });
    expect(reply.text).toContain('is it green?');
    const wire = await gateway.wire();
    expect(exchangeFaults(await historyOf(wire, sessionKey), runId, 'is it green?')).toEqual([]);
    const again = await post({ text: 'is it green?', target: 'ops', id: 'first' });
    expect([again.status, await again.json()]).toEqual([200, { runId, status: 'ok', text: reply.text }]);
    expect(repliesTo(runId)).toHaveLength(1);
  });

  test('takes a storm of a hundred replays for one message', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => post({ text: 'storm', target: 'storm', id: 'storm' })),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 202)).toHaveLength(1);
    expect(statuses.filter((status) => status === 200)).toHaveLength(99);
    const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as { runId: string }[];
    const runIds = new Set(bodies.map(({ runId }) => runId));
    expect(runIds.size).toBe(1);
    const [runId] = [...runIds] as [string];
    const wire = await gateway.wire();
    expect(await settled(wire, runId)).toBe('ok');
    expect(await historyOf(wire, 'agent:main:build:storm')).toHaveLength(2);
  });

  test('refuses what is not signed by its secret, what nobody configured and what is switched off', async () => {
    expect((await post({ text: 'a' }, 'build', 'a wrong secret')).status).toBe(401);
    expect((await post({ text: 'a' }, 'nobody')).status).toBe(404);
    expect((await post({ text: 'a' }, 'off')).status).toBe(404);
    expect(gateway.output()).not.toContain(SECRET);
  });

  test('keeps the answer of a channel without a callback in the transcript', async () => {
    const { runId } = (await (await post({ text: 'silent' }, 'quiet')).json()) as { runId: string };
    const wire = await gateway.wire();
    expect(await settled(wire, runId)).toBe('ok');
    expect(await historyOf(wire, 'agent:main:quiet:default')).toHaveLength(2);
    expect(repliesTo(runId)).toEqual([]);
  });

  test('that is killed with -9 after the 202 answers in its next life, under one delivery', async () => {
    const pid = gateway.gatewayPid();
    const answer = await post({ text: 'remember me', target: 'crash', id: 'crash' });
    expect(answer.status).toBe(202);
    const { runId } = (await answer.json()) as { runId: string };
    process.kill(pid, 'SIGKILL');
    await gateway.ready(pid);
    const wire = await gateway.wire();
    expect(await settled(wire, runId)).toBe('ok');
    expect(exchangeFaults(await historyOf(wire, 'agent:main:build:crash'), runId, 'remember me')).toEqual([]);
    await eventually('the reply', () => (repliesTo(runId).length > 0 ? true : undefined));
    expect(new Set(repliesTo(runId).map(({ deliveryId }) => deliveryId))).toEqual(
      new Set([`${runId}/build`]),
    );
    const again = await post({ text: 'remember me', target: 'crash', id: 'crash' });
    expect([again.status, ((await again.json()) as { runId: string }).runId]).toEqual([200, runId]);
  });

  test('delivers in its next life a reply that the receiver held up when it was killed', async () => {
    const pid = gateway.gatewayPid();
    const before = receiver.requests.length;
    const { answer } = receiver;
    receiver.answer = () => undefined;
    const { runId } = (await (await post({ text: 'held up', target: 'held' })).json()) as { runId: string };
    await eventually('the reply to be under way', () =>
      receiver.requests.length > before ? true : undefined,
    );
    process.kill(pid, 'SIGKILL');
    receiver.answer = answer;
    await gateway.ready(pid);
    await eventually('the repeat', () => (repliesTo(runId).length > 1 ? true : undefined));
    const keys = receiver.requests.slice(before).map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys)).toEqual(new Set([`${runId}/build`]));
  });

  test('carries on with its webhook when an operator kills the leg', async () => {
    const wire = await gateway.wire();
    const path = 'gateway/core/edge/channels/build/inbound';
    await wire.ask('actor.kill', { path });
    const answer = await eventually('the leg to be up again', async () => {
      const found = await post({ text: 'back again?' });
      return found.status === 503 ? undefined : found;
    });
    expect(answer.status).toBe(202);
  });
});
