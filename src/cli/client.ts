import { WebSocket } from 'ws';
import { CoppiceError } from '../errors.ts';

/** A small client of the gateway's wire protocol, for commands: requests, answers, events. No reconnect. */
export interface ClientOptions {
  /** http(s) or ws(s). */
  readonly url: string;
  readonly token?: string | undefined;
  /** Shown to the gateway. */
  readonly version: string;
  /** For the connection with its handshake, and for each request. Default 10,000. */
  readonly timeoutMs?: number;
}

export interface Client {
  /** The payload of hello-ok. */
  readonly hello: Readonly<Record<string, unknown>>;
  /** Resolves with the payload. Rejects: REQUEST_REFUSED, NOT_PERMITTED, REQUEST_TIMED_OUT, GATEWAY_UNREACHABLE. */
  request(method: string, params?: object, timeoutMs?: number): Promise<unknown>;
  /** Returns a remover. */
  onEvent(listener: (event: string, payload: unknown) => void): () => void;
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<{ code: number; reason: string }>;
  /** What is still unanswered rejects. */
  close(): void;
}

interface Frame {
  readonly type?: string;
  readonly id?: string;
  readonly ok?: boolean;
  readonly event?: string;
  readonly payload?: unknown;
  readonly error?: {
    readonly code?: string;
    readonly message?: string;
    readonly retryable?: boolean;
    readonly retryAfterMs?: number;
  };
}

interface Pending {
  readonly method: string;
  readonly timer: NodeJS.Timeout;
  resolve(payload: unknown): void;
  reject(error: CoppiceError): void;
}

const TIMEOUT_MS = 10_000;
const GOODBYE_MS = 1_000;
/** The oldest and the newest protocol this client speaks. */
const PROTOCOL = { min: 3, max: 4 };

/** Connects and passes the handshake. Rejects: GATEWAY_UNREACHABLE, NOT_PERMITTED, REQUEST_TIMED_OUT. */
export async function connect(options: ClientOptions): Promise<Client> {
  const connection = new Connection(options);
  try {
    return await connection.open();
  } catch (error) {
    connection.close();
    throw error;
  }
}

class Connection implements Client {
  hello: Readonly<Record<string, unknown>> = {};
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #options: ClientOptions;
  readonly #socket: WebSocket;
  readonly #pending = new Map<string, Pending>();
  readonly #listeners = new Set<(event: string, payload: unknown) => void>();
  #ids = 0;
  #fault = 'the connection was closed';

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#socket = new WebSocket(options.url.replace(/^http/, 'ws'), {
      handshakeTimeout: options.timeoutMs ?? TIMEOUT_MS,
    });
    this.#socket.on('message', (data) => this.#onMessage(String(data)));
    this.#socket.on('error', (error) => {
      this.#fault = error.message || (error as NodeJS.ErrnoException).code || 'the connection failed';
    });
    this.closed = new Promise((resolve) => {
      this.#socket.on('close', (code, reason) => {
        if (reason.length > 0) this.#fault = `${String(reason)} (${code})`;
        this.#failAll();
        resolve({ code, reason: String(reason) });
      });
    });
  }

  async open(): Promise<Client> {
    await this.#challenged();
    const payload = await this.request('connect', {
      minProtocol: PROTOCOL.min,
      maxProtocol: PROTOCOL.max,
      client: { id: 'cli', version: this.#options.version, platform: process.platform, mode: 'cli' },
      role: 'operator',
      ...(this.#options.token ? { auth: { token: this.#options.token } } : {}),
    });
    this.hello = payload as Record<string, unknown>;
    return this;
  }

  request(
    method: string,
    params: object = {},
    timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS,
  ): Promise<unknown> {
    if (this.#socket.readyState !== WebSocket.OPEN) return Promise.reject(this.#unreachable());
    const id = String((this.#ids += 1));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new CoppiceError('REQUEST_TIMED_OUT', { method, waitMs: timeoutMs }));
      }, timeoutMs);
      this.#pending.set(id, { method, timer, resolve, reject });
      this.#socket.send(JSON.stringify({ type: 'req', id, method, params }));
    });
  }

  onEvent(listener: (event: string, payload: unknown) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#failAll();
    if (this.#socket.readyState === WebSocket.CONNECTING) return this.#socket.terminate();
    this.#socket.close(1000);
    // A gateway that is frozen says no goodbye.
    const goodbye = setTimeout(() => this.#socket.terminate(), GOODBYE_MS);
    void this.closed.then(() => clearTimeout(goodbye));
  }

  /** The server speaks first; what it says is a nonce for device proofs, which a token does not need. */
  #challenged(): Promise<void> {
    const waitMs = this.#options.timeoutMs ?? TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new CoppiceError('REQUEST_TIMED_OUT', { method: 'connect', waitMs })),
        waitMs,
      );
      const remove = this.onEvent((event) => {
        if (event === 'connect.challenge') settle(resolve);
      });
      const settle = (then: () => void): void => {
        clearTimeout(timer);
        remove();
        then();
      };
      void this.closed.then(() => settle(() => reject(this.#unreachable())));
    });
  }

  #onMessage(text: string): void {
    const frame = parse(text);
    if (frame?.type === 'event' && frame.event) {
      for (const listener of this.#listeners) listener(frame.event, frame.payload);
    } else if (frame?.type === 'res' && frame.id) this.#onAnswer(frame.id, frame);
  }

  #onAnswer(id: string, frame: Frame): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (frame.ok) pending.resolve(frame.payload);
    else pending.reject(refusal(pending.method, frame.error));
  }

  #failAll(): void {
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(this.#unreachable());
    }
    this.#pending.clear();
  }

  #unreachable(): CoppiceError {
    return new CoppiceError('GATEWAY_UNREACHABLE', { url: this.#options.url, reason: this.#fault });
  }
}

function parse(text: string): Frame | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Frame) : undefined;
  } catch {
    // Not a frame of this protocol. A request that waits for an answer will time out and say so.
    return undefined;
  }
}

function refusal(method: string, error: Frame['error']): CoppiceError {
  const reason = error?.message ?? 'no reason was given';
  const code = error?.code ?? 'UNKNOWN';
  const authorisation =
    method === 'connect' || code === 'FORBIDDEN' || code === 'NOT_PAIRED' || code === 'UNAUTHORIZED';
  if (authorisation)
    return new CoppiceError('NOT_PERMITTED', {
      what: method === 'connect' ? 'the connection' : method,
      reason,
    });
  const again = error?.retryable ? { retryable: true, retryAfterMs: error.retryAfterMs ?? 0 } : {};
  return new CoppiceError('REQUEST_REFUSED', { method, reason, refusal: code, ...again });
}

/** Could the same request succeed after a moment? Then: in how many milliseconds at the earliest. */
export function retryAfterMs(error: unknown): number | undefined {
  if (!(error instanceof CoppiceError)) return undefined;
  if (error.code !== 'REQUEST_REFUSED') return error.retryable ? 0 : undefined;
  const { retryable, retryAfterMs: wait } = error.details;
  return retryable === true && typeof wait === 'number' ? wait : undefined;
}
