import type { Config, Place, Transition } from './config.ts';

/** One candidate of an event, of `always`, of a timer or of an actor's end. */
export interface TransitionPlace {
  readonly place: Place;
  /** `STATE on EVENT #2`. */
  readonly name: string;
  /** Path of the state it belongs to. */
  readonly state: readonly string[];
  readonly transition: Transition;
}
/** Candidates together: all of one event. */
export interface HandlerPlace extends Pick<TransitionPlace, 'place' | 'name' | 'state'> {
  readonly kind: 'on' | 'after' | 'always' | 'onDone' | 'onError' | 'onSnapshot';
  /** The event type or the delay. */
  readonly key: string;
  readonly candidates: readonly Transition[];
}
/** An action in its list. */
export interface ActionPlace {
  readonly place: Place;
  readonly name: string;
}
export interface StatePlace {
  readonly place: Place;
  readonly state: readonly string[];
  readonly config: Config;
}

export const stateText = (state: readonly string[]): string => state.join('.') || '(root)';

/** Every state of a definition in its long form, the root first. */
export function statesOf(config: Config, place: Place = [], state: readonly string[] = []): StatePlace[] {
  const inner = Object.entries((config['states'] ?? {}) as Readonly<Record<string, Config>>);
  return [
    { place, state, config },
    ...inner.flatMap(([key, one]) => statesOf(one, [...place, 'states', key], [...state, key])),
  ];
}

type Candidates = readonly Transition[];

function handlersAt({ place, state, config }: StatePlace): HandlerPlace[] {
  const where = stateText(state);
  const keyed = (kind: 'on' | 'after'): HandlerPlace[] =>
    Object.entries((config[kind] ?? {}) as Readonly<Record<string, Candidates>>).map(([key, candidates]) => ({
      place: [...place, kind, key],
      name: `${where} ${kind} ${key}`,
      ...{ state, kind, key, candidates },
    }));
  const single = (
    kind: 'always' | 'onDone' | 'onError' | 'onSnapshot',
    of: Config,
    at: Place,
    name: string,
  ) =>
    of[kind] === undefined
      ? []
      : [{ place: [...at, kind], name, state, kind, key: kind, candidates: of[kind] as Candidates }];
  const invokes = (config['invoke'] ?? []) as readonly Config[];
  return [
    ...keyed('on'),
    ...single('always', config, place, `${where} always`),
    ...single('onDone', config, place, `${where} onDone`),
    ...keyed('after'),
    ...invokes.flatMap((invoke, index) =>
      (['onDone', 'onError', 'onSnapshot'] as const).flatMap((kind) =>
        single(kind, invoke, [...place, 'invoke', index], `${where} ${kind} of ${invokeName(invoke)}`),
      ),
    ),
  ];
}

export const invokeName = (invoke: Config): string => String(invoke['id'] ?? invoke['src']);

/** Every list of candidates. */
export const handlersOf = (config: Config): HandlerPlace[] => statesOf(config).flatMap(handlersAt);

export const transitionsOf = (config: Config): TransitionPlace[] =>
  handlersOf(config).flatMap(({ place, name, state, candidates }) =>
    candidates.map((transition, at) => ({
      place: [...place, at],
      name: candidates.length > 1 ? `${name} #${at + 1}` : name,
      state,
      transition,
    })),
  );

/** Every action, of entries, exits and transitions alike. */
export function actionsOf(config: Config): ActionPlace[] {
  const list = (place: Place, name: string, actions: unknown): ActionPlace[] =>
    ((actions ?? []) as readonly unknown[]).map((action, at) => ({
      place: [...place, at],
      name: `${name}: ${actionName(action)}${at > 0 ? ` (action ${at + 1})` : ''}`,
    }));
  return [
    ...statesOf(config).flatMap(({ place, state, config: one }) =>
      ['entry', 'exit'].flatMap((kind) => list([...place, kind], `${stateText(state)} ${kind}`, one[kind])),
    ),
    ...transitionsOf(config).flatMap(({ place, name, transition }) =>
      list([...place, 'actions'], name, transition.actions),
    ),
  ];
}

function actionName(action: unknown): string {
  if (typeof action === 'string') return action;
  const { type, name } = action as { readonly type?: string; readonly name?: string };
  return type ?? name ?? 'an action';
}

export function guardName(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  if (typeof guard !== 'function') return (guard as { readonly type: string }).type;
  const inner =
    'guards' in guard ? `(${(guard.guards as readonly unknown[]).map(guardName).join(', ')})` : '';
  return `${guard.name || 'inline'}${inner}`;
}
