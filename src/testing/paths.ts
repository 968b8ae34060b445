import { getShortestPaths } from '@xstate/graph';
import { createActor, createEmptyActor } from 'xstate';
import type {
  ActorLogic,
  AnyActorScope,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
  AnyTransitionDefinition,
  AnyActorRef,
  AnyEventObject,
  EventFromLogic,
  InputFrom,
  NonReducibleUnknown,
} from 'xstate';
import { eventKey, watchTransitions } from './transitions.ts';
import type { TransitionWatch } from './transitions.ts';

/** An action a transition asked for; `params` as the machine gave them. Facts are `xstate.emit` with `{ event }`. */
export interface AskedEffect {
  readonly type: string;
  readonly params: unknown;
}

/** An event, and the state after it. */
export interface PathStep {
  readonly event: AnyEventObject;
  readonly state: AnyMachineSnapshot;
}
/** The shortest way to one state. `steps` leave out the start. */
export interface StatePath {
  readonly key: string;
  readonly state: AnyMachineSnapshot;
  readonly steps: readonly PathStep[];
}

type Varied = readonly unknown[] | ((snapshot: AnyMachineSnapshot) => readonly unknown[]);

/** What a machine is fed with while it is explored. */
export interface ExploreOptions<M extends AnyStateMachine> {
  readonly input: InputFrom<M>;
  /** The plain events, from the machine's `examples`; a function when they depend on where we are. */
  readonly events:
    | readonly EventFromLogic<M>[]
    | ((snapshot: AnyMachineSnapshot) => readonly EventFromLogic<M>[]);
  /** Outputs of invoked actors, by invoke id. Each variant is an edge. Default: one `undefined`. */
  readonly outputs?: Readonly<Record<string, Varied>>;
  /** Errors of invoked actors, by invoke id. Default: one plain Error. */
  readonly errors?: Readonly<Record<string, Varied>>;
  /** What makes two snapshots the same state: cap counters here. Default: value, context and the ids of children. */
  readonly serialize?: (snapshot: AnyMachineSnapshot) => string;
  readonly stopWhen?: (snapshot: AnyMachineSnapshot) => boolean;
  /** Transitions tried before the exploration gives up with an error. Default 200,000. */
  readonly limit?: number;
  /** Looked at after every step. A returned text is a violation. */
  readonly invariant?: (
    snapshot: AnyMachineSnapshot,
    event: AnyEventObject,
    previous: AnyMachineSnapshot,
    effects: readonly AskedEffect[],
  ) => string | undefined;
  /** Pairs that may go without a transition: `"STATE EVENT"`, `*` stands for any characters. */
  readonly ignorable?: readonly string[];
  /** Transitions, as named in the report, that cannot be taken by construction. One that is taken all the same is a violation. */
  readonly unreachable?: readonly string[];
}

/** What an exploration found. */
export interface ExploreReport {
  readonly states: readonly string[];
  readonly paths: readonly StatePath[];
  /** Every candidate transition of every state; one with a guard counts twice, as taken and as refused. */
  readonly transitions: {
    readonly all: readonly string[];
    readonly taken: readonly string[];
    readonly missed: readonly string[];
  };
  /** Pairs `"STATE EVENT"` without a transition that were not declared ignorable. */
  readonly unhandled: readonly string[];
  /** Broken invariants, thrown errors, machines that died of an unhandled child error, stale declarations. */
  readonly violations: readonly string[];
  toString(): string;
}

/**
 * Walks every reachable state of a production machine without running any effect: plain events, and for every
 * active state the synthetic done, error and after events its own definition waits for (`createTestModel` refuses
 * such machines). Guards and assigns run; actions are recorded.
 */
