/**
 * The floor of a durable turn: `ws` and the store, and no actor, no machine, no bus, no log. The frames of a turn are
 * those of the gateway, in number, order and shape, corked the same; the two commits carry the same statements. What
 * a gateway costs beyond this is what it costs to be one.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type WebSocket, WebSocketServer } from 'ws';
import { bePart } from '../../src/cli/bench/part.ts';
import { type Io, processIo } from '../../src/cli/io.ts';
import { planLoopback } from '../../src/models/loopback-plan.ts';
import { type OpenStore, openStore, type Statement, statements } from '../../src/store/index.ts';
import { createCork } from '../../src/server/outlet.ts';

interface Ask {
  readonly id: string;
  readonly method: string;
  readonly params: { readonly sessionKey: string; readonly message: string; readonly idempotencyKey: string };
}

type Send = (frame: object, what?: 'answer' | 'event') => void;

export async function runSkeleton(io: Io = processIo()): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'coppice-bench-'));
  const store = await openStore({ dir, owner: 'bench' });
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (ws, { socket }) => serve(store, ws, socket));
  await once(server, 'listening');
  await bePart(io, `ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  for (const ws of server.clients) ws.terminate();
  server.close();
  await store.close();
  rmSync(dir, { recursive: true, force: true });
}

/** Sessions that have talked: the model greets only once. */
const known = new Map<string, string>();

function serve(store: OpenStore, ws: WebSocket, socket: Socket): void {
  const cork = createCork(socket);
  let seq = 0;
  const send: Send = (frame, what = 'answer') => {
    cork(what);
    ws.send(JSON.stringify(frame));
  };
  const event = (name: string, payload: object): void =>
    send({ type: 'event', event: name, payload, seq: (seq += 1) }, 'event');
  ws.on('message', (data) => {
    const ask = JSON.parse(String(data)) as Ask;
    if (ask.method === 'connect') return send({ type: 'res', id: ask.id, ok: true, payload: {} });
    turn(store, ask, send, event).catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      ws.terminate();
    });
  });
  send({ type: 'event', event: 'connect.challenge', payload: { nonce: randomUUID(), ts: Date.now() } });
}

async function turn(
  store: OpenStore,
  { id, params: { sessionKey, message: text, idempotencyKey: runId } }: Ask,
  send: Send,
  event: (name: string, payload: object) => void,
): Promise<void> {
  const receivedAt = Date.now();
  const messageId = `websocket/default/${runId}`;
  const trace = { traceId: '0'.repeat(32), spanId: '0'.repeat(16) };
  const where = { channel: 'websocket', account: 'default', platformId: runId, source: 'user' } as const;
  const message = { messageId, runId, sessionKey, agentId: 'main', ...where, text, options: {}, trace };
  await store.commit(statements.acceptMessage({ ...message, receivedAt }));
  send({ type: 'res', id, ok: true, payload: { runId, status: 'started' } });
  const agent = (seq: number, stream: string, data: object): void =>
    event('agent', { runId, seq, ts: Date.now(), stream, sessionKey, data });
  const chat = (seq: number, state: string, words: string, more: object = {}): void => {
    const content = [{ type: 'text', text: words }];
    const said = { role: 'assistant', content, timestamp: Date.now() };
    event('chat', { runId, sessionKey, seq, state, message: said, ...more });
  };
  const answer = answerTo(sessionKey, text);
  const [first = ''] = answer.split(/(?<=\s)/);
  agent(1, 'lifecycle', { phase: 'start', startedAt: receivedAt });
  agent(2, 'assistant', { text: first, delta: first });
  agent(3, 'assistant', { text: answer, delta: answer.slice(first.length) });
  chat(3, 'delta', answer);
  const sessionId = (known.get(sessionKey) ?? known.set(sessionKey, randomUUID()).get(sessionKey))!;
  const usage = { input: 69, output: 15, total: 84 };
  const at = Date.now();
  await store.commit(
    settle({ sessionKey, sessionId, runId, messageId, text, answer, usage, receivedAt, at }),
  );
  agent(4, 'lifecycle', { phase: 'end', startedAt: receivedAt, endedAt: at });
  chat(4, 'final', answer, { usage, stopReason: 'stop' });
}

/** The words of the built-in model, without its stream: what a model costs is not what a gateway costs. */
function answerTo(sessionKey: string, text: string): string {
  const say = (role: 'user' | 'assistant', words: string) =>
    ({ role, content: [{ type: 'text', text: words }] }) as const;
  const messages = [...(known.has(sessionKey) ? [say('assistant', '')] : []), say('user', text)];
  const plan = planLoopback({ model: 'loopback', messages, tools: [], idleMs: 0, firstByteMs: 0 });
  return plan.kind === 'say' ? plan.text : '';
}

interface Settled {
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly runId: string;
  readonly messageId: string;
  readonly text: string;
  readonly answer: string;
  readonly usage: object;
  readonly receivedAt: number;
  readonly at: number;
}

function settle(turn: Settled): Statement[] {
  const { sessionKey, sessionId, runId, messageId, text, answer, usage, receivedAt, at } = turn;
  const row = { sessionKey, sessionId, runId };
  const said = (words: string) => [{ type: 'text', text: words }] as const;
  return [
    ...statements.touchSession({ sessionKey, sessionId, agentId: 'main', at }),
    ...statements.appendTranscript([
      { ...row, ordinal: 0, role: 'user', content: said(text), at: receivedAt },
      { ...row, ordinal: 1_000, role: 'assistant', content: said(answer), at },
    ]),
    ...statements.settleRun(runId, {
      status: 'ok',
      at,
      result: { text: answer, attempts: 1, toolCalls: 0, usage, stopReason: 'stop' },
    }),
    ...statements.settleMessage(messageId, 'done', at),
    ...statements.dropCheckpoint('run', runId),
  ];
}
