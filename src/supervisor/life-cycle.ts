/**
 * The life of one child as its supervisor runs it, as a machine to look at, to walk and to test against: `decide` runs
 * it, this says it. One child, no siblings, so strategies play no part. A start is one synchronous turn of the
 * supervisor: while it lasts, nothing but its outcome arrives, and every request waits until it is over.
 */
import { assign, emit, setup } from 'xstate';
import type { Restart } from './child-spec.ts';
import type { ExitReason, Refusal } from './state.ts';

/** The part of a child spec and its supervisor that decides its life. */
export interface LifeCycleInput {
  readonly restart: Restart;
  readonly significant: boolean;
  readonly onExhausted: 'escalate' | 'park';
  /** More restarts than this within the supervisor's period exhaust it. */
  readonly intensity: number;
  /** The supervisor's children come and go: one that has finished is forgotten. */
  readonly dynamic: boolean;
  /** The supervisor starts it as part of its own start; else it is added by `child.start`. */
  readonly listed: boolean;
}

/** What is counted of a child. */
export interface LifeCycleContext extends LifeCycleInput {
  /** 0: it never lived, or was forgotten. */
  readonly incarnation: number;
  readonly restarts: number;
  /** Restarts within the period: the child's own where exhausting parks, else its supervisor's. */
  readonly counted: number;
}

/** What happens to a child, and what is asked of it. */
export type LifeCycleEvent =
  /** What an operator asks. */
  | {
      readonly type:
        | 'child.start'
        | 'child.restart'
        | 'child.terminate'
        | 'child.delete'
        | 'child.park'
        | 'child.unpark';
    }
  | { readonly type: 'child.kill'; readonly counted: boolean }
  /** To the supervisor, and so to the child. */
  | { readonly type: 'supervisor.shutdown'; readonly reason: string; readonly deadlineMs: number }
  /** What becomes of a start. `ignored`: there is nothing to run. */
  | { readonly type: 'child.started' | 'child.ignored' | 'child.start_failed' }
  | { readonly type: 'child.exited'; readonly reason: ExitReason }
  /** What the clock brings. `window.passed`: a whole period without a restart. */
  | { readonly type: 'deadline.passed' | 'backoff.elapsed' | 'probe.due' | 'window.passed' };

/** Emitted once per request that is settled, which may be later than it was made. */
export interface LifeCycleAnswer {
  readonly type: 'child.answered';
  readonly answer: 'ok' | Refusal;
}

/** How the supervisor ended, and with it this life. */
export interface LifeCycleOutput {
  readonly exit: 'shutdown' | 'error';
  readonly code?: 'INTENSITY_EXCEEDED' | 'START_FAILED';
}

/** Far above the longest chain of this machine, which is two. */
const MAX_ITERATIONS = 100;

const comesBack = (restart: Restart, reason: ExitReason): boolean =>
  restart === 'permanent' || (restart === 'transient' && reason !== 'normal' && reason !== 'shutdown');
const leavesNothing = ({ restart, dynamic }: LifeCycleContext): boolean => restart === 'temporary' || dynamic;
const exhausts = ({ counted, intensity }: LifeCycleContext): boolean => counted + 1 > intensity;

interface Exit {
  readonly reason: ExitReason;
}

const life = setup({
  types: {
    input: {} as LifeCycleInput,
    context: {} as LifeCycleContext,
    events: {} as LifeCycleEvent,
    emitted: {} as LifeCycleAnswer,
    output: {} as LifeCycleOutput,
  },
  actions: {
    answer: emit((_, { answer }: { readonly answer: LifeCycleAnswer['answer'] }) => ({
      type: 'child.answered' as const,
      answer,
    })),
    begin: assign({ incarnation: ({ context }) => context.incarnation + 1 }),
    schedule: assign({ restarts: ({ context }) => context.restarts + 1 }),
    count: assign({ counted: ({ context }) => Math.min(context.counted, context.intensity) + 1 }),
    /** Half-open: one failure more parks it again. */
    openHalf: assign({ counted: ({ context }) => context.intensity }),
    quieten: assign({ counted: 0 }),
    /** The supervisor's own log outlives the child. */
    forgive: assign({ counted: ({ context }) => (context.onExhausted === 'park' ? 0 : context.counted) }),
    forget: assign({ incarnation: 0, restarts: 0 }),
  },
  guards: {
    isListed: ({ context }) => context.listed,
    isFresh: ({ context }) => context.incarnation === 1,
    livesOnce: ({ context }) => context.restart === 'temporary',
    isForgotten: ({ context }) => leavesNothing(context),
    escalates: ({ context }) => context.onExhausted === 'escalate',
    endsSupervisor: ({ context }, { reason }: Exit) =>
      context.significant && !comesBack(context.restart, reason),
    leavesNothing: ({ context }, { reason }: Exit) =>
      leavesNothing(context) && !comesBack(context.restart, reason),
    isOver: ({ context }, { reason }: Exit) => !comesBack(context.restart, reason),
    isUncounted: ({ event }) => event.type === 'child.kill' && !event.counted,
    givesUp: ({ context }) => exhausts(context) && context.onExhausted === 'escalate',
    isParked: ({ context }) => exhausts(context) && context.onExhausted === 'park',
  },
});

