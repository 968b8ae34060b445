/**
 * What bad input gets. The table is the whole list: each kind of it, the answer, and the test that proves it, wherever
 * that stands. Below it are the tests that had no other home.
 */
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import ts from 'typescript';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ERRORS } from '../../src/errors.ts';
import { createClock } from '../../src/host/index.ts';
import { createAuthenticator } from '../../src/server/auth.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import { listenOn } from '../../src/server/index.ts';
import { SERVER_LIMITS } from '../../src/server/limits.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';
import { nodes, parse, ROOT } from '../tidy/parsed.ts';
import {
  CONNECT,
  connected,
  endRigs,
  fiveGuesses,
  meet,
  rawHttp,
  startRig,
  TOKEN,
  until,
  type Rig,
} from './client.ts';

vi.mock(import('node:crypto'), async (original) => {
  const crypto = await original();
  return { ...crypto, timingSafeEqual: vi.fn(crypto.timingSafeEqual) };
});

afterEach(endRigs);

/** What comes in; a code of docs/errors.md, a close code, or what happens instead; the file below test/; the title there. */
const TABLE: readonly (readonly [input: string, answer: string, file: string, title: string])[] = [
  // -- requests of a connected client
  [
    'unknown method',
    'METHOD_UNKNOWN',
    'server/methods',
    'that is unknown is refused with the nearest known one',
  ],
  [
    'unknown field',
    'PARAMS_INVALID',
    'server/methods',
    'refuses parameters it does not know, by name, and does nothing',
  ],
  ['wrong type', 'PARAMS_INVALID', 'server/methods', '%s refuses %j'],
  ['no idempotency key', 'PARAMS_INVALID', 'server/methods', '%s refuses %j'],
  [
    'a repeated idempotency key',
    'the first outcome',
    'e2e/protocol',
    'gives a repeat the outcome of the first, also after its process was killed',
  ],
  [
    'half a character',
    'PARAMS_INVALID',
    'server/bad-input',
    'half a character in %s is refused by name, and nothing is done',
  ],
  [
    'half a character on /v1',
    'COMPLETION_INVALID',
    'server/bad-input',
    'half a character in a chat completion is refused by its place',
  ],
  [
    '__proto__ or constructor as a parameter',
    'PARAMS_INVALID',
    'server/frames',
    'with %s as a parameter are refused by name',
  ],
  [
    '__proto__ in the envelope',
    'FRAME_INVALID',
    'server/frames',
    'with __proto__ in the envelope gain nothing',
  ],
  [
    'a key twice',
    'the last one counts',
    'server/frames',
    'count only the last of a repeated key, for the check and for the deed alike',
  ],
  [
    'more unanswered requests than allowed',
    'OVERLOADED',
    'server/frames',
    'beyond the bound of unanswered requests are refused as retryable',
  ],
  // -- frames
  [
    'a frame above 1 MiB',
    '1009',
    'server/frames',
    'pass up to 1 MiB after the handshake, and close with 1009 above it',
  ],
  [
    'a frame of emoji above 1 MiB',
    '1009',
    'server/bad-input',
    'emoji are counted in bytes: what fits into 1 MiB is taken whole, four bytes more close with 1009',
  ],
  [
    'a frame above 64 KiB before connect',
    '1009',
    'server/frames',
    'close with 1009 above 64 KiB before the handshake',
  ],
  [
    'nesting deeper than 64',
    'FRAME_INVALID',
    'server/frames',
    'are refused, one by one, when they nest deeper than 64, and the client lives',
  ],
  ['300,000 brackets', 'FRAME_INVALID', 'server/frames', 'do not exhaust the stack with 300,000 brackets'],
  ['a binary frame', '1003', 'server/frames', 'close with 1003 when binary'],
  [
    'hundreds of fragments',
    '1008',
    'server/frames',
    'as many tiny fragments close the connection, and the server lives',
  ],
  ['invalid UTF-8', '1007', 'server/bad-input', 'a text frame that is no UTF-8 closes with 1007'],
  ['bytes that are no frame', '1002', 'server/bad-input', '%s closes with %i'],
  ['nonsense, again and again', '1008', 'server/frames', 'end a client whose frames never make sense'],
  ['a reader that never reads', '1013', 'server/events', 'is closed with 1013, and the others live on'],
  // -- the handshake
  [
    'silence after the upgrade',
    '1008',
    'server/handshake',
    'closes a client that says nothing for ten seconds, and no sooner',
  ],
  [
    'a first frame that comes byte by byte',
    '1008',
    'server/bad-input',
    'a first frame that is not whole after ten seconds closes with 1008, however busily it comes',
  ],
  [
    'half an upgrade',
    'HTTP_TIMED_OUT',
    'server/bad-input',
    'a request that stays half is told so, and ended',
  ],
  [
    'an upgrade whose other side is closed at once',
    'the end of the socket',
    'server/bad-input',
    'a client that closes its half of the socket before it speaks holds no place',
  ],
  [
    'a wrong token',
    'AUTH_FAILED',
    'server/handshake',
    'answers wrong tokens later and later on loopback, while the right one is let in at once',
  ],
  [
    'guesses that measure the time',
    'AUTH_FAILED',
    'server/bad-input',
    'every token is compared by its digest: what is compared has always the same length',
  ],
  [
    'guesses from elsewhere',
    'AUTH_LOCKED',
    'server/auth',
    'ends after ten failures a minute, for five minutes',
  ],
  [
    'guesses under other spellings of the address',
    'AUTH_LOCKED',
    'server/auth',
    'gains nothing by another spelling of the address',
  ],
  [
    'guesses as 127.0.0.1, ::1 and ::ffff:127.0.0.1',
    'AUTH_LOCKED',
    'server/bad-input',
    'guesses on this machine share one budget, by whatever address of it they come',
  ],
  [
    'guesses with X-Forwarded-For',
    'AUTH_LOCKED',
    'server/bad-input',
    'a header that names another address changes nothing: guesses are counted by their socket',
  ],
  [
    'strangers beyond the limit',
    'OVERLOADED',
    'server/handshake',
    'turns away the stranger too many, and lets one in again when another has left',
  ],
  [
    '2,000 connections that never speak',
    'served beside them',
    'e2e/bad-input',
    'serves an honest client while 2,000 connections never speak, and forgets them',
  ],
  ['a foreign Origin or Host', 'ORIGIN_REFUSED', 'server/handshake', 'refuses %s'],
  [
    'a foreign Host over HTTP',
    'HOST_REFUSED',
    'server/http',
    'for the host %s is refused on a loopback bind',
  ],
  [
    'a token in the address',
    'TOKEN_IN_URL',
    'server/handshake',
    'refuses a token in the address, and does not repeat it',
  ],
  [
    'an upgrade that is none',
    'HTTP_INVALID',
    'server/bad-input',
    '%s is no upgrade: it is refused by name, with the version that would be',
  ],
  // -- HTTP
  ['two lengths, and other ways to smuggle', 'HTTP_INVALID', 'server/bad-input', '%s is refused'],
  [
    'a second request behind a refused one',
    'the end of the socket',
    'server/bad-input',
    'what follows a refused request is not read as a request',
  ],
  ['huge headers', 'HTTP_HEADERS_TOO_LARGE', 'server/bad-input', '%s are too large, and are told so'],
  ['HTTP/1.0', '200', 'server/bad-input', '%s is answered as HTTP/1.1 would be'],
  ['an address as target', 'HOST_REFUSED', 'server/bad-input', 'the host of a target counts: %s'],
  ['CONNECT', 'HTTP_INVALID', 'server/bad-input', '%s is refused'],
  ['TRACE', 'PAGE_NOT_FOUND', 'server/bad-input', 'TRACE does not send a request back to its sender'],
  [
    'bytes within an answer',
    'the end of the socket',
    'server/bad-input',
    'garbage behind a request whose answer has begun gets no second answer into it',
  ],
  [
    'another content type on /v1',
    'BODY_TYPE_REFUSED',
    'server/openai/request',
    '%s with %o is answered with %i',
  ],
  ['a body on /v1 that is no request', 'COMPLETION_INVALID', 'server/openai/request', '%s is invalid'],
  [
    'a body on /v1 beyond its limit',
    'BODY_TOO_LARGE',
    'server/openai/request',
    'a body beyond its limit is refused, whether it says its length or not',
  ],
  [
    'a body on /hooks that is no message',
    'HOOK_BODY',
    'channels/webhook',
    'bytes that are no UTF-8, an encoded body, and one that is too large',
  ],
  [
    'a body on /hooks beyond its limit',
    'HOOK_TOO_LARGE',
    'server/hooks',
    'stops reading a body of undeclared length that grows too large',
  ],
  ['a wrong signature on /hooks', 'HOOK_SIGNATURE', 'server/hooks', 'is answered 401 and asks for no token'],
  // -- what is said, in a gateway with its store
  [
    'session keys like paths, markup or control characters',
    'a session of its own each',
    'e2e/bad-input',
    'keeps sessions apart whatever their keys look like, in the next life too',
  ],
  [
    'NUL and control characters in messages',
    'kept as they are',
    'e2e/bad-input',
    'keeps a message byte for byte, whatever characters it has',
  ],
  [
    '10,000 session keys',
    'answered',
    'e2e/bad-input',
    'answers 10,000 distinct session keys, and their memory comes back',
  ],
  [
    'frames changed at random',
    'answered or closed',
    'e2e/bad-input',
    'survives 2,000 frames changed at random',
  ],
  // -- the machine
  [
    'a port in use',
    'PORT_IN_USE',
    'cli/port-claim',
    'a busy port is refused with the address in its message, and ends with 78',
  ],
  [
    'a state directory that cannot be used',
    'STORE_UNWRITABLE',
    'e2e/bad-input',
    '%s is refused by name, and nothing is changed',
  ],
  [
    'a database of another program',
    'STORE_DAMAGED',
    'store/open',
    'is refused and left untouched: overwritten, cut, emptied, of another program',
  ],
  [
    'a disk that fills up',
    'UNAVAILABLE',
    'e2e/bad-input',
    'whose disk fills up refuses by name, loses nothing it accepted, and goes on when there is room',
  ],
  [
    'a token file that others can read',
    'repaired, and said so',
    'e2e/bad-input',
    'closes a token file that others could read, and says so',
  ],
  ['a configuration with a mistake', 'CONFIG_INVALID', 'config/invalid', '%s'],
];

