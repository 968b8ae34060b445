import type { AnyStateMachine } from 'xstate';
import type { GenerateOptions, LiveEffects } from '../../testing/index.ts';

/** One way the machine is set on stage, and what a replay takes from the module of the machine. */
export interface Staging {
  /** A title. Absent when it is the only one. */
  readonly name?: string;
  readonly options: GenerateOptions;
  readonly effects?: LiveEffects;
  /** Expressions of the generated file for what cannot be written down as data: `{ effects: 'testgen.effects' }`. */
  readonly imported: Readonly<Record<string, string>>;
}

/** The machine tests are made from. */
export interface Subject {
  readonly name: string;
  readonly machine: AnyStateMachine;
  readonly stagings: readonly Staging[];
  /** What the command says: a name of ours, or `--from FILE [--export NAME]` (the file absolute). */
  readonly module?: { readonly file: string; readonly exported: string };
  /** What the generated file imports and from where; a file is absolute, a package as it is. */
  readonly imports: readonly { readonly names: string; readonly from: string }[];
  /** The machine in the generated file, when it is not imported as `machine`. */
  readonly expression?: string;
  /** What was used of the module beside the machine. */
  readonly companions: readonly string[];
}
