import type { AnyStateMachine } from 'xstate';
import { examples, resourceMachine } from '../../machines/resource.ts';
import { scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

export const machine: AnyStateMachine = resourceMachine;
export const scenarios: readonly Scenario[] = [
  scenario(resourceMachine, 'a resource', {
    input: { path: 'top/thing', incarnation: 1, openMs: 1_000 },
    events: Object.values(examples).flat(),
  }),
];
