/** Where each event of a node of the tree passes: held, counted, told, or refused by throwing. */
import type { AnyActorRef, EventObject } from 'xstate';
import { normalizeError } from '../errors.ts';
import type { ContainHooks } from './contain.ts';
import { isEmpty, isSystemEvent, pass } from './hold.ts';
import type { Life } from './life.ts';
import type { Report } from './report.ts';
import type { Tracer } from './trace.ts';
import type { Entry, Table } from './tree.ts';

export interface DoorEnv {
  readonly table: Table;
  readonly tracer: Tracer;
  now(): number;
  /** Throws when the life is over its budget. */
  readonly spend: ((life: Life, path: string) => void) | undefined;
  readonly deadLetter: (to: string, event: EventObject) => void;
  readonly report: (report: Report) => void;
}

export function createDoor(env: DoorEnv): ContainHooks {
  const { table, tracer, spend } = env;
  return {
    admit(self, event) {
      const entry = table.entryOf(self);
      const life = entry?.life;
      // An actor that is no node, or a life that is over and still has mail.
      if (!life || entry.ref !== self) return event;
      return life.hold ? throughHold(env, entry, life, self, event) : taken(env, entry, life, event);
    },
    ...(spend
      ? {
          charge(self) {
            const entry = table.entryOf(self);
            if (entry?.life && entry.ref === self) spend(entry.life, entry.path);
          },
        }
      : {}),
    moved(self, event, snapshot) {
      const entry = table.entryOf(self);
      if (entry?.ref === self) tracer.moved(entry, event, snapshot);
    },
    opened(self) {
      const entry = table.entryOf(self);
      if (entry) tracer.opened(entry, self);
    },
    late: (self, error) => late(env, self, error),
    pathOf: (self) => table.entryOf(self)?.path,
  };
}

function taken({ now, tracer, spend }: DoorEnv, entry: Entry, life: Life, event: EventObject): EventObject {
  entry.progressAt = now();
  life.events += 1;
  tracer.event(entry, 'event', event);
  // A supervisor of ten thousand hears as many endings in one turn.
  if (spend && entry.kind === 'worker' && !isSystemEvent(event)) spend(life, entry.path);
  return event;
}

function throughHold(
  env: DoorEnv,
  entry: Entry,
  life: Life,
  self: AnyActorRef,
  arrived: EventObject,
): EventObject | undefined {
  const hold = life.hold!;
  let kind: 'held' | 'refused' = 'held';
  const event = pass(hold, self, arrived, (letter) => {
    kind = 'refused';
    env.deadLetter(entry.path, letter);
  });
  if (isEmpty(hold)) life.hold = undefined;
  if (event) return taken(env, entry, life, event);
  if (!arrived.type.startsWith('supervisor.')) env.tracer.event(entry, kind, arrived);
  return undefined;
}

/** What a child of a child threw while it was stopped: the nearest supervisor tells, as of a disposer. */
function late({ table, report }: DoorEnv, self: AnyActorRef, error: unknown): void {
  const entry = table.entryOf(self);
  let over = entry?.parent;
  while (over && over.kind !== 'supervisor') over = over.parent;
  if (!entry || !over) return;
  report({
    path: over.path,
    incarnation: over.incarnation,
    childPath: entry.path,
    childIncarnation: lifeOf(self) ?? entry.incarnation,
    body: { type: 'disposer_failed', error: normalizeError(error) },
  });
}

/** The path may have a newer life; a supervised actor carries the number of its own. */
function lifeOf({ id }: AnyActorRef): number | undefined {
  const number = Number(id.slice(id.lastIndexOf('#') + 1));
  return id.includes('#') && Number.isInteger(number) ? number : undefined;
}
