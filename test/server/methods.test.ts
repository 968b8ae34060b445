import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CoppiceError } from '../../src/errors.ts';
import { nearest } from '../../src/server/protocol/nearest.ts';
import { fitNewest, fitTree } from '../../src/server/protocol/fit.ts';
import { connected, endRigs, startRig, type Rig, type TestClient } from './client.ts';
import { treeNode as node } from '../fixtures/tree-node.ts';

let rig: Rig;
let client: TestClient;

beforeEach(async () => {
  rig = await startRig();
  client = await connected(rig);
});
afterEach(endRigs);

describe('any method', () => {
  it('that is unknown is refused with the nearest known one', async () => {
    const answer = await client.request('chat.sned');
    expect(answer.error).toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining('"chat.sned"'),
      details: { nearest: 'chat.send' },
    });
  });

  it('refuses parameters it does not know, by name, and does nothing', async () => {
    const answer = await client.request('chat.send', { message: 'hi', idempotencyKey: 'k', timeoutMS: 5 });
    expect(answer.error).toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(/"timeoutMS".*"timeoutMs"/),
    });
    expect(rig.fake.state.offers).toEqual([]);
  });

  it.each([
    ['chat.send', { message: 'hi' }, /idempotencyKey/],
    ['chat.send', { idempotencyKey: 'k' }, /message/],
    ['chat.send', { message: '', idempotencyKey: 'k' }, /message/],
    ['chat.send', { message: 'hi', idempotencyKey: 'k', attachments: [{}] }, /attachments\.0\.content/],
    [
      'agent',
      { message: 'hi', idempotencyKey: 'k', attachments: Array(11).fill({ content: 'YQ==' }) },
      /a message may bring 10 files/,
    ],
    [
      'chat.send',
      { message: 'hi', idempotencyKey: 'k', attachments: [{ content: 'YQ==', path: '/etc/passwd' }] },
      /path/,
    ],
    ['chat.send', { message: 'hi', idempotencyKey: 'k', agentId: 'nobody' }, /no agent "nobody"/],
    ['agent', { message: 'hi' }, /idempotencyKey/],
    ['agent', { message: 7, idempotencyKey: 'k' }, /message/],
    ['agent.wait', {}, /runId/],
    ['agent.wait', { runId: 'nobody' }, /no run nobody/],
    ['chat.history', { limit: 0 }, /limit/],
    ['chat.history', { limit: 1_001 }, /limit/],
    ['chat.abort', { runId: 5 }, /runId/],
    ['sessions.list', { limit: 'many' }, /limit/],
    ['sessions.reset', {}, /key/],
    ['sessions.delete', { key: 'k', deleteTranscript: false }, /transcript/],
    ['tree.get', { path: 'gateway/nobody' }, /no actor at gateway\/nobody/],
    ['actor.explain', {}, /either path or sessionKey/],
    ['actor.explain', { path: 'a', sessionKey: 'b' }, /either path or sessionKey/],
    ['actor.kill', {}, /path/],
    ['actor.kill', { path: 'nobody' }, /no actor/],
    ['actor.kill', { path: 'gateway' }, /refuses/],
  ])('%s refuses %j', async (method, params, message) => {
    const answer = await client.request(method, params);
    expect(answer.error).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringMatching(message) });
  });

  it('that fails inside tells the caller nothing of the cause, and reports it', async () => {
    rig.fake.state.healthError = new Error('secret path /etc/x');
    const answer = await client.request('health');
    expect(answer.error).toMatchObject({ code: 'UNAVAILABLE', retryable: false });
    expect(JSON.stringify(answer)).not.toContain('secret');
    expect(rig.facts).toContainEqual(
      expect.objectContaining({ type: 'actor.fault', source: 'server: method health' }),
    );
  });

  it.each([
    ['health', { grade: 'ok', ok: true }],
    [
      'status',
      { pid: process.pid, version: '0.1.0-test', protocol: 4, ready: true, health: { grade: 'ok' } },
    ],
    ['models.list', { models: [{ id: 'loopback', provider: 'loopback' }] }],
    ['agents.list', { defaultId: 'main', mainKey: 'main', agents: [{ id: 'main' }, { id: 'helper' }] }],
    ['sessions.list', { count: 1, sessions: [{ key: 'agent:main:main', sessionId: 's1', kind: 'direct' }] }],
    ['tree.get', { tree: { path: 'gateway', children: [{ id: 'watch' }, { id: 'core' }] } }],
  ])('%s answers', async (method, payload) => {
    expect((await client.request(method)).payload).toMatchObject(payload);
  });
});

