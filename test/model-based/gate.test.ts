import { expect, it } from 'vitest';
import { examples, gateMachine } from '../../src/machines/gate.ts';
import type { GateContext } from '../../src/machines/gate.ts';
import { explore } from '../../src/testing/index.ts';

const explored = explore(gateMachine, {
  input: { path: 'gateway/core/gate' },
  events: examples,
  serialize: (snapshot) => {
    const context = snapshot.context as GateContext;
    return JSON.stringify([snapshot.value, context.ingress, context.reason, context.error !== null]);
  },
  invariant: (snapshot, event, previous, effects) => {
    if (event.type !== 'message.offered') return undefined;
    const told = effects.filter((effect) => effect.type === 'admit' || effect.type === 'refuse');
    if (told.length !== 1) return `an offer got ${told.length} answers`;
    if (told[0]?.type === 'admit' && !previous.matches('open')) return 'admitted while not open';
    if (told[0]?.type === 'refuse' && previous.matches('open')) return 'refused while open';
    return snapshot.matches('open') !== previous.matches('open') ? 'an offer moved the gate' : undefined;
  },
});

it('the gate takes every transition, leaves no event unanswered and never admits while it is not open', () => {
  expect(String(explored)).toBe(
    `${explored.states.length} states, ${explored.paths.length} paths, ${explored.transitions.all.length} of ${explored.transitions.all.length} transition outcomes`,
  );
});

it('the gate reaches each of its states', () => {
  const values = new Set(explored.paths.map((path) => path.state.value));
  expect(values).toEqual(new Set(['closed', 'open', 'draining', 'stopped', 'failed']));
});
