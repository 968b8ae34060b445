import { describe, expect, it } from 'vitest';
import { examples, restartMachine } from '../../src/machines/restart.ts';
import type { RestartContext, RestartInput } from '../../src/machines/restart.ts';
import { explore } from '../../src/testing/index.ts';

const input: RestartInput = {
  path: 'gateway/core/coordinator',
  deferMs: 30_000,
  drainMs: 30_000,
  cooldownMs: 30_000,
  restartedAt: null,
};

const exploring = (from: RestartInput) =>
  explore(restartMachine, {
    input: from,
    events: examples,
    outputs: { pendingWork: [0, 2] },
    serialize: (snapshot) => {
      const { kind, reason, forced, count, pending, error } = snapshot.context as RestartContext;
      return JSON.stringify([
        snapshot.value,
        kind,
        reason,
        forced,
        Math.min(count, 2),
        pending,
        error !== null,
      ]);
    },
    invariant: (snapshot, event, previous, effects) => {
      const [now, before] = [snapshot.context as RestartContext, previous.context as RestartContext];
      if (before.kind === 'stop' && before.count > 0 && now.kind !== 'stop') return 'a stop became a restart';
      const handed = effects.filter((effect) => effect.type === 'handOver').length;
      if (handed !== (snapshot.matches('handed_over') ? 1 : 0)) return `handed over ${handed} times`;
      const closing = snapshot.matches('draining') || snapshot.matches({ deferring: 'shut' });
      if (event.type === 'gate.up' && closing && !effects.some((effect) => effect.type === 'closeGate'))
        return 'a new gate stayed open';
      if (
        closing &&
        !previous.matches(snapshot.value as never) &&
        !previous.matches('draining') &&
        !previous.matches({ deferring: 'shut' })
      ) {
        return effects.some((effect) => effect.type === 'closeGate') ? undefined : 'drains with an open gate';
      }
      return undefined;
    },
    ignorable: ['idle gate.up'],
  });

describe('the restart coordinator, on every path', () => {
  const first = exploring(input);
  const cooling = exploring({ ...input, restartedAt: 0 });

  it('takes every transition and leaves no event unhandled', () => {
    expect(first.transitions.missed.filter((name) => cooling.transitions.missed.includes(name))).toEqual([]);
    for (const found of [first, cooling]) expect([...found.unhandled, ...found.violations]).toEqual([]);
  });

  it('from every state there is a way to hand over', () => {
    const values = new Set(cooling.paths.map((path) => JSON.stringify(path.state.value)));
    expect(values).toContain('"handed_over"');
    expect(values).toContain('{"deferring":{"shut":"pausing"}}');
    expect(values).toContain('{"draining":"looking"}');
  });
});
