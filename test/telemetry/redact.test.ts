import { describe, expect, test } from 'vitest';
import { createRedactor, isSecretKey } from '../../src/telemetry/log/index.ts';

const redactor = createRedactor({
  patterns: ['CUST-\\d+'],
  secrets: ['hunter2-configured', 'with"quote\nand newline'],
});
/** Made up, in the shape of the real thing. */
const planted = {
  openai: 'sk-proj-abcDEF1234567890abcdef',
  anthropic: 'sk-ant-api03-abcDEF1234567890',
  stripe: 'sk_live_abcdefghijklmnop',
  github: 'ghp_abcdefghijklmnopqrstuvwxyz0123456789',
  githubPat: 'github_pat_11ABCDEFG0abcdefghij',
  slack: 'xoxb-1234567890-abcdefghij',
  slackApp: 'xapp-1-A0123-abcdefgh',
  aws: 'AKIAIOSFODNN7EXAMPLE',
  google: 'AIzaSyA1234567890abcdefghijklmnopqrstu',
  telegram: '123456789:AAExampleExampleExampleExampleExamp',
  jwt: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  configured: 'hunter2-configured',
  customer: 'CUST-42',
};

describe('a planted secret', () => {
  test.each(Object.entries(planted))(
    'of the shape %s is gone from text, nested values, keys, arrays and errors',
    (_name, secret) => {
      const error = new Error(`call with ${secret} failed`, { cause: new Error(secret) });
      const shown = JSON.stringify([
        redactor.text(`before ${secret} after`),
        redactor.value({
          deep: { list: [{ note: secret }] },
          [secret]: 1,
          map: new Map([['x', secret]]),
          set: new Set([secret]),
        }),
        redactor.value(error),
      ]);
      expect(shown).not.toContain(secret);
      expect(shown).toContain('before');
    },
  );

  test.each([
    ['a bearer header', 'Authorization: Bearer abc.def-ghi_123'],
    ['a basic header', 'authorization: Basic QWxhZGRpbjpvcGVu'],
    ['a URL with a password', 'postgres://user:QWxhZGRpbjpvcGVu@db.example/x'],
    ['a query', 'GET https://host/x?a=1&access_token=QWxhZGRpbjpvcGVu&b=2'],
    ['an assignment', 'password = QWxhZGRpbjpvcGVu'],
    ['long hex after key=', 'key=0123456789abcdef0123456789abcdef'],
    ['JSON inside a string', '{"apiKey":"QWxhZGRpbjpvcGVu"}'],
    ['JSON inside JSON inside a string', '{\\"client_secret\\":\\"QWxhZGRpbjpvcGVu\\"}'],
    [
      'a multipart body',
      '------x\r\nContent-Disposition: form-data; name="t"\r\n\r\ntoken=QWxhZGRpbjpvcGVu\r\n',
    ],
    ['a private key', '-----BEGIN RSA PRIVATE KEY-----\nQWxhZGRpbjpvcGVu\n-----END RSA PRIVATE KEY-----'],
  ])('in %s is gone, and the rest stays readable', (_name, text) => {
    const shown = redactor.text(text);
    expect(shown).not.toMatch(/QWxhZGRpbjpvcGVu|abc\.def-ghi_123|0123456789abcdef/);
    expect(shown).toContain('[redacted]');
  });

  test('under a secret key goes whatever its type; a boolean that only says there is one stays', () => {
    expect(
      redactor.value({
        apiKey: 12345678,
        Authorization: ['a', 'b'],
        'set-cookie': { a: 'x' },
        hasToken: true,
        bot_token: 'short',
        password: null,
      }),
    ).toEqual({
      apiKey: '[redacted]',
      Authorization: '[redacted]',
      'set-cookie': '[redacted]',
      hasToken: true,
      bot_token: '[redacted]',
      password: null,
    });
  });

  test('in headers given as a flat list or as name and value is gone', () => {
    expect(
      JSON.stringify(
        redactor.value({
          rawHeaders: ['Host', 'x', 'Cookie', 'sid=1'],
          headers: [{ name: 'X-Api-Key', value: 'abc' }],
        }),
      ),
    ).not.toMatch(/sid=1|abc/);
  });

  test('that has to be escaped in JSON is gone from the finished line, which is still JSON', () => {
    const line = JSON.stringify({
      a: 'with"quote\nand newline',
      b: `Bearer ${planted.openai}`,
      hasToken: true,
      n: { token: 1 },
    });
    const shown = redactor.line(line);
    expect(JSON.parse(shown)).toEqual({
      a: '[redacted]',
      b: 'Bearer [redacted]',
      hasToken: true,
      n: { token: 1 },
    });
  });
});

describe('what is no secret', () => {
  test.each(['sessionKey', 'promptTokens', 'tokens', 'idempotencyKey', 'key', 'author', 'messageId'])(
    'the key %s stays',
    (key) => {
      expect(isSecretKey(key)).toBe(false);
    },
  );

  test('ordinary text stays as it is', () => {
    const text =
      'agent:main:main waited 30 ms in gateway/core/work/lanes/main, see https://example.org:8080/a?b=c';
    expect(redactor.text(text)).toBe(text);
  });
});

test('cycles, throwing getters, functions, bigints and huge arrays do not stop the redactor', () => {
  const cycle: Record<string, unknown> = {
    n: 1n,
    f: () => 1,
    bytes: new Uint8Array(9),
    list: Array.from({ length: 5_000 }, () => 1),
  };
  cycle['self'] = cycle;
  Object.defineProperty(cycle, 'angry', {
    enumerable: true,
    get: () => {
      throw new Error('no');
    },
  });
  expect(redactor.value(cycle)).toBe('[unreadable: no]');
  expect(redactor.value({ bytes: new Uint8Array(9), at: new Date(0) })).toEqual({
    bytes: '[9 bytes]',
    at: '1970-01-01T00:00:00.000Z',
  });
});

test('a text made to slow the patterns down is still handled at once', () => {
  const started = performance.now();
  for (const text of [
    `${'a://'.repeat(20_000)}`,
    `${'token'.repeat(20_000)}=`,
    'eyJ'.repeat(30_000),
    `${'-----BEGIN PRIVATE KEY-----'.repeat(3_000)}`,
    '1'.repeat(65_000),
  ])
    redactor.text(text);
  expect(performance.now() - started).toBeLessThan(5_000);
});
