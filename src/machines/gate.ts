import { assign, emit, setup } from 'xstate';
import type { AnyEventObject, CallbackActorLogic } from 'xstate';
import type { Fact } from '../bus/events.ts';
import { normalizeError } from '../errors.ts';
import type { NormalError } from '../errors.ts';
import { complete, missingAction, missingCallback } from './effect-missing.ts';
import { endingOf } from './ending.ts';
import type { Ending, ShutdownEvent } from './ending.ts';
import { LIMITS } from './limits.ts';
import { exampleMessage } from './offered.ts';
import type { OfferedMessage, Refusal } from './offered.ts';

/** What the gate is started with. */
export interface GateInput {
  readonly path: string;
}

/** What the gate hears. */
export type GateEvent =
  | { readonly type: 'gate.open'; readonly atMs: number }
  | { readonly type: 'gate.close'; readonly reason: string; readonly atMs: number }
  | { readonly type: 'ingress.ready' }
  | { readonly type: 'ingress.lost'; readonly reason: string }
  | MessageOffered
  | ShutdownEvent;

interface MessageOffered {
  readonly type: 'message.offered';
  readonly requestId: string;
  readonly message: OfferedMessage;
  readonly atMs: number;
}

/** What the gate knows. Plain JSON. */
export interface GateContext {
  readonly path: string;
  /** Why it is not open. */
  readonly reason: string;
  readonly ingress: 'ready' | 'lost';
  readonly admitted: number;
  readonly refused: number;
  readonly error: NormalError | null;
}

/** A message that may come in, for the ingress. */
export type Admission = Omit<MessageOffered, 'type'>;

/** What the gate needs from its host. */
export interface GateEffects {
  /** Hands the message to the ingress. Answers the request itself when the ingress is not there. */
  admit(admission: Admission): void;
  refuse(refusal: Refusal): void;
  /** Tells `ingress.lost` when the ingress ends, and asks a new one to say `ingress.ready`. */
  readonly watchIngress: CallbackActorLogic<AnyEventObject, { readonly path: string }>;
}

const gate = setup({
  types: {
    context: {} as GateContext,
    events: {} as GateEvent,
    input: {} as GateInput,
    output: {} as Ending,
    emitted: {} as Fact<'gate.opened' | 'gate.closed' | 'message.refused'>,
  },
  actors: { watchIngress: missingCallback<AnyEventObject, { readonly path: string }>('watchIngress') },
  actions: {
    admit: missingAction('admit') as (args: unknown, admission: Admission) => void,
    refuse: missingAction('refuse') as (args: unknown, refusal: Refusal) => void,
    countAdmitted: assign({ admitted: ({ context }) => context.admitted + 1 }),
    countRefused: assign({ refused: ({ context }) => context.refused + 1 }),
    reportOpened: emit({ type: 'gate.opened' }),
    reportClosed: emit(({ context }) => ({ type: 'gate.closed' as const, reason: context.reason })),
    reportRefused: emit(
      (_, { code, message }: { readonly code: string; readonly message: OfferedMessage }) => ({
        type: 'message.refused' as const,
        code,
        channel: message.channel,
        sessionKey: message.sessionKey,
        trace: message.trace,
      }),
    ),
    ingressReady: assign({ ingress: 'ready' as const }),
    ingressLost: assign({ ingress: 'lost' as const }),
    because: assign({ reason: (_, params: { readonly reason: string }) => params.reason }),
    blame: assign({ error: (_, params: { readonly error: unknown }) => normalizeError(params.error) }),
  },
  guards: { ingressReady: ({ context }) => context.ingress === 'ready' },
});

const because = {
  type: 'because',
  params: ({ event }: { event: { readonly reason: string } }) => ({ reason: event.reason }),
} as const;

/** Counted, answered, reported: what a message gets while the gate is not open. */
const refusing = (code: 'UNAVAILABLE' | 'DRAINING') =>
  ({
    actions: [
      'countRefused',
      {
        type: 'refuse',
        params: ({ context, event }: { context: GateContext; event: MessageOffered }): Refusal => ({
          requestId: event.requestId,
          code,
          details: { what: 'the intake', reason: context.reason, retryAfterMs: LIMITS.retryAfterMs },
        }),
      },
      {
        type: 'reportRefused',
        params: ({ event }: { event: MessageOffered }) => ({ code, message: event.message }),
      },
    ],
  }) as const;

/**
 * Admission. Whoever comes gets an answer: admitted to the ingress, or refused with a code and a reason. It opens
 * by itself once the ingress has taken up what an earlier life accepted, and closes when the ingress goes.
 * `draining` is the closure somebody asked for; only `gate.open` ends it.
 */
export const gateMachine = gate.createMachine({
  id: 'gate',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input }) => ({
    path: input.path,
    reason: 'the gateway is starting',
    ingress: 'lost',
    admitted: 0,
    refused: 0,
    error: null,
  }),
  invoke: {
    id: 'watchIngress',
    src: 'watchIngress',
    input: ({ context }) => ({ path: context.path }),
    onError: {
      target: '.failed',
      actions: { type: 'blame', params: ({ event }) => ({ error: event.error }) },
    },
  },
  on: { 'supervisor.shutdown': { target: '.stopped', actions: [because, 'reportClosed'] } },
  initial: 'closed',
  states: {
    closed: {
      on: {
        'message.offered': refusing('UNAVAILABLE'),
        'ingress.ready': { target: 'open', actions: 'ingressReady' },
        'ingress.lost': { actions: because },
        'gate.open': {},
        'gate.close': { target: 'draining', actions: [because, 'reportClosed'] },
      },
    },
    open: {
      entry: 'reportOpened',
      on: {
        'message.offered': {
          actions: [
            'countAdmitted',
            {
              type: 'admit',
              params: ({ event }) => ({
                requestId: event.requestId,
                message: event.message,
                atMs: event.atMs,
              }),
            },
          ],
        },
        'ingress.ready': {},
        'ingress.lost': { target: 'closed', actions: ['ingressLost', because, 'reportClosed'] },
        'gate.open': {},
        'gate.close': { target: 'draining', actions: [because, 'reportClosed'] },
      },
    },
    draining: {
      on: {
        'message.offered': refusing('DRAINING'),
        'ingress.ready': { actions: 'ingressReady' },
        'ingress.lost': { actions: 'ingressLost' },
        'gate.close': { actions: because },
        'gate.open': [{ guard: 'ingressReady', target: 'open' }, { target: 'closed' }],
      },
    },
    stopped: { type: 'final', output: { exit: 'shutdown' } },
    failed: { type: 'final', output: ({ context }) => ({ exit: 'error', error: context.error }) },
  },
  output: endingOf,
});

/**
 * The machine with its effects in place.
 *
 * @throws CoppiceError EFFECT_MISSING with its name for one that is not there
 */
export const withEffects = (effects: GateEffects): typeof gateMachine =>
  complete(gateMachine, effects).provide({
    actors: { watchIngress: effects.watchIngress },
    actions: {
      admit: (_, admission) => effects.admit(admission),
      refuse: (_, refusal) => effects.refuse(refusal),
    },
  });

/** One plain event of every type, for generated tests. */
export const examples: readonly GateEvent[] = [
  { type: 'gate.open', atMs: 1_000 },
  { type: 'gate.close', reason: 'restart', atMs: 1_000 },
  { type: 'ingress.ready' },
  { type: 'ingress.lost', reason: 'it ended: error' },
  { type: 'message.offered', requestId: 'q1', message: exampleMessage, atMs: 1_000 },
  { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
];
