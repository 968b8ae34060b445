/**
 * A server that speaks OpenAI's streaming chat completions on 127.0.0.1 and misbehaves on request.
 *
 * A script is `name` or `name?key=value&...`. It is taken from `next()`, else from the request's model name when that
 * is a script, else it is `normal`. Run it alone with `node test/models/openai-server.ts --port 0`; it prints one
 * JSON line `{ "url": ... }`. Then `POST /control/next` with `["status?code=429&retry-after=3"]` queues scripts and
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

export interface OpenAiServer {
  /** With the version segment: what goes into `baseUrl`. */
  readonly url: string;
  readonly requests: RecordedRequest[];
  /** Queues scripts for the next requests, one each. */
  next(...scripts: string[]): void;
  /** Resolves when request number `index` (from 0) has come in. */
  received(index: number): Promise<RecordedRequest>;
  close(): Promise<void>;
}

interface Play {
  readonly res: ServerResponse;
  readonly body: any;
  readonly arg: (key: string, fallback: string) => string;
  /** False when the connection went meanwhile. */
  readonly sleep: (ms: number) => Promise<boolean>;
}

const base = (body: any) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1_700_000_000,
  model: body.model ?? 'm',
});

function open({ res }: Play): void {
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  res.flushHeaders();
}

function chunk({ res, body }: Play, delta: object, finish: string | null = null): void {
  res.write(
    `data: ${JSON.stringify({ ...base(body), choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`,
  );
}

function end(play: Play): void {
  if (play.body.stream_options?.include_usage === true) {
    const usage = {
      prompt_tokens: 14,
      completion_tokens: 6,
      total_tokens: 20,
      prompt_tokens_details: { cached_tokens: 3 },
    };
    play.res.write(`data: ${JSON.stringify({ ...base(play.body), choices: [], usage })}\n\n`);
  }
  play.res.end('data: [DONE]\n\n');
}

async function words(play: Play, text: string, gapMs: number): Promise<void> {
  chunk(play, { role: 'assistant', content: '' });
  for (const word of text.match(/\S+\s*/g) ?? []) {
    if (gapMs > 0 && !(await play.sleep(gapMs))) return;
    chunk(play, { content: word });
  }
}

async function normal(play: Play): Promise<void> {
  open(play);
  await words(play, play.arg('text', 'Hello from the server.'), 0);
  chunk(play, {}, play.arg('finish', 'stop'));
  end(play);
}

function toolCallDeltas(play: Play, input: string): void {
  const name = play.arg('name', 'list');
  const id = play.arg('id', 'call_1');
  chunk(play, {
    role: 'assistant',
    tool_calls: [{ index: 0, id, type: 'function', function: { name, arguments: '' } }],
  });
  const half = Math.ceil(input.length / 2);
  for (const piece of [input.slice(0, half), input.slice(half)]) {
    chunk(play, { tool_calls: [{ index: 0, function: { arguments: piece } }] });
  }
}

function toolCall(play: Play): Promise<void> | void {
  if (play.body.messages?.at(-1)?.role === 'tool') return normal(play);
  open(play);
  toolCallDeltas(play, play.arg('input', '{"path":"."}'));
  chunk(play, {}, 'tool_calls');
  end(play);
}

function status({ res, arg }: Play): void {
  const code = Number(arg('code', '500'));
  const retryAfter = arg('retry-after', '');
  const error = {
    message: arg('message', `failed with ${code}`),
    type: arg('type', 'error'),
    code: arg('error-code', '') || null,
  };
  res.writeHead(code, {
    'content-type': 'application/json',
    ...(retryAfter ? { 'retry-after': retryAfter } : {}),
  });
  res.end(JSON.stringify({ error }));
}

/** Waits until the bytes are on their way, so that what follows really comes after them. */
const flushed = (play: Play): Promise<boolean> => play.sleep(20);

