import { describe, expect, it } from 'vitest';
import { channelMachine, examples } from '../../src/machines/channel.ts';
import type { ChannelContext, ChannelEvent } from '../../src/machines/channel.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import { explore } from '../../src/testing/index.ts';

/** Events of the running attempt and of the one before it. */
const ofAttempt = (attempt: number): ChannelEvent[] =>
  examples.map((event) => ('attempt' in event ? { ...event, attempt } : event));

const exploring = (probes: boolean) =>
  explore(channelMachine, {
    input: { path: 'gateway/core/edge/channels/chat/inbound', channel: 'chat', leg: 'inbound', probes },
    events: (snapshot) => {
      const { attempt } = snapshot.context as ChannelContext;
      return [...ofAttempt(attempt), ...ofAttempt(attempt - 1).filter((event) => 'attempt' in event)];
    },
    serialize: (snapshot) => {
      const { failures, failedProbes, connectedAt, probeAt, reason } = snapshot.context as ChannelContext;
      return JSON.stringify([
        snapshot.value,
        failures,
        failedProbes,
        connectedAt,
        probeAt,
        reason,
        Object.keys(snapshot.children),
      ]);
    },
    invariant: (snapshot, event, previous) => {
      const context = snapshot.context as ChannelContext;
      if (context.failures > LIMITS.legLadderMs.length + 1) return 'went on after the ladder was used up';
      if (snapshot.matches({ attempting: 'connected' }) && context.failedProbes > 0)
        return 'says connected under suspicion';
      const old = 'attempt' in event && event.attempt !== (previous.context as ChannelContext).attempt;
      if (old && JSON.stringify(snapshot.value) !== JSON.stringify(previous.value))
        return 'an old attempt moved it';
      const waits =
        snapshot.status !== 'active' ||
        snapshot._nodes.some((node) => node.after.length > 0 || node.invoke.length > 0);
      return waits ? undefined : 'nothing ends this state';
    },
  });

const probed = exploring(true);
const unprobed = exploring(false);

describe('a leg of a channel, on every path', () => {
  it('takes every transition and leaves no event unhandled', () => {
    expect(probed.transitions.missed).toEqual([]);
    expect(probed.unhandled).toEqual([]);
  });

  it('never says connected under suspicion, never lets an old attempt move it, never outlives its ladder', () => {
    expect(probed.violations).toEqual([]);
    expect(unprobed.violations).toEqual([]);
  });

  it('without a probe it is never suspect, and it still ends after the same number of attempts', () => {
    const values = unprobed.paths.map((path) => JSON.stringify(path.state.value));
    expect(values.some((value) => value.includes('suspect'))).toBe(false);
    expect(values).toContain('"failed"');
  });
});
