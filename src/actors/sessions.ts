import { CoppiceError } from '../errors.ts';
import type { Details, ErrorCode } from '../errors.ts';
import { LIMITS } from '../machines/limits.ts';
import type { SessionAnswer, SessionEvent, SessionInput } from '../machines/session.ts';
import type { TurnMessage } from '../machines/turn.ts';
import type { ChildSpec, StartContext } from '../supervisor/index.ts';
import type { Deps } from './deps.ts';
import type { SessionsDoor as Intake } from './ingress.ts';
import { EPHEMERAL, PATHS, sessionPath } from './paths.ts';
import { sessionLogic } from './session.ts';
import type { SessionOptions } from './session.ts';

/** What holds for all sessions. */
export interface SessionsOptions extends Omit<SessionOptions, 'answer'> {
  /** The lane a session's turns run in. Default `main`. */
  readonly laneOf?: (sessionKey: string) => string;
  /** Whose session it is, when the store does not know it yet. */
  agentOf(sessionKey: string): string;
  readonly idleMs: number;
  /** The longest turn of an agent, asked at each start of a session of its. */
  turnTimeoutMs(agentId: string): number;
  /** Default LIMITS.queuePerSession. */
  readonly maxQueue?: number;
  /** How long abort, reset and delete wait for their answer. Default LIMITS.sessionAnswerMs. */
  readonly answerMs?: number;
}

/**
 * How everybody else reaches sessions: by key, alive or not. Every promise settles: with the session's answer, or
 * rejected with UNAVAILABLE when the session dies before it answers or the deadline comes, OVERLOADED when too many wait.
 */
export interface SessionsDoor extends Intake {
  child(sessionKey: string, agentId: string): ChildSpec;
  /** Without `runId`: what runs and everything that waits in that session. */
  abort(sessionKey: string, runId?: string): Promise<{ aborted: boolean; runIds: string[] }>;
  /** Ends an active run first. Resolves with the new session id, on disk. */
  reset(sessionKey: string): Promise<{ sessionId: string }>;
  delete(sessionKey: string): Promise<{ deleted: boolean }>;
  readonly waiting: number;
}

type SessionsDeps = Pick<
  Deps,
  'clock' | 'ids' | 'registry' | 'store' | 'attachments' | 'signal' | 'startChild'
>;
type Result = SessionAnswer['result'];
type Waiting = (result: Result) => void;

