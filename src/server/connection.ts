/** One WebSocket client, from the challenge to the last frame. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { CoppiceError } from '../errors.ts';
import type { Client } from './clients.ts';
import type { ServerContext } from './context.ts';
import { createFactFeed } from './fact-feed.ts';
import { dispatch } from './dispatch.ts';
import { judgeConnect, type ConnectVerdict, type Grant } from './handshake.ts';
import { helloOk } from './hello.ts';
import { createOutlet } from './outlet.ts';
import { presenceList } from './presence.ts';
import { wireError } from './protocol/errors.ts';
import { eventText, readFrame, responseText, type RequestFrame } from './protocol/frames.ts';
import type { Call } from './protocol/method.ts';
import { shown } from './request-guard.ts';

export interface Arrival {
  readonly ws: WebSocket;
  readonly socket: Socket;
  readonly remote: string;
  /** Called once, when it passed the handshake or is gone: it holds no unauthenticated place any more. */
  settled(): void;
}

export interface Connection {
  close(code: number, reason: string): void;
}

export function openConnection(arrival: Arrival, context: ServerContext): Connection {
  const { ws, remote } = arrival;
  const { clock, limits, clients, port } = context;
  const connId = randomUUID();
  const nonce = randomUUID();
  const openedAt = clock.now();
  const gone = new AbortController();
  const outlet = createOutlet(ws, arrival.socket, context);
  const facts = createFactFeed(port, outlet);
  const settle = once(arrival.settled);
  let client: (Client & { wantsTree: boolean; wantsSessions: boolean; silent: boolean }) | undefined;
  let grant: Grant | undefined;
  let judged = false;
  let malformed = 0;
  let inFlight = 0;

  const refuse = (code: string, reason: string): void =>
    context.report({ type: 'client.refused', connId, code, reason });
  /** Of the handshake, then of the answer that is held back. */
  let timer = clock.setTimeout(() => {
    refuse('HANDSHAKE_TIMEOUT', `no connect within ${limits.handshakeMs} ms`);
    outlet.close(1008, 'handshake timeout');
  }, limits.handshakeMs);

  const welcome = (frame: RequestFrame, granted: Grant): void => {
    clock.clearTimeout(timer);
    settle();
    grant = granted;
    raisePayloadLimit(ws, limits.frameBytes);
    client = {
      connId,
      scopes: granted.scopes,
      about: { ...granted.about, remote, since: Math.round(port.now()) },
      outlet,
      wantsTree: false,
      wantsSessions: false,
      silent: false,
      ping() {
        client!.silent = true;
        outlet.ping();
      },
    };
    outlet.send(responseText(frame.id, { payload: helloOk(context, connId, granted) }));
    clients.add(client);
    context.report({
      type: 'client.connected',
      connId,
      client: granted.clientId,
      protocol: granted.protocol,
    });
  };

  const turnAway = (frame: RequestFrame, verdict: Extract<ConnectVerdict, { ok: false }>): void => {
    clock.clearTimeout(timer);
    const answer = (): void => {
      refuse(verdict.error.code, verdict.error.message);
      outlet.send(responseText(frame.id, wireError(verdict.error)));
      outlet.close(verdict.closeCode, shown(verdict.error.message).slice(0, 120));
    };
    if (verdict.delayMs > 0) timer = clock.setTimeout(answer, verdict.delayMs);
    else answer();
  };

  const shakeHands = (frame: RequestFrame): void => {
    judged = true;
    const verdict = judgeConnect(frame, { nonce, remote }, context);
    if (!verdict.ok) return turnAway(frame, verdict);
    welcome(frame, verdict.grant);
  };

  const spoiled = (id: string, reason: string): void => {
    const error = new CoppiceError(grant ? 'FRAME_INVALID' : 'HANDSHAKE_INVALID', { reason });
    malformed += 1;
    outlet.send(responseText(id, wireError(error)));
    if (grant && malformed < limits.malformedFrames) return;
    refuse(error.code, reason);
    outlet.close(1008, 'invalid frame');
  };

  const answer = async (frame: RequestFrame, granted: Grant): Promise<void> => {
    inFlight += 1;
    try {
      outlet.send(await dispatch(frame, callFor(frame, granted), granted.scopes, context));
    } finally {
      inFlight -= 1;
    }
  };

  const callFor = (frame: RequestFrame, granted: Grant): Call => ({
    port,
    limits,
    connId,
    protocol: granted.protocol,
    trace: frame.trace,
    signal: gone.signal,
    runStartedAt: context.runs.startedAt,
    early: (payload) => outlet.send(responseText(frame.id, { payload })),
    subscribeTree: () => {
      if (client) client.wantsTree = true;
    },
    subscribeFacts: (filter) => {
      if (!gone.signal.aborted) facts.subscribe(filter);
    },
    subscribeSessions: (on) => {
      if (client) client.wantsSessions = on;
    },
    follow: (sessionKey) => {
      if (client) clients.follow(client, sessionKey);
    },
    sessionChanged: context.sessions.changed,
    presence: () => presenceList(port, clients),
    own: { ...context.address, authMode: context.authenticator.mode },
  });

  const receive = (text: string): void => {
    const verdict = readFrame(text, limits);
    if (!grant && judged) return;
    if (!verdict.ok) return spoiled(verdict.id, verdict.reason);
    if (!grant) return shakeHands(verdict.frame);
    if (inFlight < limits.requestsInFlight) return void answer(verdict.frame, grant);
    const full = new CoppiceError('OVERLOADED', {
      where: 'this connection',
      limit: `${limits.requestsInFlight} unanswered requests`,
    });
    outlet.send(responseText(verdict.frame.id, wireError(full)));
  };

  ws.on('message', (data: RawData, isBinary: boolean) => {
    if (client) client.silent = false;
    if (outlet.closing) return;
    if (isBinary) {
      refuse('FRAME_INVALID', 'binary frame');
      return outlet.close(1003, 'text frames only');
    }
    try {
      receive((data as Buffer).toString('utf8'));
    } catch (error) {
      context.fault(error, 'frame');
      outlet.close(1011, 'internal fault');
    }
  });
  ws.on('pong', () => {
    if (client) client.silent = false;
  });
  ws.on('error', (error: Error) => refuse('FRAME_INVALID', shown(error.message)));
  ws.on('close', (code: number, reason: Buffer) => {
    clock.clearTimeout(timer);
    settle();
    gone.abort();
    facts.stop();
    if (!client) return;
    clients.delete(client);
    const ended = outlet.closing ?? { code, reason: shown(reason.toString()) };
    context.report({
      type: 'client.disconnected',
      connId,
      ...ended,
      durationMs: Math.round(clock.now() - openedAt),
    });
  });
  ws.send(eventText('connect.challenge', JSON.stringify({ nonce, ts: Math.round(port.now()) })));
  return outlet;
}

/**
 * `ws` has one payload limit per server; before the handshake a much smaller one holds. Its receiver reads the limit
 * from this field at every frame. Should the field ever go, clients keep the small limit and a test says so.
 */
function raisePayloadLimit(ws: WebSocket, bytes: number): void {
  const receiver = (ws as WebSocket & { _receiver?: { _maxPayload?: number } })._receiver;
  if (receiver && typeof receiver._maxPayload === 'number') receiver._maxPayload = bytes;
}

function once(fn: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    fn();
  };
}
