/** The inside of a working session: the turn, and the desk beside it. */
import { session } from './session-moves.ts';
import { settlementOf, dismissalOf } from './session-outcome.ts';
import { runInput } from './session-state.ts';

/** The turn has no run to ask: it ends as aborted. */
const endsTurn = [
  { guard: 'asksFull', actions: 'refuseAsk' },
  { target: '#session.processing.turn.settling', actions: ['noteAsk', 'endAborted'] },
] as const;
const abortsTurn = [
  { guard: 'asksFull', actions: 'refuseAsk' },
  {
    guard: 'abortsTurn',
    target: '#session.processing.turn.settling',
    actions: ['note', 'abortNow', 'endAborted'],
  },
  { actions: ['note', 'abortNow'] },
] as const;

export const turn = session.createStateConfig({
  initial: 'requesting',
  states: {
    requesting: {
      on: {
        'ticket.granted': { target: 'running', actions: 'takeTicket' },
        'ticket.refused': { target: 'settling', actions: ['note', 'endRefused'] },
        'run.abort': abortsTurn,
        'session.reset': endsTurn,
        'session.delete': endsTurn,
        // Waiting in a busy lane is not being stuck; the lane shows it.
        'clock.tick': { actions: 'note' },
      },
    },
    running: {
      entry: 'begin',
      invoke: {
        id: 'run',
        src: 'run',
        input: ({ context }) => runInput(context),
        onDone: { target: 'settling', actions: 'takeOutput' },
        onError: [
          { guard: 'isEnding', target: 'settling', actions: ['noteCrash', 'endByForce'] },
          { guard: 'runMayRecover', target: 'backing', actions: 'noteCrash' },
          { target: 'settling', actions: ['noteCrash', 'endCrashed'] },
        ],
      },
      initial: 'working',
      states: {
        working: {
          on: {
            'run.abort': [
              { guard: 'asksFull', actions: 'refuseAsk' },
              { guard: 'abortsTurn', target: 'ending', actions: ['note', 'abortNow', 'askRunToEnd'] },
              { actions: ['note', 'abortNow'] },
            ],
            'session.reset': [
              { guard: 'asksFull', actions: 'refuseAsk' },
              { target: 'ending', actions: ['noteAsk', 'askRunToEnd'] },
            ],
            'session.delete': [
              { guard: 'asksFull', actions: 'refuseAsk' },
              { target: 'ending', actions: ['noteAsk', 'askRunToEnd'] },
            ],
            'ticket.revoked': { target: 'ending', actions: ['note', 'forgetTicket', 'askRunToEnd'] },
            'clock.tick': { guard: 'isOverdue', target: 'ending', actions: ['note', 'askRunToEnd'] },
          },
        },
        /** It was asked to end. If it does not, it is stopped, and whatever it says later is not heard. */
        ending: {
          after: { abortGrace: { target: '#session.processing.turn.settling', actions: 'endByForce' } },
          on: {
            'run.abort': [{ guard: 'asksFull', actions: 'refuseAsk' }, { actions: ['note', 'abortNow'] }],
          },
        },
      },
    },
    /** A crashed run begins again soon; it replays its journal. */
    backing: {
      after: { runBackoff: { target: 'running' } },
      on: {
        'run.abort': abortsTurn,
        'session.reset': endsTurn,
        'session.delete': endsTurn,
        'ticket.revoked': { target: 'settling', actions: ['note', 'forgetTicket', 'endAborted'] },
      },
    },
    settling: {
      initial: 'trying',
      states: {
        trying: {
          invoke: {
            id: 'settle',
            src: 'settle',
            input: ({ context }) => settlementOf(context),
            onDone: [
              { guard: 'isStopping', target: '#session.stopped', actions: 'closeTurn' },
              { target: '#session.next', actions: 'closeTurn' },
            ],
            onError: [
              { guard: 'isStopping', target: '#session.stopped', actions: 'reportSettleFailed' },
              {
                guard: 'storeMayRecover',
                target: 'resting',
                actions: ['reportSettleFailed', 'noteStoreFailure'],
              },
              { target: '#session.failed', actions: ['reportSettleFailed', 'blame'] },
            ],
          },
          initial: 'committing',
          states: {
            committing: { on: { 'supervisor.shutdown': { target: 'lastWords', actions: 'noteStopping' } } },
            lastWords: {
              after: { lastCommit: { target: '#session.stopped' } },
              on: { 'supervisor.shutdown': {} },
            },
          },
        },
        resting: { after: { storeBackoff: { target: 'trying' } } },
      },
    },
  },
});

/** Queued messages that were aborted are settled beside the turn, so that whoever asked need not wait for its end. */
export const desk = session.createStateConfig({
  initial: 'quiet',
  states: {
    quiet: { always: { guard: 'hasDismissed', target: 'committing' } },
    committing: {
      invoke: {
        id: 'dismiss',
        src: 'settle',
        input: ({ context }) => dismissalOf(context),
        onDone: { target: 'quiet', actions: 'closeDismissed' },
        onError: { target: 'resting', actions: 'reportSettleFailed' },
      },
    },
    resting: { after: { dismissBackoff: { target: 'quiet' } } },
  },
});