describe('chat.send', () => {
  it('answers started only after the message is committed', async () => {
    let commit = (): void => {};
    rig.fake.state.commit = new Promise((resolve) => (commit = resolve));
    const answer = client.request('chat.send', { message: 'hi', idempotencyKey: 'k1' });
    await client.request('health');
    expect(client.frames.some((frame) => frame.payload?.status === 'started')).toBe(false);
    commit();
    expect((await answer).payload).toEqual({ runId: 'k1', status: 'started' });
  });

  it('means the main session when none is named, and takes any other name as it is', async () => {
    await client.request('chat.send', { message: 'a', idempotencyKey: '1' });
    await client.request('chat.send', { message: 'b', idempotencyKey: '2', sessionKey: 'agent:helper:x' });
    await client.request('chat.send', {
      message: 'c',
      idempotencyKey: '3',
      sessionKey: 'my own key',
      thinking: 'low',
      timeoutMs: 9,
    });
    await client.request('chat.send', { message: 'd', idempotencyKey: '4', agentId: 'helper' });
    expect(rig.fake.state.offers).toMatchObject([
      {
        sessionKey: 'agent:main:main',
        agentId: 'main',
        runId: '1',
        platformId: '1',
        channel: 'webchat',
        source: 'user',
        text: 'a',
        options: {},
      },
      { sessionKey: 'agent:helper:x', agentId: 'helper' },
      { sessionKey: 'my own key', agentId: 'main', options: { thinking: 'low', timeoutMs: 9 } },
      { sessionKey: 'agent:helper:main', agentId: 'helper' },
    ]);
  });

  it('answers a repeat from the record of the first', async () => {
    const send = () => client.request('chat.send', { message: 'hi', idempotencyKey: 'k' });
    await send();
    expect((await send()).payload).toEqual({ runId: 'k', status: 'in_flight' });
    rig.fake.settle('k', { status: 'ok', result: { text: 'yes' } });
    expect((await send()).payload).toEqual({ runId: 'k', status: 'ok' });
    rig.fake.settle('k', { status: 'error', error: { code: 'X', message: 'broke' } });
    expect((await send()).payload).toMatchObject({ status: 'error', error: { code: 'X' } });
    expect(rig.fake.state.offers).toHaveLength(1);
  });

  it.each([
    [
      new CoppiceError('DRAINING'),
      { code: 'UNAVAILABLE', retryable: true, retryAfterMs: 1_000, details: { code: 'COPPICE_DRAINING' } },
    ],
    [
      new CoppiceError('OVERLOADED', { where: 'the session', limit: 100, retryAfterMs: 70 }),
      { retryable: true, retryAfterMs: 70 },
    ],
  ])('passes on why a message was not taken: %s', async (error, expected) => {
    rig.fake.state.offerError = error;
    const answer = await client.request('chat.send', { message: 'hi', idempotencyKey: 'k' });
    expect(answer).toMatchObject({ ok: false, error: expected });
  });

  it('carries the trace of the caller', async () => {
    client.send({
      type: 'req',
      id: 't',
      method: 'chat.send',
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      params: { message: 'hi', idempotencyKey: 'k' },
    });
    await client.answers('t', 1);
    expect(rig.fake.state.offers[0]!.trace).toEqual({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) });
  });
});

describe('agent', () => {
  it('answers twice on the same id: accepted, then the result', async () => {
    client.send({
      type: 'req',
      id: 'a',
      method: 'agent',
      params: { message: 'hi', idempotencyKey: 'run', timeout: 3, to: 'x', channel: 'last' },
    });
    const [first] = await client.answers('a', 1);
    expect(first).toMatchObject({
      ok: true,
      payload: { runId: 'run', status: 'accepted', acceptedAt: expect.any(Number) },
    });
    expect(rig.fake.state.offers[0]!.options).toEqual({ timeoutMs: 3_000 });
    rig.fake.settle('run', { status: 'ok', result: { text: 'yes', stopReason: 'stop' } });
    const [, second] = await client.answers('a', 2);
    expect(second).toMatchObject({
      ok: true,
      payload: { runId: 'run', status: 'ok', result: { text: 'yes', payloads: [{ text: 'yes' }] } },
    });
  });

  it.each([
    [{ status: 'error' as const, error: { code: 'BILLING', message: 'no money' } }, 'BILLING'],
    [{ status: 'aborted' as const }, 'ABORTED'],
  ])('ends with an error and its payload when the run ends as %j', async (outcome, code) => {
    client.send({ type: 'req', id: 'a', method: 'agent', params: { message: 'hi', idempotencyKey: 'run' } });
    await client.answers('a', 1);
    rig.fake.settle('run', outcome);
    const [, second] = await client.answers('a', 2);
    expect(second).toMatchObject({
      ok: false,
      payload: { runId: 'run', status: 'error', error: { code } },
      error: { code: 'UNAVAILABLE' },
    });
  });

  it('answers a repeat of a settled run once, with its outcome', async () => {
    await client.request('chat.send', { message: 'hi', idempotencyKey: 'run' });
    rig.fake.settle('run', { status: 'ok', result: { text: 'yes' } });
    expect((await client.request('agent', { message: 'hi', idempotencyKey: 'run' })).payload).toMatchObject({
      status: 'ok',
    });
  });

  it('is not in the way of other requests while it waits', async () => {
    client.send({ type: 'req', id: 'a', method: 'agent', params: { message: 'hi', idempotencyKey: 'run' } });
    await client.answers('a', 1);
    expect((await client.request('health')).ok).toBe(true);
  });
});

