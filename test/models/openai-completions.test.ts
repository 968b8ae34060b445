import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createClock } from '../../src/host/index.ts';
import {
  createOpenAiCompletions,
  ModelFailure,
  type ModelPart,
  type ModelRequest,
  type Provider,
} from '../../src/models/index.ts';
import { normalizeError } from '../../src/errors.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';
import { startOpenAiServer, type OpenAiServer } from './openai-server.ts';

const KEY = 'sk-very-secret-0123456789';
let server: OpenAiServer;
beforeEach(async () => {
  server = await startOpenAiServer();
});
afterEach(() => server.close());

const provider = (init: Partial<Parameters<typeof createOpenAiCompletions>[0]> = {}): Provider =>
  createOpenAiCompletions({ name: 'local', baseUrl: server.url, apiKey: KEY, clock: createClock(), ...init });

const request = (over: Partial<ModelRequest> = {}): ModelRequest => ({
  model: 'm1',
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
  tools: [],
  idleMs: 10_000,
  firstByteMs: 10_000,
  ...over,
});

interface Outcome {
  readonly parts: ModelPart[];
  readonly failure: ModelFailure | undefined;
}

async function collect(stream: AsyncIterable<ModelPart>): Promise<Outcome> {
  const parts: ModelPart[] = [];
  try {
    for await (const part of stream) parts.push(part);
    return { parts, failure: undefined };
  } catch (error) {
    expect(error).toBeInstanceOf(ModelFailure);
    return { parts, failure: error as ModelFailure };
  }
}

const run = (
  script: string,
  over: Partial<ModelRequest> = {},
  signal = new AbortController().signal,
): Promise<Outcome> => {
  server.next(script);
  return collect(provider().stream(request(over), signal));
};
const textOf = ({ parts }: Outcome): string =>
  parts.map((part) => (part.type === 'text' ? part.delta : '')).join('');

describe('a good answer', () => {
  test('streams its text in several parts and ends with exactly one finish that carries usage', async () => {
    const outcome = await run('normal');
    expect(outcome.failure).toBeUndefined();
    expect(textOf(outcome)).toBe('Hello from the server.');
    expect(outcome.parts.filter((part) => part.type === 'text').length).toBe(4);
    expect(outcome.parts.filter((part) => part.type === 'finish')).toEqual([
      { type: 'finish', reason: 'stop', usage: { input: 14, output: 6, cacheRead: 3, total: 20 } },
    ]);
    expect(outcome.parts.at(-1)?.type).toBe('finish');
    expect(server.requests.length).toBe(1);
  });

  test('reasoning is kept apart from text', async () => {
    const { parts } = await run('reasoning');
    expect(parts.slice(0, 2)).toEqual([
      { type: 'reasoning', delta: 'Let me think.' },
      { type: 'text', delta: 'Done.' },
    ]);
  });

  test('a tool call arrives whole, with its input parsed, before the finish', async () => {
    const { parts } = await run('tool-call?name=read&id=c7&input={"path":"a.md"}');
    expect(parts).toEqual([
      { type: 'tool-call', toolCallId: 'c7', toolName: 'read', input: { path: 'a.md' } },
      expect.objectContaining({ type: 'finish', reason: 'tool-calls' }),
    ]);
  });

  test('a tool call without any arguments gets an empty object', async () => {
    const { parts } = await run('tool-call?input=');
    expect(parts[0]).toMatchObject({ type: 'tool-call', input: {} });
  });

  test.each([
    ['length', 'length'],
    ['content_filter', 'content-filter'],
    ['eos', 'other'],
  ])('the finish reason %s is told as %s', async (raw, reason) => {
    const { parts } = await run(`normal?finish=${raw}`);
    expect(parts.at(-1)).toMatchObject({ type: 'finish', reason });
  });

  test('the request carries the conversation, the tools, the key and the trace', async () => {
    await run('normal', {
      maxOutputTokens: 50,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tools: [{ name: 'list', description: 'Lists.', inputSchema: { type: 'object', properties: {} } }],
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
        { role: 'user', content: [{ type: 'text', text: 'List it.' }] },
        {
          role: 'assistant',
          content: [{ type: 'tool-call', toolCallId: 'c1', toolName: 'list', input: { path: '.' } }],
        },
        {
          role: 'tool',
          content: [{ type: 'tool-result', toolCallId: 'c1', toolName: 'list', output: { entries: [] } }],
        },
        {
          role: 'tool',
          content: [{ type: 'tool-result', toolCallId: 'c2', toolName: 'list', output: 'no', isError: true }],
        },
      ],
    });
    const { headers, body, path } = server.requests[0]!;
    expect(path).toBe('/v1/chat/completions');
    expect(headers['authorization']).toBe(`Bearer ${KEY}`);
    expect(headers['traceparent']).toBe('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
    expect(headers['content-length']).toMatch(/^\d+$/);
    expect(body).toMatchObject({
      model: 'm1',
      stream: true,
      max_tokens: 50,
      stream_options: { include_usage: true },
    });
    expect(body.tools).toMatchObject([
      { type: 'function', function: { name: 'list', parameters: { type: 'object' } } },
    ]);
    expect(body.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'List it.' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'list', arguments: '{"path":"."}' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: '{"entries":[]}' },
      { role: 'tool', tool_call_id: 'c2', content: 'no' },
    ]);
  });

  test('no key means no authorization header, and a configured one replaces ours', async () => {
    await collect(provider({ apiKey: undefined }).stream(request(), new AbortController().signal));
    await collect(
      provider({ headers: { Authorization: 'Token abc' } }).stream(request(), new AbortController().signal),
    );
    expect(server.requests.map(({ headers }) => headers['authorization'])).toEqual([undefined, 'Token abc']);
  });
});

