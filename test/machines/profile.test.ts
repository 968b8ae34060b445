import { createActor, type AnyEventObject } from 'xstate';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/machines/limits.ts';
import { coolingMs, profileMachine, type ProfileEvent } from '../../src/machines/profile.ts';
import { createSimulatedClock } from '../../src/testing/index.ts';

function start() {
  const clock = createSimulatedClock();
  const facts: AnyEventObject[] = [];
  const actor = createActor(profileMachine, { input: { provider: 'openai' }, clock });
  actor.on('*', (fact) => void facts.push(fact));
  actor.start();
  const fail = (over: Partial<Extract<ProfileEvent, { type: 'profile.failed' }>> = {}) =>
    actor.send({ type: 'profile.failed', class: 'rate_limit', atMs: clock.now(), ...over });
  const state = () => actor.getSnapshot().value;
  const leftMs = () => (actor.getSnapshot().context.untilAt ?? clock.now()) - clock.now();
  return { actor, clock, facts, fail, state, leftMs };
}

describe('the health of a provider', () => {
  it('cools after a rate limit, half opens when the window is over, and recovers with the next success', () => {
    const { actor, clock, facts, fail, state } = start();
    fail();
    expect(state()).toBe('cooling');
    clock.advance(LIMITS.coolRateLimitMs - 1);
    expect(state()).toBe('cooling');
    clock.advance(1);
    expect(state()).toBe('half_open');
    actor.send({ type: 'profile.succeeded', atMs: clock.now() });
    expect(state()).toBe('ready');
    expect(facts).toEqual([
      { type: 'profile.cooled', provider: 'openai', class: 'rate_limit', forMs: LIMITS.coolRateLimitMs },
      { type: 'profile.recovered', provider: 'openai' },
    ]);
  });

  it.each(['timeout', 'network', 'server', 'format', 'unknown', 'content_policy'] as const)(
    'is not cooled by %s',
    (failure) => {
      const { fail, state } = start();
      fail({ class: failure });
      expect(state()).toBe('ready');
    },
  );

  it('honours a Retry-After that is longer than its own window, over many short waits', () => {
    const { clock, fail, state } = start();
    fail({ retryAfterMs: 400_000 });
    clock.advance(399_999);
    expect(state()).toBe('cooling');
    clock.advance(1);
    expect(state()).toBe('half_open');
  });

  it('keeps the window when fifty calls already under way fail too: no doubling, and never a shorter one', () => {
    const { clock, fail, leftMs, facts } = start();
    fail({ retryAfterMs: 120_000 });
    clock.advance(1_000);
    for (let n = 0; n < 50; n += 1) fail({ retryAfterMs: 5_000 });
    expect(leftMs()).toBe(119_000);
    fail({ retryAfterMs: 200_000 });
    expect(leftMs()).toBe(200_000);
    expect(facts).toHaveLength(1);
  });

  it('still half opens in time after its window was stretched while it waited', () => {
    const { clock, fail, state } = start();
    fail();
    clock.advance(30_000);
    fail({ retryAfterMs: 90_000 });
    clock.advance(89_999);
    expect(state()).toBe('cooling');
    clock.advance(1);
    expect(state()).toBe('half_open');
  });

  it('doubles with every failed probe, up to an hour, and begins small again after a success', () => {
    const { actor, clock, fail, leftMs } = start();
    const windows = Array.from({ length: 9 }, () => {
      fail({ class: 'overloaded' });
      const window = leftMs();
      clock.advance(window);
      return window / 1_000;
    });
    expect(windows).toEqual([30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
    actor.send({ type: 'profile.succeeded', atMs: clock.now() });
    fail({ class: 'overloaded' });
    expect(leftMs()).toBe(30_000);
  });

  it('is ready at once when somebody had to ask it while it cooled, and it answered', () => {
    const { actor, clock, fail, state } = start();
    fail({ class: 'auth' });
    actor.send({ type: 'profile.succeeded', atMs: clock.now() });
    expect(state()).toBe('ready');
    clock.advance(LIMITS.coolMaxMs);
    expect(state()).toBe('ready');
  });

  it('half opens by the tick alone, should its own timer be late', () => {
    const { actor, clock, fail, state } = start();
    fail();
    actor.send({ type: 'clock.tick', atMs: clock.now() + LIMITS.coolRateLimitMs - 1 });
    expect(state()).toBe('cooling');
    actor.send({ type: 'clock.tick', atMs: clock.now() + LIMITS.coolRateLimitMs });
    expect(state()).toBe('half_open');
  });

  it('is not woken early by ticks in between', () => {
    const { actor, clock, fail, state } = start();
    fail();
    clock.advance(40_000);
    actor.send({ type: 'clock.tick', atMs: clock.now() });
    clock.advance(19_999);
    expect(state()).toBe('cooling');
    clock.advance(1);
    expect(state()).toBe('half_open');
  });

  it('stops when its supervisor says so', () => {
    const { actor } = start();
    actor.send({ type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 });
    expect(actor.getSnapshot()).toMatchObject({ status: 'done', output: { exit: 'shutdown' } });
  });
});

describe('the length of a window', () => {
  it('has a base for the classes that time or people heal, and none for the others', () => {
    expect(coolingMs('billing', 1)).toBe(600_000);
    expect(coolingMs('auth', 2)).toBe(600_000);
    expect(coolingMs('timeout', 1, 60_000)).toBe(0);
    expect(coolingMs('rate_limit', 5_000)).toBe(LIMITS.coolMaxMs);
  });
});