/** The way to sessions, which are started when somebody asks for them. */
export function sessionsDoor(deps: SessionsDeps, options: SessionsOptions): SessionsDoor {
  const { clock, ids, registry, store } = deps;
  const waiting = new Map<string, Waiting>();
  const logic = sessionLogic(deps, {
    ...options,
    answer: ({ requestId, result }) => waiting.get(requestId)?.(result),
  });
  const { answerMs = LIMITS.sessionAnswerMs } = options;

  const child = (sessionKey: string, agentId: string): ChildSpec => ({
    id: sessionKey,
    logic,
    restart: 'transient',
    shutdown: 5_000,
    input: ({ path, incarnation }: StartContext): SessionInput => ({
      sessionKey,
      path,
      incarnation,
      agentId,
      lane: options.laneOf?.(sessionKey) ?? 'main',
      // Asked at every start: the limits are those in force then.
      maxQueue: options.maxQueue ?? LIMITS.queuePerSession,
      // Nothing of it is wanted again: it goes with the next tick.
      idleMs: sessionKey.startsWith(EPHEMERAL) ? 0 : options.idleMs,
      turnTimeoutMs: options.turnTimeoutMs(agentId),
      atMs: clock.now(),
    }),
  });
  const tell = (sessionKey: string, event: SessionEvent): unknown =>
    registry.tell(sessionPath(sessionKey), event);
  const isLive = (sessionKey: string): boolean => registry.incarnation(sessionPath(sessionKey)) !== undefined;
  /** Starts it if need be. A session that is about to be restarted is left to that; one that is held down is named. */
  const rouse = (sessionKey: string, agentId: string): void => {
    if (isLive(sessionKey) || deps.startChild(PATHS.sessions, child(sessionKey, agentId)) === 'started')
      return;
    const path = sessionPath(sessionKey);
    if (registry.node(path)?.status === 'parked')
      throw new CoppiceError('SESSION_QUARANTINED', { sessionKey, path });
  };
  const agentOf = (sessionKey: string): string =>
    store.read.session(sessionKey)?.agentId ?? options.agentOf(sessionKey);

  /** One request: told to the session as soon as it lives, answered by it, or given up. */
  const request = (sessionKey: string, event: (requestId: string) => SessionEvent): Promise<Result> =>
    new Promise((resolve, reject) => {
      const requestId = ids.id();
      const path = sessionPath(sessionKey);
      let told: number | undefined;
      let unwatch = (): void => undefined;
      const settle = (result: Result): void => {
        if (!waiting.delete(requestId)) return;
        unwatch();
        clock.clearTimeout(timer);
        resolve(result);
      };
      const giveUp = (code: ErrorCode, details: Details, cause?: unknown): void =>
        settle({ kind: 'failed', code, details, cause });
      const unavailable = (reason: string): void =>
        giveUp('UNAVAILABLE', { what: `the session ${sessionKey}`, reason });
      const timer = clock.setTimeout(() => unavailable(`no answer within ${answerMs} ms`), answerMs);
      waiting.set(requestId, settle);
      if (waiting.size > LIMITS.sessionAnswersWaiting)
        return giveUp('OVERLOADED', {
          where: 'the list of session requests',
          limit: LIMITS.sessionAnswersWaiting,
        });
      try {
        rouse(sessionKey, agentOf(sessionKey));
        unwatch = registry.watch(path, {
          up: (incarnation) => {
            if (told !== undefined || !waiting.has(requestId)) return;
            told = incarnation;
            registry.tell(path, event(requestId));
          },
          down: (incarnation, reason) => {
            if (told === incarnation) unavailable(`it ended before it answered: ${reason}`);
          },
        });
        // Answered while we were still taking up the watch.
        if (!waiting.has(requestId)) unwatch();
      } catch (error) {
        waiting.delete(requestId);
        clock.clearTimeout(timer);
        reject(error);
      }
    });
  const ask = async <K extends Result['kind']>(
    sessionKey: string,
    kind: K,
    event: (requestId: string) => SessionEvent,
  ): Promise<Extract<Result, { kind: K }>> => {
    const result = await request(sessionKey, event);
    if (result.kind === 'failed')
      throw new CoppiceError(result.code, result.details, { cause: result.cause });
    if (result.kind !== kind)
      throw new CoppiceError('UNAVAILABLE', {
        what: `the session ${sessionKey}`,
        reason: `it answered ${result.kind}`,
      });
    return result as Extract<Result, { kind: K }>;
  };

  return {
    child,
    deliver(sessionKey: string, agentId: string, message: TurnMessage) {
      rouse(sessionKey, agentId);
      // Not up yet: it finds the message in the inbox when it starts.
      if (isLive(sessionKey)) tell(sessionKey, { type: 'message.queued', message, atMs: clock.now() });
    },
    wake(sessionKey, agentId) {
      if (!isLive(sessionKey)) return rouse(sessionKey, agentId);
      tell(sessionKey, { type: 'inbox.changed', atMs: clock.now() });
    },
    async abort(sessionKey, runId) {
      const nothing = !isLive(sessionKey) && store.read.pendingMessages(sessionKey, 1).length === 0;
      if (nothing) return { aborted: false, runIds: [] };
      const { aborted, runIds } = await ask(sessionKey, 'aborted', (requestId) => ({
        type: 'run.abort',
        requestId,
        atMs: clock.now(),
        ...(runId === undefined ? {} : { runId }),
      }));
      return { aborted, runIds: [...runIds] };
    },
    async reset(sessionKey) {
      const sessionId = ids.id();
      const reset = await ask(sessionKey, 'reset', (requestId) => ({
        type: 'session.reset',
        requestId,
        sessionId,
        atMs: clock.now(),
      }));
      return { sessionId: reset.sessionId };
    },
    async delete(sessionKey) {
      const { deleted } = await ask(sessionKey, 'deleted', (requestId) => ({
        type: 'session.delete',
        requestId,
        atMs: clock.now(),
      }));
      return { deleted };
    },
    get waiting() {
      return waiting.size;
    },
  };
}