/** The titles of all tests of a file, as they are written there. */
function titlesOf(file: string): Set<string> {
  const path = join('test', `${file}.test.ts`);
  const { ast } = parse(path, readFileSync(join(ROOT, path), 'utf8'));
  const titles = [...nodes(ast)].flatMap((node) => {
    if (!ts.isCallExpression(node) || !/^(it|test)\b/.test(node.expression.getText(ast))) return [];
    const [title] = node.arguments;
    return title && ts.isStringLiteralLike(title) ? [title.text] : [];
  });
  return new Set(titles);
}

describe('the table', () => {
  const docs = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');

  it.each(TABLE)('%s gets %s, and a test says so', (_input, answer, file, title) => {
    expect(existsSync(join(ROOT, 'test', `${file}.test.ts`)), file).toBe(true);
    expect([...titlesOf(file)]).toContain(title);
    if (!/^[A-Z_]+$/.test(answer)) return;
    expect(Object.keys(ERRORS)).toContain(answer);
    expect(docs).toContain(`### COPPICE_${answer}\n`);
  });

  it('names every test of the two files that were made for it', () => {
    const named = new Set(TABLE.map(([, , file, title]) => `${file}: ${title}`));
    const own = ['server/bad-input', 'e2e/bad-input'].flatMap((file) =>
      [...titlesOf(file)].map((title) => `${file}: ${title}`),
    );
    const about = own.filter(
      (test) =>
        !/(and a test says so|that were made for it|with its value|code that is not there)$/.test(test),
    );
    expect(about.filter((test) => !named.has(test))).toEqual([]);
  });
});

