import { StateMachine } from 'xstate';
import type { AnyActorLogic, AnyStateMachine } from 'xstate';
import { fromPlain, toPlain } from './plain.ts';
import { caseNames, INLINE } from './source-names.ts';
import type { ActorCases } from './contract.ts';

/** Real effects for a replay, in the place of the scripted ones. */
export interface LiveEffects {
  /** `record` (default): custom actions are noted, not run. `run`: those the machine brings. Or others, by name. */
  readonly actions?: 'record' | 'run' | Readonly<Record<string, (args: never, params: never) => void>>;
  /** By the name of their source. They end by themselves; a path cannot end them. */
  readonly actors?: Readonly<Record<string, AnyActorLogic>>;
}

/** Ends or moves a scripted actor. */
export interface Cue {
  readonly type: 'coppice.cue';
  readonly kind: 'done' | 'error' | 'snapshot';
  readonly value: unknown;
}

interface ScriptedSnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly output: unknown;
  readonly error: unknown;
}

/** What an actor with `onSnapshot` shows: the case, as the snapshot of a running actor. */
export const shown = (value: unknown): ScriptedSnapshot => ({
  output: undefined,
  error: undefined,
  ...(typeof value === 'object' ? value : { context: value }),
  status: 'active',
});

/** The cases under the first of these names that has some. */
export function givenFor(all: ActorCases = {}, names: readonly string[]) {
  const name = names.find((one) => Object.hasOwn(all, one));
  return name === undefined ? undefined : { name, cases: all[name]! };
}

/** An actor that does nothing of its own: it hears everything and ends on cue. Stands for any logic. */
function scripted(casesOf: (id: string) => ActorCases[string] | undefined): AnyActorLogic {
  const transition = (snapshot: ScriptedSnapshot, event: { type: string }): ScriptedSnapshot => {
    if (event.type === 'xstate.stop') return { ...snapshot, status: 'stopped' };
    if (event.type !== 'coppice.cue') return snapshot;
    const { kind, value } = event as Cue;
    if (kind === 'snapshot') return shown(value);
    return kind === 'done'
      ? { ...snapshot, status: 'done', output: value }
      : { ...snapshot, status: 'error', error: value };
  };
  return {
    transition,
    getInitialSnapshot: ({ id }: { id: string }) => {
      const cases = casesOf(id);
      return shown(Array.isArray(cases) ? fromPlain(toPlain(cases[0])) : {});
    },
    getPersistedSnapshot: (snapshot: ScriptedSnapshot) => snapshot,
  } as unknown as AnyActorLogic;
}

type Config = Readonly<Record<string, unknown>>;
type Action = unknown;

export interface StageOptions {
  readonly effects?: LiveEffects | undefined;
  /** The first is what an actor with `onSnapshot` shows at its start. */
  readonly snapshots?: ActorCases | undefined;
}

/**
 * The same machine, all ours: every actor scripted, every custom action a note, no endless loop of `always`. Guards,
 * assigns, delays and every other part of XState's own stay what they are.
 */
export function setStage(
  machine: AnyStateMachine,
  { effects, snapshots }: StageOptions = {},
): AnyStateMachine {
  const names = new Set(Object.keys(machine.implementations.actors));
  const config = rewired(machine.config as Config, machine.id, names, quiet(effects));
  const standIn = (source: string): AnyActorLogic =>
    scripted((id) => givenFor(snapshots, caseNames(machine, id, source))?.cases);
  const actors = Object.fromEntries(
    [...names].map((name) => [name, effects?.actors?.[name] ?? standIn(name)]),
  );
  const own = machine.implementations.actions as Readonly<Record<string, Action>>;
  const actions = { ...own, ...(typeof effects?.actions === 'object' ? effects.actions : {}) };
  const stand = quiet(effects);
  const options = { maxIterations: 1_000, ...(machine.config.options ?? {}) };
  return new StateMachine(
    { ...config, options } as never,
    {
      ...machine.implementations,
      actors,
      actions: Object.fromEntries(
        Object.entries(actions).map(([name, action]) => [
          name,
          typeof effects?.actions === 'object' && name in effects.actions ? action : stand(action),
        ]),
      ),
    } as never,
  ) as unknown as AnyStateMachine;
}

/** A custom action as a note of the same name; XState's own, which only compute, as they are. */
function quiet(effects: LiveEffects | undefined): (action: Action) => Action {
  return (action) =>
    effects?.actions === 'run' || typeof action !== 'function' || 'resolve' in action
      ? action
      : Object.defineProperty(() => undefined, 'name', { value: action.name });
}

const asList = (value: unknown): readonly unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];
const isRecord = (value: unknown): value is Config => typeof value === 'object' && value !== null;
const mapped = (record: unknown, change: (value: unknown, key: string) => unknown): Config =>
  Object.fromEntries(Object.entries(record ?? {}).map(([key, value]) => [key, change(value, key)]));

/** The definition with inline actors under a name and inline custom actions noted. `names` gains every source. */
function rewired(config: Config, id: string, names: Set<string>, stand: (action: Action) => Action): Config {
  const actions = (list: unknown): readonly unknown[] => asList(list).map(stand);
  const transition = (one: unknown): unknown =>
    isRecord(one) && 'actions' in one ? { ...one, actions: actions(one['actions']) } : one;
  const transitions = (list: unknown): unknown =>
    Array.isArray(list) ? list.map(transition) : transition(list);
  const invoke = (one: Config, index: number): Config => {
    const src = typeof one['src'] === 'string' ? one['src'] : `${INLINE}${index}.${id}`;
    names.add(src);
    return change({ ...one, src }, { onDone: transitions, onError: transitions, onSnapshot: transitions });
  };
  return change(config, {
    entry: actions,
    exit: actions,
    always: transitions,
    onDone: transitions,
    initial: transition,
    on: (on) => mapped(on, transitions),
    after: (after) => mapped(after, transitions),
    invoke: (list) => asList(list).map((one, index) => invoke(one as Config, index)),
    states: (states) =>
      mapped(states, (state, key) =>
        rewired(state as Config, String((state as Config)['id'] ?? `${id}.${key}`), names, stand),
      ),
  });
}

function change(config: Config, changes: Readonly<Record<string, (value: unknown) => unknown>>): Config {
  return mapped(config, (value, key) => (value === undefined ? value : (changes[key]?.(value) ?? value)));
}
