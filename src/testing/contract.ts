import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine, InputFrom } from 'xstate';

/** JSON, as it is written to a file. What JSON has no word for is an object with one key: see `toPlain`. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/**
 * How paths are chosen.
 * - `edges`: every transition at least once, every guard both ways, in few paths;
 * - `pairs`: every two transitions that can follow each other;
 * - `shortest`: the shortest path to every state;
 * - `simple`: every path that visits no state twice (explodes: mind the budget);
 * - `random`: walks from a seed, with no map of the states in between.
 */
export type Strategy = 'edges' | 'pairs' | 'shortest' | 'simple' | 'random';
/** Ways to choose paths, from few to many. */
export const STRATEGIES: readonly Strategy[] = ['edges', 'pairs', 'shortest', 'simple', 'random'];

/**
 * One thing that happens to a machine, as plain data.
 * - `send`: `event` is sent;
 * - `done`, `error`: the invoked or spawned actor `actor` ends; `event` is what the machine hears then;
 * - `snapshot`: that actor shows a new snapshot (an invoke with `onSnapshot`);
 * - `after`: nothing happens for `ms` milliseconds, and the next timer fires `event` (an `after` or a delayed send).
 */
export interface Move {
  readonly kind: 'send' | 'done' | 'error' | 'snapshot' | 'after';
  readonly event: Plain & { readonly type: string };
  /** Id of the actor; one without an id of its own is `SRC#N`, the Nth of those alive. */
  readonly actor?: string;
  readonly ms?: number;
}

/** What a machine shows after a step; computed in the same way for the model and for a live actor, then compared. */
export interface Expected {
  readonly value: Plain;
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  /** Of the context: the keys that changed in this step (default), all, some, or a digest; see `ExpectOptions`. */
  readonly context?: Plain;
  /** Ids of the actors that are alive. Left out when there are none. */
  readonly children?: readonly string[];
  /** Actions asked for, in order: names of actions, `emit TYPE`, `send TARGET TYPE`. Left out when there are none. */
  readonly actions?: readonly Plain[];
  readonly output?: Plain;
  /** Name and message of what the machine died of. */
  readonly error?: string;
}
/** What a generated test expects after each step. */
export interface ExpectOptions {
  /**
   * `changes` (default): keys that changed, long values as a digest; `full`: everything; `digest`: eight hexadecimal
   * digits; `none`; or the names of the keys that count.
   */
  readonly context?: 'changes' | 'full' | 'digest' | 'none' | readonly string[];
  /** `names` (default), with `params`, or `none`. */
  readonly actions?: 'names' | 'params' | 'none';
  /** Parts of the context that are not compared (`turn.startedAt`, `items.*.id`). Default: what `abstract` drops. */
  readonly drop?: readonly string[];
}

export interface PathMove extends Move {
  readonly expected: Expected;
}
/** A path: send `steps` in turn and look at `expected` after each. Plain JSON; `replayLive` walks it. */
export interface Path {
  /** Unique among its siblings; a sentence that fits into a test title. */
  readonly name: string;
  /** How `expected` is told, when not as by default. */
  readonly expect?: ExpectOptions;
  /** What the machine shows right after its start. */
  readonly start: Expected;
  readonly steps: readonly PathMove[];
}

/** Bounds of one generation; whatever is cut off is listed in `cut`. */
export interface Budget {
  /** States told apart while exploring. Default 10,000. */
  readonly states?: number;
  /** Transitions tried while exploring. Default 200,000. */
  readonly transitions?: number;
  /** Paths handed out. Default 1,000. */
  readonly paths?: number;
  /** Steps of all paths together. Default 50,000. */
  readonly steps?: number;
  /** Steps of one path. Default 60; for `random`, the length of a walk. */
  readonly pathSteps?: number;
}
/** A budget that was used up before the exploration was over. */
export interface Cut {
  readonly what: keyof Budget;
  readonly limit: number;
  /** A sentence: what is missing for it, and which number to raise. */
  readonly text: string;
}
/** How far a generation is. */
export interface Progress {
  readonly phase: 'explore' | 'paths';
  readonly states: number;
  readonly transitions: number;
  readonly paths: number;
}

/** Hits of everything a machine can do. Plain JSON; several runs are merged with `mergeCoverage`. */
export interface Coverage {
  /** Id of the machine. */
  readonly machine: string;
  /** By state path (`a.b`); the root is left out. */
  readonly states: Readonly<Record<string, number>>;
  /** By name: `STATE EVENT`, `#N` for the Nth candidate, `[guard]`. */
  readonly transitions: Readonly<Record<string, number>>;
  /** Of the transitions that have a guard. */
  readonly guards: Readonly<Record<string, { readonly taken: number; readonly refused: number }>>;
}

/** Plain events: a list, a record as `examples` of our machines, or a function of where we are. */
export type EventCases =
  | readonly AnyEventObject[]
  | Readonly<Record<string, AnyEventObject>>
  | ((snapshot: AnyMachineSnapshot) => readonly AnyEventObject[]);

