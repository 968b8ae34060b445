import { describe, expect, it } from 'vitest';
import { assign, emit, fromPromise, setup } from 'xstate';
import { missingAction, missingCallback, missingPromise } from '../../src/machines/effect-missing.ts';
import { explore, replay, stateName, type ExploreOptions } from '../../src/testing/index.ts';
import { createActor, waitFor } from 'xstate';

type DoorEvent = { type: 'push'; weight: number } | { type: 'pull' };

const doorMachine = setup({
  types: {
    context: {} as { opened: number },
    events: {} as DoorEvent,
    input: {} as { opened: number },
    emitted: {} as { type: 'door.opened' },
  },
  actors: {
    unlock: fromPromise<boolean, undefined>(() => Promise.reject(new Error('no effect may run here'))),
  },
  guards: {
    heavy: ({ event }) => event.type === 'push' && event.weight > 10,
    worn: ({ context }) => context.opened >= 2,
  },
  delays: { patience: 1_000 },
}).createMachine({
  id: 'door',
  context: ({ input }) => ({ opened: input.opened }),
  initial: 'closed',
  states: {
    closed: {
      on: { push: [{ guard: 'heavy', target: 'open' }, { target: 'unlocking' }] },
      always: { guard: 'worn', target: 'broken' },
    },
    unlocking: {
      invoke: { id: 'unlock', src: 'unlock', onDone: { target: 'open' }, onError: { target: 'closed' } },
      after: { patience: { target: 'closed' } },
    },
    open: {
      entry: [assign({ opened: ({ context }) => context.opened + 1 }), emit({ type: 'door.opened' })],
      on: { pull: { target: 'closed' } },
    },
    broken: { type: 'final' },
  },
});
const options: ExploreOptions<typeof doorMachine> = {
  input: { opened: 0 },
  events: [{ type: 'push', weight: 1 }, { type: 'push', weight: 11 }, { type: 'pull' }],
};

