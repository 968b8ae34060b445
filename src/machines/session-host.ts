/**
 * Everything a session needs from its world, for hosts that have a table of records and a way to answer: a page, an
 * edge worker, somebody's server. The gateway has effects of its own, over a database.
 */
import { fromCallback, fromPromise } from 'xstate';
import type { AnyActorLogic, EventObject } from 'xstate';
import { CoppiceError } from '../errors.ts';
import { LIMITS } from './limits.ts';
import type {
  Change,
  Changed,
  LaneAnswer,
  Loaded,
  LoadInput,
  SessionAnswer,
  SessionEffects,
  SessionEvent,
  SessionInput,
  SessionSignal,
  Settled,
  Settlement,
  TicketInput,
} from './session-contract.ts';
import { accepted, changed, loadedFrom, newRecord, settled } from './session-records.ts';
import type { Commit, SessionRecord } from './session-records.ts';
import { replying } from './session-reply.ts';
import type { ReplyInput } from './session-reply.ts';
import { withEffects } from './session.ts';
import type { RunInput, TurnMessage } from './turn.ts';

/** A `Map` is one. So is a folder of files, a page's storage, a key-value service; `set` resolves when it is safe. */
export interface SessionRecords {
  get(sessionKey: string): SessionRecord | undefined | Promise<SessionRecord | undefined>;
  set(sessionKey: string, record: SessionRecord): unknown;
  delete(sessionKey: string): unknown;
}

/** What a host of sessions is made of. */
export interface SessionHostOptions {
  readonly records: SessionRecords;
  /** Epoch milliseconds. */
  now(): number;
  /** The model, or whatever answers, in pieces. What it throws ends the run; the session tries again, three times in all. */
  reply(asked: ReplyInput): AsyncIterable<string>;
  /** What can be shown of a run: its start, its text as it grows, its end. */
  signal?(signal: SessionSignal): void;
  /** The end of an abort, a reset, a delete. */
  answer?(answer: SessionAnswer): void;
  /** With it, turns wait for tickets of the lane at the path that is the session's `lane`. Without, none waits. */
  readonly registry?: Lanes;
  /** `nested` of a supervision makes each run a node of its tree, below its session. */
  readonly nested?: <L extends AnyActorLogic>(logic: L, where: (run: RunInput) => RunInput) => L;
}
interface Lanes {
  tell<E extends EventObject>(path: string, event: E): unknown;
  watch(path: string, watcher: { up?(incarnation: number): void }): () => void;
}

/** A message on its way in. The same `id` is taken once. */
export interface NewMessage extends Partial<Pick<TurnMessage, 'source' | 'channel' | 'options' | 'trace'>> {
  readonly id: string;
  readonly text: string;
}

/** What a supervisor starts a session from. */
export interface SessionChild {
  readonly id: string;
  readonly logic: AnyActorLogic;
  /** A session that ends by itself was idle, or deleted. */
  readonly restart: 'transient';
  readonly input: (start: { readonly path: string; readonly incarnation: number }) => SessionInput;
}

/** What a session is told after its message was written down. */
export type SessionNews = Extract<SessionEvent, { type: 'message.queued' | 'inbox.changed' }>;

/** The effects of sessions over records of your own. */
export interface SessionHost {
  /** For `withEffects`. One set serves all sessions. */
  readonly effects: SessionEffects;
  /**
   * Writes a message down, so that it outlives its session, and resolves with what the session is to be told. One that
   * is down finds the message at its next start. A message of the same id that has its outcome is not taken again.
   *
   * @throws CoppiceError OVERLOADED when too many wait already
   */
  accept(sessionKey: string, said: NewMessage): Promise<SessionNews>;
  /** The session as a child of any supervisor. */
  child(sessionKey: string, input?: Partial<SessionInput>): SessionChild;
}

