import { CoppiceError, normalizeError } from '../errors.ts';
import { callbackEffect, promiseEffect } from '../host/index.ts';
import type { JournalCommitted, JournalWrite } from '../machines/inbox-write.ts';
import { withEffects } from '../machines/ingress.ts';
import type { IngressEvent, Route, TakenUp } from '../machines/ingress.ts';
import { LIMITS } from '../machines/limits.ts';
import { turnMessage } from '../machines/offered.ts';
import type { OfferedMessage } from '../machines/offered.ts';
import type { TurnMessage } from '../machines/turn.ts';
import type { StoredInboxRow } from '../store/contract.ts';
import type { ChildSpec } from '../supervisor/index.ts';
import type { Deps } from './deps.ts';
import type { Door } from './door.ts';
import { PATHS } from './paths.ts';
import { breathe } from './breathe.ts';

/** How the ingress reaches sessions. Both start the session when it does not live, and throw CoppiceError when it cannot be had. */
export interface SessionsDoor {
  /** A session that is just starting finds the message in the inbox too; it must take it once, by `messageId`. */
  deliver(sessionKey: string, agentId: string, message: TurnMessage): void;
  /** It takes up what the inbox holds for it. */
  wake(sessionKey: string, agentId: string): void;
}

type IngressDeps = Pick<Deps, 'clock' | 'registry' | 'store' | 'report'>;
type Place = { readonly path: string };

/** The ingress. `sessions` must be startable before it: it hands over old work while it starts. */
export function ingressChild(
  deps: IngressDeps,
  door: Pick<Door, 'answer' | 'refuse'>,
  sessions: SessionsDoor,
): ChildSpec {
  const logic = withEffects({
    takeUp: promiseEffect<TakenUp, Place>(({ input, signal }) => takeUp(deps, sessions, input.path, signal)),
    journal: callbackEffect<JournalWrite, Place>(({ onEvent, send }) => {
      onEvent((write) => {
        const { requestId } = write;
        void commit(deps, write).then(send, (error: unknown) =>
          send({ type: 'journal.failed', requestId, error: normalizeError(error) }),
        );
      });
    }),
    answer: (answer) => door.answer(answer),
    refuse: (refusal) => door.refuse(refusal),
    route: (message) => route(deps, sessions, message),
    announce: () => {
      // At the first start there is no gate yet; it asks when it comes.
      if (deps.registry.incarnation(PATHS.gate) !== undefined)
        deps.registry.tell(PATHS.gate, { type: 'ingress.ready' });
    },
  });
  return { id: 'ingress', logic, input: ({ path }) => ({ path }) };
}

/** Rejects as `Store.commit` does. */
async function commit({ store }: IngressDeps, write: JournalWrite): Promise<JournalCommitted> {
  const { requestId, message, receivedAt } = write;
  const results = await store.commit(store.statements.acceptMessage({ ...message, receivedAt }));
  const accepted = { type: 'journal.committed', requestId, kind: 'accepted', runId: message.runId } as const;
  if ((results[0]?.changes ?? 0) > 0) return accepted;
  const row = store.read.message(message.messageId);
  if (row && isOwn(row, write)) return accepted;
  const first =
    row?.status === 'pending' ? { first: { message: offered(row), receivedAt: row.receivedAt } } : {};
  return { ...accepted, kind: 'known', runId: row?.runId ?? message.runId, ...first };
}

/** The attempt before, whose fate was unknown, did write it. */
function isOwn(row: StoredInboxRow, { attempt, message, receivedAt }: JournalWrite): boolean {
  return attempt > 1 && row.runId === message.runId && row.receivedAt === receivedAt;
}

function offered({
  status: _status,
  position: _position,
  receivedAt: _receivedAt,
  ...message
}: StoredInboxRow): OfferedMessage {
  return message;
}

function route(
  { registry, report }: IngressDeps,
  sessions: SessionsDoor,
  { message, receivedAt }: Route,
): void {
  const { sessionKey, agentId } = message;
  try {
    sessions.deliver(sessionKey, agentId, turnMessage(message, receivedAt));
  } catch (error) {
    // It is on disk; the next sweep hands it over.
    report({
      type: 'actor.fault',
      error: normalizeError(error),
      source: `handing a message to session ${sessionKey}`,
    });
    const event: IngressEvent = { type: 'route.failed', sessionKey };
    registry.tell(PATHS.ingress, event);
  }
}

/** Wakes every session with pending rows, a slice at a time, so that thousands of them do not hold up the loop. */
async function takeUp(
  deps: IngressDeps,
  sessions: SessionsDoor,
  path: string,
  signal: AbortSignal,
): Promise<TakenUp> {
  const rows = deps.store.read.pendingSessions();
  const found = { sessions: 0, messages: 0, failed: 0 };
  for (const [index, { sessionKey, agentId, count }] of rows.entries()) {
    if (index > 0 && index % LIMITS.scheduleSlice === 0) await breathe(deps.clock);
    if (signal.aborted) break;
    try {
      sessions.wake(sessionKey, agentId);
      found.sessions += 1;
      found.messages += count;
    } catch (error) {
      // One session that is held down must not keep the others waiting.
      const source = { path, incarnation: deps.registry.incarnation(path) ?? 0 };
      deps.report(
        { type: 'actor.fault', error: normalizeError(error), source: `waking session ${sessionKey}` },
        source,
      );
      if (error instanceof CoppiceError && error.retryable) found.failed += 1;
    }
  }
  return found;
}
