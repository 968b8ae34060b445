/**
 * `node test/long/crash.ts [--rounds 20] [--seed N]`: kill -9 of the gateway process at random moments, 0 to 300 ms
 * after a message was accepted: while a model speaks, between tool calls, with a second message waiting. What was
 * accepted must be answered exactly once. Prints a row per round, and ends with 1 on any loss or duplicate.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Gateway, startGateway } from '../e2e/harness.ts';
import { exchangeFaults, historyOf, newKey, say, settled } from '../e2e/talk.ts';
import type { Wire } from '../e2e/wire.ts';
import { answerHelp } from '../../scripts/help.ts';

answerHelp(import.meta.filename);
const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' } } });
const rounds = Number(values.rounds ?? 20);
const seed = Number(values.seed ?? process.pid);

/** A launcher takes more than ten crashes within five minutes for a loop, and backs off ever longer before that. */
const ROUNDS_PER_LAUNCHER = 5;
const LONGEST_WAIT_MS = 300;

/** What is said in a round, and how many tool results it leaves. */
const KINDS: readonly { readonly name: string; readonly texts: readonly string[]; readonly tools: number }[] =
  [
    { name: 'words', texts: ['tell me something'], tools: 0 },
    { name: 'tools', texts: ['/steps 3'], tools: 3 },
    { name: 'queued', texts: ['first of two', 'second of two'], tools: 0 },
    { name: 'tools, queued', texts: ['/steps 3', 'after the tools'], tools: 3 },
    { name: 'many tools', texts: ['/steps 20'], tools: 20 },
  ];

/** Mulberry32: the same seed kills at the same moments. */
function makeRandom(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Row {
  readonly round: number;
  readonly kind: string;
  readonly killedAfterMs: number;
  /** What the clients had heard by then. */
  readonly phase: string;
  readonly backAfterMs: number;
  readonly faults: readonly string[];
}

async function oneRound(gateway: Gateway, round: number, waitMs: number): Promise<Row> {
  const { name, texts, tools } = KINDS[round % KINDS.length]!;
  const sessionKey = `round-${round}`;
  const pid = gateway.gatewayPid();
  const before = await gateway.wire();
  const said: { readonly text: string; readonly runId: string }[] = [];
  for (const text of texts)
    said.push({ text, runId: await say(before, sessionKey, text, newKey(sessionKey)) });
  await delay(waitMs);
  process.kill(pid, 'SIGKILL');
  const killedAtMs = performance.now();
  await before.closed;
  const wire = await gateway.wire();
  await gateway.ready(pid);
  const backAfterMs = performance.now() - killedAtMs;
  const faults = await faultsOf(wire, sessionKey, said, tools);
  wire.close();
  return { round, kind: name, killedAfterMs: waitMs, phase: phaseOf(before, said), backAfterMs, faults };
}

async function faultsOf(
  wire: Wire,
  sessionKey: string,
  said: readonly { readonly text: string; readonly runId: string }[],
  tools: number,
): Promise<string[]> {
  const faults: string[] = [];
  for (const { runId } of said) {
    const status = await settled(wire, runId);
    if (status !== 'ok') faults.push(`${runId}: it ended with ${status}`);
  }
  const messages = await historyOf(wire, sessionKey);
  faults.push(...said.flatMap(({ text, runId }) => exchangeFaults(messages, runId, text)));
  const results = messages.filter(({ role }) => role === 'tool').length;
  if (results !== tools) faults.push(`${sessionKey}: ${results} tool results instead of ${tools}`);
  const order = messages.filter(({ role }) => role === 'user').map(({ runId }) => runId);
  if (order.join() !== said.map(({ runId }) => runId).join()) faults.push(`${sessionKey}: out of order`);
  return faults;
}

function phaseOf(wire: Wire, said: readonly { readonly runId: string }[]): string {
  const ended = said.filter(
    ({ runId }) =>
      wire.events('chat', (event) => event.runId === runId && event.state === 'final').length > 0,
  ).length;
  if (ended > 0) return `${ended} of ${said.length} answered`;
  const tools = wire.events(
    'agent',
    ({ stream, data }) => stream === 'tool' && data.phase === 'result',
  ).length;
  if (tools > 0) return `after tool ${tools}`;
  const words = wire.events('agent', ({ stream }) => stream === 'assistant').length;
  if (words > 0) return `after word ${words}`;
  return wire.events('agent').length > 0 ? 'begun' : 'accepted';
}

const line = (...cells: readonly (string | number)[]): void =>
  void process.stdout.write(
    `${cells.map((cell, index) => String(cell).padEnd([7, 15, 11, 17, 10][index] ?? 0)).join('')}\n`,
  );

function show({ round, kind, killedAfterMs, phase, backAfterMs, faults }: Row): void {
  const verdict = faults.length === 0 ? 'exactly once' : faults.join('; ');
  line(round + 1, kind, Math.round(killedAfterMs), phase, Math.round(backAfterMs), verdict);
}

async function play(stateDir: string): Promise<Row[]> {
  const random = makeRandom(seed);
  const rows: Row[] = [];
  while (rows.length < rounds) {
    const gateway = await startGateway({ stateDir });
    try {
      const until = Math.min(rounds, rows.length + ROUNDS_PER_LAUNCHER);
      while (rows.length < until) {
        // Most turns are over after 50 ms: half of the kills come before that.
        const waitMs = random() ** 3 * LONGEST_WAIT_MS;
        const row = await oneRound(gateway, rows.length, waitMs);
        show(row);
        rows.push(row);
      }
      await gateway.stop();
    } finally {
      await gateway.cleanUp();
    }
  }
  return rows;
}

const stateDir = mkdtempSync(join(tmpdir(), 'coppice-long-crash-'));
process.stdout.write(`${rounds} rounds, seed ${seed}\n`);
line('round', 'kind', 'killed ms', 'it had', 'back ms', 'verdict');
try {
  const bad = (await play(stateDir)).filter(({ faults }) => faults.length > 0).length;
  process.stdout.write(`${rounds - bad} of ${rounds} rounds without loss or duplicate\n`);
  process.exitCode = bad === 0 ? 0 : 1;
} finally {
  rmSync(stateDir, { recursive: true, force: true });
}
