import { createTestModel, getShortestPaths } from '@xstate/graph';
import { createActor, createMachine, fromCallback, spawnChild, StateMachine } from 'xstate';
import { afterEach, describe, expect, it, vi } from 'vitest';

const build = process.env['COPPICE_XSTATE_BUILD'];

/** The configuration asks for a build; these tests see by its behaviour which one really came. */
describe(`the ${build} build of XState`, () => {
  afterEach(() => vi.restoreAllMocks());

  it('is the one that runs: only the development build warns when a stopped actor is sent something', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const actor = createActor(createMachine({})).start();
    actor.stop();
    actor.send({ type: 'late' });
    expect(warn).toHaveBeenCalledTimes(build === 'development' ? 1 : 0);
  });

  it('is the one that runs: only the development build refuses to persist an actor without a name', () => {
    const machine = createMachine({ entry: spawnChild(fromCallback(() => () => {})) });
    const actor = createActor(machine).start();
    const persist = () => actor.getPersistedSnapshot();
    if (build === 'development') expect(persist).toThrow(/inline child actor/);
    else expect(persist).not.toThrow();
    actor.stop();
  });

  it('is the only one: what walks graphs walks machines of the same copy', () => {
    const machine = createMachine({ initial: 'a', states: { a: { on: { go: 'b' } }, b: {} } });
    expect(machine).toBeInstanceOf(StateMachine);
    expect(getShortestPaths(machine)).toHaveLength(2);
    expect(createTestModel(machine).getShortestPaths()).not.toHaveLength(0);
  });
});
