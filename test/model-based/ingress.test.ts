import { describe, expect, it } from 'vitest';
import { examples, ingressMachine } from '../../src/machines/ingress.ts';
import type { IngressContext } from '../../src/machines/ingress.ts';
import type { AskedEffect } from '../../src/testing/index.ts';
import { explore } from '../../src/testing/index.ts';

const requestOf = (effect: AskedEffect): string => (effect.params as { requestId: string }).requestId;

/** Request ids are fresh: nobody asks twice under one. */
const explored = explore(ingressMachine, {
  input: { path: 'gateway/core/work/ingress' },
  events: (snapshot) => {
    const known = new Set((snapshot.context as IngressContext).queue.map((write) => write.requestId));
    return examples.filter((event) => event.type !== 'message.admitted' || !known.has(event.requestId));
  },
  outputs: {
    takeUp: [
      { sessions: 2, messages: 3, failed: 0 },
      { sessions: 1, messages: 1, failed: 1 },
    ],
    sweep: [
      { sessions: 0, messages: 0, failed: 0 },
      { sessions: 0, messages: 0, failed: 1 },
    ],
  },
  serialize: (snapshot) => {
    const { queue, unrouted, sweptAt, stopWithinMs, error } = snapshot.context as IngressContext;
    const writes = queue.map(({ requestId, attempt }) => [requestId, attempt]);
    return JSON.stringify([snapshot.value, writes, unrouted, sweptAt, stopWithinMs, error !== null]);
  },
  invariant: (snapshot, event, previous, effects) => {
    const before = (previous.context as IngressContext).queue.map((write) => write.requestId);
    const after = (snapshot.context as IngressContext).queue.map((write) => write.requestId);
    const owed =
      event.type === 'message.admitted'
        ? [...before, (event as unknown as { requestId: string }).requestId]
        : before;
    const answers = effects
      .filter((effect) => effect.type === 'answer' || effect.type === 'refuse')
      .map(requestOf);
    if (new Set(answers).size !== answers.length) return 'one request was answered twice';
    const accounted = [...after, ...answers].toSorted();
    if (JSON.stringify(accounted) !== JSON.stringify(owed.toSorted()))
      return `owed ${owed.join()}, has ${after.join()}, answered ${answers.join()}`;
    if (effects.some((effect) => effect.type === 'route') && event.type !== 'journal.committed')
      return 'routed without a commit';
    return snapshot.status === 'done' && after.length > 0 ? 'ended with a request unanswered' : undefined;
  },
});

describe('the ingress, on every path', () => {
  it('takes every transition, leaves no event unhandled and answers each request exactly once', () => {
    expect(explored.transitions.missed).toEqual([]);
    expect(explored.unhandled).toEqual([]);
    expect(explored.violations).toEqual([]);
    expect(explored.states.length).toBeGreaterThan(40);
  });

  it('reaches open, stopped and failed', () => {
    const values = new Set(explored.paths.map((path) => JSON.stringify(path.state.value)));
    for (const value of [
      '"starting"',
      '{"open":"steady"}',
      '{"open":"sweeping"}',
      '"stopping"',
      '"stopped"',
      '"failed"',
    ])
      expect(values).toContain(value);
  });
});
