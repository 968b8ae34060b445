import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { GenerateOptions } from './contract.ts';

/** One way to set a machine on stage: what it is born with, what it hears, what its actors answer. */
export interface Scenario {
  /** Ends a sentence: `MACHINE, a lane that was restarted`. */
  readonly name: string;
  readonly options: GenerateOptions;
}

/** A machine of ours with the scenarios that together take it through every transition. */
export interface Shipped {
  /** As `coppice machines ls` names it. */
  readonly name: string;
  /** Where whoever has coppice installed imports it from: the subpath, and the name there. */
  readonly from: 'coppice/machines' | 'coppice/supervisor';
  readonly machine: AnyStateMachine;
  readonly scenarios: readonly Scenario[];
}

/** A scenario whose input and events are checked against their machine. */
export function scenario<M extends AnyStateMachine>(
  _machine: M,
  name: string,
  options: GenerateOptions<M>,
): Scenario {
  return { name, options: options as GenerateOptions };
}

/** The context of a machine whose type the kit does not know. */
export const contextOf = <C>(snapshot: AnyMachineSnapshot): C => snapshot.context as C;