const answer = (said: LifeCycleAnswer['answer']) => ({ type: 'answer', params: { answer: said } }) as const;
const refused = (said: Refusal) => ({ actions: answer(said) }) as const;
const reasonOf = ({ event }: { readonly event: Exit }): Exit => ({ reason: event.reason });
/** A kill is an exit in the same turn. */
const killed = { reason: 'killed' } as const;

const waits = [
  { guard: 'isParked', target: '#lifeCycle.parked.probing', actions: 'count' },
  { target: '#lifeCycle.backing-off', actions: 'count' },
] as const;
const failed = [{ guard: 'givesUp', target: '#lifeCycle.given_up' }, ...waits] as const;
const terminated = [
  { guard: 'isForgotten', target: '#lifeCycle.absent', actions: answer('ok') },
  { target: '#lifeCycle.stopped', actions: answer('ok') },
] as const;
const terminatedByKill = [
  { guard: 'isForgotten', target: '#lifeCycle.absent', actions: [answer('ok'), answer('ok')] },
  { target: '#lifeCycle.stopped', actions: [answer('ok'), answer('ok')] },
] as const;
const held = { target: '#lifeCycle.parked.held', actions: answer('ok') } as const;
const shutDown = { target: '#lifeCycle.shut_down' } as const;
const ignored = [
  { guard: 'isForgotten', target: '#lifeCycle.absent' },
  { target: '#lifeCycle.stopped' },
] as const;

