/**
 * An Express server in which every user has a session of their own, under one supervisor.
 *   POST /chat/:user  { "text": "..." }   the answer
 *   POST /kill/:user                      crashes that user's session: it comes back, nobody else notices
 *   GET  /tree                            who is alive
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { sessionHost, type ReplyInput, type session, type SessionRecords } from 'coppice/machines';
import { type ChildSpec, clockOf, createSupervision, encodeSegment, type Scope } from 'coppice/supervisor';
import express from 'express';
import { fromPromise } from 'xstate';

// What the host brings: its logger, its store (a file for each user), its model, its Express application.
const log = (event: string, more?: object) => console.log(JSON.stringify({ event, ...more }));
const { CHATS: folder = 'chats', PORT: port = '3000' } = process.env;
mkdirSync(folder, { recursive: true });
const fileOf = (user: string) => `${folder}/${encodeURIComponent(user)}.json`;
const records: SessionRecords = {
  get: async (user) =>
    existsSync(fileOf(user)) ? JSON.parse(await readFile(fileOf(user), 'utf8')) : undefined,
  async set(user, record) {
    await writeFile(`${fileOf(user)}.new`, JSON.stringify(record), { flush: true });
    await rename(`${fileOf(user)}.new`, fileOf(user));
  },
  delete: (user) => rm(fileOf(user), { force: true }),
};
async function* reply({ text, transcript }: ReplyInput) {
  yield `You said: ${text}`;
  yield wait(50, ` (after ${transcript.length} lines)`);
}
const web = express().use(express.json());

// The tree. It starts downwards and stops upwards: first the server, which waits for the answers it owes.
const clock = clockOf(globalThis);
const { supervisor, start, startChild, registry, kill, nested } = createSupervision({
  clock,
  random: Math.random,
  report: ({ body, childPath, childIncarnation }) => log(body.type, { childPath, childIncarnation }),
});
const server = fromPromise<never, Scope>(({ input: scope }) => {
  const { promise, reject } = Promise.withResolvers<never>();
  const listening = (error?: Error) => (error ? reject(error) : log('listening', ours.address() as object));
  const ours = Object.assign(web.listen(Number(port), '127.0.0.1', listening), { keepAliveTimeout: 500 });
  scope.add(() => new Promise((closed) => void ours.close(() => closed(log('closed')))));
  return promise;
});
const rules = { strategy: 'one_for_one', intensity: 3, periodMs: 60_000 } as const;
const sessions = supervisor({ ...rules, dynamic: true, onExhausted: 'park' });
const children: ChildSpec[] = [
  { id: 'sessions', type: 'supervisor', logic: sessions },
  { id: 'server', logic: server, input: ({ scope }) => scope },
];
const app = start('app', { ...rules, children }, { ended: (error) => log('stopped', { error }) });
process.once('SIGINT', () => app.send({ type: 'supervisor.shutdown', reason: 'SIGINT', deadlineMs: 9_000 }));

// The sessions, made of what the host brought.
const open = new Map<string, (said: { status: string }) => void>();
const signal = (said: session.SessionSignal) => said.kind === 'ended' && open.get(said.runId)?.(said);
const host = sessionHost({ records, now: clock.now, reply, nested, signal });
const pathOf = (user: string) => `app/sessions/${encodeSegment(user)}`;
web.post('/chat/:user', async ({ params: { user }, body }, response) => {
  const id = randomUUID();
  open.set(id, (said) => void response.status(said.status === 'ok' ? 200 : 502).json(said));
  response.once('close', () => open.delete(id));
  const news = await host.accept(user, { id, text: String(body.text) });
  startChild('app/sessions', host.child(user));
  if (registry.tell(pathOf(user), news) === 'noproc' && open.delete(id))
    response.status(202).json({ kept: id });
});
web.post('/kill/:user', ({ params: { user } }, response) => {
  response.json(kill(pathOf(user), { by: 'a request' }));
});
web.get('/tree', (_, response) => void response.json(registry.tree()));
const tick = ({ path }: { path: string }) => registry.tell(path, { type: 'clock.tick', atMs: clock.now() });
setInterval(() => registry.node('app/sessions')?.children.forEach(tick), 5_000).unref(); // idle ones leave memory