describe('the path kit', () => {
  it('reaches every state of a machine with invoke and after, and takes every transition, without running an effect', () => {
    const found = explore(doorMachine, {
      ...options,
      ignorable: ['closed pull', 'unlocking *', 'open push'],
    });
    expect(found.transitions.missed).toEqual([]);
    expect(found.unhandled).toEqual([]);
    expect(found.violations).toEqual([]);
    expect(new Set(found.paths.map((path) => stateName(path.state)))).toEqual(
      new Set(['closed', 'unlocking', 'open', 'broken']),
    );
    expect(found.transitions.all).toContain('unlocking done(unlock)');
    expect(found.transitions.all).toContain('unlocking after(patience)');
    expect(found.transitions.all).toContain('closed always [worn] refused');
  });

  it('names what the given events cannot reach: a transition never taken, a guard never refused', () => {
    const found = explore(doorMachine, {
      ...options,
      events: [{ type: 'push', weight: 11 }],
      ignorable: ['*'],
    });
    expect(found.transitions.missed).toContain('open pull');
    expect(found.transitions.missed).toContain('closed push [heavy] refused');
    expect(String(found)).toContain('missed:');
  });

  it('names every state and event without a transition that nobody declared', () => {
    expect(explore(doorMachine, options).unhandled).toEqual([
      'closed pull',
      'unlocking push',
      'unlocking pull',
      'open push',
    ]);
  });

  it('shows the invariant each step with its effects, and reports what broke it once', () => {
    const emitted: unknown[] = [];
    const found = explore(doorMachine, {
      ...options,
      ignorable: ['*'],
      invariant: (snapshot, event, _previous, effects) => {
        emitted.push(...effects.filter((effect) => effect.type === 'xstate.emit'));
        return event.type === 'xstate.error.actor.unlock' && snapshot.matches('closed')
          ? 'the key broke'
          : undefined;
      },
    });
    expect(found.violations).toEqual(['unlocking xstate.error.actor.unlock: the key broke']);
    expect(emitted).toContainEqual({ type: 'xstate.emit', params: { event: { type: 'door.opened' } } });
  });

  it('reports a machine that dies of a child error nobody handles, and an action that throws', () => {
    const fragile = setup({ actors: { work: fromPromise(async () => 1) } }).createMachine({
      initial: 'working',
      states: {
        working: {
          invoke: { id: 'work', src: 'work' },
          on: {
            'xstate.error.actor.other': {},
            poke: {
              actions: assign(() => {
                throw new Error('ouch');
              }),
            },
          },
        },
      },
    });
    const found = explore(fragile, {
      input: undefined,
      events: [{ type: 'xstate.error.actor.work', error: new Error('late') }, { type: 'poke' }] as never,
    });
    expect(found.violations).toEqual([
      'working xstate.error.actor.work: the machine died: Error: late',
      'working poke: threw Error: ouch',
    ]);
  });

  it('refuses declarations that are not true: an unreachable transition that is taken, or that does not exist', () => {
    const found = explore(doorMachine, {
      ...options,
      ignorable: ['*'],
      unreachable: ['open pull', 'open sing'],
    });
    expect(found.violations).toEqual([
      'open pull: declared unreachable, but taken',
      'open sing: declared unreachable, but there is no such transition',
    ]);
  });

  it('leaves the definition of the machine it explored untouched', () => {
    const before = doorMachine.states.closed?.always?.[0]?.guard;
    explore(doorMachine, { ...options, ignorable: ['*'] });
    expect(doorMachine.states.closed?.always?.[0]?.guard).toBe(before);
  });

  it('gives paths that a live actor follows to the same state', () => {
    const quiet = doorMachine.provide({
      actors: { unlock: fromPromise<boolean, undefined>(() => new Promise(() => undefined)) },
    });
    const found = explore(doorMachine, { ...options, ignorable: ['*'] });
    for (const path of found.paths)
      expect(stateName(replay(quiet, path, { opened: 0 }))).toBe(stateName(path.state));
  });

  it('gives up loudly at its limit when a counter is not capped', () => {
    const counter = setup({ types: { context: {} as { n: number } } }).createMachine({
      context: { n: 0 },
      on: { add: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    });
    expect(() =>
      explore(counter, { input: undefined, events: [{ type: 'add' }] as never, limit: 50 }),
    ).toThrow(/limit/);
    expect(
      explore(counter, {
        input: undefined,
        events: [{ type: 'add' }] as never,
        serialize: (s) => `${Math.min(s.context.n, 3)}`,
      }).states,
    ).toHaveLength(4);
  });
});

describe('an effect that nobody provided', () => {
  it('fails with its name: a promise and a callback through onError, an action by failing the machine', async () => {
    const failing = setup({
      types: { context: {} as { why: unknown } },
      actors: {
        fetch: missingPromise<string, undefined>('fetch'),
        listen: missingCallback<DoorEvent, undefined>('listen'),
      },
      actions: { tell: missingAction('tell') },
    }).createMachine({
      context: { why: undefined },
      initial: 'fetching',
      states: {
        fetching: {
          invoke: {
            id: 'fetch',
            src: 'fetch',
            onError: { target: 'listening', actions: assign({ why: ({ event }) => [event.error] }) },
          },
        },
        listening: {
          invoke: {
            id: 'listen',
            src: 'listen',
            onError: {
              target: 'telling',
              actions: assign({ why: ({ context, event }) => [...(context.why as unknown[]), event.error] }),
            },
          },
        },
        telling: { after: { 1: { actions: 'tell' } } },
      },
    });
    const actor = createActor(failing);
    actor.subscribe({ error: () => undefined });
    actor.start();
    const last = await waitFor(actor, (snapshot) => snapshot.value === 'telling');
    expect(last.context.why).toMatchObject([
      { code: 'EFFECT_MISSING', details: { effect: 'fetch' } },
      { details: { effect: 'listen' } },
    ]);
    await waitFor(actor, (snapshot) => snapshot.status === 'error').catch(() => undefined);
    expect(actor.getSnapshot().error).toMatchObject({ code: 'EFFECT_MISSING', details: { effect: 'tell' } });
  });
});
