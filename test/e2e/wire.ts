import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';

/** One frame as it came. */
export interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly ok?: boolean;
  readonly event?: string;
  readonly payload?: any;
  readonly error?: {
    readonly code: string;
    readonly message: string;
    readonly details?: any;
    readonly retryable?: boolean;
    readonly retryAfterMs?: number;
  };
}

/** A connection past the handshake that keeps every frame it got, refusals and second answers included. */
export interface Wire {
  /** The answer to `connect`. */
  readonly hello: Frame;
  readonly frames: readonly Frame[];
  /** The first answer, good or bad. */
  request(method: string, params?: object): Promise<Frame>;
  /** The payload of a good answer; a bad one fails the test with its message. */
  ask(method: string, params?: object): Promise<any>;
  /** Sends and returns the id, for methods that answer more than once. */
  send(method: string, params?: object): string;
  answers(id: string, count: number): Promise<Frame[]>;
  /** The first event, past or future, that fits. */
  event(name: string, fits?: (payload: any) => boolean): Promise<any>;
  /** All events of that name so far that fit. */
  events(name: string, fits?: (payload: any) => boolean): any[];
  readonly closed: Promise<{ code: number; reason: string }>;
  close(): void;
}

export interface WireOptions {
  readonly url: string;
  readonly token: string;
  readonly minProtocol?: number;
  readonly maxProtocol?: number;
}

/** Far above what anything takes on a busy machine, far below the limit of a test. */
const LIMIT_MS = 60_000;

/** Looks every 20 ms until something is found. Fails with what was waited for after a minute, or `limitMs`. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  limitMs = LIMIT_MS,
): Promise<T> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    // Asked before the look: a machine that was held up gets a last one.
    const last = performance.now() > deadlineMs;
    const found = await look();
    if (found !== undefined) return found;
    if (last) throw new Error(`waited ${limitMs} ms for ${what}`);
    await delay(20);
  }
}

export async function openWire(options: WireOptions): Promise<Wire> {
  const { url, token, minProtocol = 3, maxProtocol = 4 } = options;
  const wire = dial(url);
  try {
    await wire.event('connect.challenge');
    const client = { id: 'cli', version: '1', platform: 'linux', mode: 'cli' };
    const hello = await wire.request('connect', { minProtocol, maxProtocol, client, auth: { token } });
    if (!hello.ok) throw new Error(`the handshake failed: ${hello.error?.message}`);
    return { ...wire, hello };
  } catch (error) {
    wire.close();
    throw error;
  }
}

function dial(url: string): Omit<Wire, 'hello'> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`);
  const frames: Frame[] = [];
  let ids = 0;
  let ending = '';
  socket.on('message', (data) => frames.push(JSON.parse(String(data)) as Frame));
  // Every error is followed by 'close', and whoever waits then hears of it.
  socket.on('error', (error) => (ending = error.message));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      ending ||= `the connection was closed: ${code} ${String(reason)}`;
      resolve({ code, reason: String(reason) });
    });
  });
  const until = <T>(what: string, look: () => T | undefined): Promise<T> =>
    eventually(what, () => {
      const found = look();
      if (found === undefined && ending !== '')
        throw new Error(`${ending}, while the test waited for ${what}`);
      return found;
    });
  const answers = (id: string, count: number, method = 'a request'): Promise<Frame[]> =>
    until(`answer ${count} to ${method}`, () => {
      const found = frames.filter((frame) => frame.type === 'res' && frame.id === id);
      return found.length >= count ? found : undefined;
    });
  const send = (method: string, params: object = {}): string => {
    const id = `w${(ids += 1)}`;
    socket.send(JSON.stringify({ type: 'req', id, method, params }));
    return id;
  };
  const request = async (method: string, params?: object): Promise<Frame> =>
    (await answers(send(method, params), 1, method))[0]!;
  const events = (name: string, fits: (payload: any) => boolean = () => true): any[] =>
    frames.filter((frame) => frame.event === name && fits(frame.payload)).map((frame) => frame.payload);
  return {
    frames,
    request,
    send,
    answers,
    events,
    closed,
    event: (name, fits) => until(`the event ${name}`, () => events(name, fits)[0]),
    async ask(method, params) {
      const { ok, payload, error } = await request(method, params);
      if (!ok) throw new Error(`${method} was refused: ${error?.code} ${error?.message}`);
      return payload;
    },
    close: () => socket.terminate(),
  };
}
