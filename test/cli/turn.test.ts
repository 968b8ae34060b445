import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Io } from '../../src/cli/io.ts';
import { type Link, openLink } from '../../src/cli/link.ts';
import { abortTurn, runTurn, type ToolNews } from '../../src/cli/turn.ts';
import { type FakeGateway, startFakeGateway } from './fake-gateway.ts';
import { eventually } from './launched.ts';

const io: Io = { stdout: { write: () => true }, stderr: { write: () => true }, env: {} };
const saying = { sessionKey: 's', message: 'hello', runId: 'r1' };

/** The gateway's record of the run, which outlives every connection. */
let record: { status: string; text: string; error?: { code: string; message: string } } | undefined;
let calls: { method: string; params: Record<string, unknown> }[];
let refusals: object[];
let ended: PromiseWithResolvers<void>;
let gateway: FakeGateway;
let link: Link;
let heard: string[];
let tools: ToolNews[];

beforeEach(async () => {
  record = undefined;
  calls = [];
  refusals = [];
  heard = [];
  tools = [];
  ended = Promise.withResolvers();
  const called = (method: string, params: unknown): void =>
    void calls.push({ method, params: params as Record<string, unknown> });
  gateway = await startFakeGateway('secret', {
    'chat.send': (params) => {
      called('chat.send', params);
      const refusal = refusals.shift();
      if (refusal) throw refusal;
      if (!record) record = { status: 'accepted', text: '' };
      if (record.status === 'error') return { runId: 'r1', status: 'error', error: record.error };
      return { runId: 'r1', status: calls.length > 1 ? 'in_flight' : 'started' };
    },
    'agent.wait': async (params) => {
      called('agent.wait', params);
      await ended.promise;
      const { status, error } = record!;
      return { runId: 'r1', status, ...(error ? { error: error.message } : {}) };
    },
    agent: (params) => {
      called('agent', params);
      return { runId: 'r1', status: 'ok', result: { text: record!.text, usage: { total: 3 } } };
    },
    'chat.abort': (params) => {
      called('chat.abort', params);
      return { ok: true, aborted: true, runIds: ['r1'] };
    },
  });
  link = await openLink(io, { url: gateway.url, token: 'secret' });
});
afterEach(async () => {
  link.close();
  await gateway.close();
});

const run = () =>
  runTurn(link, saying, { text: (soFar) => heard.push(soFar), tool: (call) => tools.push(call) });
const send = (event: string, payload: object): void =>
  gateway.sockets.forEach((socket) => socket.send(JSON.stringify({ type: 'event', event, payload })));
const text = (soFar: string, runId = 'r1'): void =>
  send('agent', { runId, stream: 'assistant', data: { text: soFar, delta: '' } });
const settle = (status: string, words: string, error?: { code: string; message: string }): void => {
  record = { status, text: words, ...(error ? { error } : {}) };
  ended.resolve();
};
const asked = (method: string) => calls.filter((call) => call.method === method);

describe('a turn', () => {
  test('is heard piece by piece, others are not, and its end is told with its usage', async () => {
    const turn = run();
    await eventually(() => asked('agent.wait').length === 1);
    text('of another', 'r2');
    text('one ');
    send('agent', { runId: 'r1', stream: 'tool', data: { phase: 'start', name: 'list', args: {} } });
    text('one two');
    send('chat', {
      runId: 'r1',
      state: 'final',
      message: { role: 'assistant', content: [{ type: 'text', text: 'one two' }] },
      usage: { total: 2 },
    });
    settle('ok', 'one two');
    expect(await turn).toEqual({
      runId: 'r1',
      sessionKey: 's',
      status: 'ok',
      text: 'one two',
      usage: { total: 2 },
    });
    expect(heard).toEqual(['one ', 'one two']);
    expect(tools).toMatchObject([{ phase: 'start', name: 'list' }]);
    expect(calls.map(({ method }) => method)).toEqual(['chat.send', 'agent.wait']);
  });

  test('survives the loss of the connection: it is offered again under its key, and its end read from the record', async () => {
    const turn = run();
    await eventually(() => asked('agent.wait').length === 1);
    text('one ');
    await eventually(() => heard.length === 1);
    gateway.sockets.forEach((socket) => socket.terminate());
    settle('ok', 'one two');
    expect(await turn).toMatchObject({ status: 'ok', text: 'one two', usage: { total: 3 } });
    const offers = asked('chat.send').map(({ params }) => params);
    expect(offers).toHaveLength(2);
    expect(offers[1]).toEqual(offers[0]);
    expect(offers[0]).toEqual({ sessionKey: 's', message: 'hello', idempotencyKey: 'r1' });
  });

  test('that is refused for a moment is offered again', async () => {
    refusals.push({ code: 'UNAVAILABLE', message: 'draining', retryable: true, retryAfterMs: 1 });
    settle('ok', 'done');
    expect(await run()).toMatchObject({ status: 'ok', text: 'done' });
    expect(asked('chat.send')).toHaveLength(2);
  });

  test('that is refused for good is not', async () => {
    refusals.push({ code: 'INVALID_REQUEST', message: 'no such agent' });
    await expect(run()).rejects.toMatchObject({
      code: 'REQUEST_REFUSED',
      message: expect.stringContaining('no such agent'),
    });
    expect(asked('chat.send')).toHaveLength(1);
  });

  test.each([
    ['ABORTED', 'aborted'],
    ['MODEL_FAILED', 'error'],
  ])('that ended with %s has the status %s, its reason and what was heard', async (code, status) => {
    const turn = run();
    await eventually(() => asked('agent.wait').length === 1);
    text('one ');
    await eventually(() => heard.length === 1);
    settle('error', '', { code, message: 'because' });
    expect(await turn).toMatchObject({ status, text: 'one ', error: { code, message: 'because' } });
  });

  test('is ended by its run alone', async () => {
    await abortTurn(link, saying);
    expect(calls).toEqual([{ method: 'chat.abort', params: { sessionKey: 's', runId: 'r1' } }]);
  });

  test('of a command that leaves is given up, however curable the trouble', async () => {
    const turn = run();
    await eventually(() => asked('agent.wait').length === 1);
    link.close();
    await expect(turn).rejects.toBeInstanceOf(Error);
  });
});
