import { assign, emit, setup } from 'xstate';
import type { AnyEventObject, CallbackActorLogic, PromiseActorLogic } from 'xstate';
import type { Fact } from '../bus/events.ts';
import { normalizeError } from '../errors.ts';
import type { NormalError } from '../errors.ts';
import { complete, missingAction, missingCallback, missingPromise } from './effect-missing.ts';
import type { Ending, ShutdownEvent } from './ending.ts';
import { LIMITS } from './limits.ts';

/** The waits of a restart. Milliseconds. */
export interface RestartTimes {
  readonly deferMs: number;
  readonly drainMs: number;
  readonly cooldownMs: number;
}

/** What the coordinator is started with. */
export interface RestartInput extends RestartTimes {
  readonly path: string;
  /** When the last planned restart ended, or null. */
  readonly restartedAt: number | null;
}

/** A stop is the stronger of the two. */
export type RestartKind = 'restart' | 'stop';

interface RestartRequest {
  readonly type: 'restart.request';
  readonly kind: RestartKind;
  readonly reason: string;
  readonly by?: string;
  /** Neither cool-down nor deferral; the drain stays. */
  readonly force?: boolean;
  readonly atMs: number;
}

/** What the coordinator hears. */
export type RestartEvent =
  | RestartRequest
  /** The gate has a new life, which knows nothing of our closing it. */
  | { readonly type: 'gate.up' }
  /** For the waits that begin from now on. */
  | ({ readonly type: 'restart.configure' } & RestartTimes)
  | ShutdownEvent;

/** A request as it is remembered. */
export type Requested = Omit<RestartRequest, 'type'>;

/** What the coordinator knows. Plain JSON. */
export interface RestartContext extends RestartInput {
  readonly kind: RestartKind;
  readonly reason: string;
  readonly forced: boolean;
  /** Who asked, oldest first; bounded, `count` has them all. */
  readonly requests: readonly Requested[];
  readonly count: number;
  readonly atMs: number;
  readonly pending: number;
  readonly error: NormalError | null;
}

/** What the gateway handle needs to run the stop and to report it to whoever asked. */
export interface HandedOver {
  readonly kind: RestartKind;
  readonly reason: string;
  readonly requests: readonly Requested[];
  readonly pendingAtEnd: number;
}

/** How it ended; with what it handed over, if it came to that. */
export type RestartOutput = Ending & { readonly handedOver?: HandedOver };

/** What the coordinator needs from its host. */
export interface RestartEffects {
  /** How much admitted work is not finished. */
  readonly pendingWork: PromiseActorLogic<number, { readonly path: string }>;
  /** Says `gate.up` for every new life of the gate. */
  readonly watchGate: CallbackActorLogic<AnyEventObject, { readonly path: string }>;
  closeGate(params: { readonly reason: string }): void;
  handOver(output: HandedOver): void;
}

const coordinator = setup({
  types: {
    context: {} as RestartContext,
    events: {} as RestartEvent,
    input: {} as RestartInput,
    output: {} as RestartOutput,
    emitted: {} as Fact<'restart.requested' | 'restart.state'>,
  },
  actors: {
    pendingWork: missingPromise<number, { readonly path: string }>('pendingWork'),
    watchGate: missingCallback<AnyEventObject, { readonly path: string }>('watchGate'),
  },
  actions: {
    closeGate: missingAction('closeGate') as (args: unknown, params: { readonly reason: string }) => void,
    handOver: missingAction('handOver') as (args: unknown, output: HandedOver) => void,
    coalesce: assign(({ context }, { kind, reason, by, force, atMs }: Requested) => ({
      ...(context.count === 0 || (kind === 'stop' && context.kind === 'restart') ? { kind, reason } : {}),
      forced: context.forced || force === true,
      requests: [...context.requests, { kind, reason, ...(by === undefined ? {} : { by }), atMs }].slice(
        0,
        LIMITS.restartRequestsListed,
      ),
      count: context.count + 1,
      atMs,
    })),
    reportRequested: emit(({ context }) => ({
      type: 'restart.requested' as const,
      kind: context.kind,
      reason: context.reason,
      requests: context.count,
    })),
    say: emit(({ context }, { state }: { readonly state: string }) => ({
      type: 'restart.state' as const,
      state,
      pending: context.pending,
    })),
    configure: assign(({ event }) => {
      if (event.type !== 'restart.configure') return {};
      const { deferMs, drainMs, cooldownMs } = event;
      return { deferMs, drainMs, cooldownMs };
    }),
    learn: assign({ pending: (_, params: { readonly pending: number }) => params.pending }),
    blame: assign({ error: (_, params: { readonly error: unknown }) => normalizeError(params.error) }),
  },
  guards: {
    stopping: ({ context }) => context.kind === 'stop',
    forced: ({ context }) => context.forced,
    cool: ({ context }) => context.kind === 'stop' || context.forced || cooldownLeft(context) <= 0,
    secondStop: ({ context, event }) =>
      event.type === 'restart.request' && event.kind === 'stop' && context.kind === 'stop',
    firstStop: ({ event }) => event.type === 'restart.request' && event.kind === 'stop',
    nothingPending: (_, params: { readonly pending: number }) => params.pending <= 0,
  },
  delays: {
    cooldown: ({ context }) => Math.max(0, cooldownLeft(context)),
    defer: ({ context }) => context.deferMs,
    drain: ({ context }) => context.drainMs,
    poll: LIMITS.restartPollMs,
    answer: LIMITS.lastWordsMs,
  },
});

function cooldownLeft({ restartedAt, cooldownMs, atMs }: RestartContext): number {
  return restartedAt === null ? 0 : restartedAt + cooldownMs - atMs;
}

