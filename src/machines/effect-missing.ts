import { fromCallback, fromPromise } from 'xstate';
import type { ActorLogic, EventObject, NonReducibleUnknown, Snapshot } from 'xstate';
import { CoppiceError } from '../errors.ts';

/**
 * What stands in a machine where an effect belongs until a host provides it. Each fails loudly with
 * EFFECT_MISSING and the effect's name: an actor through its parent's `onError`, an action by failing the machine.
 */
const fail = (effect: string): never => {
  throw new CoppiceError('EFFECT_MISSING', { effect });
};

/** For an effect that answers once. */
export const missingPromise = <TOutput, TInput extends NonReducibleUnknown>(effect: string) =>
  fromPromise<TOutput, TInput>(async () => fail(effect));

/** For an effect that lives and talks to its machine. */
export const missingCallback = <TEvent extends EventObject, TInput extends NonReducibleUnknown>(
  effect: string,
) => fromCallback<TEvent, TInput>(() => fail(effect));

/** A type with a name: the declarations of a machine cannot spell out one of XState's defaults, which it does not export. */
export interface UnknownLogic<
  TOutput,
  TEvent extends EventObject,
  TInput extends NonReducibleUnknown,
> extends ActorLogic<Snapshot<TOutput>, TEvent, TInput> {}

/** For any other actor, a machine for instance, of which only events, input and output are known. */
export const missing = <TOutput, TEvent extends EventObject, TInput extends NonReducibleUnknown>(
  effect: string,
): UnknownLogic<TOutput, TEvent, TInput> =>
  missingPromise<TOutput, TInput>(effect) as unknown as UnknownLogic<TOutput, TEvent, TInput>;

/** For an action. The only action of the house that throws. */
export const missingAction = (effect: string) => (): void => fail(effect);
