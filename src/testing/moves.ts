import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot } from 'xstate';
import type { Cases } from './cases.ts';
import { actorNamer, namedChildren } from './children.ts';
import type { ModelOptions, Move } from './contract.ts';
import type { ModelState } from './model-state.ts';
import { activeNodes } from './paths.ts';
import { fromPlain, stableText, toPlain } from './plain.ts';
import { caseNames } from './source-names.ts';
import { givenFor, shown } from './stage.ts';
import { afterFiring, nextTimer } from './timers.ts';
import type { Timer } from './timers.ts';
import { describes } from './transitions.ts';

/** What a move comes to in one state. */
export interface Occurrence {
  readonly move: Move;
  readonly event: AnyEventObject;
  readonly timers: readonly Timer[];
  readonly endedId?: string;
}

const ACTOR_KINDS = ['done', 'error', 'snapshot'] as const;
type ActorKind = (typeof ACTOR_KINDS)[number];
const typeOf = (kind: ActorKind, id: string): string =>
  kind === 'snapshot' ? `xstate.snapshot.${id}` : `xstate.${kind}.actor.${id}`;
const FIELD = { done: 'output', error: 'error', snapshot: 'snapshot' } as const;

/** Everything that can happen in a state and that something listens for: plain events, ends of actors, the next timer. */
export function movesAt(
  state: ModelState,
  cases: Cases,
  options: ModelOptions,
  used: Set<string>,
): readonly Move[] {
  if (state.status !== 'active') return [];
  const descriptors = descriptorsOf(state.snapshot);
  const heard = (type: string): boolean => descriptors.some((descriptor) => describes(descriptor, type));
  const plain = cases.at(state.snapshot).filter(({ type }) => heard(type));
  const timer = nextTimer(state.timers);
  return [
    ...plain.map((event) => sending(event, state.snapshot)),
    ...alive(state).flatMap(([name, ref]) => ends(name, ref, state.snapshot, heard, options, used)),
    ...(timer ? [firing(timer)] : []),
  ];
}

/** Types that have a case and for which nothing listens. */
export function unheardAt(state: ModelState, cases: Cases): readonly string[] {
  if (state.status !== 'active') return [];
  const descriptors = descriptorsOf(state.snapshot);
  const types = new Set(cases.at(state.snapshot).map(({ type }) => type));
  return [...types].filter((type) => !descriptors.some((descriptor) => describes(descriptor, type)));
}

/** Actors that can fail here, and no `onError` or wildcard listens. */
export function unguardedAt(state: ModelState): readonly string[] {
  const running = state.status === 'active' ? alive(state) : [];
  if (running.length === 0) return [];
  const descriptors = descriptorsOf(state.snapshot);
  return running
    .filter(([, { id }]) => !descriptors.some((one) => describes(one, typeOf('error', id))))
    .map(([name]) => name);
}

const descriptorsOf = (snapshot: AnyMachineSnapshot): readonly string[] => [
  ...new Set(activeNodes(snapshot).flatMap((node) => [...node.transitions.keys()])),
];

/** Actors that can still end, by name. */
const alive = ({ snapshot, ended }: ModelState): (readonly [string, AnyActorRef])[] =>
  [...namedChildren(snapshot)].filter(([, ref]) => typeof ref.src === 'string' && !ended.includes(ref.id));

export const aliveNames = (state: ModelState): readonly string[] =>
  [...namedChildren(state.snapshot)].filter(([, ref]) => !state.ended.includes(ref.id)).map(([name]) => name);

function ends(
  name: string,
  ref: AnyActorRef,
  snapshot: AnyMachineSnapshot,
  heard: (type: string) => boolean,
  options: ModelOptions,
  used: Set<string>,
): Move[] {
  return ACTOR_KINDS.filter((kind) => heard(typeOf(kind, ref.id))).flatMap((kind) =>
    valuesOf(
      kind,
      [name, ...caseNames(snapshot.machine, ref.id, String(ref.src))],
      snapshot,
      options,
      used,
    ).map((value): Move => ({
      kind,
      actor: name,
      event: plainEvent({ type: typeOf(kind, name), [FIELD[kind]]: value }, snapshot),
    })),
  );
}

const DEFAULTS: Readonly<Record<ActorKind, readonly unknown[]>> = {
  done: [undefined],
  error: [new Error('a scripted failure')],
  snapshot: [],
};

const OPTION = { done: 'outputs', error: 'errors', snapshot: 'snapshots' } as const;

/** Cases are given by the name of the actor, else by that of its source. */
function valuesOf(
  kind: ActorKind,
  names: readonly string[],
  snapshot: AnyMachineSnapshot,
  options: ModelOptions,
  used: Set<string>,
): readonly unknown[] {
  const option = OPTION[kind];
  const given = givenFor(options[option], names);
  if (!given) return DEFAULTS[kind];
  used.add(`${option}.${given.name}`);
  return typeof given.cases === 'function' ? given.cases(snapshot) : given.cases;
}

const plainEvent = (event: AnyEventObject, snapshot: AnyMachineSnapshot): Move['event'] =>
  toPlain(event, actorNamer(snapshot)) as Move['event'];

const sendings = new WeakMap<AnyEventObject, Move>();
/** Remembered: the same cases are tried in every state. */
function sending(event: AnyEventObject, snapshot: AnyMachineSnapshot): Move {
  const known = sendings.get(event) ?? { kind: 'send', event: plainEvent(event, snapshot) };
  sendings.set(event, known);
  return known;
}

const firing = ({ event, leftMs }: Timer): Move => ({
  kind: 'after',
  ms: leftMs,
  event: toPlain(event) as Move['event'],
});

/** Undefined: it cannot happen here. */
export function occurrence(state: ModelState, move: Move): Occurrence | undefined {
  if (state.status !== 'active') return undefined;
  if (move.kind === 'send') return { move, event: eventOf(move), timers: state.timers };
  return move.kind === 'after' ? timerOccurrence(state, move) : actorOccurrence(state, move, move.kind);
}

function timerOccurrence(state: ModelState, move: Move): Occurrence | undefined {
  const timer = nextTimer(state.timers);
  if (timer?.event.type !== move.event.type) return undefined;
  const known = timer.leftMs === move.ms ? move : firing(timer);
  return { move: known, event: timer.event, timers: afterFiring(state.timers, timer) };
}

function actorOccurrence(state: ModelState, move: Move, kind: ActorKind): Occurrence | undefined {
  const ref = alive(state).find(([name]) => name === move.actor)?.[1];
  if (!ref) return undefined;
  const value = cueValue(move);
  const event = {
    type: typeOf(kind, ref.id),
    [FIELD[kind]]: kind === 'snapshot' ? shown(value) : value,
    ...(kind === 'snapshot' ? {} : { actorId: ref.id }),
  };
  return { move, event, timers: state.timers, ...(kind === 'snapshot' ? {} : { endedId: ref.id }) };
}

/** What the actor of a move ends with, or shows. */
export const cueValue = (move: Move): unknown =>
  move.kind === 'send' || move.kind === 'after' ? undefined : eventOf(move)[FIELD[move.kind]];

const texts = new WeakMap<Move, string>();
/** What tells moves apart. */
export function moveKey(move: Move): string {
  const known = texts.get(move) ?? stableText([move.kind, move.event]);
  texts.set(move, known);
  return known;
}

const revived = new WeakMap<Move, AnyEventObject>();
/** The event of a move as a machine hears it. */
export function eventOf(move: Move): AnyEventObject {
  const known = revived.get(move) ?? (fromPlain(move.event) as AnyEventObject);
  revived.set(move, known);
  return known;
}
