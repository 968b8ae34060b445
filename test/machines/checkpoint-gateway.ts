import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  createGateway,
  defineProvider,
  defineTool,
  loadConfig,
  type GatewayHandle,
  type ModelRequest,
} from '../../src/index.ts';
import type { CheckpointRow, InboxRow, SessionRow, ToolJournalRow } from '../../src/store/index.ts';

/** What a release left on disk when it died in the middle of something, as its store held it. */
export interface Left {
  /** The release that wrote it. */
  readonly release: string;
  readonly checkpoint: CheckpointRow;
  readonly session?: SessionRow;
  /** Of a run: the message it answers. */
  readonly message?: InboxRow;
  readonly journal?: readonly ToolJournalRow[];
}

export const TOKEN = 'a-token-of-the-test';

/**
 * Turns to be killed in the middle of. The words of the user name the tools to call, one a round; `silence` is where
 * the model says nothing more. `hangs`: what never ends while it is recorded.
 */
export const TURNS = {
  'run-open-call': { text: 'ledger', hangs: 'ledger' },
  'run-open-idempotent-call': { text: 'lookup', hangs: 'lookup' },
  'run-known-outcome': { text: 'ledger silence', hangs: 'silence' },
  'run-second-round': { text: 'lookup ledger lookup', hangs: 'ledger' },
} as const;
export type TurnName = keyof typeof TURNS;

const forever = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

/** A model that calls the tools its user names, one a round, then tells what they said. */
const scribe = (hangs: () => string) =>
  defineProvider({
    name: 'scribe',
    api: 'custom',
    models: () => [{ id: 'one', provider: 'scribe' }],
    async *stream({ messages }: ModelRequest, signal) {
      const asked = messages.findLastIndex(({ role }) => role === 'user');
      const text = messages[asked]!.content.map((part) => ('text' in part ? part.text : '')).join('');
      const results = messages
        .slice(asked)
        .flatMap(({ content }) =>
          content.flatMap((part) => (part.type === 'tool-result' ? [String(part.output)] : [])),
        );
      const next = text.split(' ')[results.length];
      if (next === 'silence' && hangs() === 'silence') await forever(signal);
      const calls = next === 'ledger' || next === 'lookup';
      if (calls)
        yield {
          type: 'tool-call',
          toolCallId: `call-${results.length + 1}`,
          toolName: next,
          input: { line: results.length + 1 },
        };
      else yield { type: 'text', delta: `they said: ${results.join(', ')}` };
      yield {
        type: 'finish',
        reason: calls ? 'tool-calls' : 'stop',
        usage: { input: 10, output: 5, total: 15 },
      };
    },
  });

/** A gateway over `stateDir` with that model and two tools, of which the ledger must not be written twice. */
export async function startScribe(options: {
  readonly stateDir: string;
  /** Read at every call: a tool of that name, or the model at `silence`, never answers. */
  readonly hangs?: () => string;
  readonly heartbeatEvery?: string;
}): Promise<{ readonly gateway: GatewayHandle; readonly called: readonly string[] }> {
  const { stateDir, hangs = () => '', heartbeatEvery = '0' } = options;
  const called: string[] = [];
  const tool = (name: string, idempotent: boolean) =>
    defineTool({
      name,
      description: name,
      input: z.object({ line: z.number() }),
      idempotent,
      async run({ line }, { signal }) {
        called.push(`${name} ${line}`);
        if (hangs() === name) await forever(signal);
        return `${name} line ${line}`;
      },
    });
  const path = join(stateDir, 'test-config.jsonc');
  const heartbeat = { every: heartbeatEvery };
  writeFileSync(
    path,
    JSON.stringify({
      models: { providers: { scribe: { api: 'loopback' } } },
      agents: { defaults: { heartbeat, model: { primary: 'scribe/one' } } },
    }),
  );
  const { config } = loadConfig({ path, env: {}, flags: { stateDir, port: 0, token: TOKEN } });
  const gateway = createGateway(config, {
    stateDir,
    log: false,
    providers: [scribe(hangs)],
    tools: [tool('ledger', false), tool('lookup', true)],
  });
  await gateway.start();
  return { gateway, called };
}

/** A folder that lasts as long as `use`. */
export async function inFolder<T>(use: (stateDir: string) => Promise<T>): Promise<T> {
  const stateDir = mkdtempSync(join(tmpdir(), 'coppice-checkpoints-'));
  try {
    return await use(stateDir);
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}