/** The life of one child under a supervisor, as a chart: tests of the reducer are generated from it. */
export const lifeCycleMachine = life.createMachine({
  id: 'lifeCycle',
  options: { maxIterations: MAX_ITERATIONS },
  context: ({ input }) => ({ ...input, incarnation: 0, restarts: 0, counted: 0 }),
  on: { 'window.passed': { actions: 'quieten' } },
  initial: 'new',
  states: {
    new: { always: [{ guard: 'isListed', target: 'starting.booting' }, { target: 'absent' }] },
    /** The supervisor has no such child: not yet, or no longer. */
    absent: {
      entry: ['forget', 'forgive'],
      on: {
        'child.start': { target: 'starting.requested' },
        'child.restart': refused('not_found'),
        'child.terminate': refused('not_found'),
        'child.delete': refused('not_found'),
        'child.park': refused('not_found'),
        'child.unpark': refused('not_found'),
        'child.kill': refused('not_found'),
        'supervisor.shutdown': shutDown,
      },
    },
    stopped: {
      on: {
        'child.start': refused('already_present'),
        'child.restart': { target: 'starting.requested' },
        'child.terminate': { actions: answer('ok') },
        'child.delete': { target: 'absent', actions: answer('ok') },
        'child.park': held,
        'child.unpark': refused('not_parked'),
        'child.kill': refused('not_running'),
        'supervisor.shutdown': shutDown,
      },
    },
    starting: {
      entry: 'begin',
      initial: 'returning',
      on: { 'child.started': { target: 'running' }, 'child.ignored': ignored },
      states: {
        /** With its supervisor: if it fails, that does not start either, unless it parks. */
        booting: {
          on: { 'child.start_failed': [{ guard: 'escalates', target: '#lifeCycle.aborted' }, ...waits] },
        },
        /** Whoever asked is told, and nobody tries again. */
        requested: {
          on: {
            'child.started': { target: '#lifeCycle.running', actions: answer('ok') },
            'child.ignored': terminated,
            'child.start_failed': [
              { guard: 'isFresh', target: '#lifeCycle.absent', actions: answer('start_failed') },
              { target: '#lifeCycle.stopped', actions: answer('start_failed') },
            ],
          },
        },
        /** After a backoff, a probe or an unpark: a failure is one more to count. */
        returning: { on: { 'child.start_failed': failed } },
      },
    },
    running: {
      on: {
        'child.exited': [
          { guard: { type: 'endsSupervisor', params: reasonOf }, target: 'shut_down' },
          { guard: { type: 'leavesNothing', params: reasonOf }, target: 'absent' },
          { guard: { type: 'isOver', params: reasonOf }, target: 'stopped' },
          ...failed,
        ],
        'child.kill': [
          {
            guard: { type: 'endsSupervisor', params: killed },
            target: 'shut_down',
            actions: answer('ok'),
          },
          { guard: { type: 'leavesNothing', params: killed }, target: 'absent', actions: answer('ok') },
          { guard: 'isUncounted', target: 'backing-off', actions: answer('ok') },
          { guard: 'givesUp', target: 'given_up', actions: answer('ok') },
          { guard: 'isParked', target: 'parked.probing', actions: [answer('ok'), 'count'] },
          { target: 'backing-off', actions: [answer('ok'), 'count'] },
        ],
        'child.start': refused('already_started'),
        'child.restart': refused('running'),
        'child.delete': refused('running'),
        'child.terminate': { target: 'stopping.terminating' },
        'child.park': [{ guard: 'livesOnce', ...refused('not_restartable') }, { target: 'stopping.parking' }],
        'child.unpark': refused('not_parked'),
        'supervisor.shutdown': { target: 'stopping.ending' },
      },
    },
    stopping: {
      initial: 'ending',
      on: {
        'child.start': refused('already_present'),
        'child.restart': refused('stopping'),
        'child.terminate': refused('stopping'),
        'child.delete': refused('stopping'),
        'child.park': refused('stopping'),
        'child.unpark': refused('not_parked'),
        /** Overrides what was asked for, and whoever asked hears so. */
        'supervisor.shutdown': { target: '.ending', actions: answer('stopping') },
      },
      states: {
        terminating: {
          on: {
            'child.exited': terminated,
            'deadline.passed': terminated,
            'child.kill': terminatedByKill,
          },
        },
        parking: {
          on: {
            'child.exited': held,
            'deadline.passed': held,
            'child.kill': { target: '#lifeCycle.parked.held', actions: [answer('ok'), answer('ok')] },
          },
        },
        ending: {
          on: {
            'child.exited': shutDown,
            'deadline.passed': shutDown,
            'child.start': refused('stopping'),
            'child.unpark': refused('stopping'),
            'child.kill': { ...shutDown, actions: answer('ok') },
            'supervisor.shutdown': {},
          },
        },
      },
    },
    'backing-off': {
      entry: 'schedule',
      on: {
        'backoff.elapsed': { target: 'starting.returning' },
        'child.start': refused('already_present'),
        'child.restart': refused('restarting'),
        'child.delete': refused('restarting'),
        'child.terminate': terminated,
        'child.park': held,
        'child.unpark': refused('not_parked'),
        'child.kill': refused('not_running'),
        'supervisor.shutdown': shutDown,
      },
    },
    parked: {
      initial: 'held',
      on: {
        'child.start': refused('already_present'),
        'child.restart': refused('restarting'),
        'child.delete': refused('restarting'),
        'child.terminate': terminated,
        'child.park': held,
        'child.unpark': { target: 'starting.returning', actions: [answer('ok'), 'forgive'] },
        'child.kill': refused('not_running'),
        'supervisor.shutdown': shutDown,
      },
      states: {
        /** By an operator, until an operator says otherwise. */
        held: {},
        /** Exhausted: tried again from time to time. */
        probing: {
          on: { 'probe.due': { target: '#lifeCycle.starting.returning', actions: 'openHalf' } },
        },
      },
    },
    /** Its supervisor has ended in order. */
    shut_down: { type: 'final', output: { exit: 'shutdown' } },
    /** Its supervisor has ended because of it, and its parent applies its own strategy to that. */
    given_up: { type: 'final', output: { exit: 'shutdown', code: 'INTENSITY_EXCEEDED' } },
    /** Its supervisor could not start because of it. */
    aborted: { type: 'final', output: { exit: 'error', code: 'START_FAILED' } },
  },
  output: ({ event }) => event.output as LifeCycleOutput,
});

/** It has no effects: nothing is handed in. */
export const withEffects = (): typeof lifeCycleMachine => lifeCycleMachine;

/** One of every kind; exits of every reason. */
export const examples: readonly LifeCycleEvent[] = [
  { type: 'child.start' },
  { type: 'child.restart' },
  { type: 'child.terminate' },
  { type: 'child.delete' },
  { type: 'child.park' },
  { type: 'child.unpark' },
  { type: 'child.kill', counted: true },
  { type: 'child.kill', counted: false },
  { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
  { type: 'child.started' },
  { type: 'child.ignored' },
  { type: 'child.start_failed' },
  { type: 'child.exited', reason: 'normal' },
  { type: 'child.exited', reason: 'shutdown' },
  { type: 'child.exited', reason: 'error' },
  { type: 'child.exited', reason: 'timeout' },
  { type: 'child.exited', reason: 'killed' },
  { type: 'deadline.passed' },
  { type: 'backoff.elapsed' },
  { type: 'probe.due' },
  { type: 'window.passed' },
];
