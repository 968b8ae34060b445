import { createActor } from 'xstate';
import { describe, expect, it } from 'vitest';
import type { Deps } from '../../src/actors/deps.ts';
import { orderCandidates, profileChild, profileState, tellProfile } from '../../src/actors/models.ts';
import { modelPath, PATHS } from '../../src/actors/paths.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import { createSupervision } from '../../src/supervisor/index.ts';
import { createSimulatedClock } from '../../src/testing/index.ts';

/** Three providers under a real supervisor, on a simulated clock. */
function models() {
  const clock = createSimulatedClock();
  const dead: string[] = [];
  const supervision = createSupervision({
    clock,
    random: () => 0,
    report: () => undefined,
    deadLetter: (to) => dead.push(to),
  });
  const deps = { registry: supervision.registry } as Deps;
  const children = ['p', 'q', 'r'].map((name) => profileChild(deps, name));
  const root = createActor(
    supervision.supervisor({ strategy: 'one_for_one', intensity: 5, periodMs: 60_000, children }),
    {
      clock,
      input: { path: PATHS.models, incarnation: 1 },
    },
  );
  root.subscribe({ error: () => undefined });
  supervision.root(root, PATHS.models);
  root.start();
  const fail = (name: string, failure: 'rate_limit' | 'billing' | 'network') =>
    tellProfile(deps, name, { type: 'profile.failed', class: failure, atMs: clock.now() });
  const order = () =>
    orderCandidates(
      deps,
      ['p', 'q', 'r'].map((provider) => ({ provider, model: 'm' })),
    ).map(({ provider }) => provider);
  return { clock, deps, supervision, root, dead, fail, order };
}

describe('the providers of a gateway', () => {
  it('live one by one under the models supervisor, ready', async () => {
    const { clock, deps, supervision } = models();
    await clock.settle();
    expect(supervision.registry.node(PATHS.models)?.children.map(({ id, state }) => [id, state])).toEqual([
      ['p', 'ready'],
      ['q', 'ready'],
      ['r', 'ready'],
    ]);
    expect(profileState(deps, 'p')).toEqual({ state: 'ready', untilAt: null });
  });

  it('are asked in the order given; a cooling one goes last, and comes back to its place', async () => {
    const { clock, fail, order, deps } = models();
    expect(order()).toEqual(['p', 'q', 'r']);
    fail('p', 'rate_limit');
    fail('q', 'network');
    expect(order()).toEqual(['q', 'r', 'p']);
    expect(profileState(deps, 'p')).toEqual({
      state: 'cooling',
      untilAt: clock.now() + LIMITS.coolRateLimitMs,
    });
    await clock.advanceAsync(LIMITS.coolRateLimitMs);
    expect(profileState(deps, 'p')).toEqual({ state: 'half_open', untilAt: null });
    expect(order()).toEqual(['p', 'q', 'r']);
  });

  it('are asked soonest back first when all of them cool; none is left out', () => {
    const { fail, order } = models();
    fail('p', 'billing');
    fail('q', 'rate_limit');
    fail('r', 'billing');
    expect(order()).toEqual(['q', 'p', 'r']);
  });

  it('survive the kill of one: it comes back ready, the others keep what they know', async () => {
    const { clock, deps, supervision, fail } = models();
    fail('p', 'billing');
    fail('q', 'billing');
    supervision.kill(modelPath('p'), { by: 'test' });
    await clock.settle();
    expect(supervision.registry.incarnation(modelPath('p'))).toBe(2);
    expect(profileState(deps, 'p').state).toBe('ready');
    expect(profileState(deps, 'q').state).toBe('cooling');
  });

  it('stop in time when they are told to, in the middle of cooling, and leave no timer', async () => {
    const { clock, root, fail } = models();
    fail('p', 'billing');
    root.send({ type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 1_000 });
    await clock.settle();
    expect(root.getSnapshot().status).toBe('done');
    expect(clock.pending).toBe(0);
  });

  it('need no watcher: a provider without one is ready, and telling it is no dead letter', () => {
    const { deps, dead } = models();
    tellProfile(deps, 'nobody', { type: 'profile.succeeded', atMs: 1 });
    expect(profileState(deps, 'nobody')).toEqual({ state: 'ready', untilAt: null });
    expect(dead).toEqual([]);
  });
});
