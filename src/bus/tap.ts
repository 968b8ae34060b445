import type { AnyActorRef, EventObject, InspectionEvent } from 'xstate';
import { normalizeError } from '../errors.ts';
import type { NormalError } from '../errors.ts';
import type { Bus } from './bus.ts';
import { createTally, isPowerOfTen } from './dead-letter.ts';
import type { DeadLetterOffice } from './dead-letter.ts';
import { isFactType } from './envelope.ts';
import type { Source } from './envelope.ts';
import type { Fact } from './events.ts';
import { isTrace } from './trace.ts';

/** What a tap needs to make facts of what actors emit. */
export interface TapOptions {
  readonly bus: Pick<Bus, 'publish'>;
  /** Path and incarnation of a live actor; undefined for actors that are no nodes of the tree. */
  whereis(ref: AnyActorRef): Source | undefined;
  readonly deadLetters: Pick<DeadLetterOffice, 'record'>;
}

/** Counters of a tap. */
export interface TapStats {
  readonly emitted: number;
  /** Emitted events whose type is not in the catalogue, by type. */
  readonly unknown: Readonly<Record<string, number>>;
  readonly unhandled: number;
  /** Errors of the tap itself. They stop here. */
  readonly faults: number;
  readonly lastFault: NormalError | undefined;
}

/** Hand it to the root: `createActor(root, { inspect: tap })`. XState then inspects the whole system with it. */
export type Tap = ((event: InspectionEvent) => void) & { stats(): TapStats };

/** Distinct (actor, state, event type) combinations the tap remembers. */
const MAX_DISTINCT = 1_000;

/**
 * Turns what happens inside the actors into facts, with no actor knowing of it. It listens to every actor from its
 * construction, so the first emitted event is seen too. Nothing here may throw: XState calls inspectors unprotected,
 * and one that throws leaves the observed actor's mailbox wedged for ever.
 */
export function createTap({ bus, whereis, deadLetters }: TapOptions): Tap {
  const owners = createOwners(whereis);
  const unhandled = createTally(MAX_DISTINCT);
  const unknown = new Map<string, number>();
  const count = { emitted: 0, unhandled: 0, faults: 0 };
  let lastFault: NormalError | undefined;

  const guarded = <A>(run: (arg: A) => void): ((arg: A) => void) => {
    return (arg) => {
      try {
        run(arg);
      } catch (error) {
        count.faults += 1;
        lastFault = normalizeError(error);
      }
    };
  };
  const onEmitted = (ref: AnyActorRef, emitted: EventObject): void => {
    if (isFactType(emitted.type)) {
      count.emitted += 1;
      bus.publish(emitted as Fact, owners.of(ref));
    } else if (unknown.has(emitted.type) || unknown.size < MAX_DISTINCT) {
      unknown.set(emitted.type, (unknown.get(emitted.type) ?? 0) + 1);
    }
  };
  const onEvent = (ref: AnyActorRef, event: EventObject): void => {
    const { status } = ref.getSnapshot() as { status: string };
    if (status === 'active') return owners.learn(ref);
    if (isInternal(event)) return;
    deadLetters.record({
      to: owners.of(ref)?.path ?? ref.id,
      eventType: event.type,
      reason: status,
      ...traceOf(event),
    });
  };
  const onUnhandled = (ref: AnyActorRef, event: EventObject, snapshot: unknown): void => {
    if (isInternal(event)) return;
    count.unhandled += 1;
    const source = owners.of(ref);
    const state = stateName(snapshot);
    if (!isPowerOfTen(unhandled.add(`${source?.path ?? ref.id}\n${state}\n${event.type}`))) return;
    bus.publish({ type: 'actor.event_unhandled', eventType: event.type, state, ...traceOf(event) }, source);
  };
  const inspect = (event: InspectionEvent): void => {
    // Inspection hands out the public face of the actor under a narrower type.
    const ref = event.actorRef as AnyActorRef;
    if (event.type === '@xstate.actor') {
      ref.on(
        '*',
        guarded((emitted: EventObject) => onEmitted(ref, emitted)),
      );
    } else if (event.type === '@xstate.event') {
      if (event.event.type === 'xstate.init' && event.sourceRef)
        owners.adopt(ref, event.sourceRef as AnyActorRef);
      onEvent(ref, event.event);
    } else if (event.type === '@xstate.microstep' && event._transitions.length === 0) {
      onUnhandled(ref, event.event, event.snapshot);
    }
  };
  const safely = guarded(inspect);
  // Most of what there is to inspect is none of ours: it costs no more than this look.
  const tap = (event: InspectionEvent): void => {
    if (event.type !== '@xstate.action' && event.type !== '@xstate.snapshot') safely(event);
  };
  return Object.assign(tap, {
    stats: () => ({ ...count, lastFault, unknown: Object.fromEntries(unknown) }),
  });
}

/**
 * Who answers for an actor: itself if it is a node of the tree, else the nearest parent that is (an invoked promise
 * speaks for its machine). The answer is kept, because a dead actor is no longer in the registry.
 */
function createOwners(whereis: TapOptions['whereis']): {
  adopt(ref: AnyActorRef, parent: AnyActorRef): void;
  /** Called while the actor lives, so that the answer is there when it no longer does. */
  learn(ref: AnyActorRef): void;
  of(ref: AnyActorRef): Source | undefined;
} {
  const known = new WeakMap<AnyActorRef, Source>();
  const parents = new WeakMap<AnyActorRef, AnyActorRef>();
  const own = (ref: AnyActorRef): Source | undefined => {
    const before = known.get(ref);
    if (before) return before;
    const source = whereis(ref);
    if (source) known.set(ref, source);
    return source;
  };
  return {
    adopt: (ref, parent) => void parents.set(ref, parent),
    learn: (ref) => void own(ref),
    of(ref) {
      for (let at: AnyActorRef | undefined = ref; at; at = parents.get(at)) {
        const source = own(at);
        if (source) return source;
      }
      return undefined;
    },
  };
}

/** XState's own traffic and the stop command: a machine may rightly have no transition for them. */
const isInternal = (event: EventObject): boolean => /^(?:xstate|supervisor)\./.test(event.type);

function traceOf(event: EventObject): Pick<Fact, 'trace'> {
  const { trace } = event as { trace?: unknown };
  return isTrace(trace) ? { trace } : {};
}

/** `idle`, or `processing.waiting` for nested states, or JSON for parallel ones. */
function stateName(snapshot: unknown): string {
  let value = (snapshot as { value?: unknown }).value;
  const names: string[] = [];
  while (typeof value === 'object' && value !== null) {
    const [entry, another] = Object.entries(value);
    if (!entry || another) return [...names, JSON.stringify(value)].join('.');
    names.push(entry[0]);
    value = entry[1];
  }
  return [...names, String(value)].join('.');
}