/**
 * The payload of an event type: a JSON schema, or whatever can give one. A zod 4 object does (`~standard.jsonSchema`
 * or `toJSONSchema()`), and so does every library with Standard JSON Schema; where there is a Standard Schema
 * `validate` too, cases it refuses are dropped.
 */
export type EventSchema = object;

/** Values by the id of the actor or by the name of its source, one edge each; a function when they depend on where we are. An empty list: it never happens. */
export type ActorCases = Readonly<
  Record<string, readonly unknown[] | ((snapshot: AnyMachineSnapshot) => readonly unknown[])>
>;

/** What invariants see. Return a text to say what is wrong. */
export interface View {
  readonly snapshot: AnyMachineSnapshot;
  readonly previous: AnyMachineSnapshot;
  readonly move: Move;
  /** Actions asked for in this step; facts are `xstate.emit` with `{ event }`. */
  readonly effects: readonly { readonly type: string; readonly params: unknown }[];
}
/** Looks at every state that is reached. A returned text is a violation. */
export type Invariant = (view: View) => string | undefined;

/** How a machine is set on stage. All of it is optional for a machine without input. */
export interface ModelOptions<M extends AnyStateMachine = AnyStateMachine> {
  readonly input?: InputFrom<M>;
  /**
   * Cases from `events`, `examples` and `schemas` are added up. Without `events`, a type that the machine listens for
   * and that has no case is tried as the bare `{ type }` and listed in `assumed`; with them, nothing is made up.
   */
  readonly events?: EventCases;
  readonly examples?: EventCases;
  /** By event type; or one schema of all events, a union that is told apart by `type`. */
  readonly schemas?: Readonly<Record<string, EventSchema>> | EventSchema;
  /** Outputs of actors. Default: one `undefined`. */
  readonly outputs?: ActorCases;
  /** Errors of actors. Default: one plain Error. */
  readonly errors?: ActorCases;
  /** Snapshots of actors that are invoked with `onSnapshot`; the first is shown at the start. */
  readonly snapshots?: ActorCases;
  /**
   * What makes two snapshots the same state: `abstract({ cap, drop })`, or any function. Default: value, context,
   * children. Running timers are told apart in any case, unless `timers` says `any`.
   */
  readonly serialize?: (snapshot: AnyMachineSnapshot) => string;
  /**
   * `exact` (default): plain events take no time and the timer that is due first fires first, as on a real clock.
   * `first`: the same, but how far several running timers are apart makes no other state (fewer states, and possibly
   * orders of timers that are never tried).
   */
  readonly timers?: 'exact' | 'first';
  /** Actors spawned from inline logic cannot be scripted: `refuse` (default), or `run` them for real in a replay. */
  readonly inlineActors?: 'refuse' | 'run';
}

export interface GenerateOptions<M extends AnyStateMachine = AnyStateMachine> extends ModelOptions<M> {
  /** Default `edges`. */
  readonly strategy?: Strategy;
  /** Default 1. The same seed gives the same JSON, byte for byte. */
  readonly seed?: number;
  /** How many walks, for `random`. Default 20. */
  readonly walks?: number;
  readonly budget?: Budget;
  readonly expect?: ExpectOptions;
  /** Where exploring goes no further. */
  readonly stopWhen?: (snapshot: AnyMachineSnapshot) => boolean;
  /** Looked at after every transition that is explored and after every step of a path. */
  readonly invariant?: Invariant;
  /** Transitions or guards that cannot be reached by construction, as named in the coverage; `*` for any characters. */
  readonly unreachable?: readonly string[];
  /** Called about every 500 states and every 50 paths. */
  readonly progress?: (progress: Progress) => void;
}

/** Paths, and what they cover. */
export interface Generated {
  readonly machine: string;
  readonly strategy: Strategy;
  readonly seed: number;
  readonly paths: readonly Path[];
  /** Of the paths, not of all that was explored. */
  readonly coverage: Coverage;
  /** States, and transitions tried, while exploring. Zero for `random`. */
  readonly explored: { readonly states: number; readonly transitions: number };
  readonly cut: readonly Cut[];
  /** Event types for which nobody gave a case. */
  readonly assumed: readonly string[];
  /** Pairs `STATE EVENT`: reached, and the event would vanish there. */
  readonly unhandled: readonly string[];
  /** `STATE EVENT: ERROR`: reached, and the machine fails there; each error once. A path leads to each. */
  readonly fatal: readonly string[];
  /** `ACTOR in STATE`: reached, and if that actor fails, the machine fails with it, for nothing listens. Each once. */
  readonly unguarded: readonly string[];
  /** Cases for actors that were never running, as `outputs.NAME`. */
  readonly unused: readonly string[];
  /** What broke `invariant` while exploring, each with a shortest path that leads there. */
  readonly violations: readonly Violation[];
}
/** A broken invariant, and the way there. */
export interface Violation {
  readonly text: string;
  readonly path: Path;
}
