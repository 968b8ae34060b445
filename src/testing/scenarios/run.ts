import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { LIMITS } from '../../machines/limits.ts';
import { DEFAULT_RETRY } from '../../machines/retry.ts';
import { runMachine } from '../../machines/run.ts';
import type { RunEvent } from '../../machines/run.ts';
import type { ToolAnswer } from '../../machines/run-contract.ts';
import type { Prepared, RunContext, RunFacts } from '../../machines/run-state.ts';
import type { RunInput, RunMessage } from '../../machines/turn.ts';
import { contextOf, scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

const START = 1_000_000;
const input = (decision: RunInput['decision']): RunInput => ({
  path: 'gateway/s/run',
  incarnation: 1,
  sessionKey: 's',
  sessionId: 's1',
  agentId: 'main',
  decision,
  deadlineAt: START + 600_000,
  message: {
    messageId: 'm1',
    runId: 'r1',
    text: 'hello',
    source: 'user',
    channel: 'websocket',
    options: {},
    trace: { traceId: '1'.repeat(32), spanId: '2'.repeat(16) },
    receivedAt: START,
  },
});

const call = (toolCallId: string, toolName: string) =>
  ({ type: 'tool-call', toolCallId, toolName, input: {} }) as const;
const asked: RunMessage = {
  role: 'assistant',
  content: [
    { type: 'text', text: 'Let me see.' },
    ...[call('a', 'look'), call('b', 'send'), call('c', 'nothing'), call('d', 'send')],
  ],
};
const facts: RunFacts = { messages: [asked], attempts: 1, toolCalls: 4, usage: null, repeats: 0 };
const fresh: Prepared = {
  atMs: START,
  history: [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }],
  candidates: [
    { provider: 'p', model: 'one' },
    { provider: 'q', model: 'two' },
  ],
  tools: [
    { name: 'look', idempotent: true },
    { name: 'send', idempotent: false },
  ],
  retry: { ...DEFAULT_RETRY, attempts: 2 },
  resume: null,
  journal: [],
};
const outcome = { output: 'done', isError: false };
const prepared: Prepared[] = [
  fresh,
  { ...fresh, candidates: fresh.candidates.slice(1), tools: [], handOver: true },
  { ...fresh, candidates: [] },
  { ...fresh, atMs: START + 600_000 },
  { ...fresh, resume: { ...facts, messages: [], attempts: LIMITS.modelCallsPerRun } },
  { ...fresh, resume: { ...facts, messages: [], toolCalls: LIMITS.toolCallsPerRun } },
  { ...fresh, resume: { ...facts, messages: [], toolCalls: LIMITS.toolCallsPerRun - 1 } },
  // Its breaker of tool loops warns at the first call and opens at the second that says the same.
  {
    ...fresh,
    candidates: fresh.candidates.slice(1),
    tools: fresh.tools.slice(0, 1),
    loop: { warningThreshold: 1, criticalThreshold: 2, globalCircuitBreakerThreshold: 3 },
  },
  // Killed in the middle of `look`, which may be called again by itself.
  {
    ...fresh,
    resume: facts,
    journal: ['a', 'b', 'd'].map((toolCallId) => ({
      toolCallId,
      idempotent: toolCallId === 'a',
      outcome: null,
    })),
  },
  // Killed in the middle of `send`, the second of four calls; the third was never run, the fourth not begun.
  {
    ...fresh,
    resume: facts,
    journal: [
      { toolCallId: 'a', idempotent: true, outcome },
      { toolCallId: 'b', idempotent: false, outcome: null },
      { toolCallId: 'd', idempotent: false, outcome: null },
    ],
  },
];
const answers = ({ context }: AnyMachineSnapshot): ToolAnswer[] => [
  { ...outcome, atMs: context.nowMs + 5, durationMs: 5 },
  { output: 'it broke', isError: true, atMs: context.input.deadlineAt, durationMs: 5 },
];