describe('docs/limits.md', () => {
  const lines = readFileSync(join(ROOT, 'docs/limits.md'), 'utf8').split('\n');
  const shown = (name: string, value: number): boolean =>
    lines.some((line) => line.includes(`\`${name}\``) && line.includes(value.toLocaleString('en-US')));

  it('has every limit of the wire, with its value', () => {
    const missing = Object.entries(SERVER_LIMITS).filter(([name, value]) => !shown(name, value));
    expect(missing).toEqual([]);
  });

  it('names no limit and no code that is not there', () => {
    const known: Record<string, unknown> = { ...LIMITS, ...SERVER_LIMITS };
    const rows = lines.filter((line) => line.startsWith('| ') && line.includes('`'));
    const wrong = rows.filter((line) => {
      const [, , name = '', value = ''] = line.split('|');
      const own = /`(\w+)`/.exec(name)?.[1];
      const codes = [...line.matchAll(/`([A-Z]+(?:_[A-Z]+)+|OVERLOADED|UNAVAILABLE)`/g)].map(
        ([, code]) => code!,
      );
      const configured = own === 'maxBodyBytes' || own === 'replayWindowMs';
      const stale =
        own !== undefined && !configured && !value.includes(Number(known[own]).toLocaleString('en-US'));
      return stale || codes.some((code) => code !== 'AUTH_RATE_LIMITED' && !Object.hasOwn(ERRORS, code));
    });
    expect(wrong).toEqual([]);
  });
});

