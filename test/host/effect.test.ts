import { EventEmitter, getEventListeners } from 'node:events';
import { createActor, setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import { callbackEffect, createClock, currentOwner, promiseEffect } from '../../src/host/index.ts';
import type { CallbackArgs, Guards } from '../../src/host/index.ts';
import { createStand, eventually } from './stand.ts';

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

describe('an effect that ends', () => {
  /** What its supervisor reports of it, beside its start. */
  const reportsOf = (stand: ReturnType<typeof createStand>): string[] =>
    stand.reports
      .filter(({ body }) => body.type === 'child_terminated' || body.type === 'disposer_failed')
      .map(({ body }) => `${body.type}: ${'error' in body ? body.error?.message : ''}`);
  const first = (run: (args: CallbackArgs<{ type: 'none' }, { incarnation: number }>) => () => void) =>
    callbackEffect<{ type: 'none' }, { incarnation: number }>((args) =>
      args.input.incarnation === 1 ? run(args) : undefined,
    );
  const boom = (): never => {
    throw new Error('cleanup');
  };

  it('by a failure of its own is reported for that alone, and cleans up once', async () => {
    let cleanups = 0;
    const logic = first(({ fail }) => {
      setTimeout(() => fail(new Error('first')), 1);
      return () => void (cleanups += 1);
    });
    const stand = createStand([{ id: 'one', logic }]);
    await eventually(() => stand.life('one') === 2);
    expect([reportsOf(stand), cleanups]).toEqual([['child_terminated: first'], 1]);
  });

  it('by a failure, and whose cleanup fails as well, has failed for both, with the code of the first', async () => {
    const failure = Object.assign(new Error('first'), { code: 'E_FIRST' });
    const logic = first(({ fail }) => {
      setTimeout(() => fail(failure), 1);
      return boom;
    });
    const stand = createStand([{ id: 'one', logic }]);
    await eventually(() => stand.life('one') === 2);
    expect(reportsOf(stand)).toEqual(['child_terminated: first; and then its cleanup failed: cleanup']);
    expect(stand.bodies('one', 'child_terminated')[0]).toMatchObject({
      error: { code: 'E_FIRST', cause: { message: 'first' } },
    });
  });

  it('because it is stopped still runs what listens to its signal, guarded or not, before its cleanup', async () => {
    const told: string[] = [];
    const logic = callbackEffect(({ signal, guard, listen }) => {
      signal.addEventListener('abort', () => void told.push('bare'));
      signal.addEventListener(
        'abort',
        guard(() => void told.push('guarded')),
      );
      listen(signal, 'abort', () => void told.push('listening'));
      return () => void told.push('cleanup');
    });
    const stand = createStand([{ id: 'one', logic }]);
    await stand.stop();
    expect(told).toEqual(['bare', 'guarded', 'listening', 'cleanup']);
  });

  it.each([
    ['a guarded listener of its signal', (guard: Guards['guard']) => [guard(boom), () => {}] as const],
    ['its cleanup', () => [() => {}, boom] as const],
  ])('with a throw in %s is stopped all the same, and its supervisor says so', async (_, parts) => {
    const logic = callbackEffect(({ signal, guard }) => {
      const [listener, cleanup] = parts(guard);
      signal.addEventListener('abort', listener);
      return cleanup;
    });
    const stand = createStand([{ id: 'one', logic }]);
    await stand.stop();
    expect(reportsOf(stand)).toEqual(['disposer_failed: cleanup']);
  });

  it('hears a shared signal no more, and leaves no listener on it', async () => {
    const shared = new AbortController();
    let heard = 0;
    const logic = callbackEffect(({ listen }) => listen(shared.signal, 'abort', () => void (heard += 1)));
    const stand = createStand([{ id: 'one', logic }]);
    expect(getEventListeners(shared.signal, 'abort')).toHaveLength(1);
    await stand.stop();
    expect(getEventListeners(shared.signal, 'abort')).toEqual([]);
    shared.abort();
    expect(heard).toBe(0);
  });
});
