import { createActor } from 'xstate';
import type {
  AnyActorLogic,
  AnyActorRef,
  AnyActorScope,
  AnyMachineSnapshot,
  AnyStateMachine,
  InputFrom,
} from 'xstate';
import { namedChildren } from './children.ts';
import { createSimulatedClock } from './clock.ts';
import type { SimulatedClock } from './clock.ts';
import type { ActorCases, Coverage, Expected, Invariant, Move, Path } from './contract.ts';
import { countCoverage } from './coverage.ts';
import { differences, expectedOf, fullExpect } from './expected.ts';
import { inspected } from './inspected.ts';
import { cueValue, eventOf } from './moves.ts';
import { onMicrostep } from './paths.ts';
import { setStage } from './stage.ts';
import type { Cue, LiveEffects } from './stage.ts';
import { moveText } from './steps-text.ts';
import { withTarget } from './timers.ts';
import type { Asked } from './timers.ts';
import { shortType, watchTransitions } from './transitions.ts';
import type { TransitionWatch } from './transitions.ts';

/** How a path is replayed on a live actor. */
export interface ReplayOptions<M extends AnyStateMachine = AnyStateMachine> {
  /** The same as the path was generated with. */
  readonly input?: InputFrom<M>;
  /** Real actions or actors in the place of the scripted ones. */
  readonly effects?: LiveEffects;
  /** Default: a fresh one. It is moved to each deadline the path names; it must have nothing else pending. */
  readonly clock?: SimulatedClock;
  readonly snapshots?: ActorCases;
  /** Looked at after each step, with the live snapshots. */
  readonly invariant?: Invariant;
}

/** Where a live actor left its path. */
export interface Mismatch {
  /** Name of the path. */
  readonly path: string;
  /** 0 is the start. */
  readonly step: number;
  readonly move: Move | undefined;
  readonly expected: Expected;
  readonly actual: Expected;
  /** What differs, what the invariant says, or why the move was impossible: a sentence each. */
  readonly reasons: readonly string[];
}
/** What came of one replay. */
export interface LiveReport {
  readonly ok: boolean;
  /** The first one ends the replay: what follows would only be its consequences. */
  readonly mismatch: Mismatch | undefined;
  /** What the machine emitted, in order. */
  readonly facts: readonly { readonly type: string }[];
  readonly snapshot: AnyMachineSnapshot;
  /** Of this replay, counted on the live actor. */
  readonly coverage: Coverage;
  /** For people; for a test's message. */
  toString(): string;
}

/**
 * Walks a path with a live actor. Plain events are sent; invoked and spawned actors are scripted ones that end on cue;
 * `after` moves the simulated clock to its next deadline, which must be as far away as the path says. After each step
 * what the actor shows is compared with what the path expects. Synchronous. Throws TEST_* errors as `generate` does.
 */
export function replayLive<M extends AnyStateMachine>(
  machine: M,
  path: Path,
  options: ReplayOptions<M> = {},
): LiveReport {
  inspected(machine);
  const show = raiseCurtain(machine, options as ReplayOptions);
  const expect = fullExpect(path.expect);
  let previous: AnyMachineSnapshot | undefined;
  const look = (step: number, move: Move | undefined, expected: Expected, reasons: readonly string[]) => {
    const { snapshot, alive, effects } = show.shown();
    const actual = expectedOf({ snapshot, alive, effects }, previous, expect);
    const broken = move && previous ? options.invariant?.({ snapshot, previous, move, effects }) : undefined;
    const all = [...reasons, ...differences(expected, actual), ...(broken === undefined ? [] : [broken])];
    previous = snapshot;
    return all.length === 0 ? undefined : { path: path.name, step, move, expected, actual, reasons: all };
  };
  let mismatch: Mismatch | undefined = look(0, undefined, path.start, []);
  for (const [index, move] of path.steps.entries()) {
    if (mismatch) break;
    mismatch = look(index + 1, move, move.expected, show.play(move));
  }
  const { snapshot } = show.shown();
  show.end();
  return {
    ok: mismatch === undefined,
    mismatch,
    facts: show.facts,
    snapshot,
    coverage: show.coverage(),
    toString: () => (mismatch ? mismatchText(mismatch, path) : `${path.name}: as expected`),
  };
}

interface Show {
  readonly facts: { readonly type: string }[];
  /** Plays one move. Sentences: why it could not be played as the path says. */
  play(move: Move): string[];
  /** Since the last look. */
  shown(): { snapshot: AnyMachineSnapshot; alive: string[]; effects: Asked[] };
  coverage(): Coverage;
  end(): void;
}

interface Set_ {
  readonly stage: AnyStateMachine;
  readonly watch: TransitionWatch;
}
const sets = new WeakMap<AnyStateMachine, Set_>();

/** The scripted machine; built once for a machine whose effects are all scripted. */
function setOf(machine: AnyStateMachine, { effects, snapshots }: ReplayOptions): Set_ {
  const known = effects || snapshots ? undefined : sets.get(machine);
  if (known) return known;
  const stage = setStage(machine, { effects, snapshots });
  const made = { stage, watch: watchTransitions(stage) };
  if (!effects && !snapshots) sets.set(machine, made);
  return made;
}

