import { describe, expect, test } from 'vitest';
import { createActor, toPromise, type AnyActorLogic, type AnyStateMachine } from 'xstate';
import { CoppiceError } from '../../src/errors.ts';
import { effectNames } from '../../src/machines/effect-missing.ts';
import * as rooms from '../../src/machines/index.ts';
import { createSimulatedClock } from '../../src/testing/index.ts';

// What the compiler checks here is that a forgotten effect does not compile; `npm run check` fails if one does.

type Rooms = typeof rooms;
type Taken<Room> = Room extends { withEffects(effects: infer E): unknown } ? E : never;
/** The effects of a machine that could be left out without a word of the compiler. */
type Forgettable<E> = { [K in keyof E]-?: Omit<E, K> extends E ? K : never }[keyof E];
type Never<T extends never> = T;
/** For every machine, whatever machines there are. */
export type OfNoMachine = Never<{ [N in keyof Rooms]: Forgettable<Taken<Rooms[N]>> }[keyof Rooms]>;

// @ts-expect-error The check bites: an effect that may be left out is found.
export type Planted = Never<Forgettable<{ readonly look: () => void; save?(): void }>>;

/** As somebody would write it. Never called. */
export function forgotten(none: Record<never, never>): void {
  // @ts-expect-error
  rooms.channel.withEffects(none);
  // @ts-expect-error
  rooms.gate.withEffects(none);
  // @ts-expect-error
  rooms.heartbeat.withEffects(none);
  // @ts-expect-error
  rooms.ingress.withEffects(none);
  // @ts-expect-error
  rooms.lane.withEffects({ grant: () => 'sent', refuse: () => 'sent' });
  // @ts-expect-error
  rooms.outbox.withEffects(none);
  // @ts-expect-error
  rooms.resource.withEffects(none);
  // @ts-expect-error
  rooms.restart.withEffects(none);
  // @ts-expect-error
  rooms.run.withEffects(none);
  // @ts-expect-error
  rooms.schedule.withEffects(none);
  // @ts-expect-error
  rooms.session.withEffects(none);
  // Nothing is asked for: nothing can be forgotten.
  rooms.profile.withEffects({});
}

interface Room {
  readonly machine: AnyStateMachine;
  withEffects(effects: object): AnyStateMachine;
}

const machines: readonly (readonly [string, Room])[] = Object.entries(rooms).flatMap(([name, room]) => {
  const { [`${name}Machine`]: machine, withEffects } = room as Readonly<Record<string, unknown>>;
  return machine === undefined ? [] : [[name, { machine, withEffects } as Room] as const];
});
const each = machines.flatMap(([name, room]) =>
  effectNames(room.machine).map((effect) => [name, effect.name, effect.kind, room] as const),
);

const thrownBy = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};
const missing = (effect: string) =>
  expect.objectContaining({ code: 'EFFECT_MISSING', message: expect.stringContaining(`"${effect}"`) });

test('every machine tells what it asks for, and most ask for something', () => {
  expect(machines.length).toBeGreaterThan(10);
  expect(each.length).toBeGreaterThan(30);
});

describe.each(each)('%s without %s', (_, effect, kind, { machine, withEffects }) => {
  const given = Object.fromEntries(effectNames(machine).map(({ name }) => [name, () => undefined]));

  test('is refused by withEffects at once, by its name, and taken with it', () => {
    const { [effect]: _left, ...others } = given;
    expect(thrownBy(() => withEffects(others))).toEqual(missing(effect));
    expect(thrownBy(() => withEffects(given))).not.toBeInstanceOf(CoppiceError);
  });

  test('fails with EFFECT_MISSING and its name when it comes to it', async () => {
    const { actors, actions } = machine.implementations;
    const failure: unknown =
      kind === 'action'
        ? thrownBy(() => (actions[effect] as () => void)())
        : await ending(actors[effect] as AnyActorLogic);
    expect(failure).toEqual(missing(effect));
  });
});

function ending(logic: AnyActorLogic): Promise<unknown> {
  const actor = createActor(logic, { input: {} });
  const end = toPromise(actor).catch((error: unknown) => error);
  actor.start();
  return end;
}

/** What a machine without any effect comes to, on a simulated clock, after these events. */
async function alone(
  machine: AnyStateMachine,
  input: object,
  ...events: { type: string }[]
): Promise<unknown> {
  const clock = createSimulatedClock();
  const actor = createActor(machine, { input: input as never, clock });
  let failure: unknown;
  actor.subscribe({ error: (error: unknown) => (failure = error) });
  actor.start();
  for (const event of events) actor.send(event);
  await clock.advanceAsync(60_000);
  return failure ?? (actor.getSnapshot().output as { error?: unknown } | undefined)?.error;
}

describe('a live machine that was started without withEffects', () => {
  test('ends at the first actor it asks for, and says which', async () => {
    expect(await alone(rooms.gate.gateMachine, { path: 'gate' })).toEqual(missing('watchIngress'));
  });

  test('fails at the first action it asks for, and says which', async () => {
    const input = { name: 'main', maxConcurrent: 1, maxQueue: 1, incarnation: 1, atMs: 0 };
    const { 'lane.request': request } = rooms.lane.examples;
    expect(await alone(rooms.lane.laneMachine, input, request)).toEqual(missing('grant'));
  });

  test('that tries again what may pass tells it in the end', async () => {
    const input = {
      sessionKey: 'k',
      path: 'sessions/k',
      incarnation: 1,
      agentId: 'main',
      lane: 'main',
      maxQueue: 1,
      idleMs: 1_000,
      turnTimeoutMs: 1_000,
      atMs: 0,
    };
    expect(await alone(rooms.session.sessionMachine, input)).toEqual(missing('load'));
  });
});
