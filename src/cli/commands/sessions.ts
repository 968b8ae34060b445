import { CoppiceError } from '../../errors.ts';
import type { Client } from '../client.ts';
import { EXIT } from '../exit-codes.ts';
import { withGateway } from '../gateway-session.ts';
import { type Io, writeJson, writeLines } from '../io.ts';
import type { CommonOptions } from '../options.ts';
import { type HistoryView, renderHistory, renderSessions, type SessionView } from '../render/sessions.ts';
import { paintFor } from '../render/style.ts';

export interface ListOptions extends CommonOptions {
  readonly search?: string;
}

/** `coppice sessions ls`. */
export function list(io: Io, options: ListOptions): Promise<number> {
  return withGateway(io, options, async (client) => {
    const params = options.search === undefined ? {} : { search: options.search };
    const { ts, sessions } = (await client.request('sessions.list', params)) as {
      ts: number;
      sessions: SessionView[];
    };
    if (options.json) writeJson(io.stdout, { sessions });
    else writeLines(io.stdout, renderSessions(sessions, ts, paintFor(io.stdout, io.env)));
    return EXIT.ok;
  });
}

/** `coppice sessions show KEY`: its transcript, and what waits. */
export function show(io: Io, key: string, options: CommonOptions): Promise<number> {
  return withGateway(io, options, async (client) => {
    const history = await historyOf(client, key);
    if (options.json) writeJson(io.stdout, history);
    else writeLines(io.stdout, renderHistory(history, paintFor(io.stdout, io.env)));
    return EXIT.ok;
  });
}

/** Rejects with SESSION_NOT_FOUND: the gateway answers for any key, because any key may become a session. */
async function historyOf(client: Client, sessionKey: string): Promise<HistoryView> {
  const history = (await client.request('chat.history', { sessionKey, limit: 1_000 })) as HistoryView;
  if (history.sessionId === null && history.messages.length === 0)
    throw new CoppiceError('SESSION_NOT_FOUND', { sessionKey });
  return history;
}

/** `coppice sessions abort KEY`. */
export function abortSession(io: Io, sessionKey: string, options: CommonOptions): Promise<number> {
  return withGateway(io, options, async (client) => {
    const { aborted, runIds } = (await client.request('chat.abort', { sessionKey }, OPERATION_MS)) as {
      aborted: boolean;
      runIds: string[];
    };
    const what = aborted ? `ended ${runIds.length} in ${sessionKey}` : `nothing runs in ${sessionKey}`;
    return tell(io, options, { sessionKey, aborted, runIds }, what);
  });
}

/** `coppice sessions reset KEY`. */
export function resetSession(io: Io, sessionKey: string, options: CommonOptions): Promise<number> {
  return withGateway(io, options, async (client) => {
    await historyOf(client, sessionKey);
    const params = { key: sessionKey, reason: 'reset' };
    const { sessionId } = (await client.request('sessions.reset', params, OPERATION_MS)) as {
      sessionId: string;
    };
    return tell(io, options, { sessionKey, sessionId }, `${sessionKey} begins anew`);
  });
}

/** `coppice sessions delete KEY`. */
export function deleteSession(io: Io, sessionKey: string, options: CommonOptions): Promise<number> {
  return withGateway(io, options, async (client) => {
    await historyOf(client, sessionKey);
    const { deleted } = (await client.request('sessions.delete', { key: sessionKey }, OPERATION_MS)) as {
      deleted: boolean;
    };
    return tell(io, options, { sessionKey, deleted }, `${sessionKey} is deleted`);
  });
}

/** A running turn is ended first. */
const OPERATION_MS = 30_000;

function tell(io: Io, { json }: CommonOptions, document: object, line: string): number {
  if (json) writeJson(io.stdout, document);
  else writeLines(io.stdout, [line]);
  return EXIT.ok;
}