export function explore<M extends AnyStateMachine>(machine: M, options: ExploreOptions<M>): ExploreReport {
  const clone = machine.provide({}) as AnyStateMachine;
  const coverage = watchTransitions(clone);
  const unhandled = new Set<string>();
  const violations = new Set<string>();
  const ignorable = (options.ignorable ?? []).map(glob);
  const serialize = options.serialize ?? defaultKey;

  const observe = (before: AnyMachineSnapshot, event: AnyEventObject, step: Step): AnyMachineSnapshot => {
    const pair = `${stateName(before)} ${event.type}`;
    if (step.first === 0 && !ignorable.some((rule) => rule.test(pair))) unhandled.add(pair);
    if (step.after.status === 'error')
      violations.add(`${pair}: the machine died: ${String(step.after.error)}`);
    const broken = options.invariant?.(step.after, event, before, step.effects);
    if (broken !== undefined) violations.add(`${pair}: ${broken}`);
    return step.after;
  };
  const logic = recorded(clone, coverage, observe, (before, event, error) => {
    violations.add(`${stateName(before)} ${event.type}: threw ${String(error)}`);
  });
  const traversal = {
    input: options.input as never,
    events: (snapshot: AnyMachineSnapshot) => possible(snapshot, options),
    serializeState: serialize,
    serializeEvent: eventKey,
    stopWhen: (snapshot: AnyMachineSnapshot) =>
      snapshot.status !== 'active' || options.stopWhen?.(snapshot) === true,
    limit: options.limit ?? 200_000,
  };
  const paths = getShortestPaths(logic, traversal).map((path): StatePath => ({
    key: serialize(path.state),
    state: path.state,
    steps: path.steps.filter((step) => step.event.type !== 'xstate.init'),
  }));
  const declared = new Set(options.unreachable ?? []);
  for (const name of declared)
    if (coverage.taken.has(name)) violations.add(`${name}: declared unreachable, but taken`);
  for (const name of declared)
    if (!coverage.all.has(name))
      violations.add(`${name}: declared unreachable, but there is no such transition`);
  const missed = [...coverage.all].filter((name) => !coverage.taken.has(name) && !declared.has(name));
  return report({
    states: paths.map((path) => path.key),
    paths,
    transitions: { all: [...coverage.all], taken: [...coverage.taken], missed },
    unhandled: [...unhandled],
    violations: [...violations],
  });
}

/** Sends the events of a path to a live actor of `machine`, provided with quiet effects. Its last snapshot. */
export function replay<M extends AnyStateMachine>(
  machine: M,
  path: StatePath,
  input: InputFrom<M>,
): AnyMachineSnapshot {
  const actor = createActor(machine as AnyStateMachine, { input: input as never });
  actor.subscribe({ error: () => undefined });
  actor.start();
  for (const step of path.steps) actor.send(step.event);
  const snapshot = actor.getSnapshot() as AnyMachineSnapshot;
  actor.stop();
  return snapshot;
}

/** The active states of a snapshot as nodes, ancestors included. */
export const activeNodes = (snapshot: AnyMachineSnapshot): readonly AnyStateNode[] => snapshot._nodes;

/** Tells the transitions of every microstep of every actor in the system, with the actor that took them. */
export function onMicrostep(
  system: AnyActorRef['system'],
  tell: (transitions: readonly AnyTransitionDefinition[], actor: unknown) => void,
): void {
  system.inspect((inspected) => {
    if (inspected.type === '@xstate.microstep') tell(inspected._transitions, inspected.actorRef);
  });
}

/** `a.b`, regions joined by `+` in the order of the definition: the active leaves, or those of them below a state. */
export function stateName(
  snapshot: AnyMachineSnapshot,
  { path }: AnyStateNode = snapshot.machine.root,
): string {
  const leaves = snapshot._nodes.filter(
    (node) =>
      (node.type === 'atomic' || node.type === 'final') &&
      path.every((key, depth) => node.path[depth] === key),
  );
  return (
    leaves
      .toSorted((one, other) => one.order - other.order)
      .map((node) => node.path.join('.'))
      .join('+') || '(root)'
  );
}

interface Step {
  readonly after: AnyMachineSnapshot;
  /** How many transitions the event itself caused, `always` and raised ones aside. */
  readonly first: number;
  readonly effects: readonly AskedEffect[];
}

