import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createClock } from '../../src/host/index.ts';
import {
  ModelFailure,
  type FailureClass,
  type ModelContent,
  type ModelPart,
  type ModelRequest,
  type Provider,
  type SdkProviderInit,
} from '../../src/models/index.ts';
import { normalizeError } from '../../src/errors.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';
import type { ScriptedServer, StartServer } from './scripted-server.ts';

export const KEY = 'sk-very-secret-0123456789';

/** What the suite must know of a provider to hold it to the common promises. */
export interface Kit {
  readonly create: (init: SdkProviderInit) => Provider;
  readonly start: StartServer;
  /** Where its requests arrive, below the version segment. */
  readonly path: string;
  readonly keyHeader: 'authorization' | 'x-api-key';
  readonly keyValue: string;
  /** Where its SDK would take a key from by itself. */
  readonly keyVariable: string;
  /** How it is told to call the tool `list`. */
  readonly toolChoice: object;
  /** Raw reason and ours. */
  readonly finishReasons: readonly (readonly [raw: string, reason: string])[];
  /** Rows of the common table that this format tells differently, and rows of its own. */
  readonly answers?: Readonly<Record<string, readonly [FailureClass, number | undefined]>>;
}

/** Every way an answer can be bad: script, class, status. The same for all, but for what a kit says. */
const BAD_ANSWERS: Readonly<Record<string, readonly [FailureClass, number | undefined]>> = {
  'status?code=400&message=bad field': ['format', 400],
  'status?code=400&message=x&error-code=context_length_exceeded': ['context_overflow', 400],
  'status?code=401': ['auth', 401],
  'status?code=402': ['billing', 402],
  'status?code=403': ['auth', 403],
  'status?code=404': ['not_found', 404],
  'status?code=408': ['timeout', 408],
  'status?code=409': ['server', 409],
  'status?code=413': ['context_overflow', 413],
  'status?code=421': ['unknown', 421],
  'status?code=429': ['rate_limit', 429],
  'status?code=429&error-code=insufficient_quota': ['billing', 429],
  'status?code=500': ['server', 500],
  'status?code=502': ['server', 502],
  'status?code=503': ['overloaded', 503],
  'status?code=529': ['overloaded', 529],
  redirect: ['unknown', 307],
  reset: ['interrupted', 200],
  'reset-before-headers': ['network', undefined],
  'end-without-anything': ['interrupted', undefined],
  'end-without-finish': ['interrupted', undefined],
  'sse-error': ['overloaded', undefined],
  'sse-error?type=server_error&message=Boom': ['server', undefined],
  'sse-error-first': ['overloaded', undefined],
  garbage: ['interrupted', undefined],
  'garbage-first': ['interrupted', undefined],
  'tool-call?input={"path":': ['format', undefined],
  'tool-call-cut': ['interrupted', undefined],
  'json-error': ['rate_limit', undefined],
  html: ['unknown', undefined],
  endless: ['unknown', 200],
};

export interface Outcome {
  readonly parts: ModelPart[];
  readonly failure: ModelFailure | undefined;
}

export async function collect(stream: AsyncIterable<ModelPart>): Promise<Outcome> {
  const parts: ModelPart[] = [];
  try {
    for await (const part of stream) parts.push(part);
    return { parts, failure: undefined };
  } catch (error) {
    expect(error).toBeInstanceOf(ModelFailure);
    return { parts, failure: error as ModelFailure };
  }
}

export const request = (over: Partial<ModelRequest> = {}): ModelRequest => ({
  model: 'm1',
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
  tools: [],
  idleMs: 40_000,
  firstByteMs: 40_000,
  ...over,
});

export const textOf = ({ parts }: Outcome): string =>
  parts.map((part) => (part.type === 'text' ? part.delta : '')).join('');

/** One user message with a line of text and this file. */
export const withFile = (
  file: Omit<Extract<ModelContent, { type: 'file' }>, 'type'>,
): Partial<ModelRequest> => ({
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Look.' },
        { type: 'file', ...file },
      ],
    },
  ],
});

/** A server and a provider for one test file, made afresh for each test. */
export function harness({ create, start }: Kit) {
  let server!: ScriptedServer;
  beforeEach(async () => {
    server = await start();
  });
  afterEach(() => server.close());
  const provider = (init: Partial<SdkProviderInit> = {}): Provider =>
    create({ name: 'local', baseUrl: server.url, apiKey: KEY, clock: createClock(), ...init });
  return {
    get server() {
      return server;
    },
    provider,
    run(
      script: string,
      over: Partial<ModelRequest> = {},
      signal = new AbortController().signal,
    ): Promise<Outcome> {
      server.next(script);
      return collect(provider().stream(request(over), signal));
    },
  };
}

export type Harness = ReturnType<typeof harness>;

