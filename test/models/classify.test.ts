import {
  APICallError,
  InvalidResponseDataError,
  JSONParseError,
  LoadAPIKeyError,
  NoSuchModelError,
} from '@ai-sdk/provider';
import { anything, assert, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classify, ModelFailure } from '../../src/models/index.ts';

const NOW = Date.parse('2026-11-23T10:00:00Z');

const api = (
  statusCode: number | undefined,
  body: object | string = '',
  responseHeaders: Record<string, string> = {},
  cause?: unknown,
): APICallError => {
  const responseBody = typeof body === 'string' ? body : JSON.stringify({ error: body });
  const message = typeof body === 'string' ? body : String((body as { message?: string }).message ?? '');
  const data = typeof body === 'string' ? undefined : { error: body };
  return new APICallError({
    message,
    url: 'http://x/v1',
    requestBodyValues: {},
    responseHeaders,
    responseBody,
    data,
    cause,
    ...(statusCode === undefined ? {} : { statusCode }),
  });
};
const coded = (code: string, message = code): Error => Object.assign(new Error(message), { code });
const fetchFailed = (code: string): Error => new TypeError('fetch failed', { cause: coded(code) });
const named = (name: string, cause?: unknown): Error => Object.assign(new Error('x', { cause }), { name });

describe('every shape of failure has its class', () => {
  test.each<[string, unknown, string]>([
    // statuses
    ['400', api(400, 'nope'), 'format'],
    [
      '400 about length',
      api(400, { message: "This model's maximum context length is 8192 tokens" }),
      'context_overflow',
    ],
    ['400 about credit', api(400, { message: 'Your credit balance is too low' }), 'billing'],
    ['400 about quota', api(400, { message: 'You have exceeded your current quota' }), 'rate_limit'],
    [
      '400 about the content policy',
      api(400, { message: 'Rejected', code: 'content_policy_violation' }),
      'content_policy',
    ],
    ['400 about the key', api(400, { message: 'API key not valid. Please pass a valid API key.' }), 'auth'],
    ['401', api(401), 'auth'],
    ['402', api(402), 'billing'],
    ['402 that is a rate limit', api(402, 'Rate limit: try later'), 'rate_limit'],
    ['403', api(403, 'forbidden'), 'auth'],
    ['403 about money', api(403, 'Insufficient balance'), 'billing'],
    ['404', api(404, { message: 'The model `x` does not exist', code: 'model_not_found' }), 'not_found'],
    ['405', api(405), 'not_found'],
    ['407', api(407), 'auth'],
    ['408', api(408), 'timeout'],
    ['409', api(409), 'server'],
    ['410', api(410), 'not_found'],
    ['413', api(413), 'context_overflow'],
    ['418', api(418), 'unknown'],
    ['422', api(422), 'format'],
    ['429', api(429), 'rate_limit'],
    [
      '429 without money',
      api(429, { message: 'x', type: 'insufficient_quota', code: 'insufficient_quota' }),
      'billing',
    ],
    ['429 of a busy engine', api(429, 'The engine is currently overloaded'), 'overloaded'],
    [
      '429 of a request that can never fit',
      api(429, 'Request too large for m on tokens per min (TPM): Limit 30000, Requested 40000'),
      'context_overflow',
    ],
    ['451', api(451), 'content_policy'],
    ['500', api(500), 'server'],
    ['500 overloaded', api(500, { message: 'Overloaded', type: 'overloaded_error' }), 'overloaded'],
    ['502', api(502, '<html>Bad gateway</html>'), 'server'],
    ['503', api(503), 'overloaded'],
    ['504', api(504), 'timeout'],
    ['520', api(520), 'server'],
    ['522', api(522), 'timeout'],
    ['529', api(529), 'overloaded'],
    ['a status as text', { status: '429' }, 'rate_limit'],
    // codes through the cause chain
    ['refused', fetchFailed('ECONNREFUSED'), 'network'],
    ['DNS', fetchFailed('ENOTFOUND'), 'network'],
    ['DNS for now', fetchFailed('EAI_AGAIN'), 'network'],
    ['unreachable', fetchFailed('EHOSTUNREACH'), 'network'],
    ['TLS', fetchFailed('CERT_HAS_EXPIRED'), 'network'],
    ['self-signed', fetchFailed('DEPTH_ZERO_SELF_SIGNED_CERT'), 'network'],
    ['connect timeout', fetchFailed('UND_ERR_CONNECT_TIMEOUT'), 'timeout'],
    ['headers timeout', fetchFailed('UND_ERR_HEADERS_TIMEOUT'), 'timeout'],
    ['system timeout', coded('ETIMEDOUT'), 'timeout'],
    [
      'three causes deep',
      new Error('a', { cause: new Error('b', { cause: fetchFailed('ECONNRESET') }) }),
      'network',
    ],
    ['inside an aggregate', new AggregateError([coded('ECONNREFUSED')], 'all failed'), 'network'],
    [
      'reset in mid-stream',
      api(
        200,
        'Failed to process successful response',
        {},
        new TypeError('terminated', { cause: coded('UND_ERR_SOCKET', 'other side closed') }),
      ),
      'interrupted',
    ],
    ['cut without a code', api(200, 'x', {}, new TypeError('terminated')), 'interrupted'],
    // SDK errors
    [
      'no finish reason',
      new InvalidResponseDataError({
        data: undefined,
        message: 'Response stream ended without a finish reason.',
      }),
      'interrupted',
    ],
    [
      'broken chunk',
      new JSONParseError({ text: '{ rate limit', cause: new SyntaxError('x') }),
      'interrupted',
    ],
    ['no key', new LoadAPIKeyError({ message: 'x' }), 'auth'],
    ['no model', new NoSuchModelError({ modelId: 'x', modelType: 'languageModel' }), 'not_found'],
    // error events inside a stream
    ['overloaded event', { message: 'Overloaded', type: 'overloaded_error' }, 'overloaded'],
    ['router event with a number', { message: 'Upstream failed', code: 502 }, 'server'],
    ['rate event', { message: 'x', code: 'rate_limit_exceeded' }, 'rate_limit'],
    ['nested event', { error: { message: 'x', status: 'RESOURCE_EXHAUSTED' } }, 'rate_limit'],
    // aborts and timeouts
    ['abort', new DOMException('This operation was aborted', 'AbortError'), 'aborted'],
    ['timeout signal', new DOMException('x', 'TimeoutError'), 'timeout'],
    ['abort because of a timeout', named('AbortError', named('TimeoutError')), 'timeout'],
    // prose
    ['bare prose', 'too many requests', 'rate_limit'],
    ['socket prose', new Error('socket hang up'), 'network'],
    ['prose with a number that is no status', new Error('request 429401 took 403 tokens'), 'unknown'],
    ['benign prose', new Error('the session file has expired during authentication week'), 'unknown'],
    // anything else
    ['undefined', undefined, 'unknown'],
    ['null', null, 'unknown'],
    ['a number', 429, 'unknown'],
    ['a symbol', Symbol('x'), 'unknown'],
    ['an empty error', new Error(''), 'unknown'],
    ['a function', () => {}, 'unknown'],
  ])('%s', (_name, thrown, expected) => {
    expect(classify(thrown, NOW).class).toBe(expected);
  });

  test('the request body is no evidence: a user who writes about rate limits is not rate limited', () => {
    const error = new APICallError({
      message: 'x',
      url: 'u',
      statusCode: 418,
      requestBodyValues: { text: 'insufficient credits, rate limit' },
    });
    expect(classify(error, NOW)).toEqual({ class: 'unknown', status: 418 });
  });

  test('a failure that has its class keeps it', () => {
    const failure = new ModelFailure({
      class: 'billing',
      message: 'x',
      where: 'y',
      status: 402,
      retryAfterMs: 5,
    });
    expect(classify(failure, NOW)).toEqual({ class: 'billing', status: 402, retryAfterMs: 5 });
  });

  test('cycles and throwing getters do not harm it', () => {
    const loop: { cause?: unknown; readonly message: string } = {
      get message(): string {
        throw new Error('no');
      },
    };
    loop.cause = loop;
    expect(classify(loop, NOW)).toEqual({ class: 'unknown' });
  });

  test('whatever is thrown, it answers and does not throw', () => {
    assert(
      property(
        anything({ withDate: true, withMap: true, withNullPrototype: true }),
        (thrown) => typeof classify(thrown, NOW).class === 'string',
      ),
    );
  });
});

