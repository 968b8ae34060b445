import { randomUUID } from 'node:crypto';
import { CoppiceError } from '../../errors.ts';
import { type Client, connect } from '../client.ts';
import { packageVersion } from '../version.ts';

/** One client in a session of its own. */
export interface Talker {
  /** One whole turn: sent, on disk, answered, settled. */
  turn(): Promise<void>;
  close(): void;
}

const TURN_MS = 60_000;

/** The message of every turn, and of every echo. */
export const MESSAGE = 'How much does one turn cost on this machine?';

export async function openTalker(url: string, token: string | undefined, name: string): Promise<Talker> {
  const client = await connect({ url, token, version: packageVersion() });
  const ends = endsOf(client);
  return {
    async turn() {
      const runId = randomUUID();
      const end = ends.of(runId);
      await client.request(
        'chat.send',
        { sessionKey: name, message: MESSAGE, idempotencyKey: runId },
        TURN_MS,
      );
      await end;
    },
    close: () => client.close(),
  };
}

/** The ends of turns, by run. */
function endsOf(client: Client): { of(runId: string): Promise<void> } {
  const waiting = new Map<string, PromiseWithResolvers<void>>();
  const settle = (runId: string, error?: unknown): void => {
    const end = waiting.get(runId);
    if (!waiting.delete(runId)) return;
    if (error === undefined) end?.resolve();
    else end?.reject(error);
  };
  client.onEvent((event, payload) => {
    if (event !== 'chat') return;
    const { runId, state, errorMessage } = payload as { runId: string; state: string; errorMessage?: string };
    if (state === 'final') settle(runId);
    else if (state !== 'delta')
      settle(
        runId,
        new CoppiceError('TURN_FAILED', { sessionKey: 'bench', status: state, reason: errorMessage }),
      );
  });
  const lose = ({ reason }: { readonly reason: string }): void => {
    const gone = new CoppiceError('GATEWAY_UNREACHABLE', { url: 'the measured gateway', reason });
    for (const runId of waiting.keys()) settle(runId, gone);
  };
  void client.closed.then(lose);
  return {
    of(runId) {
      const end = Promise.withResolvers<void>();
      waiting.set(runId, end);
      const timer = setTimeout(
        () => settle(runId, new CoppiceError('REQUEST_TIMED_OUT', { method: 'one turn', waitMs: TURN_MS })),
        TURN_MS,
      );
      return end.promise.finally(() => clearTimeout(timer));
    },
  };
}
