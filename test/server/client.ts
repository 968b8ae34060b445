/** A server on a real socket, and clients that speak the protocol to it. */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { WebSocket, type ClientOptions } from 'ws';
import type { Fact } from '../../src/bus/events.ts';
import { createClock } from '../../src/host/index.ts';
import {
  createServer,
  listenOn,
  type GatewayServer,
  type ListeningSource,
  type ServerOptions,
} from '../../src/server/index.ts';
import type { SimulatedClock } from '../../src/testing/clock.ts';
import { createFakePort, type FakePort } from './fake-port.ts';

export const TOKEN = 'a-token-for-tests';

export interface Rig {
  readonly fake: FakePort;
  readonly server: GatewayServer;
  readonly source: ListeningSource;
  readonly facts: Fact[];
  readonly http: string;
  readonly url: string;
  end(): Promise<void>;
}

const rigs: Rig[] = [];
const sockets: WebSocket[] = [];

/** Call in `afterEach`. */
export async function endRigs(): Promise<void> {
  for (const ws of sockets.splice(0)) ws.terminate();
  for (const rig of rigs.splice(0)) await rig.end();
}

export async function startRig(options: Partial<ServerOptions> = {}, fake = createFakePort()): Promise<Rig> {
  const clock = options.clock ?? createClock();
  const facts: Fact[] = [];
  const report = (fact: Fact): void => void facts.push(fact);
  const source = await listenOn({ host: '127.0.0.1', port: 0 }, { clock: createClock(), report });
  const server = createServer({
    port: fake.port,
    auth: { mode: 'token', token: TOKEN },
    listener: source,
    report,
    ...options,
    clock,
  });
  const where = `127.0.0.1:${server.address.port}`;
  const rig: Rig = {
    fake,
    server,
    source,
    facts,
    http: `http://${where}`,
    url: `ws://${where}/ws`,
    async end() {
      server.destroy();
      await source.close();
    },
  };
  rigs.push(rig);
  return rig;
}

export interface Frame {
  type: string;
  id?: string;
  ok?: boolean;
  event?: string;
  seq?: number;
  payload?: any;
  error?: { code: string; message: string; details?: any; retryable?: boolean; retryAfterMs?: number };
}

export interface TestClient {
  readonly ws: WebSocket;
  readonly frames: Frame[];
  /** The first frame, past or future, that fits. */
  next(fits: (frame: Frame) => boolean): Promise<Frame>;
  event(name: string): Promise<Frame>;
  send(frame: object | string): void;
  request(method: string, params?: object): Promise<Frame>;
  /** All answers to one request, once there are `count`. */
  answers(id: string, count: number): Promise<Frame[]>;
  readonly closed: Promise<{ code: number; reason: string }>;
}

let ids = 0;

export function dial(url: string, options: ClientOptions = {}): TestClient {
  const ws = new WebSocket(url, options);
  sockets.push(ws);
  const frames: Frame[] = [];
  const watchers = new Set<() => void>();
  ws.on('message', (data) => {
    frames.push(JSON.parse(String(data)) as Frame);
    for (const watcher of watchers) watcher();
  });
  ws.on('error', () => {});
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
  const until = <T>(look: () => T | undefined): Promise<T> =>
    new Promise((resolve) => {
      const watcher = (): void => {
        const found = look();
        if (found === undefined) return;
        watchers.delete(watcher);
        resolve(found);
      };
      watchers.add(watcher);
      watcher();
    });
  const next = (fits: (frame: Frame) => boolean): Promise<Frame> => until(() => frames.find(fits));
  const send = (frame: object | string): void =>
    ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  const answers = (id: string, count: number): Promise<Frame[]> =>
    until(() => {
      const found = frames.filter((frame) => frame.type === 'res' && frame.id === id);
      return found.length >= count ? found : undefined;
    });
  return {
    ws,
    frames,
    next,
    send,
    answers,
    closed,
    event: (name) => next((frame) => frame.event === name),
    async request(method, params) {
      ids += 1;
      const id = `r${ids}`;
      send({ type: 'req', id, method, ...(params ? { params } : {}) });
      const [answer] = await answers(id, 1);
      return answer!;
    },
  };
}

export const CONNECT = {
  minProtocol: 3,
  maxProtocol: 4,
  client: { id: 'cli', version: '1', platform: 'linux', mode: 'cli' },
  auth: { token: TOKEN },
};

/** Past the challenge, before `connect`. */
export async function meet(rig: Rig, options?: ClientOptions): Promise<TestClient & { nonce: string }> {
  const client = dial(rig.url, options);
  const challenge = await client.event('connect.challenge');
  return Object.assign(client, { nonce: challenge.payload.nonce as string });
}

/** Past a good handshake. */
export async function connected(rig: Rig, params: object = {}): Promise<TestClient & { hello: Frame }> {
  const client = await meet(rig);
  const hello = await client.request('connect', { ...CONNECT, ...params });
  if (!hello.ok) throw new Error(`the handshake failed: ${hello.error?.message}`);
  return Object.assign(client, { hello });
}

/** How an upgrade was refused. */
export function refusal(url: string, options: ClientOptions = {}): Promise<{ status: number; body: any }> {
  const ws = new WebSocket(url, options);
  sockets.push(ws);
  return new Promise((resolve, reject) => {
    ws.on('open', () => reject(new Error('the upgrade was accepted')));
    ws.on('error', () => {});
    ws.on('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(text) }));
    });
  });
}

/** A plain HTTP request by hand: `fetch` would not let a Host header through. */
/** The statuses of five guesses at once. Those that are held back wait until `clock` goes on, when two were refused. */
export async function fiveGuesses(
  clock: Pick<SimulatedClock, 'advanceAsync'>,
  guess: (nth: number) => Promise<Response>,
): Promise<Response[]> {
  let answered = 0;
  const answers = Array.from({ length: 5 }, (_, nth) => guess(nth).finally(() => (answered += 1)));
  await until(() => answered >= 2);
  await clock.advanceAsync(300);
  return Promise.all(answers);
}

export async function rawHttp(rig: Rig, head: string): Promise<string> {
  const socket: Socket = createConnection(rig.server.address.port, '127.0.0.1');
  socket.write(head);
  let text = '';
  socket.on('data', (chunk) => (text += chunk));
  await once(socket, 'close');
  return text;
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
