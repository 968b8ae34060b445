import { describe, expect, it } from 'vitest';
import type { ChannelContext } from '../../src/machines/channel.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import * as channel from '../../src/testing/scenarios/channel.ts';
import { explored } from './staged.ts';

const exploring = (scenario: string) =>
  explored(channel, scenario, {
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

const probed = exploring('a leg that can be probed');
const unprobed = exploring('a leg without a probe');

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
