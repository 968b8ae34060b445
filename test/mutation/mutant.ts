import { StateMachine, type AnyStateMachine } from 'xstate';
import { edited, type Config, type Place } from './config.ts';

/** Classes of planted faults. The first four are what every machine must be proven against. */
export const KINDS = ['target', 'guard', 'action', 'timer', 'handler', 'invoke', 'initial'] as const;
export type Kind = (typeof KINDS)[number];

/** A machine with one fault, and the words for it. */
export interface Mutant {
  readonly kind: Kind;
  /** Unique in its machine: `STATE on EVENT #2: target a -> b`. */
  readonly name: string;
  /** Builds it. May throw: what XState refuses to build is no danger to anybody. */
  build(): AnyStateMachine;
}

/** One change at one place of a definition. */
export interface Fault {
  readonly kind: Kind;
  readonly name: string;
  readonly place: Place;
  /** `undefined` takes the part out. */
  readonly change: (part: unknown) => unknown;
  /** Delays the changed definition names and the machine does not know. */
  readonly delays?: Config;
}

/** The machine from a changed definition, with the implementations it had. */
export function rebuilt(machine: AnyStateMachine, config: unknown, delays: Config = {}): AnyStateMachine {
  const { implementations } = machine;
  return new StateMachine(
    config as never,
    {
      ...implementations,
      delays: { ...implementations.delays, ...delays },
    } as never,
  ) as unknown as AnyStateMachine;
}

export const planted = (machine: AnyStateMachine, config: Config, fault: Fault): Mutant => ({
  kind: fault.kind,
  name: fault.name,
  build: () => rebuilt(machine, edited(config, fault.place, fault.change), fault.delays),
});

/** What comes of a mutant. A fault that XState or the kit refuses is a fault that was seen. */
export function attempt<T>(run: () => T): { readonly value: T } | { readonly refused: string } {
  try {
    return { value: run() };
  } catch (error) {
    return { refused: `refused: ${error instanceof Error ? error.message : String(error)}` };
  }
}
