import { EventEmitter } from 'node:events';
import { createActor, setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import { callbackEffect, createClock, currentOwner, promiseEffect } from '../../src/host/index.ts';
import type { CallbackArgs } from '../../src/host/index.ts';

/** A machine that owns one effect and notes how it failed. */
function owner(run: (args: CallbackArgs<{ type: 'poke' }, { n: number }>) => void | (() => void)) {
  const failures: unknown[] = [];
  const machine = setup({
    actors: { effect: callbackEffect(run) },
    actions: {
      note: (_, error: unknown) => void failures.push(error),
      poke: ({ self }) => self.getSnapshot().children['effect']?.send({ type: 'poke' }),
    },
  }).createMachine({
    initial: 'on',
    states: {
      on: {
        invoke: {
          src: 'effect',
          id: 'effect',
          input: { n: 1 },
          onError: {
            target: 'off',
            actions: { type: 'note', params: ({ event }: { event: any }) => event.error },
          },
        },
        on: { leave: 'off', poke: { actions: 'poke' } },
      },
      off: { on: { enter: 'on' } },
    },
  });
  const actor = createActor(machine);
  actor.subscribe({ error: (error) => failures.push(['machine died', error]) });
  return { actor: actor.start(), failures };
}

describe('a callback effect', () => {
  it('fails its owner when it throws at once, and its signal is aborted', () => {
    let signal: AbortSignal | undefined;
    const { actor, failures } = owner((args) => {
      signal = args.signal;
      throw new Error('at once');
    });
    expect([actor.getSnapshot().value, String(failures[0]), signal?.aborted]).toEqual([
      'off',
      'Error: at once',
      true,
    ]);
  });

  it('fails its owner when a guarded timer throws later, after its cleanup ran once', async () => {
    let cleanups = 0;
    const { actor, failures } = owner(({ guard }) => {
      setTimeout(
        guard(() => {
          throw new Error('late');
        }),
        1,
      );
      return () => void (cleanups += 1);
    });
    await expect.poll(() => actor.getSnapshot().value).toBe('off');
    expect([failures.length, String(failures[0]), cleanups]).toEqual([1, 'Error: late', 1]);
  });

  it('fails its owner when a listener for its events throws, and only once', () => {
    const { actor, failures } = owner(({ onEvent, fail }) => {
      onEvent(() => {
        fail(new Error('first'));
        throw new Error('second');
      });
    });
    actor.send({ type: 'poke' });
    expect(failures.map(String)).toEqual(['Error: first']);
  });

  it('says nothing after its end: sends and failures of an old life are dropped', () => {
    let args: CallbackArgs<{ type: 'poke' }, { n: number }> | undefined;
    let cleanups = 0;
    const { actor, failures } = owner((given) => {
      args ??= given;
      return () => void (cleanups += 1);
    });
    actor.send({ type: 'leave' });
    actor.send({ type: 'enter' });
    args!.fail(new Error('ghost'));
    args!.send({ type: 'leave' });
    args!.guard(() => {
      throw new Error('ghost');
    })();
    expect([actor.getSnapshot().value, failures, cleanups, args!.signal.aborted]).toEqual([
      'on',
      [],
      1,
      true,
    ]);
  });

  it('names its owner to whoever traps a stray error, and the owner can be failed with it', async () => {
    const emitter = new EventEmitter();
    const { actor, failures } = owner(() => {
      const mine = currentOwner();
      emitter.on('stray', () => mine!.fail(new Error('stray')));
    });
    emitter.emit('stray');
    await expect.poll(() => actor.getSnapshot().value).toBe('off');
    expect(failures.map(String)).toEqual(['Error: stray']);
  });
});

it('what an effect tells its machine is not the doing of that effect any more: whatever starts there has no owner', async () => {
  const owners: (string | undefined)[] = [];
  const machine = setup({
    actors: {
      effect: callbackEffect(({ send }) => {
        setTimeout(() => {
          owners.push(currentOwner()?.actorId);
          send({ type: 'told' });
        }, 1);
      }),
    },
    actions: { note: () => void owners.push(currentOwner()?.actorId) },
  }).createMachine({ invoke: { src: 'effect', id: 'effect' }, on: { told: { actions: 'note' } } });
  const actor = createActor(machine).start();
  await expect.poll(() => owners.length).toBe(2);
  actor.stop();
  expect(owners).toEqual(['effect', undefined]);
});

describe('a promise effect', () => {
  const invoking = (run: Parameters<typeof promiseEffect<string, undefined>>[0]) => {
    const seen: unknown[] = [];
    const machine = setup({
      actors: { effect: promiseEffect(run) },
      actions: { note: (_, value: unknown) => void seen.push(value) },
    }).createMachine({
      initial: 'on',
      states: {
        on: {
          invoke: {
            src: 'effect',
            input: undefined,
            onDone: {
              target: 'off',
              actions: { type: 'note', params: ({ event }: { event: any }) => event.output },
            },
            onError: {
              target: 'off',
              actions: { type: 'note', params: ({ event }: { event: any }) => String(event.error) },
            },
          },
          on: { leave: 'off' },
        },
        off: {},
      },
    });
    return { actor: createActor(machine).start(), seen };
  };

  it('answers, or fails, or is aborted when its state is left', async () => {
    const good = invoking(async () => 'yes');
    const bad = invoking(() => {
      throw new Error('no');
    });
    let aborted = false;
    const left = invoking(
      ({ signal }) => new Promise(() => signal.addEventListener('abort', () => (aborted = true))),
    );
    left.actor.send({ type: 'leave' });
    await expect.poll(() => [good.seen, bad.seen]).toEqual([['yes'], ['Error: no']]);
    expect([aborted, left.seen]).toEqual([true, []]);
  });

  it('fails when something it started goes astray, and its signal says so', async () => {
    let signal: AbortSignal | undefined;
    const { seen } = invoking((args) => {
      signal = args.signal;
      const mine = currentOwner();
      setTimeout(() => mine!.fail(new Error('stray')), 1);
      return new Promise(() => {});
    });
    await expect.poll(() => seen).toEqual(['Error: stray']);
    expect(signal?.aborted).toBe(true);
  });
});

describe('the clock', () => {
  it('does not fire a thirty-day timer at once, and can clear it', async () => {
    const clock = createClock();
    let fired = false;
    const timer = clock.setTimeout(() => (fired = true), 30 * 24 * 3600 * 1000);
    await new Promise((resolve) => setTimeout(resolve, 5));
    clock.clearTimeout(timer);
    expect(fired).toBe(false);
  });
});
