import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { examples, toolLoopMachine } from '../../machines/tool-loop.ts';
import type { ToolLoopContext, ToolLoopEvent } from '../../machines/tool-loop.ts';
import { scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

const about = { sessionKey: 's' };
const answered = (toolName: string, result: string): ToolLoopEvent => ({
  type: 'call.answered',
  toolName,
  call: `${toolName}:1`,
  result,
  poll: toolName === 'poll',
  atMs: 2_000,
});
const asked = (toolName: string): ToolLoopEvent => ({
  type: 'call.asked',
  call: `${toolName}:1`,
  atMs: 1_000,
});
const always: ToolLoopEvent[] = [
  examples['loop.cooled'],
  examples['loop.reset'],
  examples['supervisor.shutdown'],
];

/** Where each record stands and what is thought of it; times and how often it was told make no other state. */
function serialize({ value, context, status }: AnyMachineSnapshot): string {
  const { history, stalled, told, verdict, suspects, refused } = context as ToolLoopContext;
  const records = history.map(({ call, result }) => call + result).join();
  const last = history.at(-1)?.call ?? '-';
  const toldOf = Object.keys(told).filter((name) => name === 'global' || name.includes(last)).length;
  const thought = [verdict?.detector, verdict?.level, suspects.map(({ call }) => call).toSorted()];
  return JSON.stringify([status, value, records, Math.min(stalled, 4), toldOf, thought, refused > 0]);
}

export const machine: AnyStateMachine = toolLoopMachine;
export const scenarios: readonly Scenario[] = [
  scenario(toolLoopMachine, 'a tool and a poll that change their answers', {
    input: {
      policy: {
        historySize: 4,
        warningThreshold: 2,
        criticalThreshold: 3,
        globalCircuitBreakerThreshold: 4,
      },
      about,
    },
    events: [
      ...['a', 'poll', 'other'].map(asked),
      ...[answered('a', 'x'), answered('a', 'y'), answered('poll', 'x'), answered('poll', 'y')],
      ...always,
    ],
    serialize,
    budget: { states: 600 },
  }),
  scenario(toolLoopMachine, 'three tools in turn that say the same', {
    input: {
      policy: {
        historySize: 5,
        warningThreshold: 3,
        criticalThreshold: 4,
        globalCircuitBreakerThreshold: 5,
      },
      about,
    },
    events: [
      ...['a', 'b', 'c'].flatMap((tool) => [asked(tool), answered(tool, 'x')]),
      ...[answered('c', 'y'), ...always],
    ],
    serialize,
    budget: { states: 1_500 },
  }),
];
