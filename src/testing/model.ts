import { createActor, createEmptyActor, fromTransition } from 'xstate';
import type {
  AnyActorRef,
  AnyActorScope,
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
} from 'xstate';
import { CoppiceError } from '../errors.ts';
import { casesOf } from './cases.ts';
import type { Cases } from './cases.ts';
import { namedChildren } from './children.ts';
import type { ModelOptions, Move } from './contract.ts';
import { errorText } from './expected.ts';
import { inspected } from './inspected.ts';
import { movesAt, occurrence, unguardedAt, unheardAt } from './moves.ts';
import type { Occurrence } from './moves.ts';
import { onMicrostep, stateName } from './paths.ts';
import { setStage } from './stage.ts';
import { keyOf } from './state-key.ts';
import { collision } from './system-ids.ts';
import { sentToItself, withAction, withTarget } from './timers.ts';
import type { Asked, Timer } from './timers.ts';
import { nodesOf } from './nodes.ts';
import type { ModelState } from './model-state.ts';
import { memoriesOf, shortType, watchTransitions } from './transitions.ts';
import type { TransitionWatch } from './transitions.ts';

/** A machine as a pure function: no effect runs, no time passes but by a move. */
export interface Model {
  readonly machine: AnyStateMachine;
  readonly watch: TransitionWatch;
  readonly cases: Cases;
  readonly start: ModelState;
  /** What can happen here. */
  moves(state: ModelState): readonly Move[];
  /** Event types with cases that nothing listens for here. */
  unheard(state: ModelState): readonly string[];
  /** Actors whose failure nothing listens for here: the machine would fail with them. */
  unguarded(state: ModelState): readonly string[];
  /** Cases for actors that were never asked for so far: `outputs.laod`. */
  unused(): readonly string[];
  /** Undefined: this cannot happen here. The move is told as it is (the time a timer really takes). */
  take(state: ModelState, move: Move): { readonly move: Move; readonly state: ModelState } | undefined;
  key(state: ModelState): string;
}

/** Stands for the machine's actor: something that has a parent and can be sent to. */
const INERT = fromTransition((state: undefined) => state, undefined);
/** How many events a machine may send to itself in one step. */
const OWN_EVENTS = 1_000;

/** Throws TEST_* errors for what cannot be modelled: no machine, missing implementations, unnamed spawned logic. */
export function createModel<M extends AnyStateMachine>(machine: M, options: ModelOptions<M> = {}): Model {
  inspected(machine);
  const stage = setStage(machine, { snapshots: options.snapshots });
  const watch = watchTransitions(stage);
  const cases = casesOf(stage, options as ModelOptions);
  const shown = nodesOf(stage.root).flatMap(({ invoke }) => invoke.filter((one) => one.onSnapshot));
  const scenery: Scenery = {
    stage,
    watch,
    mayRunInline: options.inlineActors === 'run',
    shown: new Set(shown.map(({ id }) => id)),
  };
  const start = begun(machine, () =>
    settle(scenery, [], (scope) => stage.getInitialSnapshot(scope, options.input), []),
  );
  if (start.status === 'error') throw startFailed(machine, start.snapshot.error);
  const keys = new WeakMap<ModelState, string>();
  const used = new Set<string>();
  return {
    machine: stage,
    watch,
    cases,
    start,
    moves: (state) => movesAt(state, cases, options as ModelOptions, used),
    unheard: (state) => unheardAt(state, cases),
    unguarded: unguardedAt,
    unused: () =>
      (['outputs', 'errors', 'snapshots'] as const).flatMap((kind) =>
        Object.keys(options[kind] ?? {}).flatMap((name) =>
          used.has(`${kind}.${name}`) ? [] : [`${kind}.${name}`],
        ),
      ),
    take(state, move) {
      const found = occurrence(state, move);
      return found && { move: found.move, state: step(scenery, state, found) };
    },
    key(state) {
      const key = keys.get(state) ?? keyOf(state, options as ModelOptions);
      keys.set(state, key);
      return key;
    },
  };
}

interface Scenery {
  readonly stage: AnyStateMachine;
  readonly watch: TransitionWatch;
  readonly mayRunInline: boolean;
  /** Ids of invokes with `onSnapshot`. */
  readonly shown: ReadonlySet<string>;
}

/** XState 5.31 throws what later versions put into the first snapshot. */
function begun(machine: AnyStateMachine, run: () => ModelState): ModelState {
  try {
    return run();
  } catch (error) {
    throw startFailed(machine, error);
  }
}

function startFailed(machine: AnyStateMachine, cause: unknown): CoppiceError {
  if (cause instanceof CoppiceError && cause.code.startsWith('TEST_')) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CoppiceError('TEST_START_FAILED', { machine: machine.id, reason }, { cause });
}

function step(scenery: Scenery, before: ModelState, { event, timers, endedId }: Occurrence): ModelState {
  const children = before.snapshot.children as Readonly<Record<string, AnyActorRef>>;
  const ended = endedId === undefined ? before.ended : [...before.ended, endedId];
  const after = settle(
    scenery,
    timers,
    (scope) => scenery.stage.transition(before.snapshot as never, event, scope),
    [event],
    before.snapshot,
    ended,
  );
  const now = after.snapshot.children as Readonly<Record<string, AnyActorRef>>;
  return { ...after, ended: ended.filter((id) => now[id] !== undefined && now[id] === children[id]) };
}

