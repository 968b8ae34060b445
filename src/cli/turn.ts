import { setTimeout as delay } from 'node:timers/promises';
import { type Client, retryAfterMs } from './client.ts';
import type { Link } from './link.ts';

/** One message, and who it is. `runId` is its idempotency key: sending it again gives the same turn. */
export interface Saying {
  readonly sessionKey: string;
  readonly message: string;
  readonly runId: string;
}

export interface TurnOutcome {
  readonly runId: string;
  readonly sessionKey: string;
  readonly status: 'ok' | 'error' | 'aborted';
  /** All of it; of a turn that failed, what was heard of it. */
  readonly text: string;
  readonly usage?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** What is heard while a turn runs. May be heard in part only, or twice, when the connection is lost in between. */
export interface TurnEar {
  /** It is on disk: from now on it will be answered. Called again after every loss of the connection. */
  accepted?(): void;
  /** All text so far. After a crash it begins anew. */
  text(soFar: string): void;
  tool(call: ToolNews): void;
}

export interface ToolNews {
  readonly phase: 'start' | 'result';
  readonly name: string;
  readonly args?: unknown;
  readonly result?: unknown;
  readonly isError?: boolean;
}

/** One look at the run; between two of them a lost connection is noticed. */
const LOOK_MS = 20_000;
/** Beyond what the gateway itself waits. */
const GRACE_MS = 10_000;
const RETRY_MS = 200;
/** How long refusals that time can cure are waited out. */
const PATIENCE_MS = 60_000;

/**
 * Says one message and waits for its answer, across restarts of the gateway: the message is offered again under the
 * same key until its record says how it ended, and the answer is read from that record. Rejects with what time does
 * not cure.
 */
export async function runTurn(link: Link, saying: Saying, ear: TurnEar): Promise<TurnOutcome> {
  const heard: Heard = { text: '' };
  const remove = link.onEvent((event, payload) => {
    if ((payload as RunEvent | null)?.runId === saying.runId) hear(event, payload as RunEvent, heard, ear);
  });
  let troubledMs: number | undefined;
  const onAccepted = (): void => {
    troubledMs = undefined;
    ear.accepted?.();
  };
  try {
    for (;;) {
      const client = await link.client();
      try {
        return await follow(client, saying, onAccepted, heard);
      } catch (error) {
        const waitMs = retryAfterMs(error);
        troubledMs ??= performance.now();
        const patient = performance.now() - troubledMs < PATIENCE_MS;
        if (waitMs === undefined || link.closed || !patient) throw error;
        await delay(Math.max(RETRY_MS, waitMs));
      }
    }
  } finally {
    remove();
  }
}

/** What the stream said of the run so far. */
interface Heard {
  text: string;
  /** The words of its end: the same that are on record. */
  final?: Pick<TurnOutcome, 'text' | 'usage'>;
}

/** The parts of `agent` and `chat` events that matter here. */
interface RunEvent {
  readonly runId: string;
  readonly stream?: string;
  readonly data?: { readonly text?: unknown };
  readonly state?: string;
  readonly message?: { readonly content: readonly { readonly text?: string }[] };
  readonly usage?: unknown;
}

function hear(event: string, payload: RunEvent, heard: Heard, ear: TurnEar): void {
  const { stream, data, state, message, usage } = payload;
  if (event === 'agent' && stream === 'assistant' && typeof data?.text === 'string')
    ear.text((heard.text = data.text));
  if (event === 'agent' && stream === 'tool') ear.tool(data as unknown as ToolNews);
  if (event !== 'chat' || state !== 'final') return;
  const text = (message?.content ?? []).map((part) => part.text ?? '').join('');
  heard.final = { text, ...(usage === undefined ? {} : { usage }) };
}

interface Record {
  readonly status: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Over one connection. */
async function follow(
  client: Client,
  saying: Saying,
  accepted: () => void,
  heard: Heard,
): Promise<TurnOutcome> {
  const { runId, sessionKey } = saying;
  await offer(client, saying);
  accepted();
  for (;;) {
    const waited = await client.request('agent.wait', { runId, timeoutMs: LOOK_MS }, LOOK_MS + GRACE_MS);
    const { status } = waited as Record;
    if (status === 'ok')
      return { runId, sessionKey, status, ...(heard.final ?? (await answerOf(client, saying))) };
    if (status === 'error') return failed(saying, heard.text, await offer(client, saying));
  }
}

/** The first offer starts the turn; every later one answers from its record. */
async function offer(client: Client, { sessionKey, message, runId }: Saying): Promise<Record> {
  return (await client.request(
    'chat.send',
    { sessionKey, message, idempotencyKey: runId },
    LOOK_MS + GRACE_MS,
  )) as Record;
}

/** From the record: a restart took the end from the stream. */
async function answerOf(
  client: Client,
  { sessionKey, message, runId }: Saying,
): Promise<Pick<TurnOutcome, 'text' | 'usage'>> {
  const params = { sessionKey, message, idempotencyKey: runId };
  const { result } = (await client.request('agent', params, LOOK_MS)) as {
    result?: { text?: unknown; usage?: unknown };
  };
  const text = typeof result?.text === 'string' ? result.text : '';
  return { text, ...(result?.usage === undefined ? {} : { usage: result.usage }) };
}

function failed({ runId, sessionKey }: Saying, text: string, { error }: Record): TurnOutcome {
  const reason = error ?? { code: 'UNKNOWN', message: 'the gateway gives no reason' };
  return {
    runId,
    sessionKey,
    status: reason.code === 'ABORTED' ? 'aborted' : 'error',
    text,
    error: reason,
  };
}

/** Asks the gateway to end the turn. Its end comes by `runTurn`. */
export async function abortTurn(link: Link, { sessionKey, runId }: Saying): Promise<void> {
  const client = await link.client();
  await client.request('chat.abort', { sessionKey, runId });
}