describe('agent.wait', () => {
  it('answers timeout, then the end with its times', async () => {
    await client.request('chat.send', { message: 'hi', idempotencyKey: 'run' });
    expect((await client.request('agent.wait', { runId: 'run', timeoutMs: 1 })).payload).toEqual({
      runId: 'run',
      status: 'timeout',
    });
    rig.fake.say('run', { kind: 'started', startedAt: 5 });
    const answer = client.request('agent.wait', { runId: 'run', timeoutMs: 10_000 });
    await client.request('health');
    rig.fake.settle('run', { status: 'ok', endedAt: 9 });
    expect((await answer).payload).toEqual({ runId: 'run', status: 'ok', startedAt: 5, endedAt: 9 });
    rig.fake.settle('run', { status: 'error', endedAt: 9, error: { code: 'X', message: 'broke' } });
    expect((await client.request('agent.wait', { runId: 'run' })).payload).toMatchObject({
      status: 'error',
      error: 'broke',
    });
  });
});

describe('chat.history', () => {
  const row = (text: string, role: 'user' | 'assistant' = 'user', seq = 1) => ({
    sessionKey: 'k',
    sessionId: 's1',
    runId: 'r',
    ordinal: seq,
    role,
    content: [{ type: 'text' as const, text }],
    at: seq,
    seq,
  });

  it('of an unknown session is empty', async () => {
    const answer = await client.request('chat.history', { sessionKey: 'nobody' });
    expect(answer.payload).toEqual({ sessionKey: 'nobody', sessionId: null, messages: [] });
  });

  it('has tool rows, and then what is accepted and not yet answered', async () => {
    const tool = {
      ...row('', 'assistant', 2),
      role: 'tool' as const,
      content: [{ type: 'tool-result' as const, toolCallId: 'c', toolName: 'clock', output: 5 }],
    };
    rig.fake.state.transcript.set('k', [row('hi'), tool]);
    const file = {
      type: 'file',
      sha256: 'a'.repeat(64),
      mediaType: 'image/png',
      bytes: 70,
      fileName: 'dot.png',
    };
    const waiting = { sessionKey: 'k', runId: 'r2', text: 'and now?', receivedAt: 7 };
    rig.fake.state.pending = [{ ...waiting, options: { attachments: [file] } } as never];
    const { messages } = (await client.request('chat.history', { sessionKey: 'k' })).payload;
    expect(messages).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'hi' }], timestamp: 1, runId: 'r' },
      { role: 'tool', content: tool.content, timestamp: 2, runId: 'r' },
      {
        role: 'user',
        content: [{ type: 'text', text: 'and now?' }, file],
        timestamp: 7,
        runId: 'r2',
        pending: true,
      },
    ]);
  });

  it('is cut to 8 MiB, says so, and keeps the newest', async () => {
    rig.fake.state.transcript.set(
      'k',
      Array.from({ length: 12 }, (_, index) => row(String(index).padEnd(1_000_000, 'x'), 'user', index)),
    );
    const { payload } = await client.request('chat.history', { sessionKey: 'k' });
    expect(payload).toMatchObject({ truncated: true, omitted: 4 });
    expect(payload.messages.at(-1).timestamp).toBe(11);
    expect((await client.request('health')).ok).toBe(true);
  });
});

