/**
 * What the servers of this folder share: an HTTP server on 127.0.0.1 that speaks a model's streaming format and
 * misbehaves on request.
 *
 * A script is `name` or `name?key=value&...`. It is taken from `next()`, else from the request's model name when that
 * is a script, else it is `normal`. Each server runs alone with `--port 0` and prints one JSON line
 * `{ "url": ... }`. Then `POST /control/next` with `["status?code=429&retry-after=3"]` queues scripts and
 * `GET /control/requests` shows what came in.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: any;
  readonly script: string;
  /** Resolves when the exchange is over: `complete`, or `cut` when the connection went before the answer was whole. */
  readonly ended: Promise<'complete' | 'cut'>;
}

export interface ScriptedServer {
  /** With the version segment: what goes into `baseUrl`. */
  readonly url: string;
  readonly requests: RecordedRequest[];
  /** Queues scripts for the next requests, one each. */
  next(...scripts: string[]): void;
  /** From now on whoever plays `held` stays in the middle of its answer. So it is from the start. */
  hold(): void;
  /** Lets those go on, and whoever plays it until the next `hold()`. */
  release(): void;
  /** Resolves when request number `index` (from 0) has come in. */
  received(index: number): Promise<RecordedRequest>;
  close(): Promise<void>;
}

export interface Play {
  readonly res: ServerResponse;
  readonly body: any;
  readonly arg: (key: string, fallback: string) => string;
  /** False when the connection went meanwhile. */
  readonly sleep: (ms: number) => Promise<boolean>;
  /** Resolves when the server holds nobody. */
  readonly released: () => Promise<void>;
}

/** How one format says the things that scripts are made of. */
export interface Wire {
  readonly name: string;
  /** What comes before the first word, after the headers. */
  begin(play: Play): void;
  text(play: Play, delta: string): void;
  /** Thoughts, whole. */
  reasoning(play: Play, text: string): void;
  /** A call, whole, its input in two pieces. */
  toolCall(play: Play, call: { readonly id: string; readonly name: string; readonly input: string }): void;
  /** Ends the answer well: the reason in the words of the format, usage, and the end of the stream. */
  finish(play: Play, reason: string | undefined): void;
  readonly toolReason: string;
  /** An error in the middle of a stream, then its end. */
  errorEvent(play: Play, error: { readonly type: string; readonly message: string }): void;
  errorBody(error: { readonly type: string; readonly code: string; readonly message: string }): object;
  /** Does the request end with the result of a tool? */
  afterTool(body: any): boolean;
}

