import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { examples, sessionMachine } from '../../machines/session.ts';
import type { SessionInput } from '../../machines/session.ts';
import type { SessionContext } from '../../machines/session-state.ts';
import type { RunOutput, TurnMessage } from '../../machines/turn.ts';
import type { GenerateOptions } from '../contract.ts';
import { contextOf, scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

const LATE = 1_000_000_000;
const input: SessionInput = {
  sessionKey: 'k',
  path: 'sessions/k',
  incarnation: 1,
  agentId: 'main',
  lane: 'main',
  maxQueue: 1,
  idleMs: 60_000,
  turnTimeoutMs: 600_000,
  maxAsks: 1,
  atMs: 0,
};
const message = (n: number): TurnMessage => ({
  ...examples['message.queued'].message,
  messageId: `m${n}`,
  runId: `r${n}`,
  receivedAt: n * 1_000,
});
const [m1, m2] = [message(1), message(2)];
const said = { messages: [], text: 'done', usage: null, attempts: 1, toolCalls: 0 };
const ok: RunOutput = { ...said, status: 'ok', stopReason: 'stop' };
const undecided: RunOutput = {
  ...said,
  status: 'undecided',
  question: 'again?',
  toolCallId: 'c',
  toolName: 't',
};

const { 'run.abort': abort, 'session.reset': reset, 'session.delete': remove, ...plain } = examples;
const queued = { type: 'message.queued', message: m1, atMs: 1_000 };
const queuedToo = { type: 'message.queued', message: m2, atMs: 2_000 };
const abortToo = { ...abort, runId: 'r2' };

const ids = (messages: readonly TurnMessage[] | undefined): string[] =>
  (messages ?? []).map(({ messageId }) => messageId);
const dismissedIn = (context: SessionContext): string[] =>
  context.dismissed.map((one) => one.message.messageId);

/** Where each message is and what is wanted; exact times and what is long settled make no other state. */
function serialize(snapshot: AnyMachineSnapshot): string {
  const context = contextOf<SessionContext>(snapshot);
  const { turn, question, storeFailures, ticketId, stopping, deleted, unread } = context;
  const running = turn && [turn.decision, turn.crashes, turn.ending, turn.output?.status];
  return JSON.stringify([
    snapshot.value,
    [context.queue, turn?.messages, question?.messages].map(ids),
    dismissedIn(context).toSorted(),
    running,
    [context.asks.map((ask) => ask.kind), context.aborts.length],
    [storeFailures, ticketId !== null, stopping, deleted, unread],
    snapshot.value === 'idle' && context.recent.includes('m1'),
  ]);
}

const outputs = {
  load: [
    { sessionId: 's1', pending: [], more: false, atMs: 0 },
    { sessionId: 's1', pending: [m1], more: true, atMs: 0 },
  ],
  settle: (snapshot: AnyMachineSnapshot) => [
    { atMs: 1_500, messageIds: ids(contextOf<SessionContext>(snapshot).turn?.messages), askedAt: 1_500 },
  ],
  dismiss: (snapshot: AnyMachineSnapshot) => [
    { atMs: 1_500, messageIds: dismissedIn(contextOf<SessionContext>(snapshot)) },
  ],
  change: [{ atMs: 1_500, existed: true, dropped: [] }],
  run: [ok, undecided],
};
/** An actor that is gone may still be heard of. */
const lateErrors = ['load', 'settle', 'dismiss', 'change', 'ticket', 'run'].map((actorId) => ({
  type: `xstate.error.actor.${actorId}`,
  error: new Error('late'),
  actorId,
}));
/** A store that never fails. */
const works = { load: [], settle: [], dismiss: [] };

const session = (
  events: readonly AnyEventObject[],
  errors: GenerateOptions['errors'] = {},
  late: readonly AnyEventObject[] = [],
) => ({
  input,
  // A function: what is not listed is not tried.
  events: (snapshot: AnyMachineSnapshot) => [...events, ...(snapshot.value === 'idle' ? late : [])],
  outputs,
  errors,
  serialize,
  timers: 'first' as const,
  budget: { states: 1_500 },
});

export const machine: AnyStateMachine = sessionMachine;
export const scenarios: readonly Scenario[] = [
  scenario(
    sessionMachine,
    'two messages, every ask, and a store that works',
    session(
      [
        ...[queued, queuedToo, abort, abortToo, reset, remove],
        ...[plain['ticket.granted'], plain['supervisor.shutdown'], { type: 'clock.tick', atMs: LATE }],
      ],
      works,
    ),
  ),
  scenario(
    sessionMachine,
    'one message, and everything that can fail fails at any time',
    session([queued, abort, remove, plain['ticket.granted'], plain['supervisor.shutdown']]),
  ),
  scenario(
    sessionMachine,
    'one message, and everything that can be heard is heard at any time',
    session(
      [
        ...[...Object.values(plain), queued, abort],
        { ...plain['run.progress'], runId: 'r2', atMs: 2_000 },
        ...[200_000, LATE].map((atMs) => ({ type: 'clock.tick', atMs })),
      ],
      works,
      lateErrors,
    ),
  ),
  scenario(
    sessionMachine,
    'aborts of what waits beside a turn, and a store that fails',
    session([queued, queuedToo, abortToo, plain['ticket.granted'], plain['supervisor.shutdown']], {
      load: [],
      settle: [],
    }),
  ),
];
