import type { AnyStateMachine } from 'xstate';
import { examples, gateMachine } from '../../machines/gate.ts';
import type { GateContext } from '../../machines/gate.ts';
import { contextOf, scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

export const machine: AnyStateMachine = gateMachine;
export const scenarios: readonly Scenario[] = [
  scenario(gateMachine, 'a gate', {
    input: { path: 'gateway/core/gate' },
    examples,
    serialize: (snapshot) => {
      const { ingress, reason, error } = contextOf<GateContext>(snapshot);
      return JSON.stringify([snapshot.value, ingress, reason, error !== null]);
    },
  }),
];
