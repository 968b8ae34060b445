/**
 * What one durable commit costs, as ratios within one run: our store at 1, 50 and 400 concurrent writers against the
 * plainest thing that is as durable, a loop of single INSERTs on one connection (WAL, synchronous FULL).
 *
 *   node bench/store.ts [--json] [--seconds=2]
 *
 * The same row everywhere: one accepted message (an inbox row and its run for us, one row of the same text for the
 * raw loop). Absolute numbers are those of this machine's disk; compare the ratios. The raw loop runs before and
 * after, and its mean is the unit.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { openStore, statements } from '../src/store/index.ts';
import type { InboxRow } from '../src/store/index.ts';
import { answerHelp } from '../scripts/help.ts';

interface Result {
  readonly name: string;
  readonly writers: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Fsyncs for each message. */
  readonly commitsPerMessage: number;
}

answerHelp(import.meta.filename);
const { values: flags } = parseArgs({
  options: { json: { type: 'boolean' }, seconds: { type: 'string', default: '2' } },
});
const runMs = Number(flags.seconds) * 1_000;
const dir = mkdtempSync(join(tmpdir(), 'coppice-bench-'));

let serial = 0;
function message(): InboxRow {
  const id = String((serial += 1));
  return {
    messageId: `console/default/${id}`,
    runId: `run-${id}`,
    sessionKey: `agent:main:${serial % 100}`,
    agentId: 'main',
    channel: 'console',
    account: 'default',
    platformId: id,
    source: 'user',
    text: 'x'.repeat(200),
    options: {},
    trace: { traceId: '0'.repeat(32), spanId: '0'.repeat(16) },
    receivedAt: 1_700_000_000_000 + serial,
  };
}

function summary(name: string, writers: number, tookMs: number, waits: number[], commits: number): Result {
  waits.sort((a, b) => a - b);
  const at = (share: number): number => waits[Math.floor((waits.length - 1) * share)] ?? 0;
  const perSecond = (waits.length / tookMs) * 1_000;
  return {
    name,
    writers,
    perSecond,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    commitsPerMessage: commits / waits.length,
  };
}

function measureRaw(name: string): Result {
  const db = new DatabaseSync(join(dir, `${name}.db`));
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (id TEXT PRIMARY KEY, row TEXT) STRICT',
  );
  const insert = db.prepare('INSERT INTO t VALUES (?, ?)');
  const waits: number[] = [];
  const begin = performance.now();
  while (performance.now() - begin < runMs) {
    const row = message();
    const started = performance.now();
    insert.run(row.messageId, JSON.stringify(row));
    waits.push(performance.now() - started);
  }
  const result = summary('raw single inserts', 1, performance.now() - begin, waits, waits.length);
  db.close();
  return result;
}

async function measureStore(writers: number): Promise<Result> {
  const store = await openStore({ dir: join(dir, `w${writers}`), owner: 'bench' });
  const waits: number[] = [];
  const begin = performance.now();
  const write = async (): Promise<void> => {
    while (performance.now() - begin < runMs) {
      const started = performance.now();
      await store.commit(statements.acceptMessage(message()));
      waits.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
  const result = summary('coppice store', writers, performance.now() - begin, waits, store.stats().commits);
  await store.close();
  return result;
}

try {
  const before = measureRaw('before');
  const ours = [await measureStore(1), await measureStore(50), await measureStore(400)];
  const after = measureRaw('after');
  const unit = (before.perSecond + after.perSecond) / 2;
  const rows = [before, ...ours, after].map((row) => ({ ...row, ratio: row.perSecond / unit }));
  if (flags.json) console.log(JSON.stringify({ node: process.version, runMs, rows }, null, 2));
  else console.table(rows.map(shown));
} finally {
  rmSync(dir, { recursive: true, force: true });
}

function shown(row: Result & { ratio: number }): Record<string, string | number> {
  return {
    what: row.name,
    writers: row.writers,
    'messages/s': Math.round(row.perSecond),
    ratio: Number(row.ratio.toFixed(2)),
    'p50 ms': Number(row.p50Ms.toFixed(2)),
    'p99 ms': Number(row.p99Ms.toFixed(2)),
    'fsyncs/message': Number(row.commitsPerMessage.toFixed(3)),
  };
}
