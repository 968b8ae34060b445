import type { AnyActorRef, AnyMachineSnapshot } from 'xstate';
import { without } from './abstract.ts';
import { actorNamer, namedChildren, plainContext } from './children.ts';
import type { Expected, ExpectOptions, Plain } from './contract.ts';
import { digestOf, stableText, toPlain } from './plain.ts';
import type { Asked } from './timers.ts';

/** What an actor shows: the same for the model and for a live one. */
export interface Shown {
  readonly snapshot: AnyMachineSnapshot;
  readonly alive: readonly string[];
  readonly effects: readonly Asked[];
}

/** Values longer than this are told by their digest where only changes are told. */
const LONG = 120;
/** XState's own actions, which show in the snapshot, in the timers or in the children. */
const UNTOLD = new Set([
  'xstate.assign',
  'xstate.cancel',
  'xstate.raise',
  'xstate.spawnChild',
  'xstate.stopChild',
  'xstate.log',
  'xstate.enqueueActions',
]);

export const fullExpect = (options: ExpectOptions = {}): Required<ExpectOptions> => ({
  context: options.context ?? 'changes',
  actions: options.actions ?? 'names',
  drop: options.drop ?? [],
});

export function expectedOf(
  shown: Shown,
  before: AnyMachineSnapshot | undefined,
  options: Required<ExpectOptions>,
): Expected {
  const { snapshot, alive, effects } = shown;
  const context = contextOf(snapshot, before, options);
  const actions = options.actions === 'none' ? [] : actionsOf(snapshot, effects, options.actions);
  return {
    value: toPlain(snapshot.value),
    status: snapshot.status,
    ...(context === undefined ? {} : { context }),
    ...(alive.length > 0 && snapshot.status === 'active' ? { children: alive.toSorted() } : {}),
    ...(actions.length > 0 ? { actions } : {}),
    ...(snapshot.output === undefined ? {} : { output: toPlain(snapshot.output) }),
    ...(snapshot.status === 'error' ? { error: errorText(snapshot.error) } : {}),
  };
}

function contextOf(
  snapshot: AnyMachineSnapshot,
  before: AnyMachineSnapshot | undefined,
  { context: what, drop }: Required<ExpectOptions>,
): Plain | undefined {
  if (what === 'none') return undefined;
  const all = comparedContext(snapshot, drop);
  if (what === 'digest') return digestOf(stableText(all));
  if (what === 'full') return all;
  if (what !== 'changes') return pick(all, (key) => what.includes(key));
  const old = before ? comparedContext(before, drop) : {};
  const changed = pick(
    all,
    (key) => stableText(all[key] ?? null) !== stableText(old[key] ?? null) || !(key in old),
  );
  return Object.keys(changed).length === 0 ? undefined : mapValues(changed, brief);
}

const comparedContext = (
  snapshot: AnyMachineSnapshot,
  drop: readonly string[],
): Readonly<Record<string, Plain>> => {
  const plain = without(plainContext(snapshot), drop);
  return plain as Readonly<Record<string, Plain>>;
};

/** Short values as they are; long ones as `#` and their digest. */
function brief(value: Plain): Plain {
  const text = stableText(value);
  return text.length > LONG ? `#${digestOf(text)}` : value;
}

function actionsOf(
  snapshot: AnyMachineSnapshot,
  effects: readonly Asked[],
  how: 'names' | 'params',
): Plain[] {
  const nameActor = actorNamer(snapshot);
  const told = effects.filter(({ type }) => !UNTOLD.has(type));
  return told.map((asked): Plain => {
    const { type, params } = asked;
    const name = actionName(asked, snapshot);
    if (how === 'names' || params === undefined) return name;
    const bare =
      type === 'xstate.sendTo' || type === 'xstate.emit' ? (params as { event: unknown }).event : params;
    return [name, brief(toPlain(bare, nameActor))];
  });
}

function actionName({ type, params, target }: Asked, snapshot: AnyMachineSnapshot): string {
  if (type !== 'xstate.emit' && type !== 'xstate.sendTo') return type;
  const { event, to } = params as { event?: { type?: string }; to?: AnyActorRef };
  if (type === 'xstate.emit') return `emit ${event?.type}`;
  return `send ${target ?? targetName(to, snapshot)} ${event?.type}`;
}

function targetName(to: AnyActorRef | undefined, snapshot: AnyMachineSnapshot): string {
  const child = [...namedChildren(snapshot)].find(([, ref]) => ref === to)?.[0];
  return child ?? 'elsewhere';
}

export const errorText = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : stableText(toPlain(error));

const pick = (
  record: Readonly<Record<string, Plain>>,
  wanted: (key: string) => boolean,
): Record<string, Plain> => Object.fromEntries(Object.entries(record).filter(([key]) => wanted(key)));

const mapValues = (
  record: Readonly<Record<string, Plain>>,
  change: (value: Plain) => Plain,
): Record<string, Plain> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

/** Where two expectations differ, a line each; empty when they agree. */
export function differences(expected: Expected, actual: Expected): string[] {
  const [left, right]: Readonly<Record<string, unknown>>[] = [{ ...expected }, { ...actual }];
  if (!left || !right) return [];
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].flatMap((key) => {
    const [want, got] = [left[key], right[key]].map((value) =>
      value === undefined ? 'nothing' : stableText(value as Plain),
    );
    return want === got ? [] : [`${key}: expected ${want}, got ${got}`];
  });
}
