import type { AnyStateMachine } from 'xstate';
import { examples, ingressMachine } from '../../machines/ingress.ts';
import type { IngressContext } from '../../machines/ingress.ts';
import { contextOf, scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

export const machine: AnyStateMachine = ingressMachine;
export const scenarios: readonly Scenario[] = [
  scenario(ingressMachine, 'an ingress', {
    input: { path: 'gateway/core/work/ingress' },
    // Request ids are fresh: nobody asks twice under one.
    events: (snapshot) => {
      const known = new Set(contextOf<IngressContext>(snapshot).queue.map((write) => write.requestId));
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
      const { queue, unrouted, sweptAt, stopWithinMs, error } = contextOf<IngressContext>(snapshot);
      const writes = queue.map(({ requestId, attempt }) => [requestId, attempt]);
      return JSON.stringify([snapshot.value, writes, unrouted, sweptAt, stopWithinMs, error !== null]);
    },
  }),
];
