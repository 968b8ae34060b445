/** The page's connection: one WebSocket, requests with answers, events, and coming back after a loss. */

export interface LinkError extends Error {
  code: string;
}

export interface LinkEvents {
  /** Also called after every reconnect. */
  welcome(hello: Hello): void;
  event(name: string, payload: unknown): void;
  /** `final`: it will not try again; the token is wrong. */
  lost(reason: string, final: boolean): void;
}

export interface Hello {
  readonly server: { readonly version: string };
  readonly snapshot: {
    readonly health: unknown;
    readonly sessionDefaults: { readonly mainSessionKey: string };
  };
}

export interface Link {
  request<T>(method: string, params?: object): Promise<T>;
  close(): void;
}

interface Waiting {
  resolve(payload: unknown): void;
  reject(error: Error): void;
}

interface Frame {
  type: string;
  id?: string;
  ok?: boolean;
  event?: string;
  payload?: unknown;
  error?: { code: string; message: string; details?: { code?: string } };
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

export function openLink(token: string | undefined, on: LinkEvents): Link {
  let socket: WebSocket;
  let waitMs = FIRST_WAIT_MS;
  let closed = false;
  let count = 0;
  let refusal = '';
  let timer: ReturnType<typeof setTimeout> | undefined;
  const waiting = new Map<string, Waiting>();

  const request = <T>(method: string, params: object = {}): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      if (socket.readyState !== WebSocket.OPEN) return reject(new Error('not connected'));
      count += 1;
      const id = String(count);
      waiting.set(id, { resolve: (payload) => resolve(payload as T), reject });
      socket.send(JSON.stringify({ type: 'req', id, method, params }));
    });

  const greet = async (): Promise<void> => {
    const client = { id: 'webchat-ui', version: 'dashboard', platform: 'web', mode: 'webchat' };
    const auth = token === undefined ? {} : { auth: { token } };
    try {
      const hello = await request<Hello>('connect', { minProtocol: 3, maxProtocol: 4, client, ...auth });
      waitMs = FIRST_WAIT_MS;
      on.welcome(hello);
    } catch (error) {
      const code = (error as LinkError).code;
      if (code === 'AUTH_TOKEN_MISSING' || code === 'AUTH_TOKEN_MISMATCH') refusal = (error as Error).message;
    }
  };

  const answer = (frame: Frame): void => {
    const asked = waiting.get(frame.id ?? '');
    if (!asked) return;
    waiting.delete(frame.id ?? '');
    if (frame.ok) return asked.resolve(frame.payload);
    const code = frame.error?.details?.code ?? frame.error?.code ?? 'UNKNOWN';
    asked.reject(Object.assign(new Error(frame.error?.message ?? 'the gateway refused'), { code }));
  };

  const receive = (text: string): void => {
    const frame = JSON.parse(text) as Frame;
    if (frame.type === 'res') return answer(frame);
    if (frame.event === 'connect.challenge') return void greet();
    if (frame.type === 'event' && frame.event) on.event(frame.event, frame.payload);
  };

  const lose = (reason: string): void => {
    for (const asked of waiting.values()) asked.reject(new Error('the connection was lost'));
    waiting.clear();
    if (closed) return;
    if (refusal) {
      closed = true;
      return on.lost(refusal, true);
    }
    on.lost(reason || 'no answer', false);
    timer = setTimeout(open, waitMs * (0.75 + Math.random() / 2));
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
  };

  const open = (): void => {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    socket = new WebSocket(`${scheme}://${location.host}/ws`);
    socket.addEventListener('message', (message) => receive(String(message.data)));
    socket.addEventListener('close', (event) => lose(event.reason));
  };

  open();
  return {
    request,
    close() {
      closed = true;
      clearTimeout(timer);
      socket.close();
    },
  };
}
