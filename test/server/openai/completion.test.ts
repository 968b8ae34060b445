import { createConnection } from 'node:net';
import { APIError } from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { CoppiceError } from '../../../src/errors.ts';
import { endRigs, TOKEN } from '../client.ts';
import { treeNode as node } from '../../fixtures/tree-node.ts';
import { ask, errorIn, eventsIn, openDoor } from './door.ts';

afterEach(endRigs);

const streamed = { ...ask, stream: true as const };
const soon = () => new Promise((resolve) => setTimeout(resolve, 30));
async function until(what: string, is: () => boolean): Promise<void> {
  const end = performance.now() + 30_000;
  while (!is()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe('a completion', () => {
  it('is answered only after the inbox commit and the outcome on record', async () => {
    const { rig, post, offered, offers, end } = await openDoor();
    const commit = Promise.withResolvers<void>();
    rig.fake.state.commit = commit.promise;
    let answered = false;
    const asked = post(ask).then((answer) => ((answered = true), answer));
    await soon();
    expect([answered, offers.length]).toEqual([false, 0]);
    commit.resolve();
    const runId = await offered();
    rig.fake.say(runId, { kind: 'text', text: 'hello yourself', delta: 'hello yourself' });
    await soon();
    expect(answered).toBe(false);
    end(runId);
    const answer = await asked;
    expect(answer.headers.get('x-request-id')).toBe(runId);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await answer.json()).toMatchObject({
      id: runId,
      choices: [{ message: { content: 'hello yourself' } }],
    });
    expect(rig.fake.listeners()).toBe(baseline);
  });

  it('finds an outcome of which no signal told, by looking at the record', async () => {
    const { rig, post, offered } = await openDoor({ limits: { completionLookMs: 20 } });
    const asked = post(ask);
    rig.fake.settle(await offered(), { status: 'ok', result: { text: 'quietly', stopReason: 'length' } });
    expect(await (await asked).json()).toMatchObject({
      choices: [{ finish_reason: 'length', message: { content: 'quietly' } }],
    });
  });

  it.each([
    ['DRAINING', { retryAfterMs: 2_500 }, 503, '3', null],
    ['OVERLOADED', { where: 'the inbox', limit: 1 }, 429, '1', null],
    ['UNAVAILABLE', { what: 'x', reason: 'y' }, 503, '1', null],
    ['SESSION_QUARANTINED', { sessionKey: 's' }, 503, null, 'false'],
    ['STORE_FULL', { path: 'p' }, 503, '1', null],
  ] as const)(
    'that is not taken (%s, %o) is answered with %i, and when to come back',
    async (code, details, status, after, again) => {
      const { rig, post } = await openDoor();
      rig.fake.state.offerError = new CoppiceError(code, details);
      for (const body of [ask, streamed]) {
        const answer = await post(body);
        expect(answer.status).toBe(status);
        expect(answer.headers.get('retry-after')).toBe(after);
        expect(answer.headers.get('x-should-retry')).toBe(again);
        expect((await errorIn(answer)).code).toBe(`COPPICE_${code}`);
      }
    },
  );

  it('whose gateway fails inside tells nothing of it, and reports it', async () => {
    const { rig, post } = await openDoor();
    rig.fake.state.offerError = new Error('secret path');
    const answer = await post(ask);
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain('secret');
    expect(rig.facts).toContainEqual(expect.objectContaining({ type: 'actor.fault' }));
  });

  it.each([
    [
      { status: 'error', error: { code: 'MODEL_FAILED', message: 'no model answered' } },
      502,
      'COPPICE_MODEL_FAILED',
    ],
    [{ status: 'error', error: { code: 'RUN_DEADLINE', message: 'not over' } }, 504, 'COPPICE_RUN_DEADLINE'],
    [{ status: 'error', error: { code: 'RUN_CRASHED', message: 'crashed' } }, 500, 'COPPICE_RUN_CRASHED'],
    [{ status: 'aborted' }, 409, 'run_aborted'],
  ] as const)(
    'whose run ends with %o is answered with %i, streamed or not, and is not worth a repeat',
    async (outcome, status, code) => {
      const { post, offered, end } = await openDoor();
      for (const [index, body] of [ask, streamed].entries()) {
        const asked = post(body);
        end(await offered(index + 1), { ...outcome, result: {} });
        const answer = await asked;
        expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([status, 'false']);
        expect((await errorIn(answer)).code).toBe(code);
      }
    },
  );

  it('of a session that is held down is told so, instead of waiting for ever', async () => {
    const { rig, post } = await openDoor({ limits: { completionLookMs: 20 } });
    rig.fake.port.explain = (path) => ({
      path,
      node: node(path, { status: 'parked' }),
      findings: [],
      detail: {},
    });
    expect((await errorIn(await post(ask))).code).toBe('COPPICE_SESSION_QUARANTINED');
  });

  it('is refused with 429 while too many are under way, and taken when one is over', async () => {
    const { post, offered, end } = await openDoor({ limits: { completions: 1 } });
    const first = post(ask);
    const runId = await offered();
    const refused = await post(ask);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    end(runId);
    expect((await first).status).toBe(200);
    const next = post(ask);
    end(await offered(2));
    expect((await next).status).toBe(200);
  });

  it('is refused with 429 while those under way are too large together', async () => {
    const { post, offers } = await openDoor({ limits: { completionsBytes: 100 } });
    expect((await post({ ...ask, metadata: { a: 'x'.repeat(200) } })).status).toBe(429);
    expect(offers).toEqual([]);
  });

  it('is told that the gateway goes down', async () => {
    const { rig, post, offered } = await openDoor();
    const asked = post(ask);
    await offered();
    const closing = rig.server.close('stop');
    const answer = await asked;
    expect(answer.status).toBe(503);
    expect((await errorIn(answer)).code).toBe('COPPICE_ANSWER_INTERRUPTED');
    await closing;
  });

  it('repeated with its key gets the outcome of the first, and waits for it while it runs', async () => {
    const { post, offered, offers, end } = await openDoor();
    const headers = { 'idempotency-key': 'k1' };
    const first = post(ask, { headers });
    const runId = await offered();
    const second = post({ ...ask, messages: [{ role: 'user', content: 'something else' }] }, { headers });
    await soon();
    end(runId);
    const answers = await Promise.all([first, second].map(async (answer) => (await answer).json()));
    expect(answers[1]).toEqual(answers[0]);
    expect(await (await post(ask, { headers })).json()).toEqual(answers[0]);
    expect([runId, offers.length]).toEqual(['chatcmpl-k1', 1]);
    expect((await post(ask, { headers: { 'idempotency-key': 'a b' } })).status).toBe(400);
  });

  it('is aborted when its reader leaves, unless the reader may come back for it by a key', async () => {
    const { rig, post, offered } = await openDoor();
    for (const [index, body] of [ask, streamed].entries()) {
      const leave = new AbortController();
      const asked = post(body, { signal: leave.signal });
      const runId = await offered(index + 1);
      leave.abort();
      await expect(asked).rejects.toThrow();
      await until('the run is aborted', () => rig.fake.runs.get(runId)?.status === 'aborted');
    }
    const leave = new AbortController();
    const asked = post(ask, { signal: leave.signal, headers: { 'idempotency-key': 'mine' } });
    const runId = await offered(3);
    leave.abort();
    await expect(asked).rejects.toThrow();
    await soon();
    expect(rig.fake.runs.get(runId)?.status).toBe('accepted');
    expect(rig.fake.listeners()).toBe(baseline);
  });
});

/** What the server itself listens to. */
const baseline = await (async () => {
  const { rig } = await openDoor();
  const count = rig.fake.listeners();
  await endRigs();
  return count;
})();

describe('a streamed completion', () => {
  it('says its role first, then what is new, then its calls, its end, its usage, and [DONE]', async () => {
    const { post, offered, say, end } = await openDoor();
    const asked = post({ ...streamed, stream_options: { include_usage: true } });
    const runId = await offered();
    say(runId, 'one');
    const answer = await asked;
    expect(answer.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(answer.headers.get('x-request-id')).toBe(runId);
    say(runId, 'one two');
    await soon();
    const calls = [{ type: 'tool-call', toolCallId: 'c1', toolName: 'look', input: { a: 1 } }];
    const usage = { input: 1, output: 2, total: 3 };
    end(runId, { result: { text: 'one two three', stopReason: 'tool-calls', calls, usage } });
    const events = eventsIn(await answer.text());
    expect(events.pop()).toBe('[DONE]');
    const chunks = events.map((event) => JSON.parse(event));
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([
      { role: 'assistant', content: '' },
      { content: 'one' },
      { content: ' two' },
      { content: ' three' },
      {
        tool_calls: [
          { index: 0, id: 'c1', type: 'function', function: { name: 'look', arguments: '{"a":1}' } },
        ],
      },
      {},
      undefined,
    ]);
    expect(chunks.map(({ usage: told }) => told).slice(-2)).toEqual([
      null,
      { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    ]);
    expect(chunks.at(-2).choices[0].finish_reason).toBe('tool_calls');
  });

  it('that fails after its first word ends with an error the client knows', async () => {
    const { rig, openai, offered, say } = await openDoor();
    const asked = openai.chat.completions.create(streamed);
    const runId = await offered();
    say(runId, 'half');
    const words: (string | null | undefined)[] = [];
    const read = async (): Promise<void> => {
      for await (const chunk of await asked) words.push(chunk.choices[0]?.delta.content);
    };
    const reading = read();
    await until('a word is there', () => words.length > 1);
    rig.fake.settle(runId, {
      status: 'error',
      error: { code: 'MODEL_FAILED', message: 'no model answered' },
    });
    rig.fake.say(runId, { kind: 'ended', status: 'error', text: '', endedAt: 1 });
    const error = await reading.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ code: 'COPPICE_MODEL_FAILED', message: 'no model answered' });
    expect(words).toEqual(['', 'half']);
  });

  it('whose turn is begun anew goes on where it was when the same is said again', async () => {
    const { rig, post, offered, say, end } = await openDoor();
    const asked = post(streamed);
    const runId = await offered();
    say(runId, 'one two');
    const answer = await asked;
    rig.fake.say(runId, { kind: 'restarted', reason: 'crash' });
    say(runId, 'one');
    await soon();
    end(runId, {}, 'one two three');
    const chunks = eventsIn(await answer.text()).slice(0, -1);
    const words = chunks.map((event) => JSON.parse(event).choices[0]?.delta.content ?? '');
    expect(words.join('')).toBe('one two three');
  });

  it('whose turn is begun anew and says something else ends with an error, not with two answers in one', async () => {
    const { rig, post, offered, say } = await openDoor();
    const asked = post(streamed);
    const runId = await offered();
    say(runId, 'one two');
    const answer = await asked;
    rig.fake.say(runId, { kind: 'restarted', reason: 'retry' });
    say(runId, 'three');
    const events = eventsIn(await answer.text());
    expect(JSON.parse(events.at(-1)!).error.code).toBe('COPPICE_ANSWER_DIVERGED');
    await until('the useless run is aborted', () => rig.fake.runs.get(runId)?.status === 'aborted');
  });

  it('says that it is alive while the model is silent', async () => {
    const { post, offered, end } = await openDoor({ limits: { completionSilenceMs: 20 } });
    const asked = post(streamed);
    const runId = await offered();
    const answer = await asked;
    await soon();
    end(runId);
    const text = await answer.text();
    expect(text).toMatch(/\n\n: still working\n\n/);
    expect(eventsIn(text).at(-1)).toBe('[DONE]');
  });

  it('repeated in the middle of its run begins with what was said so far', async () => {
    const { post, offered, say, end } = await openDoor();
    const headers = { 'idempotency-key': 'twice' };
    const first = post(streamed, { headers });
    const runId = await offered();
    say(runId, 'one');
    await first;
    const second = post(streamed, { headers });
    await soon();
    say(runId, 'one two');
    end(runId, {}, 'one two');
    const whole = async (answer: Promise<Response>): Promise<string> =>
      eventsIn(await (await answer).text())
        .slice(0, -1)
        .map((event) => JSON.parse(event).choices[0]?.delta.content ?? '')
        .join('');
    expect([await whole(first), await whole(second)]).toEqual(['one two', 'one two']);
  });

  it('to a reader that never reads is cut, and its run is aborted', async () => {
    const { rig, offered, say } = await openDoor({ limits: { completionStallMs: 100 } });
    const body = JSON.stringify(streamed);
    const socket = createConnection(rig.server.address.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const runId = await offered();
    let text = '';
    await until('the run is aborted', () => {
      if (text.length < 64_000_000) text += 'x'.repeat(1_000_000);
      say(runId, text);
      return rig.fake.runs.get(runId)?.status === 'aborted';
    });
    expect(rig.facts).toContainEqual(
      expect.objectContaining({ type: 'client.refused', code: 'SLOW_READER' }),
    );
    socket.destroy();
  });

  it('is told that the gateway goes down', async () => {
    const { rig, post, offered, say } = await openDoor();
    const asked = post(streamed);
    say(await offered(), 'half');
    const answer = await asked;
    const closing = rig.server.close('restart');
    expect(JSON.parse(eventsIn(await answer.text()).at(-1)!).error.code).toBe('COPPICE_ANSWER_INTERRUPTED');
    await closing;
  });
});

describe('the list of models', () => {
  it('has the agent’s own name first, and finds each by its name', async () => {
    const { openai } = await openDoor();
    const ids = (await openai.models.list()).data.map(({ id }) => id);
    expect(ids).toEqual(['coppice', 'loopback/echo', 'local/small']);
    for (const id of ids) expect(await openai.models.retrieve(id)).toMatchObject({ id, object: 'model' });
    await expect(openai.models.retrieve('local/none')).rejects.toMatchObject({ code: 'model_not_found' });
  });
});
