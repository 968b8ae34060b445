import { getShortestPaths } from '@xstate/graph';
import { createActor, createEmptyActor } from 'xstate';
import type {
  ActorLogic,
  AnyActorScope,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
  AnyTransitionDefinition,
  AnyEventObject,
  EventFromLogic,
  InputFrom,
  NonReducibleUnknown,
} from 'xstate';
import { evaluateGuard } from 'xstate/guards';

/** An action a transition asked for; `params` as the machine gave them. Facts are `xstate.emit` with `{ event }`. */
export interface AskedEffect {
  readonly type: string;
  readonly params: unknown;
}

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
  const coverage = countTransitions(clone);
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
    serializeEvent,
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

/** `a.b`, regions joined by `+`: the active leaves. */
export function stateName(snapshot: AnyMachineSnapshot): string {
  const leaves = snapshot._nodes.filter((node) => node.type === 'atomic' || node.type === 'final');
  return leaves.map((node) => node.path.join('.')).join('+') || '(root)';
}

interface Coverage {
  readonly all: Set<string>;
  readonly taken: Set<string>;
  readonly names: Map<AnyTransitionDefinition, string>;
}

/** Names every candidate transition and spies on its guard. `machine` must be ours alone: its definition is touched. */
function countTransitions(machine: AnyStateMachine): Coverage {
  const coverage: Coverage = { all: new Set(), taken: new Set(), names: new Map() };
  const add = (
    node: AnyStateNode,
    type: string,
    transition: AnyTransitionDefinition,
    index: number,
  ): void => {
    const guard = transition.guard === undefined ? '' : ` [${guardName(transition.guard)}]`;
    const name = `${node.path.join('.') || '(root)'} ${type}${index > 0 ? `#${index}` : ''}${guard}`;
    coverage.names.set(transition, name);
    coverage.all.add(name);
    if (transition.guard === undefined) return;
    coverage.all.add(`${name} refused`);
    transition.guard = spied(transition.guard, () =>
      coverage.taken.add(`${name} refused`),
    ) as typeof transition.guard;
  };
  const visit = (node: AnyStateNode): void => {
    for (const [type, candidates] of node.transitions)
      candidates.forEach((transition, index) => add(node, shortType(type), transition, index));
    node.always?.forEach((transition, index) => add(node, 'always', transition, index));
    Object.values(node.states).forEach(visit);
  };
  visit(machine.root);
  return coverage;
}

type Guard = Parameters<typeof evaluateGuard>[0];

function spied(guard: unknown, refused: () => void): unknown {
  const check = (snapshot: AnyMachineSnapshot, args: { context: never; event: never }): boolean => {
    const passed = evaluateGuard(guard as Guard, args.context, args.event, snapshot);
    if (!passed) refused();
    return passed;
  };
  return Object.assign(() => false, { check });
}

function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  if (typeof guard === 'function')
    return 'guards' in guard
      ? `${guard.name}(${(guard.guards as unknown[]).map(guardName).join(', ')})`
      : guard.name || 'inline';
  return (guard as { type: string }).type;
}

function shortType(type: string): string {
  return type
    .replace(/^xstate\.(done|error)\.actor\.(.*)$/, '$1($2)')
    .replace(/^xstate\.after\.([^.]*)\..*$/, 'after($1)')
    .replace(/^xstate\.done\.state\..*$/, 'done');
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
  coverage: Coverage,
  observe: (before: AnyMachineSnapshot, event: AnyEventObject, step: Step) => AnyMachineSnapshot,
  threw: (before: AnyMachineSnapshot, event: AnyEventObject, error: unknown) => void,
): ActorLogic<AnyMachineSnapshot, AnyEventObject, NonReducibleUnknown> {
  const effects: AskedEffect[] = [];
  const counts: number[] = [];
  const self = createEmptyActor();
  self.system.inspect((inspected) => {
    if (inspected.type !== '@xstate.microstep') return;
    counts.push(inspected._transitions.length);
    for (const transition of inspected._transitions) {
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

function serializeEvent(event: AnyEventObject): string {
  return JSON.stringify(event, (_key, value: unknown) =>
    value instanceof Error ? `${value.name}: ${value.message}` : value,
  );
}

function glob(pattern: string): RegExp {
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
