import { expect, it } from 'vitest';
import * as gate from '../../src/testing/scenarios/gate.ts';
import { explored } from './staged.ts';

const found = explored(gate, 'a gate', {
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
  expect(String(found)).toBe(
    `${found.states.length} states, ${found.paths.length} paths, ${found.transitions.all.length} of ${found.transitions.all.length} transition outcomes`,
  );
});

it('the gate reaches each of its states', () => {
  const values = new Set(found.paths.map((path) => path.state.value));
  expect(values).toEqual(new Set(['closed', 'open', 'draining', 'stopped', 'failed']));
});
