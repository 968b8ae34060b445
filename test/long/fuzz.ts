/**
 * `node test/long/fuzz.ts [--frames 100000] [--seed N] [--keys 10000]`: frames of every method, changed at random, and
 * raw bytes, over real sockets against a real gateway. It must not crash, must answer every request or close with a
 * code of the protocol, must serve an honest client all the while, and must not grow. Afterwards `keys` sessions are
 * spoken to once each. Prints its progress, and ends with 1 on any violation. The same seed sends the same frames.
 */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { sample } from 'fast-check';
import { WebSocket } from 'ws';
import { type Gateway, startGateway } from '../e2e/harness.ts';
import { heapProbe } from '../e2e/heap.ts';
import { floodWithKeys } from '../e2e/key-flood.ts';
import { exchangeFaults, historyOf, newKey, settled } from '../e2e/talk.ts';
import type { Wire } from '../e2e/wire.ts';
import { CANNOT_BE_SENT, frameOf, METHODS_WITHOUT_A_SAMPLE, type Shot } from './fuzz-frames.ts';
import { answerHelp } from '../../scripts/help.ts';

answerHelp(import.meta.filename);
const { values } = parseArgs({
  options: { frames: { type: 'string' }, seed: { type: 'string' }, keys: { type: 'string' } },
});
const frames = Number(values.frames ?? 100_000);
const keys = Number(values.keys ?? 10_000);
const seed = Number(values.seed ?? process.pid);

const LANES = 4;
const BATCH = 10;
/** What the gateway may close with. 1011 is its own fault, and 1006 is no close at all. */
const CODES = new Set([1000, 1002, 1003, 1007, 1008, 1009, 1013]);
const ANSWER_MS = 60_000;
/** Bytes that are half a frame wait for the other half: nobody closes, so we do. */
const BROKEN_MS = 50;
/** Of the second half of the run: growth of the fitted line, as a part of the mean. */
const GROWTH = 0.12;

const violations: string[] = [];
const violate = (what: string): void => {
  violations.push(what);
  process.stdout.write(`VIOLATION ${what}\n`);
};
const tally = { sent: 0, answered: 0, refused: 0, closed: new Map<number, number>() };

interface Line {
  readonly ws: WebSocket;
  /** How many answers came for each id. */
  readonly answers: Map<string, number>;
  closed: number | undefined;
  /** Of a frame that was cut off on purpose: nobody can answer that. */
  broken: boolean;
}