describe('a bad answer fails with its class after exactly one request', () => {
  test.each([
    ['status?code=400&message=bad field', 'format', 400],
    ['status?code=400&message=x&error-code=context_length_exceeded', 'context_overflow', 400],
    ['status?code=401', 'auth', 401],
    ['status?code=402', 'billing', 402],
    ['status?code=403', 'auth', 403],
    ['status?code=404', 'not_found', 404],
    ['status?code=408', 'timeout', 408],
    ['status?code=409', 'server', 409],
    ['status?code=413', 'context_overflow', 413],
    ['status?code=421', 'unknown', 421],
    ['status?code=429', 'rate_limit', 429],
    ['status?code=429&error-code=insufficient_quota', 'billing', 429],
    ['status?code=500', 'server', 500],
    ['status?code=502', 'server', 502],
    ['status?code=503', 'overloaded', 503],
    ['status?code=529', 'overloaded', 529],
    ['redirect', 'unknown', 307],
    ['reset', 'interrupted', 200],
    ['reset-before-headers', 'network', undefined],
    ['end-without-finish', 'interrupted', undefined],
    ['sse-error', 'overloaded', undefined],
    ['sse-error?type=server_error&message=Boom', 'server', undefined],
    ['garbage', 'interrupted', undefined],
    ['normal?finish=error', 'interrupted', undefined],
    ['tool-call?input={"path":', 'format', undefined],
    ['tool-call-cut', 'interrupted', undefined],
    ['json-error', 'rate_limit', undefined],
    ['html', 'unknown', undefined],
    ['endless', 'unknown', 200],
  ])('%s is %s', async (script, expected, status) => {
    const { failure, parts } = await run(script);
    expect(failure).toMatchObject({ class: expected, status });
    expect(parts.some((part) => part.type === 'finish')).toBe(false);
    expect(server.requests.length).toBe(1);
    expect(failure?.where).toBe(`local (${new URL(server.url).host})`);
  });

  test('a 429 says how long to wait', async () => {
    const { failure } = await run('status?code=429&retry-after=3');
    expect(failure?.retryAfterMs).toBe(3_000);
  });

  test('a stream that is cut after a complete tool call yields no tool call', async () => {
    const { parts } = await run('tool-call-cut');
    expect(parts).toEqual([]);
  });

  test('nobody listens: network', async () => {
    const { port } = await freePort();
    const { failure } = await collect(
      provider({ baseUrl: `http://127.0.0.1:${port}/v1` }).stream(request(), new AbortController().signal),
    );
    expect(failure?.class).toBe('network');
  });
});

async function freePort(): Promise<AddressInfo> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return address;
}