const handedOver = ({ context }: { readonly context: RestartContext }): HandedOver => ({
  kind: context.kind,
  reason: context.reason,
  requests: context.requests,
  pendingAtEnd: context.pending,
});

const say = (state: string) => ({ type: 'say', params: { state } }) as const;
const closeGate = {
  type: 'closeGate',
  params: ({ context }: { context: RestartContext }) => ({ reason: context.reason }),
} as const;
const asked = [
  { type: 'coalesce', params: ({ event }: { event: RestartRequest }) => event },
  'reportRequested',
] as const;
const blame = {
  type: 'blame',
  params: ({ event }: { event: { readonly error: unknown } }) => ({ error: event.error }),
} as const;

/** Looks every `poll` whether the work has ended; a look that fails or hangs counts as not yet. */
const polling = (target: string) =>
  ({
    initial: 'looking',
    states: {
      looking: {
        invoke: {
          id: 'pendingWork',
          src: 'pendingWork',
          input: ({ context }: { context: RestartContext }) => ({ path: context.path }),
          onDone: [
            {
              guard: {
                type: 'nothingPending',
                params: ({ event }: { event: { output: number } }) => ({ pending: event.output }),
              },
              target,
              actions: {
                type: 'learn',
                params: ({ event }: { event: { output: number } }) => ({ pending: event.output }),
              },
            },
            {
              target: 'pausing',
              actions: {
                type: 'learn',
                params: ({ event }: { event: { output: number } }) => ({ pending: event.output }),
              },
            },
          ],
          onError: { target: 'pausing' },
        },
        after: { answer: { target: 'pausing' } },
      },
      pausing: { after: { poll: { target: 'looking' } } },
    },
  }) as const;

/**
 * The one way down. Requests coalesce, the stronger kind wins, restarts keep a cool-down. Work is given time to
 * end (with the gate open for a restart, shut at once for a stop), then the gate closes, what is left drains, and
 * the gateway handle is told to do the rest. Every wait has a deadline of its own.
 */
export const restartMachine = coordinator.createMachine({
  id: 'restart',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input }) => ({
    ...input,
    kind: 'restart',
    reason: '',
    forced: false,
    requests: [],
    count: 0,
    atMs: 0,
    pending: 0,
    error: null,
  }),
  invoke: {
    id: 'watchGate',
    src: 'watchGate',
    input: ({ context }) => ({ path: context.path }),
    onError: { target: '.failed', actions: blame },
  },
  on: {
    'supervisor.shutdown': { target: '.stopped' },
    'gate.up': {},
    'restart.configure': { actions: 'configure' },
  },
  initial: 'idle',
  states: {
    idle: { on: { 'restart.request': { target: 'requested', actions: asked } } },
    requested: {
      entry: say('requested'),
      always: { guard: 'cool', target: 'deferring' },
      on: {
        // A stop, or one that is forced, does not wait: `cool` is looked at again.
        'restart.request': { actions: asked },
      },
      after: { cooldown: { target: 'deferring' } },
    },
    /** Work may still end by itself. For a restart new work is taken meanwhile; a stop takes none. */
    deferring: {
      entry: say('deferring'),
      always: { guard: 'forced', target: 'closing' },
      initial: 'open',
      states: {
        open: { always: { guard: 'stopping', target: 'shut' }, ...polling('#closing') },
        shut: { entry: closeGate, on: { 'gate.up': { actions: closeGate } }, ...polling('#closing') },
      },
      on: {
        'restart.request': [
          { guard: 'secondStop', target: 'handed_over', actions: asked },
          { guard: 'firstStop', target: 'deferring', reenter: true, actions: asked },
          { actions: asked },
        ],
      },
      after: { defer: { target: 'closing' } },
    },
    closing: { id: 'closing', entry: [say('closing'), closeGate], always: { target: 'draining' } },
    draining: {
      entry: say('draining'),
      ...polling('#handed_over'),
      on: {
        'gate.up': { actions: closeGate },
        'restart.request': [
          { guard: 'secondStop', target: 'handed_over', actions: asked },
          { actions: asked },
        ],
      },
      after: { drain: { target: 'handed_over' } },
    },
    handed_over: {
      id: 'handed_over',
      type: 'final',
      entry: [say('handed_over'), { type: 'handOver', params: handedOver }],
      output: ({ context }) => ({ exit: 'normal', handedOver: handedOver({ context }) }),
    },
    stopped: { type: 'final', output: { exit: 'shutdown' } },
    failed: { type: 'final', output: ({ context }) => ({ exit: 'error', error: context.error }) },
  },
  output: ({ event }) => event.output as RestartOutput,
});

/**
 * The machine with its effects in place.
 *
 * @throws CoppiceError EFFECT_MISSING with its name for one that is not there
 */
export const withEffects = (effects: RestartEffects): typeof restartMachine =>
  complete(restartMachine, effects).provide({
    actors: { pendingWork: effects.pendingWork, watchGate: effects.watchGate },
    actions: {
      closeGate: (_, params) => effects.closeGate(params),
      handOver: (_, output) => effects.handOver(output),
    },
  });

/** One plain event of every type, for generated tests. */
export const examples: readonly RestartEvent[] = [
  { type: 'restart.request', kind: 'restart', reason: 'a new configuration', by: 'config', atMs: 1_000 },
  { type: 'restart.request', kind: 'restart', reason: 'it must be now', force: true, atMs: 1_000 },
  { type: 'restart.request', kind: 'stop', reason: 'SIGTERM', by: 'signal', atMs: 1_000 },
  { type: 'gate.up' },
  { type: 'restart.configure', deferMs: 1_000, drainMs: 2_000, cooldownMs: 3_000 },
  { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
];
