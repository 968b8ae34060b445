import { describe, expect, it } from 'vitest';
import type { IngressContext } from '../../src/machines/ingress.ts';
import type { AskedEffect } from '../../src/testing/index.ts';
import * as ingress from '../../src/testing/scenarios/ingress.ts';
import { explored } from './staged.ts';

const requestOf = (effect: AskedEffect): string => (effect.params as { requestId: string }).requestId;

const found = explored(ingress, 'an ingress', {
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
    expect(found.transitions.missed).toEqual([]);
    expect(found.unhandled).toEqual([]);
    expect(found.violations).toEqual([]);
    expect(found.states.length).toBeGreaterThan(40);
  });

  it('reaches open, stopped and failed', () => {
    const values = new Set(found.paths.map((path) => JSON.stringify(path.state.value)));
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