/** The machine as a logic whose every step is observed and whose effects are asked for, not run. */
function recorded(
  machine: AnyStateMachine,
  coverage: TransitionWatch,
  observe: (before: AnyMachineSnapshot, event: AnyEventObject, step: Step) => AnyMachineSnapshot,
  threw: (before: AnyMachineSnapshot, event: AnyEventObject, error: unknown) => void,
): ActorLogic<AnyMachineSnapshot, AnyEventObject, NonReducibleUnknown> {
  const effects: AskedEffect[] = [];
  const counts: number[] = [];
  const self = createEmptyActor();
  onMicrostep(self.system, (transitions) => {
    counts.push(transitions.length);
    for (const transition of transitions) {
      const name = coverage.names.get(transition);
      if (name !== undefined) coverage.taken.add(name);
    }
  });
  const nothing = (): void => undefined;
  const scope = {
    self,
    id: 'explored',
    sessionId: 'explored',
    system: self.system,
    logger: nothing,
    defer: nothing,
    stopChild: nothing,
    emit: nothing,
    actionExecutor: (action: AskedEffect) => void effects.push({ type: action.type, params: action.params }),
  } as unknown as AnyActorScope;
  return {
    getInitialSnapshot: (_scope, input) =>
      machine.getInitialSnapshot(scope as never, input) as AnyMachineSnapshot,
    getPersistedSnapshot: (snapshot) => snapshot,
    transition: (before, event) => {
      effects.length = 0;
      counts.length = 0;
      try {
        const after = machine.transition(
          before as never,
          event as never,
          scope as never,
        ) as AnyMachineSnapshot;
        return observe(before, event, { after, first: counts[0] ?? 0, effects: [...effects] });
      } catch (error) {
        threw(before, event, error);
        return before;
      }
    },
  };
}

function possible<M extends AnyStateMachine>(
  snapshot: AnyMachineSnapshot,
  options: ExploreOptions<M>,
): AnyEventObject[] {
  const plain = typeof options.events === 'function' ? options.events(snapshot) : options.events;
  const awaited = new Set(snapshot._nodes.flatMap((node) => [...node.transitions.keys()]));
  return [
    ...(plain as readonly AnyEventObject[]),
    ...[...awaited].flatMap((type) => synthetic(type, snapshot, options)),
  ];
}

function synthetic<M extends AnyStateMachine>(
  type: string,
  snapshot: AnyMachineSnapshot,
  options: ExploreOptions<M>,
): AnyEventObject[] {
  if (type.startsWith('xstate.after.')) return [{ type }];
  const match = /^xstate\.(done|error)\.actor\.(.+)$/.exec(type);
  const [kind, actorId] = [match?.[1], match?.[2]];
  if (actorId === undefined || !(actorId in snapshot.children)) return [];
  const given =
    kind === 'done'
      ? (options.outputs?.[actorId] ?? [undefined])
      : (options.errors?.[actorId] ?? [new Error('a synthetic failure')]);
  const values = typeof given === 'function' ? given(snapshot) : given;
  return values.map((value) => ({ type, actorId, [kind === 'done' ? 'output' : 'error']: value }));
}

function defaultKey(snapshot: AnyMachineSnapshot): string {
  return JSON.stringify([snapshot.value, snapshot.context, Object.keys(snapshot.children).toSorted()]);
}

export function glob(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '.*')}$`);
}

function report(found: Omit<ExploreReport, 'toString'>): ExploreReport {
  const list = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : [`${title}:`, ...lines.map((line) => `  ${line}`)];
  const { all, taken, missed } = found.transitions;
  const text = [
    `${found.states.length} states, ${found.paths.length} paths, ${taken.length} of ${all.length} transition outcomes`,
    ...list('missed', missed),
    ...list('unhandled', found.unhandled),
    ...list('violations', found.violations),
  ].join('\n');
  return { ...found, toString: () => text };
}