describe('how long to wait', () => {
  test.each<[Record<string, string>, number | undefined]>([
    [{ 'retry-after': '3' }, 3_000],
    [{ 'Retry-After': '0' }, 0],
    [{ 'retry-after': '1.5' }, 1_500],
    [{ 'retry-after': '250ms' }, 250],
    [{ 'retry-after': '6m0s' }, 360_000],
    [{ 'retry-after-ms': '120', 'retry-after': '9' }, 120],
    [{ 'retry-after': 'Mon, 23 Nov 2026 10:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Mon, 23 Nov 2026 09:00:00 GMT' }, 0],
    [{ 'retry-after': '99999999999' }, 2 ** 31 - 1],
    [{ 'retry-after': '-5' }, undefined],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '' }, undefined],
    [{}, undefined],
  ])('%o means %s ms', (headers, expected) => {
    expect(classify(api(429, 'x', headers), NOW).retryAfterMs).toBe(expected);
  });

  test('the text is asked when there is no header', () => {
    expect(classify(api(429, 'Rate limit reached. Please try again in 1.2s.'), NOW).retryAfterMs).toBe(1_200);
    expect(classify(api(429, '{"retryDelay": "34s"}'), NOW).retryAfterMs).toBe(34_000);
  });

  test('a Headers object is read as well', () => {
    expect(classify({ status: 503, headers: new Headers({ 'Retry-After': '7' }) }, NOW)).toEqual({
      class: 'overloaded',
      status: 503,
      retryAfterMs: 7_000,
    });
  });
});