describe('the other levers', () => {
  it.each(['chat.send', 'agent'])('%s hands files on as they came, with words or without', async (method) => {
    const attachments = [{ type: 'image', mimeType: 'image/png', fileName: 'a.png', content: 'YQ==' }];
    await client.request(method, { message: '', idempotencyKey: `${method} 1`, attachments });
    await client.request(method, { message: 'hi', idempotencyKey: `${method} 2` });
    expect(rig.fake.state.attachments).toEqual([attachments, []]);
    expect(rig.fake.state.offers[0]).toMatchObject({ text: '', runId: `${method} 1` });
  });

  it('a file that is refused is the caller’s affair, named by its code, and nothing was taken', async () => {
    const reason = 'it is empty';
    rig.fake.state.offerError = new CoppiceError('ATTACHMENT_REFUSED', { file: '1', reason });
    const attachments = [{ content: 'YQ==' }];
    const { error } = await client.request('chat.send', { message: 'x', idempotencyKey: 'k', attachments });
    expect(error).toMatchObject({
      code: 'INVALID_REQUEST',
      details: { coppiceCode: 'COPPICE_ATTACHMENT_REFUSED' },
      retryable: false,
    });
  });

  it('chat.abort ends the run and says which', async () => {
    await client.request('chat.send', { message: 'hi', idempotencyKey: 'k' });
    expect((await client.request('chat.abort', { sessionKey: 'agent:main:main' })).payload).toEqual({
      ok: true,
      aborted: true,
      runIds: ['k'],
    });
    expect((await client.request('chat.abort', {})).payload).toEqual({
      ok: true,
      aborted: false,
      runIds: [],
    });
  });

  it('sessions.reset gives a fresh session id, and the same one to a repeat', async () => {
    const reset = (idempotencyKey?: string) =>
      client.request('sessions.reset', { key: 'k', ...(idempotencyKey ? { idempotencyKey } : {}) });
    expect((await reset('one')).payload).toMatchObject({ ok: true, key: 'k', sessionId: 'fresh-1' });
    expect((await reset('one')).payload).toMatchObject({ sessionId: 'fresh-1' });
    expect((await reset()).payload).toMatchObject({ sessionId: 'fresh-2' });
  });

  it('sessions.delete says whether there was one', async () => {
    rig.fake.state.transcript.set('k', []);
    expect((await client.request('sessions.delete', { key: 'k' })).payload).toMatchObject({
      ok: true,
      deleted: true,
    });
    expect((await client.request('sessions.delete', { key: 'k' })).payload).toMatchObject({ deleted: false });
  });

  it('sessions.list has no session with a label', async () => {
    expect((await client.request('sessions.list', { label: 'x' })).payload.sessions).toEqual([]);
    expect(
      (await client.request('sessions.list', { includeLastMessage: true, activeMinutes: 5 })).payload
        .sessions[0],
    ).toHaveProperty('lastMessagePreview', null);
  });

  it('tree.get takes a path, and cuts a tree that is too large', async () => {
    expect((await client.request('tree.get', { path: 'gateway/core/gate' })).payload.tree.id).toBe('gate');
    rig.fake.state.tree = node('gateway', {
      children: Array.from({ length: 60_000 }, (_, index) => node(`gateway/${index}`)),
    });
    const { payload } = await client.request('tree.get');
    expect(payload).toMatchObject({ truncated: true, tree: { omitted: 58_000 } });
  });

  it('actor.explain answers for a path and for a session', async () => {
    expect((await client.request('actor.explain', { path: 'gateway/core' })).payload.findings[0].code).toBe(
      'IDLE',
    );
    expect((await client.request('actor.explain', { sessionKey: 'agent:main:main' })).payload.path).toBe(
      'agent:main:main',
    );
  });

  it('actor.kill is answered before the crash comes, even when the server is the victim', async () => {
    rig.fake.state.onKill = () => rig.server.destroy();
    const answer = await client.request('actor.kill', { path: 'gateway/core/gate', count: true });
    expect(answer.payload).toEqual({ ok: true, path: 'gateway/core/gate', incarnation: 1 });
    expect(rig.fake.state.kills).toMatchObject([
      { path: 'gateway/core/gate', count: true, by: expect.stringMatching(/^operator /) },
    ]);
    expect((await client.closed).code).toBe(1006);
  });
});

describe('fitting', () => {
  it('leaves what fits untouched', () => {
    expect(fitNewest(['a', 'b'], 100)).toEqual({ messages: ['a', 'b'] });
    const tree = node('gateway');
    expect(fitTree(tree, 1_000)).toEqual({ tree });
  });

  it('leaves out the oldest, and all of them if need be', () => {
    expect(fitNewest(['aaaa', 'b'], 5)).toEqual({ messages: ['b'], truncated: true, omitted: 1 });
    expect(fitNewest(['aaaa'], 1)).toEqual({ messages: [], truncated: true, omitted: 1 });
  });
});

describe('nearest', () => {
  it('finds the name with the fewest differences', () => {
    expect(nearest('treeget', ['tree.get', 'health'])).toBe('tree.get');
    expect(nearest('x'.repeat(10_000), ['health'])).toBe('health');
    expect(nearest('x', [])).toBeUndefined();
  });
});
