import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { assign, createActor, emit, fromPromise, sendTo, setup } from 'xstate';
import type { AnyActorRef } from 'xstate';
import { createBus, createDeadLetterOffice, createTap } from '../../src/bus/index.ts';
import type { Bus, Fact, Source } from '../../src/bus/index.ts';

const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };

function rig(
  whereis: (ref: AnyActorRef) => Source | undefined = () => undefined,
  bus?: Pick<Bus, 'publish'>,
) {
  const real = createBus({ now: () => 5, defer: () => {} });
  const deadLetters = createDeadLetterOffice({ bus: real, now: () => 5 });
  const tap = createTap({ bus: bus ?? real, whereis, deadLetters });
  return { bus: real, tap, deadLetters };
}

const child = setup({ types: { emitted: {} as Fact } }).createMachine({
  id: 'child',
  initial: 'on',
  entry: emit({ type: 'gate.opened', trace }),
  states: {
    on: { on: { finish: 'off', refuse: { guard: () => false, target: 'off' } } },
    off: { type: 'final' },
  },
});
const parent = setup({
  types: { emitted: {} as Fact | { type: 'private.note' } },
  actors: { child },
}).createMachine({
  id: 'parent',
  initial: 'up',
  context: { n: 0 },
  states: { up: { invoke: { src: 'child', id: 'kid', onDone: {}, onError: {} } } },
  on: {
    shout: { actions: [emit({ type: 'gate.closed', reason: 'noise' }), emit({ type: 'private.note' })] },
    count: { actions: assign({ n: ({ context }) => context.n + 1 }) },
    poke: { actions: sendTo('kid', { type: 'nobody.knows', trace }) },
  },
});

describe('what actors emit', () => {
  test('becomes facts with the path and life of the actor, the first emitted event included', () => {
    const { bus, tap } = rig((ref) =>
      ref.id === 'kid' ? { path: 'gateway/kid', incarnation: 7 } : undefined,
    );
    createActor(parent, { inspect: tap }).start().send({ type: 'shout' });
    expect(bus.recent()).toMatchObject([
      { type: 'gate.opened', path: 'gateway/kid', incarnation: 7, ...trace, data: {} },
      { type: 'gate.closed', data: { reason: 'noise' } },
    ]);
  });

  test('is counted, not published, when the catalogue does not know it', () => {
    const { tap } = rig();
    createActor(parent, { inspect: tap }).start().send({ type: 'shout' });
    expect(tap.stats()).toMatchObject({ emitted: 2, unknown: { 'private.note': 1 }, faults: 0 });
  });

  test('by an invoked promise is charged to the machine that owns it', async () => {
    const worker = fromPromise<void, void>(async ({ emit: say }) => void say({ type: 'gate.opened' }));
    const machine = setup({ actors: { worker } }).createMachine({
      invoke: { src: 'worker', onDone: {}, onError: {} },
    });
    const { bus, tap } = rig((ref) =>
      ref.id === 'owner' ? { path: 'gateway/owner', incarnation: 2 } : undefined,
    );
    createActor(machine, { id: 'owner', inspect: tap }).start();
    await Promise.resolve();
    expect(bus.recent()).toMatchObject([{ type: 'gate.opened', path: 'gateway/owner', incarnation: 2 }]);
  });
});

describe('events without effect', () => {
  test('an unhandled event is reported with path, state and trace', () => {
    const { bus, tap } = rig((ref) => ({ path: `gateway/${ref.id}`, incarnation: 1 }));
    createActor(parent, { inspect: tap }).start().send({ type: 'poke' });
    expect(bus.recent({ types: ['actor.event_unhandled'] })).toMatchObject([
      { path: 'gateway/kid', incarnation: 1, ...trace, data: { eventType: 'nobody.knows', state: 'on' } },
    ]);
  });

  test('a handled event, XState’s own events and the stop command are not reported', () => {
    const { bus, tap } = rig();
    const actor = createActor(parent, { inspect: tap }).start();
    actor.send({ type: 'count' });
    actor.send({ type: 'supervisor.shutdown' } as never);
    expect(bus.recent({ types: ['actor.event_unhandled'] })).toEqual([]);
  });

  test('a flood of one unhandled type is reported 1, 10, 100 ... times, and counted in full', () => {
    const { bus, tap } = rig();
    const actor = createActor(parent, { inspect: tap }).start();
    for (let n = 0; n < 500; n += 1) actor.send({ type: 'what' } as never);
    expect(bus.recent({ types: ['actor.event_unhandled'] })).toHaveLength(3);
    expect(tap.stats().unhandled).toBe(500);
  });

  test('events to a dead actor become dead letters under its last path, bounded, and nothing is lost from the count', () => {
    vi.spyOn(console, 'warn').mockImplementation(() => {}); // XState's development build says it, too
    let live = true;
    const { bus, tap, deadLetters } = rig(() =>
      live ? { path: 'gateway/child', incarnation: 1 } : undefined,
    );
    const actor = createActor(child, { inspect: tap }).start();
    actor.send({ type: 'finish' });
    live = false;
    for (let n = 0; n < 200; n += 1) actor.send({ type: 'finish' });
    expect(bus.recent({ types: ['letter.died'] })).toHaveLength(3);
    expect(bus.recent({ types: ['letter.died'] })[0]?.data).toEqual({
      to: 'gateway/child',
      eventType: 'finish',
      reason: 'done',
    });
    expect(deadLetters.stats()).toEqual({ total: 200, distinct: 1 });
    expect(deadLetters.recent()).toHaveLength(100);
  });
});

describe('a broken tap', () => {
  const escaped: unknown[] = [];
  const onEscape = (error: unknown): void => void escaped.push(error);
  beforeEach(() => void process.on('uncaughtException', onEscape));
  afterEach(() => {
    process.off('uncaughtException', onEscape);
    escaped.length = 0;
  });

  test('never harms an actor: every event still works, nothing escapes, the faults are counted', async () => {
    const publish = (): never => {
      throw new Error('bus bug');
    };
    const { tap } = rig(
      () => {
        throw new Error('registry bug');
      },
      { publish },
    );
    const actor = createActor(parent, { inspect: tap }).start();
    for (let n = 0; n < 4; n += 1) actor.send({ type: 'count' });
    actor.send({ type: 'shout' });
    actor.send({ type: 'poke' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(actor.getSnapshot()).toMatchObject({ status: 'active', context: { n: 4 } });
    expect(escaped).toEqual([]);
    expect(tap.stats().faults).toBeGreaterThan(4);
    expect(tap.stats().lastFault?.message).toMatch(/bug/);
  });

  test('the same rig without the guard does wedge the actor, so the test above can fail', () => {
    let armed = false;
    const inspect = (event: { type: string }): void => {
      if (armed && event.type === '@xstate.snapshot') throw new Error('bug');
    };
    const actor = createActor(parent, { inspect }).start();
    armed = true;
    expect(() => actor.send({ type: 'count' })).toThrow('bug');
    armed = false;
    actor.send({ type: 'count' });
    expect(actor.getSnapshot().context.n).toBe(1);
  });
});

test('the office forgets the quietest key, not the count of letters', () => {
  const published: Fact[] = [];
  const office = createDeadLetterOffice({
    bus: { publish: (fact) => void published.push(fact) as never },
    now: () => 1,
  });
  for (let n = 0; n < 3_000; n += 1) office.record({ to: `session/${n}`, eventType: 'x', reason: 'noproc' });
  expect(office.stats()).toEqual({ total: 3_000, distinct: 1_000 });
});