function raiseCurtain(machine: AnyStateMachine, options: ReplayOptions): Show {
  const { stage, watch } = setOf(machine, options);
  const clock = options.clock ?? createSimulatedClock();
  const count = countCoverage(stage, watch);
  const facts: { type: string }[] = [];
  let effects: Asked[] = [];
  let born: unknown;
  let heard = 0;
  const { host, scope } = createHost(clock, {
    hears: (actorRef) => {
      if (actorRef === born) heard += 1;
    },
    asks: (actorRef, action) => {
      if (actorRef === born) effects.push(withTarget(action, actorRef, host));
    },
  });
  watch.taken = new Set();
  onMicrostep(host.system, (transitions, actorRef) => {
    // The first steps are taken while the actor is being made.
    born ??= actorRef;
    if (actorRef !== born) return;
    for (const transition of transitions) watch.taken.add(watch.names.get(transition) ?? '');
  });
  const actor: AnyActorRef = createActor(stage, {
    parent: host,
    id: machine.id,
    input: options.input as never,
  });
  born = actor;
  actor.on('*', (fact: { type: string }) => void facts.push(fact));
  actor.subscribe({ error: () => undefined });
  actor.start();
  const snapshotOf = (): AnyMachineSnapshot => actor.getSnapshot() as AnyMachineSnapshot;
  const note = (): void => {
    count.add(snapshotOf(), watch.taken);
    watch.taken = new Set();
  };
  note();
  return {
    facts,
    play(move) {
      effects = [];
      const reasons = playMove(move, actor, snapshotOf(), clock, () => heard);
      note();
      return reasons;
    },
    shown: () => ({ snapshot: snapshotOf(), alive: aliveIn(snapshotOf()), effects }),
    coverage: count.coverage,
    end: () => scope.stopChild(actor),
  };
}

interface Audience {
  hears(actor: unknown): void;
  asks(actor: unknown, action: Asked): void;
}

/** The parent of the actor, so that `sendParent` has somebody, and nobody's death is nobody's. */
function createHost(clock: SimulatedClock, { hears, asks }: Audience) {
  let scope: AnyActorScope | undefined;
  const logic = {
    getInitialSnapshot: (own: AnyActorScope) => {
      scope = own;
      return { status: 'active', output: undefined, error: undefined };
    },
    getPersistedSnapshot: (snapshot: unknown) => snapshot,
    transition: (snapshot: unknown) => snapshot,
  } as unknown as AnyActorLogic;
  const host = createActor(logic, {
    clock,
    logger: () => undefined,
    inspect: (event) => {
      if (event.type === '@xstate.event') hears(event.actorRef);
      if (event.type === '@xstate.action') asks(event.actorRef, event.action);
    },
  });
  host.start();
  return { host, scope: scope! };
}

const aliveIn = (snapshot: AnyMachineSnapshot): string[] =>
  [...namedChildren(snapshot)]
    .filter(([, ref]) => (ref.getSnapshot() as { status?: string }).status === 'active')
    .map(([name]) => name);

function playMove(
  move: Move,
  actor: AnyActorRef,
  snapshot: AnyMachineSnapshot,
  clock: SimulatedClock,
  heard: () => number,
): string[] {
  if (move.kind === 'send') actor.send(eventOf(move));
  if (move.kind === 'send') return [];
  return move.kind === 'after' ? playTimer(move, clock, heard) : playCue(move, snapshot);
}

/** How many timers of others may fire before the next one of the machine: those of real actors may go on for ever. */
const OTHER_TIMERS = 1_000;

/** Until the machine hears something: what it sends to others with a delay is on the same clock. */
function playTimer(move: Move, clock: SimulatedClock, heard: () => number): string[] {
  const before = heard();
  let ms = 0;
  for (let count = 0; heard() === before; count += 1) {
    const { nextInMs } = clock;
    if (nextInMs === undefined || count === OTHER_TIMERS)
      return [`no timer is running, expected ${shortType(move.event.type)} in ${move.ms} ms`];
    ms += nextInMs;
    clock.next();
  }
  return ms === move.ms
    ? []
    : [`the next timer fired after ${ms} ms, expected ${shortType(move.event.type)} after ${move.ms} ms`];
}

function playCue(move: Move, snapshot: AnyMachineSnapshot): string[] {
  const ref = namedChildren(snapshot).get(move.actor ?? '');
  if (!ref || !aliveIn(snapshot).includes(move.actor ?? ''))
    return [`the actor ${move.actor} is not running`];
  const cue: Cue = { type: 'coppice.cue', kind: move.kind as Cue['kind'], value: cueValue(move) };
  ref.send(cue);
  return [];
}

function mismatchText({ step, reasons }: Mismatch, path: Path): string {
  const lines = path.steps.slice(0, step).map((move, index) => `  ${index + 1}. ${moveText(move)}`);
  return [
    `${path.name}: ${step === 0 ? 'the start' : `step ${step}`} is not as expected`,
    ...lines,
    ...reasons.map((reason) => `  - ${reason}`),
  ].join('\n');
}
