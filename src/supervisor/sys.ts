/** What an operator may do to one running actor, in the manner of OTP's `sys`. */
import type { AnyActorRef } from 'xstate';
import { CoppiceError } from '../errors.ts';
import { drain, isEmpty, newHold } from './hold.ts';
import { heldBy } from './life.ts';
import { childrenOf, statusOf } from './nested.ts';
import { plainView } from './plain-view.ts';
import type { NodeKind } from './registry.ts';
import type { Tracer, TraceSink } from './trace.ts';
import type { Entry, Table } from './tree.ts';

/** Plain JSON of bounded size. It shows what the actor holds, secrets included: redact it before it leaves. */
export interface ActorState {
  readonly path: string;
  readonly kind: NodeKind;
  readonly incarnation: number;
  /** XState's: `active`, `done`, `error`, `stopped`. */
  readonly status: string;
  /** The state value of a machine, the phase of a supervisor; null where there is none. */
  readonly value: unknown;
  readonly context: unknown;
  /** Of a machine: what it invoked or spawned. Of a supervisor: its children. At most 100. */
  readonly children: readonly { readonly id: string; readonly status: string }[];
  readonly suspended: boolean;
}

/** What is counted of one living actor. */
export interface ActorStatistics {
  readonly path: string;
  readonly incarnation: number;
  /** The clock's milliseconds. */
  readonly startedAt: number;
  readonly lastEventAt: number | undefined;
  /** Events this incarnation has taken. */
  readonly events: number;
  /** Events that wait while it is suspended, and those that found no room. */
  readonly held: number;
  readonly overflowed: number;
}

/** Every answer is `noproc` when nobody lives at the path. */
export interface Sys {
  /**
   * From now on its events wait, in order, at most `HELD_LIMIT`; what is over becomes dead letters. It still obeys
   * `supervisor.shutdown`, which ends the suspension, and a kill. The next incarnation is not suspended; what waited
   * for this one becomes dead letters. Throws ACTOR_REFUSES for one that is stopping, and for a
   * supervisor: it must hear its children end.
   */
  suspend(path: string): 'ok' | 'noproc';
  /** What waited is taken, in order, before what arrives from now on. */
  resume(path: string): 'ok' | 'noproc';
  getState(path: string): ActorState | 'noproc';
  statistics(path: string): ActorStatistics | 'noproc';
  /**
   * Tells `sink` of every event in, every state after it, every event emitted, every end and start. Unlike in OTP it
   * stays with the path through restarts, until it is turned off or the path is forgotten. The newest sink counts.
   */
  trace(path: string, on: true, sink: TraceSink): 'ok' | 'noproc';
  trace(path: string, on: false): 'ok' | 'noproc';
}

const CHILDREN_SHOWN = 100;

export function createSys(table: Table, tracer: Tracer): Sys {
  const live = (path: string): (Entry & { ref: AnyActorRef }) | undefined => {
    const entry = table.entry(path);
    return entry?.ref ? (entry as Entry & { ref: AnyActorRef }) : undefined;
  };
  return {
    suspend(path) {
      const entry = live(path);
      if (!entry?.life) return 'noproc';
      if (entry.kind === 'supervisor')
        throw new CoppiceError('ACTOR_REFUSES', {
          path,
          operation: 'suspend',
          reason: 'a supervisor must hear its children end',
        });
      // Held now, it would never hear its own timers, and be waited for until its deadline, if it has one.
      if (table.node(path)?.status === 'stopping')
        throw new CoppiceError('ACTOR_REFUSES', { path, operation: 'suspend', reason: 'it is stopping' });
      entry.life.hold ??= newHold();
      entry.life.hold.draining = false;
      return 'ok';
    },
    resume(path) {
      const entry = live(path);
      if (!entry?.life) return 'noproc';
      // It may end with what it takes now.
      const { life } = entry;
      const { hold } = life;
      if (hold) drain(hold, entry.ref);
      if (hold && isEmpty(hold)) life.hold = undefined;
      return 'ok';
    },
    getState(path) {
      const entry = live(path);
      return entry ? stateOf(entry, entry.ref) : 'noproc';
    },
    statistics(path) {
      const entry = live(path);
      return entry?.life ? statisticsOf(entry, entry.life) : 'noproc';
    },
    trace(path: string, on: boolean, sink?: TraceSink) {
      const entry = table.entry(path);
      if (!on) tracer.off(path);
      else if (entry && sink) tracer.on(entry, sink);
      return entry ? 'ok' : 'noproc';
    },
  };
}

function stateOf(entry: Entry, ref: AnyActorRef): ActorState {
  const snapshot = ref.getSnapshot() as { value?: unknown; phase?: unknown; context?: unknown };
  return {
    path: entry.path,
    kind: entry.kind,
    incarnation: entry.incarnation,
    status: statusOf(ref),
    value: plainView(snapshot.value ?? snapshot.phase),
    context: plainView(snapshot.context),
    children: childrenShown(entry, snapshot),
    suspended: heldBy(entry.life) !== undefined,
  };
}

function childrenShown(entry: Entry, snapshot: unknown): ActorState['children'] {
  if (entry.kind === 'supervisor')
    return [...entry.children.values()]
      .slice(0, CHILDREN_SHOWN)
      .map(({ id, ref }) => ({ id, status: ref ? statusOf(ref) : 'stopped' }));
  return Object.entries(childrenOf(snapshot))
    .slice(0, CHILDREN_SHOWN)
    .map(([id, ref]) => ({ id, status: ref ? statusOf(ref) : 'stopped' }));
}

function statisticsOf(
  entry: Entry,
  { startedAt, events, hold }: NonNullable<Entry['life']>,
): ActorStatistics {
  return {
    path: entry.path,
    incarnation: entry.incarnation,
    startedAt,
    lastEventAt: events > 0 ? entry.progressAt : undefined,
    events,
    held: hold?.events.length ?? 0,
    overflowed: hold?.overflowed ?? 0,
  };
}