/** Of this attempt and of the one before it, now and when it is too late. */
function events(snapshot: AnyMachineSnapshot): RunEvent[] {
  const context = contextOf<RunContext>(snapshot);
  const { nowMs: atMs, attempts: attempt, progressAt } = context;
  const later = Math.max(atMs, progressAt + LIMITS.progressEveryMs);
  const failed = { type: 'model.failed', attempt, message: 'no', random: 0.5, atMs } as const;
  const now: RunEvent[] = [
    { type: 'model.text', attempt, delta: 'word ', atMs: progressAt },
    { type: 'model.text', attempt, delta: 'word ', atMs: later },
    { type: 'model.progress', attempt, atMs: progressAt },
    { type: 'model.progress', attempt, atMs: later },
    { type: 'model.tool_call', attempt, toolCallId: 'a', toolName: 'look', input: {} },
    { type: 'model.tool_call', attempt, toolCallId: 'b', toolName: 'nothing', input: {} },
    { type: 'model.finished', attempt, reason: 'stop', random: 0.5, atMs },
    {
      type: 'model.finished',
      attempt,
      reason: 'stop',
      usage: { input: 1, output: 1, total: 2 },
      random: 0.5,
      atMs,
    },
    { ...failed, class: 'server' },
    { ...failed, class: 'auth' },
    { ...failed, class: 'content_policy' },
    { ...failed, class: 'rate_limit', retryAfterMs: 120_000 },
    { ...failed, class: 'server', atMs: context.input.deadlineAt },
  ];
  return [
    ...now,
    ...now.map((event) => ({ ...event, attempt: attempt - 1 }) as RunEvent),
    { type: 'run.abort' },
    { type: 'run.abort', reason: 'user' },
    { type: 'run.deadline', atMs: context.input.deadlineAt },
    { type: 'attempt.deadline', atMs: context.asking.untilAt },
    { type: 'attempt.deadline', atMs: context.asking.untilAt - 1 },
  ];
}

/** How far the breaker is, where it can get somewhere within a few calls. */
function breaker({ loop: { state, memory } }: RunContext): unknown[] {
  const { policy, history, verdict } = memory;
  if (policy.criticalThreshold > 2) return [];
  return [state, Math.min(history.length, 1), verdict?.news === true];
}

/** What is left to do and what may still be spent; how much was spent makes no other state. */
function serialize({ value, context, status }: AnyMachineSnapshot): string {
  const run = context as RunContext;
  const { prepared: ready, asking, toolCalls, attempts } = run;
  return JSON.stringify([
    status,
    value,
    [ready.tools.length, ready.candidates.length, ready.handOver === true, asking.candidate, asking.tries],
    [run.roundText !== '', run.baseText !== '', run.storeFailures, ...breaker(run)],
    [
      toolCalls === 0,
      toolCalls >= LIMITS.toolCallsPerRun,
      attempts >= LIMITS.modelCallsPerRun,
      Math.min(attempts, 2),
    ],
    run.nowMs >= run.input.deadlineAt,
    run.roundCalls.slice(0, 2).map(({ toolName }) => toolName),
    run.calls.map(({ plan, result }) => [plan, result === null]),
    [asking.backoffLeftMs > LIMITS.backoffStepMs, asking.verdict.kind, run.ending.status],
  ]);
}

/** Only the failure of an attempt that is over. */
const late = (snapshot: AnyMachineSnapshot): RunEvent[] =>
  events(snapshot)
    .filter(
      (event) => event.type === 'model.failed' && event.attempt < contextOf<RunContext>(snapshot).attempts,
    )
    .slice(0, 1);

const run = (decision: RunInput['decision'], offered = prepared, heard = events) => ({
  input: input(decision),
  events: heard,
  outputs: {
    prepare: offered,
    journal: (snapshot: AnyMachineSnapshot) => [{ atMs: contextOf<RunContext>(snapshot).nowMs + 3 }],
    callTool: answers,
    recordSkip: answers,
  },
  serialize,
  timers: 'first' as const,
  budget: { states: 1_500 },
});

export const machine: AnyStateMachine = runMachine;
export const scenarios: readonly Scenario[] = [
  scenario(runMachine, 'a run that asks when it cannot know', run(null)),
  scenario(runMachine, 'a run that hears of an attempt that is over', run(null, [fresh], late)),
  scenario(runMachine, 'a run that was told to skip the call', run('skip', prepared.slice(-1))),
  scenario(runMachine, 'a run that was told to repeat the call', run('retry', prepared.slice(-1))),
];