/** The effects of sessions for a host without a gateway: records, a clock and something that answers are enough. */
export function sessionHost(options: SessionHostOptions): SessionHost {
  const { records, now, reply, signal = ignore, answer = ignore, nested = (run) => run } = options;
  const commit = oneByOne(records);
  const effects: SessionEffects = {
    // Behind whatever an earlier life is still writing.
    load: fromPromise<Loaded, LoadInput>(({ input: { sessionKey, maxQueue } }) =>
      commit(sessionKey, (record) => ({
        record,
        told: loadedFrom(record ?? newRecord(sessionKey, now()), maxQueue, now()),
      })),
    ),
    settle: fromPromise<Settled, Settlement>(({ input }) =>
      commit(input.sessionKey, (record) =>
        settled(record ?? newRecord(input.sessionKey, now()), input, now()),
      ),
    ),
    change: fromPromise<Changed, Change>(({ input }) =>
      commit(input.sessionKey, (record) => changed(record, input, now())),
    ),
    ticket: ticketOf(options),
    run: nested(replying({ records, reply, signal }), (run) => run),
    answer,
    signal,
  };
  const logic = withEffects(effects);
  return {
    effects,
    child: (sessionKey, input) => ({
      id: sessionKey,
      logic,
      restart: 'transient',
      input: ({ path, incarnation }) => ({ sessionKey, atMs: now(), ...input, path, incarnation }),
    }),
    accept: (sessionKey, said) =>
      commit(sessionKey, (before) => {
        const atMs = now();
        const { record, told } = accepted(before ?? newRecord(sessionKey, atMs), messageOf(said, atMs));
        if (record.pending.length > LIMITS.queuePerSession) throw full(sessionKey);
        return {
          record,
          told: told ? { type: 'message.queued', message: told, atMs } : { type: 'inbox.changed', atMs },
        };
      }),
  };
}

const full = (sessionKey: string): CoppiceError =>
  new CoppiceError('OVERLOADED', { where: `the session ${sessionKey}`, limit: LIMITS.queuePerSession });
const ignore = (): void => {};

const messageOf = ({ id, text, ...said }: NewMessage, receivedAt: number): TurnMessage => ({
  source: 'user',
  channel: 'host',
  options: {},
  trace: { traceId: '', spanId: '' },
  ...said,
  messageId: id,
  runId: id,
  text,
  receivedAt,
});

/** Commits to one record one after the other: each reads what the one before wrote. */
function oneByOne(records: SessionRecords) {
  const last = new Map<string, Promise<unknown>>();
  return <T>(key: string, edit: (record: SessionRecord | undefined) => Commit<T>): Promise<T> => {
    const work = async (): Promise<T> => {
      const before = await records.get(key);
      const { record, told } = edit(before);
      if (record !== before) await (record ? records.set(key, record) : records.delete(key));
      return told;
    };
    const done = (last.get(key) ?? Promise.resolve()).then(work, work);
    const forget = (): void => {
      if (last.get(key) === done) last.delete(key);
    };
    last.set(key, done);
    void done.then(forget, forget);
    return done;
  };
}

/** Held for as long as this effect lives, given back on every exit, asked for again (or reported) when the lane starts anew. */
function ticketOf({ now, registry }: SessionHostOptions): SessionEffects['ticket'] {
  let count = 0;
  return fromCallback<LaneAnswer, TicketInput>(({ input: { lane, ...asker }, sendBack, receive }) => {
    count += 1;
    const ticketId = `${asker.holder}~${count}`;
    if (!registry) return sendBack({ type: 'ticket.granted', ticketId, atMs: now() });
    let held = false;
    receive((event) => {
      if (event.ticketId !== ticketId || (held && event.type === 'lane.granted')) return;
      held = event.type === 'lane.granted';
      sendBack({ ...event, type: event.type.replace('lane', 'ticket'), atMs: now() });
    });
    const ask = (): unknown =>
      registry.tell(lane, { type: 'lane.request', ...asker, ticketId, held, atMs: now() });
    const unwatch = registry.watch(lane, { up: () => void ask() });
    return () => {
      unwatch();
      registry.tell(lane, { type: 'lane.release', ticketId, atMs: now() });
    };
  });
}
