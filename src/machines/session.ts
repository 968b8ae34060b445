import { complete } from './effect-missing.ts';
import { endingOf } from './ending.ts';
import { LIMITS } from './limits.ts';
import type { Change, SessionEffects, SessionEvent } from './session-contract.ts';
import { session } from './session-moves.ts';
import { dismissalOf } from './session-outcome.ts';
import { initialSession, timeoutOf } from './session-state.ts';
import type { SessionContext } from './session-state.ts';
import { desk, turn } from './session-turn.ts';
import type { TurnMessage } from './turn.ts';

export type {
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
  TicketNews,
  TurnOutcome,
} from './session-contract.ts';
export type { SessionFact } from './session-says.ts';

const changeOf = ({ asks: [ask], input: { sessionKey, agentId } }: SessionContext): Change =>
  ask?.kind === 'reset'
    ? { kind: 'reset', sessionKey, agentId, sessionId: ask.sessionId }
    : { kind: 'delete', sessionKey };

const ancestryOf = (message: TurnMessage | undefined): readonly string[] => {
  const given = message?.options['ancestry'];
  return Array.isArray(given) ? given.filter((ticketId) => typeof ticketId === 'string') : [];
};

/** Refused when too many wait already; else kept until the session can attend to it. */
const later = [{ guard: 'asksFull', actions: 'refuseAsk' }, { actions: 'noteAsk' }] as const;
/** At a point where the session can attend to it at once. */
const now = { target: '#session.next', actions: 'noteAsk' } as const;
/**
 * One conversation. It takes its messages one at a time, in order, each under a ticket of its lane; the run is its
 * child, and what the run ends with is committed in one transaction before anybody is told. Its state is what it is
 * doing: there is no flag beside it. What waits is in the inbox too, so that a session may die at any point.
 */
export const sessionMachine = session.createMachine({
  id: 'session',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input }) => initialSession(input),
  output: endingOf,
  initial: 'loading',
  // What no state inside takes, for want of an entry or of a guard that passes.
  on: {
    'message.queued': [
      { guard: 'isKnown' },
      { guard: 'mustDefer', actions: 'defer' },
      { actions: 'enqueue' },
    ],
    'run.abort': later,
    'session.reset': later,
    'session.delete': later,
    'clock.tick': { actions: 'note' },
    'inbox.changed': { actions: 'noteUnread' },
    'supervisor.shutdown': { target: '.stopped' },
    // Words of a run or ticket that is no more.
    'run.progress': {},
    'lane.granted': {},
    'lane.refused': {},
    'lane.revoked': {},
    'ticket.granted': {},
    'ticket.refused': {},
    'ticket.revoked': {},
    // A child that fails while it is being stopped. Without these the session would fail with it.
    'xstate.error.actor.load': { actions: 'reportLate' },
    'xstate.error.actor.settle': { actions: 'reportLate' },
    'xstate.error.actor.dismiss': { actions: 'reportLate' },
    'xstate.error.actor.change': { actions: 'reportLate' },
    'xstate.error.actor.ticket': { actions: 'reportLate' },
    'xstate.error.actor.run': { actions: 'reportLate' },
  },
  states: {
    loading: {
      entry: 'readAfresh',
      initial: 'reading',
      states: {
        reading: {
          invoke: {
            id: 'load',
            src: 'load',
            input: ({ context: { input } }) => ({
              sessionKey: input.sessionKey,
              agentId: input.agentId,
              maxQueue: input.maxQueue,
            }),
            onDone: { target: '#session.next', actions: 'takeLoaded' },
            onError: [
              { guard: 'storeMayRecover', target: 'resting', actions: 'noteStoreFailure' },
              { target: '#session.failed', actions: 'blame' },
            ],
          },
        },
        resting: { after: { storeBackoff: { target: 'reading' } } },
      },
    },
    /** Nothing runs: what comes first? */
    next: {
      always: [
        { guard: 'hasDismissed', target: 'dismissing' },
        { guard: 'isGone', target: 'deleted' },
        { guard: 'isDeleted', target: 'loading' },
        { guard: 'abortIsNext', target: 'next', reenter: true, actions: 'abortNext' },
        { guard: 'changeIsNext', target: 'changing' },
        { guard: 'isAnswered', target: 'processing', actions: 'takeAnswer' },
        { guard: 'hasQuestion', target: 'waiting' },
        { guard: 'hasWork', target: 'processing', actions: 'takeNext' },
        { guard: 'isUnread', target: 'loading' },
        { target: 'idle' },
      ],
    },
    idle: {
      entry: 'showIdle',
      on: {
        'message.queued': [{ guard: 'isKnown' }, { target: 'next', actions: 'enqueue' }],
        'inbox.changed': { target: 'loading', actions: 'note' },
        'run.abort': now,
        'session.reset': now,
        'session.delete': now,
        'clock.tick': { guard: 'idleLongEnough', target: 'passivated', actions: 'reportPassivated' },
      },
    },
    processing: {
      type: 'parallel',
      invoke: {
        id: 'ticket',
        src: 'ticket',
        input: ({ context }) => ({
          lane: context.input.lane,
          holder: context.input.path,
          sessionKey: context.input.sessionKey,
          ancestry: ancestryOf(context.turn?.messages[0]),
          holdMs: 2 * timeoutOf(context),
        }),
        onError: {
          guard: 'awaitsTicket',
          target: '#session.processing.turn.settling',
          actions: 'endUnavailable',
        },
      },
      on: {
        'lane.granted': { actions: 'handOn' },
        'lane.refused': { actions: 'handOn' },
        'lane.revoked': { actions: 'handOn' },
        'run.progress': [{ guard: 'isOurRun', actions: 'noteProgress' }, {}],
        'clock.tick': { guard: 'isStuck', actions: ['note', 'reportStuck'] },
      },
      states: { turn, desk },
    },
    /** A tool call has an unknown outcome: the user says what to do. The ticket is given back meanwhile. */
    waiting: {
      entry: 'showWaiting',
      on: {
        'message.queued': [
          { guard: 'isKnown' },
          { guard: 'bringsAnswer', target: 'next', actions: 'enqueue' },
        ],
        'run.abort': now,
        'session.reset': now,
        'session.delete': now,
        'clock.tick': { guard: 'idleLongEnough', target: 'passivated', actions: 'reportPassivated' },
      },
    },
    dismissing: {
      initial: 'committing',
      states: {
        committing: {
          invoke: {
            id: 'dismiss',
            src: 'settle',
            input: ({ context }) => dismissalOf(context),
            onDone: { target: '#session.next', actions: 'closeDismissed' },
            onError: [
              {
                guard: 'storeMayRecover',
                target: 'resting',
                actions: ['reportSettleFailed', 'noteStoreFailure'],
              },
              { target: '#session.failed', actions: ['reportSettleFailed', 'blame'] },
            ],
          },
        },
        resting: { after: { storeBackoff: { target: 'committing' } } },
      },
    },
    /** Reset or delete. After a failure nobody knows what the store holds, so it is read again. */
    changing: {
      invoke: {
        id: 'change',
        src: 'change',
        input: ({ context }) => changeOf(context),
        onDone: { target: 'next', actions: 'takeChanged' },
        onError: { target: 'loading', actions: 'failChange' },
      },
    },
    passivated: { type: 'final', output: { exit: 'normal' } },
    deleted: { type: 'final', output: { exit: 'normal' } },
    stopped: { type: 'final', output: { exit: 'shutdown' } },
    failed: {
      type: 'final',
      output: ({ context }: { context: SessionContext }) => ({ exit: 'error', error: context.error }),
    },
  },
});

