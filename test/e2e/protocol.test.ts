import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from './harness.ts';
import { exchangeFaults, historyOf, newKey, nodesOf, say, settled, textOf } from './talk.ts';
import { eventually, type Wire } from './wire.ts';

describe('a gateway with clients of protocol 3 and protocol 4', () => {
  let gateway: Gateway;
  let three: Wire;
  let four: Wire;

  beforeAll(async () => {
    gateway = await startGateway();
    three = await gateway.wire({ minProtocol: 3, maxProtocol: 3 });
    four = await gateway.wire({ minProtocol: 4, maxProtocol: 4 });
  });
  afterAll(() => gateway.cleanUp());

  const of = (runId: string) => (payload: any) => payload.runId === runId;

  test('greets each in its own protocol, and refuses one it does not speak', async () => {
    expect(three.hello.payload).toMatchObject({ type: 'hello-ok', protocol: 3 });
    expect(four.hello.payload).toMatchObject({
      type: 'hello-ok',
      protocol: 4,
      snapshot: { health: { ok: true } },
    });
    expect(four.hello.payload.features.methods).toEqual(
      expect.arrayContaining(['agent', 'chat.send', 'tree.get']),
    );
    await expect(gateway.wire({ minProtocol: 5, maxProtocol: 6 })).rejects.toThrow(/protocol/i);
  });

  test('answers agent twice, and lets the other client hear the same run', async () => {
    const runId = newKey('agent');
    const id = three.send('agent', { message: 'hello', sessionKey: 'side', idempotencyKey: runId });
    const [first, second] = await three.answers(id, 2);
    expect(first).toMatchObject({ ok: true, payload: { runId, status: 'accepted' } });
    expect(second).toMatchObject({ ok: true, payload: { runId, status: 'ok' } });
    expect(second!.payload.result.payloads[0].text).toContain('You said: "hello"');
    for (const wire of [three, four]) {
      const final = await wire.event('chat', (p) => of(runId)(p) && p.state === 'final');
      expect(final.message.content[0].text).toBe(second!.payload.result.payloads[0].text);
      const phases = wire.events('agent', (p) => of(runId)(p) && p.stream === 'lifecycle');
      expect(phases.map(({ data }) => data.phase)).toEqual(['start', 'end']);
    }
    expect(await four.ask('agent.wait', { runId })).toMatchObject({ runId, status: 'ok' });
    const repeat = four.send('agent', { message: 'hello', sessionKey: 'side', idempotencyKey: runId });
    const [only] = await four.answers(repeat, 1);
    expect(only!.payload).toEqual(second!.payload);
    expect(await historyOf(four, 'side')).toHaveLength(2);
  });

  test('says that a run is still going, and ends it on request', async () => {
    const runId = await say(four, 'hang', '/hang', newKey('hang'));
    expect(await three.ask('agent.wait', { runId, timeoutMs: 20 })).toMatchObject({
      runId,
      status: 'timeout',
    });
    expect(
      await four.ask('chat.send', { sessionKey: 'hang', message: '/hang', idempotencyKey: runId }),
    ).toEqual({
      runId,
      status: 'in_flight',
    });
    expect(await three.ask('chat.abort', { sessionKey: 'hang' })).toEqual({
      ok: true,
      aborted: true,
      runIds: [runId],
    });
    await four.event('chat', (p) => of(runId)(p) && p.state === 'aborted');
    expect(await settled(four, runId)).toBe('error');
    expect(await three.ask('chat.abort', { sessionKey: 'hang' })).toMatchObject({
      aborted: false,
      runIds: [],
    });
    expect((await three.request('agent.wait', { runId: 'nobody' })).error).toMatchObject({
      code: 'INVALID_REQUEST',
      details: { coppiceCode: 'COPPICE_RUN_NOT_FOUND' },
    });
  });

  test('lists sessions, begins one afresh and deletes one with all it said', async () => {
    for (const key of ['keep', 'reset', 'gone']) await settled(four, await say(four, key, `I am ${key}`));
    const keys = async (): Promise<string[]> =>
      (await three.ask('sessions.list', {})).sessions.map((row: { key: string }) => row.key);
    expect(await keys()).toEqual(expect.arrayContaining(['keep', 'reset', 'gone']));
    const before = await four.ask('chat.history', { sessionKey: 'reset' });
    const { sessionId } = await four.ask('sessions.reset', { key: 'reset' });
    expect(sessionId).not.toBe(before.sessionId);
    expect(await four.ask('chat.history', { sessionKey: 'reset' })).toMatchObject({
      sessionId,
      messages: [],
    });
    const erase = { key: 'gone', idempotencyKey: newKey('delete') };
    expect(await three.ask('sessions.delete', erase)).toMatchObject({ ok: true, deleted: true });
    expect(await three.ask('sessions.delete', erase)).toMatchObject({ ok: true, deleted: true });
    expect(await three.ask('sessions.delete', { key: 'gone' })).toMatchObject({ ok: true, deleted: false });
    expect(await keys()).not.toContain('gone');
    expect(await historyOf(four, 'gone')).toEqual([]);
    expect(await historyOf(four, 'keep')).toHaveLength(2);
  });

  test('names its models and agents', async () => {
    const { models } = await three.ask('models.list');
    expect(models).toEqual([expect.objectContaining({ id: 'echo', provider: 'loopback' })]);
    expect(await four.ask('agents.list')).toMatchObject({
      defaultId: 'main',
      agents: [{ id: 'main', default: true }],
    });
  });

  test('shows its tree to who asks, and every change of it to who subscribes', async () => {
    const { subscribed, tree } = await four.ask('tree.subscribe');
    expect(subscribed).toBe(true);
    expect(nodesOf(tree).map((node) => node.path)).toContain('gateway/core/gate');
    const path = 'gateway/core/work/sessions/newcomer';
    const shows = (payload: any): boolean => nodesOf(payload.tree).some((node) => node.path === path);
    await say(three, 'newcomer', 'look at me');
    await four.event('tree', shows);
    expect(three.events('tree')).toEqual([]);
    const { tree: node } = await three.ask('tree.get', { path });
    expect(node).toMatchObject({ path, id: 'newcomer', kind: 'worker', status: 'running', incarnation: 1 });
  });

  test('explains what a session does, by its key and by its path', async () => {
    const runId = await say(four, 'riddle', '/hang', newKey('riddle'));
    // Nothing changes from there on: the model never answers.
    const byKey = await eventually('the session to wait for its model', async () => {
      const found = await four.ask('actor.explain', { sessionKey: 'riddle' });
      return found.findings.some(({ code }: { code: string }) => code === 'MODEL_CALL') ? found : undefined;
    });
    expect(byKey.path).toBe('gateway/core/work/sessions/riddle');
    for (const { code, text } of byKey.findings) expect([typeof code, text !== '']).toEqual(['string', true]);
    const byPath = await three.ask('actor.explain', { path: byKey.path });
    expect(byPath.findings.map(({ code }: { code: string }) => code)).toEqual(
      byKey.findings.map(({ code }: { code: string }) => code),
    );
    await four.ask('chat.abort', { sessionKey: 'riddle', runId });
    expect((await four.request('actor.explain', { sessionKey: 'never heard of' })).error).toMatchObject({
      details: { coppiceCode: 'COPPICE_ACTOR_NOT_FOUND' },
    });
  });

  test('refuses a method it does not know and names the nearest, and a field it does not know by name', async () => {
    const { ok, error } = await three.request('chat.sent', {});
    expect(ok).toBe(false);
    expect(error).toMatchObject({
      code: 'INVALID_REQUEST',
      details: { coppiceCode: 'COPPICE_METHOD_UNKNOWN' },
    });
    expect(error!.message).toContain('chat.send');
    const refused = await four.request('chat.send', {
      message: 'x',
      idempotencyKey: newKey(),
      colour: 'red',
    });
    expect(refused.error).toMatchObject({
      code: 'INVALID_REQUEST',
      details: { coppiceCode: 'COPPICE_PARAMS_INVALID' },
    });
    expect(refused.error!.message).toContain('colour');
    expect((await four.request('chat.send', { message: 'x' })).error!.message).toContain('idempotencyKey');
    // Neither connection was lost over it.
    expect((await three.ask('status')).protocol).toBe(3);
    expect((await four.ask('status')).protocol).toBe(4);
  });

  test('gives a repeat the outcome of the first, also after its process was killed', async () => {
    const params = { sessionKey: 'repeat', message: 'only once', idempotencyKey: newKey('repeat') };
    const runId = params.idempotencyKey;
    expect(await three.ask('chat.send', params)).toEqual({ runId, status: 'started' });
    expect(await settled(three, runId)).toBe('ok');
    expect(await four.ask('chat.send', params)).toEqual({ runId, status: 'ok' });

    const pid = gateway.gatewayPid();
    process.kill(pid, 'SIGKILL');
    await Promise.all([three.closed, four.closed]);
    const again = await gateway.wire();
    await gateway.ready(pid);
    expect((await again.ask('status')).pid).not.toBe(pid);
    expect(await again.ask('chat.send', params)).toEqual({ runId, status: 'ok' });
    const id = again.send('agent', params);
    const [only] = await again.answers(id, 1);
    expect(only).toMatchObject({ ok: true, payload: { runId, status: 'ok' } });
    const messages = await historyOf(again, 'repeat');
    expect(exchangeFaults(messages, runId, 'only once')).toEqual([]);
    expect(messages).toHaveLength(2);
    expect(only!.payload.result.payloads[0].text).toBe(textOf(messages[1]));
  });
});