describe('time and aborts', () => {
  test.each(['hang-before-headers', 'hang-before-first-chunk'])(
    '%s ends as timeout at firstByteMs and closes the connection',
    async (script) => {
      const clock = createSimulatedClock();
      server.next(script);
      const outcome = collect(
        provider({ clock }).stream(
          request({ firstByteMs: 5_000, idleMs: 100 }),
          new AbortController().signal,
        ),
      );
      const { ended } = await server.received(0);
      clock.advance(4_999);
      expect(await Promise.race([outcome, Promise.resolve('waiting')])).toBe('waiting');
      clock.advance(1);
      expect((await outcome).failure).toMatchObject({ class: 'timeout' });
      expect(await ended).toBe('cut');
      expect(clock.pending).toBe(0);
    },
  );

  test('silence in the middle of a stream ends as timeout at idleMs, with the text so far delivered', async () => {
    const clock = createSimulatedClock();
    server.next('hang-mid-stream');
    const limits = { firstByteMs: 5_000, idleMs: 700 };
    const answer = provider({ clock }).stream(request(limits), new AbortController().signal);
    const stream = answer[Symbol.asyncIterator]();
    expect((await stream.next()).value).toEqual({ type: 'text', delta: 'Half of ' });
    const rest = stream.next().catch((error: unknown) => error);
    clock.advance(699);
    expect(await Promise.race([rest, new Promise((resolve) => setTimeout(resolve, 20, 'waiting'))])).toBe(
      'waiting',
    );
    clock.advance(1);
    expect(await rest).toMatchObject({ class: 'timeout' });
    expect(await server.requests[0]!.ended).toBe('cut');
  });

  test('a slow consumer is not taken for a slow model', async () => {
    const clock = createSimulatedClock();
    const parts: ModelPart[] = [];
    for await (const part of provider({ clock }).stream(
      request({ idleMs: 100, firstByteMs: 100 }),
      new AbortController().signal,
    )) {
      parts.push(part);
      clock.advance(10_000);
    }
    expect(parts.at(-1)?.type).toBe('finish');
  });

  test('a drip inside the idle limit lives, however long it takes', async () => {
    const outcome = await run('drip?ms=30', { idleMs: 2_000, firstByteMs: 2_000 });
    expect(outcome.failure).toBeUndefined();
    expect(textOf(outcome)).toBe('Drop by drop by drop.');
  });

  test.each(['hang-before-headers', 'hang-before-first-chunk', 'hang-mid-stream', 'drip?ms=50'])(
    'an abort during %s ends the call as aborted and closes the connection',
    async (script) => {
      const controller = new AbortController();
      const outcome = run(script, {}, controller.signal);
      const { ended } = await server.received(0);
      await new Promise((resolve) => setTimeout(resolve, 20));
      controller.abort(new Error('the user pressed stop'));
      expect((await outcome).failure).toMatchObject({ class: 'aborted' });
      expect(await ended).toBe('cut');
      expect(server.requests.length).toBe(1);
    },
  );

  test('an abort in front of the call means no request at all', async () => {
    const { failure } = await run('normal', {}, AbortSignal.abort());
    expect(failure?.class).toBe('aborted');
    expect(server.requests.length).toBe(0);
  });

  test('a consumer that walks away closes the connection and leaves no timer', async () => {
    const clock = createSimulatedClock();
    server.next('hang-mid-stream');
    for await (const part of provider({ clock }).stream(request(), new AbortController().signal)) {
      expect(part.type).toBe('text');
      break;
    }
    expect(await server.requests[0]!.ended).toBe('cut');
    expect(clock.pending).toBe(0);
  });
});

describe('credentials', () => {
  const shown = (failure: ModelFailure | undefined): string =>
    [
      inspect(failure, { depth: 10, showHidden: true }),
      JSON.stringify(normalizeError(failure)),
      failure?.where,
    ].join('\n');

  test('a key that the server repeats in its error appears nowhere in the failure', async () => {
    const { failure } = await run(`status?code=401&message=Incorrect API key provided: ${KEY}`);
    expect(failure?.class).toBe('auth');
    expect(failure?.message).toContain('Incorrect API key provided: [hidden]');
    expect(shown(failure)).not.toContain(KEY);
  });

  test('user, password and query of the address reach the server and appear nowhere in the failure', async () => {
    const { host } = new URL(server.url);
    server.next('status?code=500&message=hunter22 and tok-98765 failed');
    const own = provider({
      apiKey: undefined,
      baseUrl: `http://somebody:hunter22@${host}/v1/?access=tok-98765`,
    });
    const { failure } = await collect(own.stream(request(), new AbortController().signal));
    const { headers, path } = server.requests[0]!;
    expect(headers['authorization']).toBe(`Basic ${Buffer.from('somebody:hunter22').toString('base64')}`);
    expect(path).toBe('/v1/chat/completions?access=tok-98765');
    expect(shown(failure)).not.toMatch(/hunter22|tok-98765/);
  });

  test('a key with a character no header may hold fails the call without being printed', async () => {
    const bad = 'abc\u0000defghij';
    const { failure } = await collect(
      provider({ apiKey: bad }).stream(request(), new AbortController().signal),
    );
    expect(failure).toBeInstanceOf(ModelFailure);
    expect(shown(failure)).not.toContain('defghij');
    expect(server.requests.length).toBe(0);
  });

  test('the newline at the end of a key file does no harm', async () => {
    const { failure } = await collect(
      provider({ apiKey: `${KEY}\n` }).stream(request(), new AbortController().signal),
    );
    expect(failure).toBeUndefined();
    expect(server.requests[0]!.headers['authorization']).toBe(`Bearer ${KEY}`);
  });

  test('a redirect is not followed: key and conversation stay here', async () => {
    const other = await startOpenAiServer();
    await run(`redirect?to=${encodeURIComponent(`${other.url}/chat/completions`)}`);
    expect(other.requests.length).toBe(0);
    await other.close();
  });
});