/** The machine with its effects: what a host starts, once for all sessions. */
export function withEffects(effects: SessionEffects) {
  const { answer, signal, ...actors } = effects;
  return complete(sessionMachine, effects).provide({
    actors,
    actions: { answer: (_, params) => answer(params), signal: (_, params) => signal(params) },
  });
}

const message: TurnMessage = {
  messageId: 'webchat/default/m1',
  runId: 'r1',
  text: 'hello',
  source: 'user',
  channel: 'webchat',
  options: {},
  trace: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' },
  receivedAt: 1_000,
};
/** One plain event of every type. */
export const examples = {
  'message.queued': { type: 'message.queued', message, atMs: 1_000 },
  'inbox.changed': { type: 'inbox.changed', atMs: 1_000 },
  'run.abort': { type: 'run.abort', requestId: 'q1', atMs: 2_000 },
  'session.reset': { type: 'session.reset', requestId: 'q2', sessionId: 's2', atMs: 2_000 },
  'session.delete': { type: 'session.delete', requestId: 'q3', atMs: 2_000 },
  'run.progress': { type: 'run.progress', runId: 'r1', atMs: 2_000 },
  'lane.granted': { type: 'lane.granted', ticketId: 't1' },
  'lane.refused': { type: 'lane.refused', ticketId: 't1', reason: 'full', limit: 10 },
  'lane.revoked': { type: 'lane.revoked', ticketId: 't1', reason: 'expired' },
  'ticket.granted': { type: 'ticket.granted', ticketId: 't1', atMs: 1_500 },
  'ticket.refused': { type: 'ticket.refused', ticketId: 't1', reason: 'full', limit: 10, atMs: 1_500 },
  'ticket.revoked': { type: 'ticket.revoked', ticketId: 't1', reason: 'expired', atMs: 3_000 },
  'clock.tick': { type: 'clock.tick', atMs: 5_000 },
  'supervisor.shutdown': { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
} satisfies Record<SessionEvent['type'], SessionEvent>;
