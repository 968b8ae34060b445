/** What the fuzzer sends: a good request of every method, then one or more things wrong with it. */
import * as fc from 'fast-check';
import type { Arbitrary } from 'fast-check';
import type { WebSocket } from 'ws';
import { readFrame } from '../../src/server/protocol/frames.ts';
import { METHOD_NAMES } from '../../src/server/protocol/methods/index.ts';

export interface Shot {
  /** For the report of a violation. */
  readonly text: string;
  /** The id its answer must carry; undefined when no answer is due. */
  readonly answerId: string | undefined;
  /** After it nothing can be answered on this connection. */
  readonly broken: boolean;
  send(ws: WebSocket): void;
}

type Params = Readonly<Record<string, unknown>>;

const said = { message: 'hello', idempotencyKey: 'fuzz-run' };
/** One good request of each. `connect` is said a second time. */
const SAMPLES: Readonly<Record<string, Params>> = {
  connect: { minProtocol: 3, maxProtocol: 4, client: { id: 'fuzz', version: '1' }, auth: { token: 'x' } },
  health: { probe: false },
  status: { includeChannelSummary: true },
  agent: {
    ...said,
    sessionKey: 'fuzz/agent',
    agentId: 'main',
    timeout: 5,
    model: 'loopback/echo',
    attachments: [],
  },
  'agent.wait': { runId: 'fuzz-run', timeoutMs: 5 },
  'chat.send': { ...said, sessionKey: 'fuzz/chat', agentId: 'main', timeoutMs: 5_000, thinking: 'low' },
  'chat.history': { sessionKey: 'fuzz/chat', limit: 5 },
  'chat.abort': { sessionKey: 'fuzz/chat', runId: 'fuzz-run' },
  'sessions.list': { limit: 5, activeMinutes: 5, search: 'fuzz', includeLastMessage: true },
  'sessions.describe': { key: 'fuzz/chat', includeLastMessage: true },
  'sessions.subscribe': { limit: 1 },
  'sessions.unsubscribe': {},
  'sessions.reset': { key: 'fuzz/chat', reason: 'new', idempotencyKey: 'fuzz-reset' },
  'sessions.delete': { key: 'fuzz/agent', deleteTranscript: true },
  'models.list': { agentId: 'main' },
  'agents.list': {},
  'channels.status': { channel: 'webchat', probe: false, timeoutMs: 5 },
  'system-presence': {},
  'config.get': {},
  'tree.get': { path: 'gateway/core/gate' },
  'tree.subscribe': {},
  'actor.explain': { sessionKey: 'fuzz/chat' },
  'actor.kill': { path: 'gateway/core/work/sessions/nobody', count: true },
  'actor.park': { path: 'gateway/core/work/sessions/nobody' },
  'actor.unpark': { path: 'gateway/core/work/sessions/nobody' },
  'events.query': { types: ['session.*'], severity: 'info', limit: 3 },
  'events.subscribe': { types: ['run.completed'], recent: 2 },
  'machines.list': {},
  'machines.get': { name: 'session' },
  'restart.request': { reason: 'fuzz' },
  'restart.status': {},
};

export const METHODS_WITHOUT_A_SAMPLE = METHOD_NAMES.filter((name) => !Object.hasOwn(SAMPLES, name));
export const CANNOT_BE_SENT = Object.keys(SAMPLES).filter((name) => !METHOD_NAMES.includes(name));

/** Granted, these would end what is to be watched. They always carry a field that is refused. */
const ENDING: ReadonlySet<string> = new Set(['actor.kill', 'actor.park', 'restart.request']);
const SAFE = Object.keys(SAMPLES).filter((name) => !ENDING.has(name));

const deep = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));

const oneOf = <const T>(...items: readonly T[]): Arbitrary<T> => fc.constantFrom(...items);
const nasty: Arbitrary<unknown> = fc.oneof(
  oneOf<unknown>(
    null,
    true,
    false,
    0,
    -1,
    0.5,
    1e308,
    -0,
    2 ** 53,
    '',
    ' ',
    '\0',
    'a\0b',
    '\uD800',
    'x\uDFFF',
    '\u202E',
    '../..',
    '%00',
  ),
  oneOf<unknown>(
    [],
    {},
    [null],
    [[]],
    { a: { b: {} } },
    deep(60),
    deep(70),
    'x'.repeat(513),
    '😀'.repeat(300),
    '__proto__',
  ),
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.double({ noDefaultInfinity: true, noNaN: true }),
);
const field = fc.oneof(
  oneOf(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    '',
    '0',
    'sessionKey',
    'path',
    'key',
    'message',
    'idempotencyKey',
    'agentId',
    'limit',
    'runId',
    'attachments',
    'timeoutMs',
    'inputProvenance',
  ),
  fc.string({ maxLength: 12 }),
);

/** `__proto__` must be a key like any other, as it is in JSON. */
const withField = (params: Params, name: string, value: unknown): Params =>
  Object.fromEntries([...Object.entries(params).filter(([key]) => key !== name), [name, value]]);

type Change = (params: Params) => unknown;
const change: Arbitrary<Change> = fc.oneof(
  fc.constant<Change>((params) => params),
  fc.nat().map((at): Change => (params) => {
    const names = Object.keys(params);
    return names.length === 0
      ? params
      : Object.fromEntries(Object.entries(params).filter(([name]) => name !== names[at % names.length]));
  }),
  fc.tuple(fc.nat(), nasty).map(([at, value]): Change => (params) => {
    const names = Object.keys(params);
    return names.length === 0 ? params : withField(params, names[at % names.length]!, value);
  }),
  fc.tuple(field, nasty).map(
    ([name, value]): Change =>
      (params) =>
        withField(params, name, value),
  ),
  nasty.map(
    (value): Change =>
      () =>
        value,
  ),
);

