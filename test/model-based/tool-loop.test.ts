import { describe, expect, it } from 'vitest';
import type { AnyMachineSnapshot } from 'xstate';
import { examples, toolLoopMachine } from '../../src/machines/tool-loop.ts';
import type { ToolLoopContext, ToolLoopEvent, ToolLoopInput } from '../../src/machines/tool-loop.ts';
import { explore, replay } from '../../src/testing/index.ts';

const about = { sessionKey: 's' };
const thresholds = { warningThreshold: 2, criticalThreshold: 3, globalCircuitBreakerThreshold: 4 };
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
const key = ({ value, context, status }: AnyMachineSnapshot): string => {
  const { history, stalled, told, verdict, suspects, refused } = context as ToolLoopContext;
  const short = (records: ToolLoopContext['history']) =>
    records.map(({ call, result }) => call + result).join();
  const last = history.at(-1)?.call ?? '-';
  return JSON.stringify([
    status,
    value,
    short(history),
    Math.min(stalled, 4),
    Object.keys(told).filter((name) => name === 'global' || name.includes(last)).length,
    verdict?.detector,
    verdict?.level,
    suspects.map(({ call }) => call).toSorted(),
    refused > 0,
  ]);
};

/** What holds wherever it is. */
function sound(
  after: AnyMachineSnapshot,
  event: ToolLoopEvent,
  before: AnyMachineSnapshot,
): string | undefined {
  const { history, tripped, verdict, suspects, policy, stalled } = after.context as ToolLoopContext;
  const was = before.context as ToolLoopContext;
  if (JSON.stringify(JSON.parse(JSON.stringify(after.context))) !== JSON.stringify(after.context))
    return 'the context is not plain JSON';
  if (history.length > policy.historySize) return 'it remembers more than it may';
  if (after.value === 'open' && (tripped === null || suspects.length === 0))
    return 'open, and nobody knows why';
  if (after.value === 'closed' && verdict !== null) return 'closed, and it found something';
  if (after.value === 'warning' && verdict?.level !== 'warning') return 'warning of nothing';
  if (before.value === 'open' && after.value === 'closed' && event.type !== 'loop.reset')
    return 'closed without a try';
  if (event.type !== 'call.answered' || after.value !== 'open' || before.value === 'open') return undefined;
  const last = was.history.findLast(({ call }) => call === event.call);
  const new_ = before.value !== 'half_open' && last?.result !== event.result;
  return new_ && stalled === 0 ? 'an answer that told something new opened it' : undefined;
}

/** Two ways to be small. */
const walks = [
  {
    title: 'a tool and a poll that change their answers',
    input: { policy: { ...thresholds, historySize: 4 }, about } satisfies ToolLoopInput,
    events: [
      ...['a', 'poll', 'other'].map(asked),
      ...[answered('a', 'x'), answered('a', 'y'), answered('poll', 'x'), answered('poll', 'y')],
      ...always,
    ],
    // Below a threshold of three, any two calls already look like turns: something is always suspicious before.
    unreachable: ['closed call.answered [critical]'],
  },
  {
    title: 'three tools in turn that say the same',
    input: {
      policy: {
        historySize: 5,
        warningThreshold: 3,
        criticalThreshold: 4,
        globalCircuitBreakerThreshold: 5,
      },
      about,
    } satisfies ToolLoopInput,
    events: [
      ...['a', 'b', 'c'].flatMap((tool) => [asked(tool), answered(tool, 'x')]),
      ...[answered('c', 'y'), ...always],
    ],
    unreachable: [],
  },
];
const found = walks.map(({ input, events, unreachable }) =>
  explore(toolLoopMachine, {
    input,
    events,
    serialize: key,
    unreachable,
    limit: 2_000_000,
    invariant: (after, event, before, effects) => {
      const facts = effects.filter(({ type }) => type === 'xstate.emit');
      if (after.value === 'open' && before.value !== 'open' && facts.length !== 1)
        return 'opened without a word';
      if (after.value === 'closed' && facts.length > 0) return 'told of a loop that is none';
      return sound(after, event as ToolLoopEvent, before);
    },
  }),
);

describe('every path of the breaker of tool loops', () => {
  it.each(walks.map(({ title }, at) => [title, found[at]!] as const))(
    'over %s takes every transition, both ways of each guard',
    (_, report) => {
      expect(report.violations, String(report)).toEqual([]);
      expect(report.transitions.missed, String(report)).toEqual([]);
      expect(report.unhandled, String(report)).toEqual([]);
      expect(report.states.length).toBeGreaterThan(200);
    },
  );

  it('meets every detector, warning and ending', () => {
    const states = found.flatMap(({ paths }) => paths.map(({ state }) => state.context as ToolLoopContext));
    const seen = states.flatMap(({ verdict }) => (verdict ? [`${verdict.detector} ${verdict.level}`] : []));
    const detectors = ['generic_repeat', 'global_circuit_breaker', 'known_poll_no_progress', 'ping_pong'];
    const all = detectors.flatMap((detector) => [`${detector} critical`, `${detector} warning`]);
    expect([...new Set(seen)].toSorted()).toEqual(all);
  });

  it('walked by a live actor, ends where the model says', () => {
    for (const [at, { input }] of walks.entries())
      for (const path of found[at]!.paths) expect(key(replay(toolLoopMachine, path, input))).toBe(path.key);
  });
});
