import { describe, expect, it } from 'vitest';
import { assign, createActor, createMachine, fromPromise, setup } from 'xstate';
import type { CoppiceError } from '../../src/errors.ts';
import { generate, replayLive } from '../../src/testing/index.ts';

const refusal = (make: () => unknown): CoppiceError => {
  try {
    make();
  } catch (error) {
    return error as CoppiceError;
  }
  throw new Error('it was not refused');
};

describe('what cannot be tested is refused with its reason and what to do', () => {
  it.each([
    ['nothing', undefined, 'this is nothing'],
    ['an actor', createActor(createMachine({})), 'this is an actor'],
    ['a promise logic', fromPromise(async () => 1), 'another kind of actor logic'],
    ['a configuration', { initial: 'a', states: { a: {} } }, 'an object of another kind'],
  ])('%s is no machine', (_what, given, text) => {
    for (const make of [
      () => generate(given as never),
      () => replayLive(given as never, { name: '', start: {} as never, steps: [] }),
    ])
      expect(refusal(make)).toMatchObject({
        code: 'TEST_NOT_A_MACHINE',
        message: expect.stringContaining(text),
      });
  });

  it('guards and delays that have a name and nothing behind it, all at once', () => {
    const machine = createMachine({
      id: 'bare',
      initial: 'a',
      states: {
        a: { on: { X: { guard: 'may', target: 'b' } }, always: { guard: { type: 'must' }, target: 'b' } },
        b: { after: { soon: 'a' } },
      },
    });
    const error = refusal(() => generate(machine));
    expect(error.message).toBe(
      'the machine "bare" names what nobody provided: guard "may", guard "must", delay "soon"',
    );
    expect(error.remedy).toContain('machine.provide');
  });

  it('a machine that fails at its start, for want of input', () => {
    const machine = setup({
      types: { input: {} as { user: { name: string } }, context: {} as { name: string } },
    }).createMachine({
      id: 'needy',
      context: ({ input }) => ({ name: input.user.name }),
    });
    const error = refusal(() => generate(machine));
    expect(error).toMatchObject({ code: 'TEST_START_FAILED', remedy: expect.stringContaining('`input`') });
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(generate(machine, { input: { user: { name: 'a' } } }).paths).toMatchObject([{ steps: [] }]);
  });

  it('an actor spawned from logic without a name; on demand it may run for real', () => {
    const machine = createMachine({
      id: 'nest',
      context: {} as { ref?: unknown },
      on: { LAY: { actions: assign({ ref: ({ spawn }) => spawn(createMachine({}), { id: 'egg' }) }) } },
    });
    expect(refusal(() => generate(machine))).toMatchObject({
      code: 'TEST_INLINE_ACTOR',
      details: { machine: 'nest', actor: 'egg' },
    });
    const { paths } = generate(machine, { inlineActors: 'run' });
    expect(replayLive(machine, paths[0]!)).toMatchObject({ ok: true });
  });

  it.each([
    [{ strategy: 'all' }, 'strategy is "all", expected one of edges'],
    [{ seed: 1.5 }, 'seed is 1.5'],
    [{ budget: { paths: -1 } }, 'budget.paths is -1'],
  ])('the option %o', (options, text) => {
    const error = refusal(() => generate(createMachine({}), options as never));
    expect(error).toMatchObject({ code: 'TEST_OPTION_INVALID', message: expect.stringContaining(text) });
  });

  it('a loop of always, which would never end, dies in the model as it does live', () => {
    const machine = createMachine({
      initial: 'calm',
      states: { calm: { on: { GO: 'a' } }, a: { always: 'b' }, b: { always: 'a' } },
    });
    const [path] = generate(machine).paths;
    expect(path?.steps[0]?.expected).toMatchObject({
      status: 'error',
      error: expect.stringContaining('Infinite loop'),
    });
    expect(replayLive(machine, path!)).toMatchObject({ ok: true });
  });
});
