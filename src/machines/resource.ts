/**
 * Keeps one thing of the outside world open: the store's writer, the listening server, a log sink. What it is stands
 * behind the effect; that it opens in time, that its loss is a failure of this actor and nobody else's, and that it
 * ends when told, stands here. Closing is the scope's affair: the supervisor closes it before the next life begins.
 */
import { assign, setup, type CallbackActorLogic, type EventObject } from 'xstate';
import { CoppiceError, normalizeError, type NormalError } from '../errors.ts';
import { complete, missingCallback } from './effect-missing.ts';
import { endingOf, type Ending, type ShutdownEvent } from './ending.ts';
import { LIMITS } from './limits.ts';

/** What a resource is started with. */
export interface ResourceInput {
  readonly path: string;
  readonly incarnation: number;
  /** How long opening may take. Milliseconds. */
  readonly openMs: number;
}

interface ResourceContext extends ResourceInput {
  readonly failure: NormalError | null;
}

/** What a resource needs from its host. */
export interface ResourceEffects {
  /** Opens the resource and sends `resource.opened`; fails when it cannot, or at any later time when it is lost. */
  readonly keep: CallbackActorLogic<EventObject, ResourceInput>;
}

/** What a resource hears. */
export type ResourceEvent = { readonly type: 'resource.opened' } | ShutdownEvent;

/**
 * Keeps one thing of the outside world open. That it opens in time, that its loss is a failure of this actor alone, and that it
 * ends when told stands here; what it is stands behind the effect.
 */
export const resourceMachine = setup({
  types: {
    input: {} as ResourceInput,
    context: {} as ResourceContext,
    events: {} as ResourceEvent,
    output: {} as Ending,
  },
  actors: { keep: missingCallback<EventObject, ResourceInput>('keep') },
  delays: { openMs: ({ context }: { context: ResourceContext }) => context.openMs },
}).createMachine({
  id: 'resource',
  context: ({ input }) => ({ ...input, failure: null }),
  invoke: {
    src: 'keep',
    id: 'keep',
    input: ({ context }) => ({
      path: context.path,
      incarnation: context.incarnation,
      openMs: context.openMs,
    }),
    onError: { target: '.lost', actions: assign({ failure: ({ event }) => normalizeError(event.error) }) },
  },
  initial: 'opening',
  states: {
    opening: {
      after: { openMs: 'overdue' },
      on: { 'resource.opened': 'open', 'supervisor.shutdown': 'stopped' },
    },
    open: { on: { 'supervisor.shutdown': 'stopped' } },
    lost: {
      type: 'final',
      output: ({ context }): Ending => ({
        exit: 'error',
        ...(context.failure ? { error: context.failure } : {}),
      }),
    },
    overdue: {
      type: 'final',
      output: ({ context }): Ending => ({ exit: 'error', error: overdueError(context) }),
    },
    stopped: { type: 'final', output: (): Ending => ({ exit: 'shutdown' }) },
  },
  output: endingOf,
  options: { maxIterations: LIMITS.maxIterations },
});

const overdueError = ({ path, openMs }: ResourceInput): NormalError =>
  normalizeError(new CoppiceError('START_FAILED', { path, reason: `it did not open within ${openMs} ms` }));

/**
 * The machine with its effects in place.
 *
 * @throws CoppiceError EFFECT_MISSING with its name for one that is not there
 */
export const withEffects = (effects: ResourceEffects) =>
  complete(resourceMachine, effects).provide({ actors: { keep: effects.keep } });

/** One plain event of every type, for generated tests. */
export const examples: {
  readonly [T in ResourceEvent['type']]: readonly Extract<ResourceEvent, { type: T }>[];
} = {
  'resource.opened': [{ type: 'resource.opened' }],
  'supervisor.shutdown': [{ type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 1_000 }],
};