const isObject = (value: unknown): value is Params =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function shotOf(text: string, send: (ws: WebSocket) => void = (ws) => ws.send(text)): Shot {
  const verdict = readFrame(Buffer.from(text).toString(), { jsonDepth: 64 });
  return { text, send, answerId: verdict.ok ? verdict.frame.id : verdict.id, broken: false };
}

/** A request with changed parameters, and perhaps a changed envelope. */
function requests(mark: string): Arbitrary<Shot> {
  const fresh = fc.nat().map((number) => `${mark}-${number}`);
  return fc
    .record({
      method: oneOf(...Object.keys(SAMPLES)),
      id: fresh,
      changes: fc.array(change, { minLength: 0, maxLength: 3 }),
      own: fc.boolean(),
      envelope: fc.option(
        fc.tuple(oneOf('id', 'type', 'method', 'traceparent', '__proto__', 'extra'), nasty),
        { freq: 8 },
      ),
    })
    .map(({ method, id, changes, own, envelope }) => {
      const start: Params =
        own && 'idempotencyKey' in SAMPLES[method]!
          ? { ...SAMPLES[method], idempotencyKey: id }
          : SAMPLES[method]!;
      const changed = changes.reduce<unknown>(
        (params, next) => (isObject(params) ? next(params) : params),
        start,
      );
      const params = ENDING.has(method) ? { ...(isObject(changed) ? changed : {}), notKnown: 1 } : changed;
      const frame: Params = { type: 'req', id, method, params };
      return shotOf(JSON.stringify(envelope && !ENDING.has(method) ? withField(frame, ...envelope) : frame));
    });
}

/** The text of a good request, hurt: cut, doubled, with other characters in it, or a key twice. */
function texts(mark: string): Arbitrary<Shot> {
  const hurt = fc.tuple(
    fc.nat(),
    fc.nat(),
    fc.string({ unit: 'binary', maxLength: 6 }),
    oneOf('cut', 'put', 'swap', 'double', 'twice', 'deep'),
  );
  return fc.tuple(oneOf(...SAFE), fc.nat(), hurt).map(([method, id, [at, count, text, how]]) => {
    const good = JSON.stringify({ type: 'req', id: `${mark}-t${id}`, method, params: SAMPLES[method] });
    const from = at % good.length;
    const to = Math.min(good.length, from + 1 + (count % 8));
    const bad = {
      cut: good.slice(0, from),
      put: good.slice(0, from) + text + good.slice(from),
      swap: good.slice(0, from) + text + good.slice(to),
      double: good.slice(0, to) + good.slice(from),
      twice: good.replace('{', '{"method":"health","params":{},'),
      deep: good.slice(0, from) + '['.repeat(count % 200) + good.slice(from),
    }[how];
    return shotOf(bad);
  });
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 }).map((list) => Buffer.from(list));
const silent = (text: string, send: (ws: WebSocket) => void, broken: boolean): Shot => ({
  text,
  send,
  broken,
  answerId: undefined,
});
const socketOf = (ws: WebSocket) =>
  (ws as WebSocket & { readonly _socket: { write(data: Buffer): void } })._socket;

/** What is no text frame with a request in it. */
function others(mark: string): Arbitrary<Shot> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 80 }).map((text) => shotOf(text)) },
    {
      weight: 6,
      arbitrary: fc
        .tuple(oneOf(...SAFE), fc.nat(), fc.integer({ min: 2, max: 40 }))
        .map(([method, id, parts]) => fragments(`${mark}-f${id}`, method, parts)),
    },
    { weight: 2, arbitrary: bytes.map((data) => silent('ping', (ws) => ws.ping(data), false)) },
    { weight: 2, arbitrary: bytes.map((data) => silent('pong', (ws) => ws.pong(data), false)) },
    {
      weight: 1,
      arbitrary: bytes.map((data) => silent(`binary ${data.toString('hex')}`, (ws) => ws.send(data), false)),
    },
    {
      weight: 2,
      arbitrary: bytes.map((data) =>
        silent(`bytes ${data.toString('hex')}`, (ws) => socketOf(ws).write(data), true),
      ),
    },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 3_000, max: 4_999 })
        .map((code) => silent(`close ${code}`, (ws) => ws.close(code), true)),
    },
    {
      weight: 1,
      arbitrary: fc.constant(silent('more than 1 MiB', (ws) => ws.send('x'.repeat(1_100_000)), false)),
    },
  );
}

/** A good request in small pieces. */
function fragments(id: string, method: string, parts: number): Shot {
  const text = JSON.stringify({ type: 'req', id, method, params: SAMPLES[method] });
  const size = Math.ceil(text.length / parts);
  const pieces = text.match(new RegExp(`.{1,${size}}`, 'gs'))!;
  return shotOf(text, (ws) =>
    pieces.forEach((piece, at) => ws.send(piece, { fin: at === pieces.length - 1 })),
  );
}

/** `mark` begins the ids of its requests. */
export const frameOf = (mark: string): Arbitrary<Shot> =>
  fc.oneof(
    { weight: 70, arbitrary: requests(mark) },
    { weight: 15, arbitrary: texts(mark) },
    { weight: 5, arbitrary: others(mark) },
  );
