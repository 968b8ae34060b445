/** Accepts messages from twenty writers at once and says on stdout which were acknowledged, until it is killed. */
import { openStore, statements } from '../../src/store/index.ts';

const [dir, round] = process.argv.slice(2) as [string, string];
const store = await openStore({ dir, owner: `child-${process.pid}` });

async function write(writer: number): Promise<void> {
  for (let n = 0; ; n += 1) {
    const id = `${round}-${writer}-${n}`;
    const row = {
      messageId: id,
      runId: `run-${id}`,
      sessionKey: `session-${writer}`,
      agentId: 'main',
      channel: 'console',
      account: 'default',
      platformId: id,
      source: 'user',
      text: 'x'.repeat(1 + (n % 700)),
      options: { n },
      trace: { traceId: '0'.repeat(32), spanId: '0'.repeat(16) },
      receivedAt: 1_700_000_000_000 + n,
    } as const;
    const [inbox] = await store.commit([
      ...statements.acceptMessage(row),
      ...statements.settleRun(row.runId, { status: 'ok', at: row.receivedAt, result: { n } }),
    ]);
    // Waits for a reader that is held up: a full pipe refuses a plain write.
    if (inbox?.changes === 1) await new Promise((said) => process.stdout.write(`${id}\n`, said));
  }
}

await Promise.all(Array.from({ length: 20 }, (_, writer) => write(writer)));