/** The promises every provider makes. */
export function keepsItsPromises(kit: Kit, own: Harness): void {
  const { provider, run } = own;

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
      expect(own.server.requests.length).toBe(1);
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

    test.each(kit.finishReasons)('the finish reason %s is told as %s', async (raw, reason) => {
      const { parts } = await run(`normal?finish=${raw}`);
      expect(parts.at(-1)).toMatchObject({ type: 'finish', reason });
    });

    test('the request goes to its path, streams, and carries key and trace', async () => {
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      await run('normal', { traceparent });
      const { headers, body, path } = own.server.requests[0]!;
      expect(path).toBe(`/v1${kit.path}`);
      expect(headers[kit.keyHeader]).toBe(kit.keyValue);
      expect(headers['traceparent']).toBe(traceparent);
      expect(headers['content-length']).toMatch(/^\d+$/);
      expect(body).toMatchObject({ model: 'm1', stream: true });
    });

    test('no key means no credential at all, whatever the environment holds, and a configured one replaces ours', async () => {
      vi.stubEnv(kit.keyVariable, 'sk-from-the-environment');
      const signal = new AbortController().signal;
      await collect(provider({ apiKey: undefined }).stream(request(), signal));
      const headers = { [kit.keyHeader === 'authorization' ? 'Authorization' : 'X-Api-Key']: 'Token abc' };
      await collect(provider({ headers }).stream(request(), signal));
      vi.unstubAllEnvs();
      expect(own.server.requests.map((row) => row.headers[kit.keyHeader])).toEqual([undefined, 'Token abc']);
      expect(JSON.stringify(own.server.requests.map((row) => row.headers))).not.toContain(
        'from-the-environment',
      );
    });

    test('nothing is printed, although the SDK has no option that says so', async () => {
      const printed = ['log', 'info', 'warn', 'error'].map((name) =>
        vi.spyOn(console, name as 'warn').mockImplementation(() => {}),
      );
      await run('normal', { model: 'claude-9-unheard-of' });
      for (const spy of printed) {
        expect(spy).not.toHaveBeenCalled();
        spy.mockRestore();
      }
      expect('AI_SDK_LOG_WARNINGS' in globalThis).toBe(false);
    });

    test('ids of calls that another provider made up are made fit, each used once, results with their calls', async () => {
      const call = (toolCallId: string): ModelRequest['messages'] => [
        { role: 'assistant', content: [{ type: 'tool-call', toolCallId, toolName: 'list', input: {} }] },
        {
          role: 'tool',
          content: [{ type: 'tool-result', toolCallId, toolName: 'list', output: toolCallId }],
        },
      ];
      const id = 'functions.list:0';
      await run('normal', { messages: [...request().messages, ...call(id), ...call('ok_1'), ...call(id)] });
      const sent = JSON.stringify(own.server.requests[0]!.body);
      for (const fit of ['functions_list_0', 'ok_1', 'functions_list_0_2'])
        expect(sent.split(`"${fit}"`).length - 1).toBeGreaterThanOrEqual(2);
      expect(sent.split(`"${id}"`).length - 1).toBeLessThanOrEqual(2); // only as the words of the results
    });

    test('a temperature and a wanted tool are said in the words of its format', async () => {
      const outcome = await run('normal', {
        tools: [{ name: 'list', description: 'Lists.', inputSchema: { type: 'object', properties: {} } }],
        settings: { temperature: 0.5, toolChoice: { toolName: 'list' } },
      });
      expect(outcome.failure).toBeUndefined();
      const { body } = own.server.requests[0]!;
      expect(body).toMatchObject({ temperature: 0.5, ...kit.toolChoice });
    });

    test('an answer without a word is not sent back', async () => {
      const silent = { role: 'assistant' as const, content: [{ type: 'text' as const, text: '' }] };
      await run('normal', { messages: [...request().messages, silent, ...request().messages] });
      expect(JSON.stringify(own.server.requests[0]!.body)).not.toContain('assistant');
    });
  });

  describe('a bad answer fails with its class after exactly one request', () => {
    const rows = Object.entries({ ...BAD_ANSWERS, ...kit.answers });
    test.each(rows)('%s is %j', async (script, [expected, status]) => {
      const { failure, parts } = await run(script);
      expect(failure).toMatchObject({ class: expected, status });
      expect(parts.some((part) => part.type === 'finish')).toBe(false);
      expect(own.server.requests.length).toBe(1);
      expect(failure?.where).toBe(`local (${new URL(own.server.url).host})`);
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

  describe('time and aborts', () => {
    test.each(['hang-before-headers', 'hang-before-first-chunk'])(
      '%s ends as timeout at firstByteMs and closes the connection',
      async (script) => {
        const clock = createSimulatedClock();
        own.server.next(script);
        const outcome = collect(
          provider({ clock }).stream(
            request({ firstByteMs: 5_000, idleMs: 100 }),
            new AbortController().signal,
          ),
        );
        const { ended } = await own.server.received(0);
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
      own.server.next('hang-mid-stream');
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
      expect(await own.server.requests[0]!.ended).toBe('cut');
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
      const outcome = await run('drip?ms=30', { idleMs: 30_000, firstByteMs: 30_000 });
      expect(outcome.failure).toBeUndefined();
      expect(textOf(outcome)).toBe('Drop by drop by drop.');
    });

    test.each(['hang-before-headers', 'hang-before-first-chunk', 'hang-mid-stream', 'drip?ms=50'])(
      'an abort during %s ends the call as aborted and closes the connection',
      async (script) => {
        const controller = new AbortController();
        const outcome = run(script, {}, controller.signal);
        const { ended } = await own.server.received(0);
        await new Promise((resolve) => setTimeout(resolve, 20));
        controller.abort(new Error('the user pressed stop'));
        expect((await outcome).failure).toMatchObject({ class: 'aborted' });
        expect(await ended).toBe('cut');
        expect(own.server.requests.length).toBe(1);
      },
    );

    test('an abort in front of the call means no request at all', async () => {
      const { failure } = await run('normal', {}, AbortSignal.abort());
      expect(failure?.class).toBe('aborted');
      expect(own.server.requests.length).toBe(0);
    });

    test('a consumer that walks away closes the connection and leaves no timer', async () => {
      const clock = createSimulatedClock();
      own.server.next('hang-mid-stream');
      for await (const part of provider({ clock }).stream(request(), new AbortController().signal)) {
        expect(part.type).toBe('text');
        break;
      }
      expect(await own.server.requests[0]!.ended).toBe('cut');
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
      const { host } = new URL(own.server.url);
      own.server.next('status?code=500&message=hunter22 and tok-98765 failed');
      const mine = provider({
        apiKey: undefined,
        baseUrl: `http://somebody:hunter22@${host}/v1/?access=tok-98765`,
      });
      const { failure } = await collect(mine.stream(request(), new AbortController().signal));
      const { headers, path } = own.server.requests[0]!;
      expect(headers['authorization']).toBe(`Basic ${Buffer.from('somebody:hunter22').toString('base64')}`);
      expect(path).toBe(`/v1${kit.path}?access=tok-98765`);
      expect(shown(failure)).not.toMatch(/hunter22|tok-98765/);
    });

    test('a key with a character no header may hold fails the call without being printed', async () => {
      const bad = 'abc\u0000defghij';
      const { failure } = await collect(
        provider({ apiKey: bad }).stream(request(), new AbortController().signal),
      );
      expect(failure).toBeInstanceOf(ModelFailure);
      expect(shown(failure)).not.toContain('defghij');
      expect(own.server.requests.length).toBe(0);
    });

    test('the newline at the end of a key file does no harm', async () => {
      const { failure } = await collect(
        provider({ apiKey: `${KEY}\n` }).stream(request(), new AbortController().signal),
      );
      expect(failure).toBeUndefined();
      expect(own.server.requests[0]!.headers[kit.keyHeader]).toBe(kit.keyValue);
    });

    test('a redirect is not followed: key and conversation stay here', async () => {
      const other = await kit.start();
      await run(`redirect?to=${encodeURIComponent(`${other.url}${kit.path}`)}`);
      expect(other.requests.length).toBe(0);
      await other.close();
    });
  });

  describe('files', () => {
    test.each([
      'image/png',
      'image/jpg; q=1',
      'IMAGE/WEBP',
      'application/pdf',
      'text/markdown',
      'application/json',
    ])('%s is carried', async (mediaType) => {
      const outcome = await run('normal', withFile({ mediaType, data: Buffer.from('{"a":1}') }));
      expect(outcome.failure).toBeUndefined();
    });

    test.each(['video/mp4', 'image/tiff', 'application/zip', ''])(
      '%o fails as format, named, and nothing is sent',
      async (mediaType) => {
        const { failure } = await run(
          'normal',
          withFile({ mediaType, data: new Uint8Array(3), filename: 'x.bin' }),
        );
        expect(failure).toMatchObject({ class: 'format' });
        expect(failure?.message).toContain(`a file of type ${mediaType || 'no media type'} ("x.bin")`);
        expect(own.server.requests.length).toBe(0);
      },
    );

    test('text that is no text fails as format', async () => {
      const { failure } = await run(
        'normal',
        withFile({ mediaType: 'text/plain', data: Uint8Array.of(0xff, 0xfe) }),
      );
      expect(failure).toMatchObject({ class: 'format', message: expect.stringContaining('not UTF-8') });
    });

    test('a file in the mouth of the model fails as format', async () => {
      const file = { type: 'file' as const, mediaType: 'image/png', data: new Uint8Array(3) };
      const { failure } = await run('normal', {
        messages: [...request().messages, { role: 'assistant', content: [file] }],
      });
      expect(failure).toMatchObject({ class: 'format' });
    });
  });
}

async function freePort(): Promise<AddressInfo> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return address;
}
