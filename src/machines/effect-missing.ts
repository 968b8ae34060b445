import { fromCallback, fromPromise } from 'xstate';
import type { ActorLogic, AnyStateMachine, EventObject, NonReducibleUnknown, Snapshot } from 'xstate';
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

/** For an action. The only action of the house that throws; it can be told from the others by its mark. */
export const missingAction = (effect: string): (() => void) =>
  Object.assign((): void => fail(effect), { effect });

/** One effect a machine asks for, and how it is provided. */
export interface EffectName {
  readonly name: string;
  readonly kind: 'actor' | 'action';
}

/** All that a host must provide. Actors are effects by rule; of the actions, those that are missing until provided. */
export function effectNames({ implementations }: AnyStateMachine): EffectName[] {
  const { actors, actions } = implementations;
  const asked = Object.entries(actions).filter(
    ([, action]) => typeof action === 'function' && 'effect' in action,
  );
  return [
    ...Object.keys(actors).map((name) => ({ name, kind: 'actor' as const })),
    ...asked.map(([name]) => ({ name, kind: 'action' as const })),
  ];
}

/**
 * The machine again, if `effects` has all it asks for. Some machines live with an effect that fails, so one that was
 * forgotten would else show late or never.
 *
 * @throws CoppiceError EFFECT_MISSING with the name of the first that is not there
 */
export function complete<M extends AnyStateMachine>(machine: M, effects: object): M {
  const given = effects as Readonly<Record<string, unknown>>;
  for (const { name } of effectNames(machine)) if (given[name] === undefined) fail(name);
  return machine;
}