/** Runs one step to its end, with the events the machine sends itself. */
function settle(
  scenery: Scenery,
  timers: readonly Timer[],
  run: (scope: never) => unknown,
  first: readonly AnyEventObject[],
  before?: AnyMachineSnapshot,
  ended: readonly string[] = [],
): ModelState {
  const { stage, watch, shown } = scenery;
  const effects: Asked[] = [];
  const remembered: (readonly [string, AnyStateNode])[] = [];
  let taken = -1;
  watch.taken = new Set();
  const { scope, self } = createScope(stage.id, before, ended, effects, (transitions) => {
    if (taken < 0) taken = transitions.length;
    for (const transition of transitions) {
      const name = watch.names.get(transition);
      if (name === undefined) continue;
      watch.taken.add(name);
      remembered.push(...memoriesOf(transition).map((state) => [name, state] as const));
    }
  });
  const stopped = { effects, ended };
  let snapshot = attempt(run as (scope: AnyActorScope) => unknown, scope, before, stopped);
  const mailbox: AnyEventObject[] = [];
  let [left, seen] = [timers, 0];
  for (let count = 0; count < OWN_EVENTS; count += 1) {
    for (const effect of effects.slice(seen)) {
      left = withAction(left, effect, self);
      mailbox.push(...sentToItself(effect, self), ...firstShown(effect, shown));
    }
    seen = effects.length;
    const event = mailbox.shift();
    if (event === undefined || snapshot.status !== 'active') break;
    const from = snapshot;
    snapshot = attempt((at) => stage.transition(from as never, event, at as never), scope, from, stopped);
  }
  refuseInline(scenery, snapshot);
  const failure =
    snapshot.status === 'error' ? errorText(snapshot.error).replaceAll(/\s*\n\s*/g, ' ') : undefined;
  return {
    status: snapshot.status,
    snapshot,
    timers: snapshot.status === 'active' ? left : [],
    ended: [],
    effects,
    outcomes: [
      ...watch.taken,
      ...remembered.map(([name, state]) => `${name} to ${stateName(snapshot, state)}`),
      ...(failure === undefined ? [] : [`${shortType(first[0]?.type ?? '')}: ${failure}`]),
    ],
    heard: first.length === 0 || taken > 0 || failure !== undefined,
    failure,
  };
}

/** As an actor does it: a machine that throws is over, and its snapshot says so. */
function attempt(
  run: (scope: AnyActorScope) => unknown,
  scope: AnyActorScope,
  before: AnyMachineSnapshot | undefined,
  { effects, ended }: { readonly effects: readonly Asked[]; readonly ended: readonly string[] },
): AnyMachineSnapshot {
  try {
    const after = run(scope) as AnyMachineSnapshot;
    const wrong = before && collision(before, after, effects, ended);
    if (wrong) throw wrong;
    return after;
  } catch (error) {
    if (before === undefined) throw error;
    return { ...before, status: 'error', error, output: undefined } as AnyMachineSnapshot;
  }
}

/** An actor that is watched (`onSnapshot`) shows itself at its start. */
function firstShown({ type, params }: Asked, watched: ReadonlySet<string>): readonly AnyEventObject[] {
  if (type !== 'xstate.spawnChild') return [];
  const { actorRef, id } = params as { actorRef?: AnyActorRef; id?: unknown };
  return actorRef && watched.has(String(id))
    ? [{ type: `xstate.snapshot.${String(id)}`, snapshot: actorRef.getSnapshot() }]
    : [];
}

function refuseInline({ stage, mayRunInline }: Scenery, snapshot: AnyMachineSnapshot): void {
  if (mayRunInline) return;
  for (const [actor, ref] of namedChildren(snapshot))
    if (typeof ref.src !== 'string')
      throw new CoppiceError('TEST_INLINE_ACTOR', { machine: stage.id, actor });
}

/** A fresh system for each step: systemIds of one step do not collide with those of another. */
function createScope(
  id: string,
  before: AnyMachineSnapshot | undefined,
  ended: readonly string[],
  effects: Asked[],
  tell: Parameters<typeof onMicrostep>[1],
): { scope: AnyActorScope; self: AnyActorRef } {
  const parent = createEmptyActor();
  const self: AnyActorRef = createActor(INERT, { parent, id, input: undefined });
  onMicrostep(parent.system, tell);
  const nothing = (): void => undefined;
  const bySystemId = (systemId: string): AnyActorRef | undefined =>
    Object.values((before?.children ?? {}) as Record<string, AnyActorRef>).find(
      (child) => (child as { systemId?: string }).systemId === systemId && !ended.includes(child.id),
    ) ?? (parent.system.get(systemId as never) as AnyActorRef | undefined);
  const system = Object.assign(Object.create(parent.system) as object, { get: bySystemId });
  const scope = {
    self,
    id,
    sessionId: 'model',
    system,
    logger: nothing,
    defer: nothing,
    stopChild: nothing,
    emit: nothing,
    actionExecutor: (action: Asked) => void effects.push(withTarget(action, self, parent)),
  } as unknown as AnyActorScope;
  return { scope, self };
}