const SCRIPTS: Readonly<Record<string, (play: Play) => Promise<void> | void>> = {
  normal,
  'tool-call': toolCall,
  status,
  reasoning(play) {
    open(play);
    chunk(play, { role: 'assistant', reasoning_content: 'Let me think.' });
    chunk(play, { content: 'Done.' }, 'stop');
    end(play);
  },
  async reset(play) {
    open(play);
    chunk(play, { content: 'Half of ' });
    await flushed(play);
    play.res.socket?.resetAndDestroy();
  },
  'reset-before-headers'({ res }) {
    res.socket?.resetAndDestroy();
  },
  'end-without-finish'(play) {
    open(play);
    chunk(play, { content: 'Half of ' });
    play.res.end();
  },
  'tool-call-cut'(play) {
    open(play);
    toolCallDeltas(play, '{"path":"."}');
    play.res.end();
  },
  'sse-error'(play) {
    open(play);
    chunk(play, { content: 'Half of ' });
    const error = {
      message: play.arg('message', 'The server is overloaded.'),
      type: play.arg('type', 'overloaded_error'),
      code: null,
    };
    play.res.end(`data: ${JSON.stringify({ error })}\n\n`);
  },
  'hang-before-headers'() {},
  'hang-before-first-chunk': open,
  'hang-mid-stream'(play) {
    open(play);
    chunk(play, { content: 'Half of ' });
  },
  garbage(play) {
    open(play);
    chunk(play, { content: 'Half of ' });
    play.res.end('data: {"choices":[{"delta":{"content": oops\n\n');
  },
  'json-error'({ res, arg }) {
    res.writeHead(200, { 'content-type': 'application/json' });
    res.end(
      JSON.stringify({
        error: {
          message: arg('message', 'Rate limit reached'),
          code: arg('error-code', 'rate_limit_exceeded'),
        },
      }),
    );
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
    open(play);
    await words(play, play.arg('text', 'Drop by drop by drop.'), Number(play.arg('ms', '20')));
    if (play.res.destroyed) return;
    chunk(play, {}, 'stop');
    end(play);
  },
  async endless(play) {
    open(play);
    const block = 'x'.repeat(256 * 1024);
    while (!play.res.destroyed) {
      chunk(play, { content: block });
      await new Promise((resolve) => setImmediate(resolve));
    }
  },
};

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

const endOf = (res: ServerResponse): Promise<'complete' | 'cut'> =>
  new Promise((resolve) => res.on('close', () => resolve(res.writableFinished ? 'complete' : 'cut')));

export async function startOpenAiServer({ port = 0 }: { port?: number } = {}): Promise<OpenAiServer> {
  const requests: RecordedRequest[] = [];
  const queue: string[] = [];
  const waiting: (() => void)[] = [];
  const sockets = new Set<Socket>();

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
    const data = Object.keys(SCRIPTS).map((id) => ({ id, object: 'model' }));
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ object: 'list', data }));
  };
  const completions = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const ended = endOf(res);
    const body = await readBody(req);
    const named =
      typeof body.model === 'string' && parseScript(body.model).name in SCRIPTS ? body.model : 'normal';
    const script = queue.shift() ?? named;
    const { name, arg } = parseScript(script);
    requests.push({
      method: req.method ?? '',
      path: req.url ?? '',
      headers: req.headers,
      body,
      script,
      ended,
    });
    for (const wake of waiting.splice(0)) wake();
    const play = SCRIPTS[name];
    if (!play) throw new Error(`there is no script "${name}"`);
    await play({ res, body, arg, sleep: sleeper(res) });
  };
  const route = (req: IncomingMessage, res: ServerResponse): Promise<void> | void => {
    if (req.url?.startsWith('/control/')) return control(req, res);
    if (req.method === 'GET' && req.url === '/v1/models') return models(res);
    return completions(req, res);
  };

  const server = createServer((req, res) => {
    Promise.resolve(route(req, res)).catch((error: unknown) => {
      process.stderr.write(`openai-server: ${String(error)}\n`);
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
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

if (process.argv[1] === import.meta.filename) {
  const at = process.argv.indexOf('--port');
  const server = await startOpenAiServer({ port: at < 0 ? 0 : Number(process.argv[at + 1]) });
  process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);
  const stop = (): void => void server.close();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}
