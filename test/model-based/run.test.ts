import { describe, expect, it } from 'vitest';
import type { AnyMachineSnapshot, NonReducibleUnknown } from 'xstate';
import { LIMITS } from '../../src/machines/limits.ts';
import { DEFAULT_RETRY } from '../../src/machines/retry.ts';
import { runMachine, withEffects } from '../../src/machines/run.ts';
import type { RunEvent } from '../../src/machines/run.ts';
import type { Prepared, RunContext, RunFacts } from '../../src/machines/run-state.ts';
import type { ToolAnswer } from '../../src/machines/run-contract.ts';
import type { RunInput, RunMessage, RunOutput } from '../../src/machines/turn.ts';
import { explore, replay } from '../../src/testing/index.ts';
import { callbackEffect, promiseEffect } from '../../src/host/index.ts';

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
    call('a', 'look'),
    call('b', 'send'),
    call('c', 'nothing'),
    call('d', 'send'),
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
const answers: (snapshot: AnyMachineSnapshot) => ToolAnswer[] = ({ context }) => [
  { ...outcome, atMs: context.nowMs + 5, durationMs: 5 },
  { output: 'it broke', isError: true, atMs: context.input.deadlineAt, durationMs: 5 },
];

function events({ context }: AnyMachineSnapshot): RunEvent[] {
  const {
    nowMs: atMs,
    attempts: attempt,
    input: { deadlineAt },
    progressAt,
    asking: { untilAt },
  } = context as RunContext;
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
    { ...failed, class: 'server', atMs: deadlineAt },
  ];
  const stale = now.map((event) => ({ ...event, attempt: attempt - 1 }) as RunEvent);
  return [
    ...now,
    ...stale,
    { type: 'run.abort' },
    { type: 'run.abort', reason: 'user' },
    { type: 'run.deadline', atMs: deadlineAt },
    { type: 'attempt.deadline', atMs: untilAt },
    { type: 'attempt.deadline', atMs: untilAt - 1 },
  ];
}

/** How far the breaker is, where it can get somewhere within a few calls. */
function breaker({ loop: { state, memory } }: RunContext): unknown[] {
  const { policy, history, verdict } = memory;
  if (policy.criticalThreshold > 2) return [];
  return [state, Math.min(history.length, 1), verdict?.news === true];
}

function key({ value, context, status }: AnyMachineSnapshot): string {
  const run = context as RunContext;
  const {
    prepared: { tools, candidates },
    asking,
    toolCalls,
    attempts,
    calls,
  } = run;
  const spent = [
    toolCalls === 0,
    toolCalls >= LIMITS.toolCallsPerRun,
    attempts >= LIMITS.modelCallsPerRun,
    run.nowMs >= run.input.deadlineAt,
  ];
  const flags = [
    tools.length,
    candidates.length,
    asking.candidate,
    asking.tries,
    run.roundText !== '',
    run.baseText !== '',
    run.storeFailures,
    run.prepared.handOver === true,
    ...breaker(run),
  ];
  const doing = [
    run.roundCalls.slice(0, 2).map(({ toolName }) => toolName),
    calls.map(({ plan, result }) => [plan, result === null]),
  ];
  return JSON.stringify([
    status,
    value,
    flags,
    spent,
    doing,
    asking.backoffLeftMs > LIMITS.backoffStepMs,
    asking.verdict.kind,
    run.ending.status,
  ]);
}

/** Every tool call has its answer, in order, right behind it. Those that end a run go to whoever asked. */
function unanswered({ messages }: RunOutput, handedOver: boolean): string | undefined {
  const ids = (message: RunMessage | undefined, type: string): string =>
    (message?.content ?? [])
      .filter((part) => part.type === type)
      .map((part) => part.toolCallId)
      .join();
  const bad = messages.find(
    (message, at) =>
      message.role === 'assistant' &&
      !(handedOver && at === messages.length - 1) &&
      ids(message, 'tool-call') !== ids(messages[at + 1], 'tool-result'),
  );
  return bad && `a call without its answer: ${JSON.stringify(bad)}`;
}

const sound = (snapshot: AnyMachineSnapshot): string | undefined => {
  const context = snapshot.context as RunContext;
  const output = snapshot.output as RunOutput | undefined;
  if (JSON.stringify(JSON.parse(JSON.stringify(context))) !== JSON.stringify(context))
    return 'the context is not plain JSON';
  if (context.toolCalls > LIMITS.toolCallsPerRun) return 'more tool calls than the budget';
  if (context.attempts > LIMITS.modelCallsPerRun) return 'more model calls than the budget';
  if (snapshot.matches('calling') && context.loop.state === 'open') return 'a call while the breaker is open';
  if (snapshot.matches('attempting') && context.loop.state === 'open')
    return 'a question while the breaker is open';
  const stopped = output?.status === 'ok' && output.stopReason === 'tool-loop';
  if (stopped && !output.text.includes('I stopped here')) return 'stopped without a reason';
  if (snapshot.matches('calling') && context.calls.find(({ result }) => result === null)?.plan !== 'call')
    return 'a call that was not to be made';
  const handOver = context.prepared.handOver === true;
  if (handOver && (context.toolCalls > 0 || context.calls.length > 0))
    return 'a call that is not ours to make';
  if (!handOver && output?.status === 'ok' && output.text === '' && output.toolCalls === 0)
    return 'ok without an answer';
  const handedOver = handOver && output?.status === 'ok' && output.stopReason === 'tool-calls';
  return output && output.status !== 'undecided' ? unanswered(output, handedOver) : undefined;
};

/** What a live actor with quiet effects, which never answer by themselves, can be led through. */
const silent = <O, I extends NonReducibleUnknown>() =>
  promiseEffect<O, I>(() => new Promise(() => undefined));
const quiet = withEffects({
  prepare: silent(),
  journal: silent(),
  callTool: silent(),
  recordSkip: silent(),
  callModel: callbackEffect(() => undefined),
  alarm: callbackEffect(() => undefined),
  signalText: () => undefined,
  restartText: () => undefined,
  signalToolStarted: () => undefined,
  signalToolEnded: () => undefined,
});

describe('every path of a run', () => {
  for (const decision of [null, 'skip', 'retry'] as const) {
    const found = explore(runMachine, {
      input: input(decision),
      events,
      outputs: {
        prepare: prepared,
        journal: (snapshot) => [{ atMs: snapshot.context.nowMs + 3 }],
        callTool: answers,
        recordSkip: answers,
      },
      serialize: key,
      invariant: sound,
      limit: 2_000_000,
      unreachable: [
        ...(decision === null ? [] : ['dispatching always#2 [nextAsks]']),
        ...(decision === 'retry' ? [] : ['deciding always#1 [repeatPlanned]']),
        ...(decision === 'skip'
          ? []
          : [
              'dispatching always#3 [nextSkipped]',
              'skipping done(recordSkip)',
              'skipping error(recordSkip)',
            ]),
      ],
    });

    it(`with the decision ${decision} takes every transition, both ways of each guard, and leaves no call without its answer`, () => {
      expect(found.violations, String(found)).toEqual([]);
      expect(found.transitions.missed, String(found)).toEqual([]);
      expect(found.unhandled, String(found)).toEqual([]);
    });

    // The one with a decision to skip reaches every state the others reach.
    if (decision !== 'skip') continue;
    it('walked by a live run, ends where the model says', () => {
      for (const path of found.paths) expect(key(replay(quiet, path, input(decision)))).toBe(path.key);
    });
  }
});