/** Somebody who means well is served as if nothing had happened. */
async function serves(rig: Rig): Promise<void> {
  const client = await connected(rig);
  const key = `honest-${rig.fake.state.offers.length}`;
  const answer = await client.request('chat.send', { message: 'hello', idempotencyKey: key });
  expect(answer).toMatchObject({ ok: true, payload: { runId: key } });
  expect(rig.fake.state.offers.at(-1)).toMatchObject({ runId: key, text: 'hello' });
  expect((await fetch(`${rig.http}/livez`)).status).toBe(200);
  client.ws.terminate();
  expect(rig.facts.filter(({ type }) => type === 'actor.fault')).toEqual([]);
}

const HALF = '\\ud83d';

describe('what a connected client says', () => {
  it.each([
    ['a session key', 'sessionKey', `{"sessionKey":"${HALF}","message":"m","idempotencyKey":"k"}`],
    ['a message', 'message', `{"message":"cut in two ${HALF}","idempotencyKey":"k"}`],
    ['an idempotency key', 'idempotencyKey', `{"message":"m","idempotencyKey":"${HALF}"}`],
  ])('half a character in %s is refused by name, and nothing is done', async (_what, field, params) => {
    const rig = await startRig();
    const client = await connected(rig);
    client.send(`{"type":"req","id":"half","method":"chat.send","params":${params}}`);
    expect((await client.answers('half', 1))[0]!.error).toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining(`${field}: it has half a character`),
      details: { coppiceCode: 'COPPICE_PARAMS_INVALID' },
    });
    expect(rig.fake.state.offers).toEqual([]);
    await serves(rig);
  });

  it('half a character in a chat completion is refused by its place', async () => {
    const rig = await startRig();
    const answer = await fetch(`${rig.http}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: `{"messages":[{"role":"user","content":"cut in two ${HALF}"}]}`,
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      error: { param: 'messages.0.content', code: 'invalid_value', message: expect.stringContaining('half') },
    });
    expect(rig.fake.state.offers).toEqual([]);
    await serves(rig);
  });

  it('emoji are counted in bytes: what fits into 1 MiB is taken whole, four bytes more close with 1009', async () => {
    const rig = await startRig();
    const client = await connected(rig);
    const frame = (message: string): string =>
      JSON.stringify({ type: 'req', id: 'e', method: 'chat.send', params: { idempotencyKey: 'e', message } });
    const room = 1_048_576 - Buffer.byteLength(frame(''));
    const fits = '😀'.repeat(Math.floor(room / 4));
    client.send(frame(fits));
    expect((await client.answers('e', 1))[0]!.ok).toBe(true);
    expect((rig.fake.state.offers[0] as { text: string }).text === fits).toBe(true);
    client.send(frame(`${fits}😀`));
    expect((await client.closed).code).toBe(1009);
    await serves(rig);
  });
});

/** A masked client frame, as bytes. The mask is zero: the payload stands as it is. */
function bytesOf(opcode: number, payload: Buffer, { masked = true, first = 0x80 } = {}): Buffer {
  const head = Buffer.from([first | opcode, (masked ? 0x80 : 0) | payload.length]);
  return Buffer.concat([head, masked ? Buffer.alloc(4) : Buffer.alloc(0), payload]);
}

/** Writes beside `ws`, which would never send this. */
const spoil = (client: { ws: object }, bytes: Buffer): void =>
  void (client.ws as { _socket: { write(bytes: Buffer): void } })._socket.write(bytes);

describe('frames', () => {
  it('a text frame that is no UTF-8 closes with 1007', async () => {
    const rig = await startRig();
    const client = await connected(rig);
    spoil(client, bytesOf(1, Buffer.from([0x22, 0xc3, 0x28, 0x22])));
    expect((await client.closed).code).toBe(1007);
    await serves(rig);
  });

  it.each([
    ['a frame without a mask', bytesOf(1, Buffer.from('{}'), { masked: false }), 1002],
    ['a reserved bit', bytesOf(1, Buffer.from('{}'), { first: 0xc0 }), 1002],
    ['an unknown opcode', bytesOf(7, Buffer.from('{}')), 1002],
    ['a ping in pieces', bytesOf(9, Buffer.from('x'), { first: 0 }), 1002],
    ['a continuation of nothing', bytesOf(0, Buffer.from('x')), 1002],
    ['a close frame of one byte', bytesOf(8, Buffer.from([3])), 1002],
    ['a close code nobody may send', bytesOf(8, Buffer.from([0x03, 0xed])), 1002],
    [
      'a length of 2^63',
      Buffer.concat([Buffer.from([0x81, 0xff]), Buffer.alloc(8, 0x7f), Buffer.alloc(4)]),
      1009,
    ],
  ])('%s closes with %i', async (_what, bytes, code) => {
    const rig = await startRig();
    const client = await connected(rig);
    spoil(client, bytes);
    expect((await client.closed).code).toBe(code);
    await serves(rig);
  });
});

describe('the handshake', () => {
  it('a first frame that is not whole after ten seconds closes with 1008, however busily it comes', async () => {
    const clock = createSimulatedClock();
    const rig = await startRig({ clock });
    const client = await meet(rig);
    const frame = JSON.stringify({ type: 'req', id: 'slow', method: 'connect', params: CONNECT });
    for (const letter of frame.slice(0, 90)) client.ws.send(letter, { fin: false });
    clock.advance(9_999);
    expect(client.ws.readyState).toBe(client.ws.OPEN);
    client.ws.send('}', { fin: false });
    clock.advance(1);
    expect((await client.closed).code).toBe(1008);
    expect(rig.facts).toContainEqual(expect.objectContaining({ code: 'HANDSHAKE_TIMEOUT' }));
    await serves(rig);
  });

  it('a request that stays half is told so, and ended', async () => {
    const rig = await startRig({ limits: { handshakeMs: 3_000 } });
    const half = 'GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: web';
    const answer = await rawHttp(rig, half);
    expect(answer).toMatch(/^HTTP\/1.1 408 .*COPPICE_HTTP_TIMED_OUT/s);
    await serves(rig);
  });

  it('a client that closes its half of the socket before it speaks holds no place', async () => {
    const rig = await startRig({ limits: { preAuthLoopback: 1 } });
    const socket = createConnection({
      port: rig.server.address.port,
      host: '127.0.0.1',
      allowHalfOpen: true,
    });
    socket.end(`${UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`);
    socket.resume();
    await once(socket, 'close');
    await serves(rig);
  });

  it('every token is compared by its digest: what is compared has always the same length', () => {
    const compare = vi.mocked(timingSafeEqual);
    compare.mockClear();
    const { check } = createAuthenticator({ mode: 'token', token: TOKEN }, '127.0.0.1');
    const guesses = ['x', TOKEN.slice(0, -1), `${TOKEN}x`, TOKEN, 'y'.repeat(4_096), '\0', '😀'];
    const verdicts = guesses.map((guess) => check(guess, '127.0.0.1').ok);
    expect(verdicts).toEqual(guesses.map((guess) => guess === TOKEN));
    expect(compare.mock.calls.map(([a, b]) => [a.byteLength, b.byteLength])).toEqual(
      guesses.map(() => [32, 32]),
    );
    const shown = compare.mock.calls.flatMap(([a, b]) => [String(a), String(b)]);
    expect(shown.filter((text) => text.includes(TOKEN))).toEqual([]);
  });

  const slow = { limits: { authHeld: 3, authDelayMinMs: 300, authDelayMaxMs: 300 } };
  const guess = (url: string, headers: Record<string, string> = {}) =>
    fetch(`${url}/api/tree`, { headers: { authorization: 'Bearer guess', ...headers } });

  it('guesses on this machine share one budget, by whatever address of it they come', async ({ skip }) => {
    const clock = createClock();
    const everywhere = await listenOn({ host: '::', port: 0 }, { clock }).catch(() => undefined);
    // Without IPv6 there is only one of the three addresses.
    if (!everywhere) return skip('this machine has no IPv6');
    const time = createSimulatedClock();
    const rig = await startRig({ ...slow, clock: time, listener: everywhere });
    const { port } = rig.server.address;
    // By 127.0.0.1 a socket that listens on :: sees ::ffff:127.0.0.1.
    const hosts = ['127.0.0.1', '[::1]', '127.0.0.1', '[::1]', '127.9.9.9'];
    const answers = await fiveGuesses(time, (nth) => guess(`http://${hosts[nth]}:${port}`));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([401, 401, 401, 429, 429]);
    await everywhere.close();
  });

  it('a header that names another address changes nothing: guesses are counted by their socket', async () => {
    const clock = createSimulatedClock();
    const rig = await startRig({ ...slow, clock });
    const names = ['x-forwarded-for', 'x-real-ip', 'forwarded', 'cf-connecting-ip', 'true-client-ip'];
    const answers = await fiveGuesses(clock, (nth) =>
      guess(rig.http, { [names[nth]!]: `${names[nth] === 'forwarded' ? 'for=' : ''}10.0.0.${nth}` }),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([401, 401, 401, 429, 429]);
  });
});

const HOST = 'Host: localhost\r\n';
const POST = `POST /hooks/x HTTP/1.1\r\n${HOST}`;
const UPGRADE = `GET /ws HTTP/1.1\r\n${HOST}Connection: upgrade\r\nUpgrade: websocket\r\n`;
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const chunked = 'Transfer-Encoding: chunked\r\n';
const close = 'Connection: close\r\n\r\n';

describe('HTTP', () => {
  it.each([
    ['two lengths', `${POST}Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc`, /Content-Length/],
    ['the same length twice', `${POST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`, /Content-Length/],
    ['a length and chunks', `${POST}Content-Length: 3\r\n${chunked}\r\n0\r\n\r\n`, /Transfer-Encoding/],
    ['chunks and a length', `${POST}${chunked}Content-Length: 3\r\n\r\n0\r\n\r\n`, /Content-Length/],
    [
      'chunks that are not last',
      `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
      /Transfer-Encoding/,
    ],
    ['a space before the colon', `${POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`, /header/],
    ['a chunk of no size', `${POST}${chunked}\r\nZZ\r\n\r\n`, /chunk size/],
    ['a length below zero', `${POST}Content-Length: -1\r\n\r\n`, /Content-Length/],
    ['a length with a plus', `${POST}Content-Length: +3\r\n\r\nabc`, /Content-Length/],
    ['lines without a carriage return', 'GET /livez HTTP/1.1\nHost: localhost\n\n', /CRLF/],
    ['a folded header', `GET /livez HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`, /whitespace/],
    ['NUL in a header', `GET /livez HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`, /header value/],
    ['two hosts', `GET /livez HTTP/1.1\r\n${HOST}Host: evil.example\r\n${close}`, /more than one Host/],
    ['no host', `GET /livez HTTP/1.1\r\n${close}`, /no Host/],
    ['an empty host', `GET /livez HTTP/1.1\r\nHost:\r\n${close}`, /no Host/],
    ['no host in HTTP/1.0', 'GET /livez HTTP/1.0\r\n\r\n', /no Host/],
    ['a host that is none', `GET /livez HTTP/1.1\r\nHost: a b\r\n${close}`, /no host name/],
    ['HTTP/0.9', 'GET /livez\r\n\r\n', /no Host/],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /PRI/],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /method/],
    ['a method nobody knows', `TRACK /livez HTTP/1.1\r\n${HOST}${close}`, /method/],
    ['CONNECT', `CONNECT localhost:22 HTTP/1.1\r\n${HOST}\r\n`, /CONNECT/],
    ['a target with a star', `OPTIONS * HTTP/1.1\r\n${HOST}${close}`, /"\*"/],
    ['a target of another scheme', `GET ftp://localhost/livez HTTP/1.1\r\n${HOST}${close}`, /ftp:/],
    ['an expectation nobody meets', `${POST}Expect: miracle\r\nContent-Length: 0\r\n${close}`, /"miracle"/],
  ])('%s is refused', async (_what, bytes, culprit) => {
    const rig = await startRig();
    const [head = '', body = ''] = (await rawHttp(rig, bytes)).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1.1 400 .*connection: close/s);
    const { error } = JSON.parse(body) as { error: { code: string; message: string; remedy: string } };
    expect(error).toMatchObject({ code: 'COPPICE_HTTP_INVALID', remedy: expect.any(String) });
    expect(error.message).toMatch(culprit);
    expect(rig.facts).toContainEqual(
      expect.objectContaining({ type: 'client.refused', code: 'HTTP_INVALID', reason: error.message }),
    );
    await serves(rig);
  });

  it.each([
    ['another protocol', UPGRADE.replace('websocket', 'h2c'), /Upgrade/],
    ['one without a key', UPGRADE, /Sec-WebSocket-Key/],
    [
      'one with a short key',
      `${UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n`,
      /Sec-WebSocket-Key/,
    ],
    [
      'version 99',
      `${UPGRADE}Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: ${KEY}\r\n`,
      /Sec-WebSocket-Version/,
    ],
    ['one by POST', `${UPGRADE.replace('GET', 'POST')}Sec-WebSocket-Key: ${KEY}\r\n`, /method/],
    ['one with two hosts', `${UPGRADE}Host: evil.example\r\n`, /more than one Host/],
  ])(
    '%s is no upgrade: it is refused by name, with the version that would be',
    async (_what, head, culprit) => {
      const rig = await startRig({ limits: { preAuthLoopback: 1 } });
      for (let again = 0; again < 2; again += 1) {
        const answer = await rawHttp(rig, `${head}\r\n`);
        expect(answer).toMatch(/^HTTP\/1.1 400 .*sec-websocket-version: 13.*COPPICE_HTTP_INVALID/s);
        expect(answer.split('\r\n\r\n')[1]).toMatch(culprit);
      }
      await serves(rig);
    },
  );

  it('what follows a refused request is not read as a request', async () => {
    const rig = await startRig();
    const second = `GET /livez HTTP/1.1\r\n${HOST}\r\n`;
    for (const first of [
      `${POST}Content-Length: 3\r\n${chunked}\r\n0\r\n\r\n`,
      `${POST}Host: evil.example\r\nContent-Length: 0\r\n\r\n`,
    ]) {
      const answer = await rawHttp(rig, first + second);
      expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toHaveLength(1);
      expect(answer).not.toContain('live');
    }
    await serves(rig);
  });

  it('garbage behind a request whose answer has begun gets no second answer into it', async () => {
    const rig = await startRig();
    const body = JSON.stringify({ stream: true, messages: [{ role: 'user', content: 'hello' }] });
    const socket = createConnection(rig.server.address.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk)).on('error', () => {});
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\n${HOST}Authorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await until(() => rig.fake.state.offers.length === 1);
    rig.fake.say(rig.fake.state.offers[0]!.runId, { kind: 'text', text: 'one', delta: 'one' });
    await until(() => answer.includes('"one"'));
    socket.write('\x00\x01garbage\r\n\r\n');
    await once(socket, 'close');
    expect(answer.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 200']);
    expect(answer).not.toContain('COPPICE_HTTP_INVALID');
    await serves(rig);
  });

  it.each([
    ['one header of 20 kB', `X: ${'a'.repeat(20_000)}\r\n`],
    ['3,000 headers', 'a: b\r\n'.repeat(3_000)],
  ])('%s are too large, and are told so', async (_what, headers) => {
    const rig = await startRig();
    const answer = await rawHttp(rig, `GET /livez HTTP/1.1\r\n${HOST}${headers}\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 431 .*COPPICE_HTTP_HEADERS_TOO_LARGE/s);
    await serves(rig);
  });

  it.each([
    ['HTTP/1.0', `GET /livez HTTP/1.0\r\n${HOST}\r\n`],
    ['an address as target', `GET http://localhost/livez HTTP/1.1\r\n${HOST}${close}`],
  ])('%s is answered as HTTP/1.1 would be', async (_what, bytes) => {
    const rig = await startRig();
    expect(await rawHttp(rig, bytes)).toMatch(/^HTTP\/1.1 200 .*"live"/s);
  });

  it.each(['http://evil.example/livez', 'http:///livez', 'http://a@localhost/livez'])(
    'the host of a target counts: %s',
    async (target) => {
      const rig = await startRig();
      const answer = await rawHttp(rig, `GET ${target} HTTP/1.1\r\n${HOST}${close}`);
      expect(answer).toMatch(/^HTTP\/1.1 403 .*COPPICE_HOST_REFUSED/s);
      await serves(rig);
    },
  );

  it('TRACE does not send a request back to its sender', async () => {
    const rig = await startRig();
    const answer = await rawHttp(rig, `TRACE /livez HTTP/1.1\r\n${HOST}Cookie: secret=1\r\n${close}`);
    expect(answer).toMatch(/^HTTP\/1.1 404 .*COPPICE_PAGE_NOT_FOUND/s);
    expect(answer).not.toContain('secret');
    await serves(rig);
  });
});