export function send({ res }: Play, data: object | string, event?: string): void {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  res.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`);
}

export function halves(input: string): [string, string] {
  const half = Math.ceil(input.length / 2);
  return [input.slice(0, half), input.slice(half)];
}

function open({ res }: Play): void {
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  res.flushHeaders();
}

/** Waits until the bytes are on their way, so that what follows really comes after them. */
const flushed = (play: Play): Promise<boolean> => play.sleep(20);

type Script = (play: Play) => Promise<void> | void;

function scriptsOf(wire: Wire): Readonly<Record<string, Script>> {
  const start = (play: Play, ...texts: string[]): void => {
    open(play);
    wire.begin(play);
    for (const text of texts) wire.text(play, text);
  };
  const words = async (play: Play, text: string, gapMs: number): Promise<void> => {
    for (const word of text.match(/\S+\s*/g) ?? []) {
      if (gapMs > 0 && !(await play.sleep(gapMs))) return;
      wire.text(play, word);
    }
  };
  const normal = async (play: Play): Promise<void> => {
    start(play);
    await words(play, play.arg('text', 'Hello from the server.'), 0);
    wire.finish(play, play.arg('finish', '') || undefined);
  };
  const call = (play: Play, input: string): void =>
    wire.toolCall(play, { id: play.arg('id', 'call_1'), name: play.arg('name', 'list'), input });
  return {
    normal,
    'tool-call'(play) {
      if (wire.afterTool(play.body) && play.arg('again', '') === '') return normal(play);
      start(play);
      call(play, play.arg('input', '{"path":"."}'));
      wire.finish(play, wire.toolReason || undefined);
    },
    status({ res, arg }) {
      const code = Number(arg('code', '500'));
      const retryAfter = arg('retry-after', '');
      res.writeHead(code, {
        'content-type': 'application/json',
        ...(retryAfter ? { 'retry-after': retryAfter } : {}),
      });
      const message = arg('message', `failed with ${code}`);
      res.end(
        JSON.stringify(wire.errorBody({ message, type: arg('type', 'error'), code: arg('error-code', '') })),
      );
    },
    reasoning(play) {
      start(play);
      wire.reasoning(play, 'Let me think.');
      wire.text(play, 'Done.');
      wire.finish(play, undefined);
    },
    async reset(play) {
      start(play, 'Half of ');
      await flushed(play);
      play.res.socket?.resetAndDestroy();
    },
    'reset-before-headers'({ res }) {
      res.socket?.resetAndDestroy();
    },
    'end-without-anything'(play) {
      start(play);
      play.res.end();
    },
    'end-without-finish'(play) {
      start(play, 'Half of ');
      play.res.end();
    },
    'tool-call-cut'(play) {
      start(play);
      call(play, '{"path":"."}');
      play.res.end();
    },
    'sse-error'(play) {
      start(play, 'Half of ');
      const message = play.arg('message', 'The server is overloaded.');
      wire.errorEvent(play, { message, type: play.arg('type', 'overloaded_error') });
    },
    /** Before the first word: the SDKs look there on their own. */
    'sse-error-first'(play) {
      open(play);
      const message = play.arg('message', 'The server is overloaded.');
      wire.errorEvent(play, { message, type: play.arg('type', 'overloaded_error') });
    },
    'hang-before-headers'() {},
    'hang-before-first-chunk': open,
    'hang-mid-stream'(play) {
      start(play, 'Half of ');
    },
    garbage(play) {
      start(play, 'Half of ');
      play.res.end('data: {"choices":[{"delta":{"content": oops\n\n');
    },
    'garbage-first'(play) {
      open(play);
      play.res.end('data: {"choices":[{"delta":{"content": oops\n\n');
    },
    'json-error'({ res, arg }) {
      const error = {
        message: arg('message', 'Rate limit reached'),
        type: arg('type', 'rate_limit_error'),
        code: arg('error-code', 'rate_limit_exceeded'),
      };
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(wire.errorBody(error)));
    },
    html({ res }) {
      res.writeHead(200, { 'content-type': 'text/html' });
      res.end('<html><body>Please log in to the hotel network.</body></html>');
    },
    redirect({ res, arg }) {
      res.writeHead(307, { location: arg('to', '/v1/elsewhere') });
      res.end();
    },
    async drip(play) {
      start(play);
      await words(play, play.arg('text', 'Drop by drop by drop.'), Number(play.arg('ms', '20')));
      if (!play.res.destroyed) wire.finish(play, undefined);
    },
    /** Its first word, and the others when the server is told to `release()`: under way for as long as a test wants. */
    async held(play) {
      const [first = '', ...rest] = play.arg('text', 'Held until released.').match(/\S+\s*/g) ?? [];
      start(play, first);
      await play.released();
      if (play.res.destroyed) return;
      for (const word of rest) wire.text(play, word);
      wire.finish(play, undefined);
    },
    async endless(play) {
      start(play);
      const block = 'x'.repeat(256 * 1024);
      while (!play.res.destroyed) {
        wire.text(play, block);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

function parseScript(text: string): { name: string; arg: Play['arg'] } {
  const [name = '', query = ''] = text.split('?', 2);
  const values = new URLSearchParams(query);
  return { name, arg: (key, fallback) => values.get(key) ?? fallback };
}

async function readBody(req: IncomingMessage): Promise<any> {
  const pieces: Buffer[] = [];
  for await (const piece of req) pieces.push(piece as Buffer);
  const text = Buffer.concat(pieces).toString();
  return text === '' ? {} : JSON.parse(text);
}

function sleeper(res: ServerResponse): Play['sleep'] {
  return (ms) =>
    new Promise((resolve) => {
      const timer = setTimeout(() => done(), ms);
      const done = (): void => {
        clearTimeout(timer);
        res.off('close', done);
        resolve(!res.destroyed);
      };
      res.on('close', done);
    });
}

interface Gate {
  hold(): void;
  release(): void;
  readonly released: () => Promise<void>;
}

/** Shut at first. */
function gate(): Gate {
  let next = Promise.withResolvers<void>();
  let open = false;
  return {
    hold() {
      if (open) next = Promise.withResolvers<void>();
      open = false;
    },
    release() {
      open = true;
      next.resolve();
    },
    released: () => next.promise,
  };
}

const endOf = (res: ServerResponse): Promise<'complete' | 'cut'> =>
  new Promise((resolve) => res.on('close', () => resolve(res.writableFinished ? 'complete' : 'cut')));

export type StartServer = (options?: { port?: number }) => Promise<ScriptedServer>;

export const serverOf =
  (wire: Wire, more: Readonly<Record<string, Script>> = {}): StartServer =>
  ({ port = 0 } = {}) =>
    start(wire.name, { ...scriptsOf(wire), ...more }, port);

async function start(
  name: string,
  scripts: Readonly<Record<string, Script>>,
  port: number,
): Promise<ScriptedServer> {
  const requests: RecordedRequest[] = [];
  const queue: string[] = [];
  const waiting: (() => void)[] = [];
  const sockets = new Set<Socket>();
  const { released, hold, release } = gate();

  const control = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (req.method === 'POST') queue.push(...((await readBody(req)) as string[]));
    const rows = requests.map(({ method, path, headers, body, script }) => ({
      method,
      path,
      headers,
      body,
      script,
    }));
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ queue, requests: rows }));
  };
  const models = (res: ServerResponse): void => {
    const data = Object.keys(scripts).map((id) => ({ id, object: 'model' }));
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ object: 'list', data }));
  };
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const ended = endOf(res);
    const body = await readBody(req);
    const named =
      typeof body.model === 'string' && parseScript(body.model).name in scripts ? body.model : 'normal';
    const script = queue.shift() ?? named;
    const { name: wanted, arg } = parseScript(script);
    requests.push({
      method: req.method ?? '',
      path: req.url ?? '',
      headers: req.headers,
      body,
      script,
      ended,
    });
    for (const wake of waiting.splice(0)) wake();
    const play = scripts[wanted];
    if (!play) throw new Error(`there is no script "${wanted}"`);
    await play({ res, body, arg, sleep: sleeper(res), released });
  };
  const route = (req: IncomingMessage, res: ServerResponse): Promise<void> | void => {
    if (req.url?.startsWith('/control/')) return control(req, res);
    if (req.method === 'GET' && req.url === '/v1/models') return models(res);
    return answer(req, res);
  };

  const server = createServer((req, res) => {
    Promise.resolve(route(req, res)).catch((error: unknown) => {
      process.stderr.write(`${name}: ${String(error)}\n`);
      res.destroy();
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const received = async (index: number): Promise<RecordedRequest> => {
    while (requests.length <= index) await new Promise<void>((resolve) => waiting.push(resolve));
    return requests[index]!;
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    next: (...scripts) => void queue.push(...scripts),
    hold,
    release,
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** For `node test/models/x-server.ts --port N`. */
export async function runAlone(startServer: StartServer): Promise<void> {
  const at = process.argv.indexOf('--port');
  const server = await startServer({ port: at < 0 ? 0 : Number(process.argv[at + 1]) });
  process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
  const stop = (): void => void server.close();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}