async function open({ url, token }: Gateway): Promise<Line> {
  const ws = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`);
  const line: Line = { ws, answers: new Map(), closed: undefined, broken: false };
  ws.on('error', () => {});
  ws.on('close', (code) => (line.closed = code));
  ws.on('message', (data) => {
    const frame = JSON.parse(String(data)) as { type: string; id?: string; ok?: boolean };
    if (frame.type !== 'res' || frame.id === undefined) return;
    line.answers.set(frame.id, (line.answers.get(frame.id) ?? 0) + 1);
    if (frame.ok === false) tally.refused += 1;
  });
  await once(ws, 'message');
  const client = { id: 'fuzz', version: '1', platform: 'linux', mode: 'cli' };
  const params = { minProtocol: 3, maxProtocol: 4, client, auth: { token } };
  ws.send(JSON.stringify({ type: 'req', id: 'hello', method: 'connect', params }));
  if (!(await until(() => line.answers.has('hello') || line.closed !== undefined)))
    throw new Error('no answer to connect');
  return line;
}

async function until(look: () => boolean, limitMs = ANSWER_MS): Promise<boolean> {
  const deadlineMs = performance.now() + limitMs;
  while (!look()) {
    if (performance.now() > deadlineMs) return false;
    await delay(1);
  }
  return true;
}

/** Every frame of the batch gets an answer of its own, or the connection is closed with a code that says why. */
async function fire(line: Line, shots: readonly Shot[], mark: string): Promise<void> {
  const waiting: { readonly id: string; readonly shot: Shot }[] = [];
  let unnamed = line.answers.get('invalid') ?? 0;
  for (const shot of shots) {
    tally.sent += 1;
    shot.send(line.ws);
    line.broken ||= shot.broken;
    if (shot.answerId === 'invalid') unnamed += 1;
    else if (shot.answerId !== undefined) waiting.push({ id: shot.answerId, shot });
  }
  if (!line.broken) {
    line.ws.send(JSON.stringify({ type: 'req', id: mark, method: 'models.list', params: {} }));
    waiting.push({ id: mark, shot: shots[0]! });
  }
  // Two requests may have got the same id; then both are answered.
  const due = (id: string): number => waiting.filter((one) => one.id === id).length;
  const missing = () => waiting.filter(({ id }) => (line.answers.get(id) ?? 0) < due(id));
  const done = await until(
    () =>
      line.closed !== undefined ||
      (!line.broken && missing().length === 0 && (line.answers.get('invalid') ?? 0) >= unnamed),
    line.broken ? BROKEN_MS : ANSWER_MS,
  );
  tally.answered += waiting.length - missing().length;
  if (line.broken) line.ws.terminate();
  if (done || line.broken) return;
  for (const { shot } of missing().slice(0, 3))
    violate(`no answer within ${ANSWER_MS} ms to ${shot.text.slice(0, 300)}`);
  if (missing().length === 0)
    violate(
      `a frame without an id got no answer; the last of its batch: ${shots.at(-1)!.text.slice(0, 300)}`,
    );
}

async function lane(gateway: Gateway, number: number, count: number): Promise<void> {
  let line = await open(gateway);
  for (let at = 0; at < count && violations.length < 20; at += BATCH) {
    const size = Math.min(BATCH, count - at);
    const shots = sample(frameOf(`${number}-${at}`), {
      seed: seed + number * 1_000_003 + at,
      numRuns: size,
    });
    await fire(line, shots, `mark-${number}-${at}`);
    // A frame that was cut off, or a close frame: the end is part of it.
    if (line.closed === undefined && line.ws.readyState !== WebSocket.OPEN)
      await until(() => line.closed !== undefined);
    if (line.closed === undefined && line.answers.size < 2_000) continue;
    if (line.closed !== undefined) note(line.closed, line.broken, shots);
    line.ws.terminate();
    line = await open(gateway);
  }
  line.ws.terminate();
}

function note(code: number, broken: boolean, shots: readonly Shot[]): void {
  tally.closed.set(code, (tally.closed.get(code) ?? 0) + 1);
  if (CODES.has(code) || broken) return;
  violate(`closed with ${code} after ${shots.map(({ text }) => text.slice(0, 60)).join(' | ')}`);
}

interface Honest {
  turns: number;
  slowestMs: number;
}

/** One turn after the other, and a look at the probes, until told to stop. */
async function beHonest(gateway: Gateway, wire: Wire, until: { done: boolean }): Promise<Honest> {
  const honest: Honest = { turns: 0, slowestMs: 0 };
  while (!until.done) {
    const begunMs = performance.now();
    const fault = await honestTurn(gateway, wire).catch((error: unknown) => String(error));
    if (fault !== undefined) violate(`an honest client was not served: ${fault}`);
    honest.turns += 1;
    honest.slowestMs = Math.max(honest.slowestMs, performance.now() - begunMs);
    (wire.frames as unknown[]).length = 0;
    if (fault !== undefined) return honest;
    await delay(200);
  }
  return honest;
}

async function honestTurn(gateway: Gateway, wire: Wire): Promise<string | undefined> {
  const sessionKey = newKey('honest-session');
  const idempotencyKey = newKey('honest');
  const message = `say something about ${idempotencyKey}`;
  const answer = await wire.request('chat.send', { sessionKey, message, idempotencyKey });
  if (!answer.ok) return answer.error?.message;
  const status = await settled(wire, idempotencyKey);
  const faults = exchangeFaults(await historyOf(wire, sessionKey), idempotencyKey, message);
  const { status: live } = await gateway.fetch('/livez');
  await wire.request('sessions.delete', { key: sessionKey });
  return status === 'ok' && live === 200 && faults.length === 0
    ? undefined
    : `${status}, ${live}, ${faults.join()}`;
}

/** Growth of the least-squares line over the samples, as a part of their mean. */
function growth(samples: readonly number[]): number {
  const n = samples.length;
  const mean = samples.reduce((sum, value) => sum + value, 0) / n;
  const middle = (n - 1) / 2;
  const over = samples.reduce((sum, value, x) => sum + (x - middle) * (value - mean), 0);
  const under = samples.reduce((sum, _value, x) => sum + (x - middle) ** 2, 0);
  return under === 0 ? 0 : ((over / under) * (n - 1)) / mean;
}

const percent = (part: number): string => `${Math.round(part * 100)} %`;

/** Codes from 3000 on are those the fuzzer itself closed with. */
const closes = (): string => {
  const theirs = [...tally.closed].filter(([code]) => code < 3_000).toSorted(([a], [b]) => a - b);
  return theirs.map(([code, times]) => `${code}: ${times}`).join(', ') || 'never';
};

async function main(): Promise<void> {
  const probe = heapProbe();
  const gateway = await startGateway({ launcher: false, env: probe.env });
  try {
    const pid = gateway.gatewayPid();
    const wire = await gateway.wire();
    const stop = { done: false };
    const honest = beHonest(gateway, wire, stop);
    const heap = [await probe.used()];
    const startedMs = performance.now();
    const rounds = 20;
    for (let round = 0; round < rounds && violations.length < 20; round += 1) {
      const share = Math.ceil(frames / rounds / LANES);
      await Promise.all(
        Array.from({ length: LANES }, (_, number) =>
          lane(gateway, round * LANES + number, Math.min(share, Math.max(0, frames - tally.sent))),
        ),
      );
      if (gateway.gatewayPid() !== pid) violate(`the process is another one: ${pid} has ended`);
      heap.push(await probe.used());
      process.stdout.write(
        `${tally.sent} frames in ${Math.round((performance.now() - startedMs) / 1_000)} s, ${tally.answered} answers by id, ${tally.refused} refusals, closed ${closes()}; heap ${percent(heap.at(-1)! / heap[0]!)} of the first\n`,
      );
    }
    stop.done = true;
    const { turns, slowestMs } = await honest;
    const late = growth(heap.slice(Math.floor(heap.length / 2)));
    // A short run is still warming up.
    if (frames >= 20_000 && late > GROWTH)
      violate(`the heap grows: by ${percent(late)} over the second half`);
    const extra = keys > 0 ? await manyKeys(gateway, probe.used) : '';
    process.stdout.write(
      `${tally.sent} frames, seed ${seed}: the same process ${pid}, ${turns} honest turns (the slowest took ${percent(slowestMs / 1_000)} of a second), heap ${late >= 0 ? '+' : ''}${percent(late)} over the second half${extra}, ${violations.length === 0 ? 'no violation' : `${violations.length} VIOLATIONS`}\n`,
    );
    await gateway.stop();
  } catch (error) {
    violate(`${String(error)}\n${gateway.tail()}`);
  } finally {
    await gateway.cleanUp();
  }
  process.exitCode = violations.length === 0 ? 0 : 1;
}

async function manyKeys(gateway: Gateway, used: () => Promise<number>): Promise<string> {
  const wire = await gateway.wire();
  const before = await used();
  for (const fault of (await floodWithKeys(wire, keys)).slice(0, 5)) violate(fault);
  wire.close();
  const part = (await used()) / before;
  if (part > 1.2) violate(`after ${keys} session keys the heap is ${percent(part)} of what it was`);
  return `, ${keys} session keys (heap ${percent(part)} of before)`;
}

for (const method of METHODS_WITHOUT_A_SAMPLE) violate(`${method} has no sample in fuzz-frames.ts`);
for (const method of CANNOT_BE_SENT) violate(`${method} of fuzz-frames.ts is no method of this gateway`);
process.stdout.write(`${frames} frames, ${keys} session keys, seed ${seed}\n`);
await main();
