/**
 * One connection of the load generator. Lean on purpose: it shares two cores with what it measures, so it parses what
 * it must (answers and the ends of turns) and not the words in between.
 */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { MESSAGE } from '../../src/cli/bench/turns.ts';

export interface Events {
  /** On disk, and answered. */
  accepted(runId: string): void;
  /** Settled: the last frame of the turn has come. */
  ended(runId: string): void;
  failed(reason: string): void;
}

export interface Line {
  /** Begins a turn. Its id is its run. */
  say(sessionKey: string, runId: string): void;
  close(): void;
}

const PROTOCOL = { minProtocol: 3, maxProtocol: 4, role: 'operator' };
const CLIENT = { id: 'bench', version: '0', platform: process.platform, mode: 'cli' };
const HELLO = 'hello';

/** A client of the wire protocol; the skeleton speaks as much of it as this needs. */
export async function openLine(url: string, token: string | undefined, events: Events): Promise<Line> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'));
  const welcome = Promise.withResolvers<void>();
  const request = (id: string, method: string, params: object): void =>
    socket.send(JSON.stringify({ type: 'req', id, method, params }));
  const hello = (): void =>
    request(HELLO, 'connect', { ...PROTOCOL, client: CLIENT, ...(token ? { auth: { token } } : {}) });
  socket.on('message', (data) => {
    const text = String(data);
    if (text.startsWith('{"type":"event","event":"agent"')) return;
    const frame = JSON.parse(text) as Frame;
    if (frame.event === 'connect.challenge') return hello();
    if (frame.id === HELLO) return frame.ok ? welcome.resolve() : welcome.reject(new Error(text));
    take(frame, events);
  });
  socket.on('error', (error) => welcome.reject(error));
  socket.on('close', (code) => events.failed(`a connection was closed with ${code}`));
  await welcome.promise;
  return {
    say: (sessionKey, runId) =>
      request(runId, 'chat.send', { sessionKey, message: MESSAGE, idempotencyKey: runId }),
    close() {
      socket.removeAllListeners('close');
      socket.close();
    },
  };
}

interface Frame {
  readonly event?: string;
  readonly id?: string;
  readonly ok?: boolean;
  readonly payload?: { readonly runId?: string; readonly state?: string; readonly status?: string };
  readonly error?: { readonly message?: string };
}

function take({ event, id = '', ok, payload: { runId = '', state, status } = {}, error }: Frame, to: Events) {
  if (event === 'chat') {
    if (state === 'final') to.ended(runId);
    else if (state !== 'delta') to.failed(`a turn ended as ${state}`);
  } else if (event === undefined) {
    if (ok && status === 'started') to.accepted(id);
    else to.failed(`a turn was answered with ${error?.message ?? status}`);
  }
}

/** The same shape over a process that only sends back: what comes first was sent first. */
export async function openEchoLine(url: string, events: Events): Promise<Line> {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const sent: string[] = [];
  socket.on('message', () => {
    const runId = sent.shift()!;
    events.accepted(runId);
    events.ended(runId);
  });
  socket.on('close', (code) => events.failed(`a connection was closed with ${code}`));
  return {
    say(sessionKey, runId) {
      sent.push(runId);
      const params = { sessionKey, message: MESSAGE, idempotencyKey: runId };
      socket.send(JSON.stringify({ type: 'req', id: runId, method: 'chat.send', params }));
    },
    close() {
      socket.removeAllListeners('close');
      socket.close();
    },
  };
}
