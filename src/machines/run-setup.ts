import { assign, emit, setup } from 'xstate';
import type { AnyEventObject } from 'xstate';
import type { Fact } from '../bus/events.ts';
import { missingAction, missingCallback, missingPromise } from './effect-missing.ts';
import { LIMITS } from './limits.ts';
import { callIds, planCalls, uniqueCallId } from './run-calls.ts';
import type { PlannedCall, ToolCall, ToolResult } from './run-calls.ts';
import type {
  AlarmInput,
  JournalInput,
  ModelCallInput,
  RunEvent,
  RunRestartSignal,
  RunTextSignal,
  RunToolSignal,
  Signalled,
  SkipInput,
  ToolAnswer,
  ToolCallInput,
} from './run-contract.ts';
import {
  addUsage,
  beginAttempt,
  beginRepeat,
  breakLoop,
  candidateOf,
  closeAnswer,
  closeRound,
  fullText,
  handOver,
  nextCall,
  nextCandidate,
  noteFailure,
  passStep,
  takePrepared,
  takeResult,
} from './run-state.ts';
import type { Failure, Prepared, RunContext, RunEnding, RunUsage } from './run-state.ts';
import { loopFact } from './tool-loop.ts';
import { quiet } from './tool-loop-replay.ts';
import type { RunInput, RunOutput } from './turn.ts';

/** The vocabulary of the run machine: its actors, actions, guards and delays by name. */
export const signalled = ({ input }: RunContext): Signalled => ({
  runId: input.message.runId,
  sessionKey: input.sessionKey,
});
const identity = ({ input }: RunContext) => ({
  sessionKey: input.sessionKey,
  sessionId: input.sessionId,
  runId: input.message.runId,
  trace: input.message.trace,
});
const toolIdentity = (context: RunContext) => {
  const call = nextCall(context);
  return { ...identity(context), toolName: call?.toolName ?? '', toolCallId: call?.toolCallId ?? '' };
};
export const callSignal = (context: RunContext): RunToolSignal => {
  const { toolCallId = '', toolName = '', input } = nextCall(context) ?? {};
  return { ...signalled(context), toolCallId, toolName, input };
};
export const noCall: PlannedCall = {
  toolCallId: '',
  toolName: '',
  input: null,
  plan: 'refuse',
  idempotent: false,
  refusal: null,
  result: null,
};
const isProgressDue = ({ progressAt }: RunContext, atMs: number): boolean =>
  atMs - progressAt >= LIMITS.progressEveryMs;
export const spentTools = (context: RunContext): boolean => context.toolCalls >= LIMITS.toolCallsPerRun;

const base = setup({
  types: {
    context: {} as RunContext,
    events: {} as RunEvent,
    input: {} as RunInput,
    output: {} as RunOutput,
    emitted: {} as Fact<
      'run.attempt' | 'model.usage' | 'model.call_failed' | 'tool.called' | 'tool.completed' | 'tool.loop'
    >,
  },
  actors: {
    prepare: missingPromise<Prepared, RunInput>('prepare'),
    callModel: missingCallback<AnyEventObject, ModelCallInput>('callModel'),
    journal: missingPromise<{ readonly atMs: number }, JournalInput>('journal'),
    callTool: missingPromise<ToolAnswer, ToolCallInput>('callTool'),
    recordSkip: missingPromise<ToolAnswer, SkipInput>('recordSkip'),
    alarm: missingCallback<AnyEventObject, AlarmInput>('alarm'),
  },
  actions: {
    signalText: missingAction('signalText') as (args: unknown, signal: RunTextSignal) => void,
    restartText: missingAction('restartText') as (args: unknown, signal: RunRestartSignal) => void,
    signalToolStarted: missingAction('signalToolStarted') as (args: unknown, signal: RunToolSignal) => void,
    signalToolEnded: missingAction('signalToolEnded') as (
      args: unknown,
      signal: RunToolSignal & ToolResult,
    ) => void,
    /** To the session that invoked it, at most about once a second; without a parent, to nobody. */
    reportProgress: ({ context, self }) => {
      if (isProgressDue(context, context.nowMs))
        self._parent?.send({ type: 'run.progress', runId: context.input.message.runId, atMs: context.nowMs });
    },
    noteProgress: assign({ progressAt: ({ context }) => context.nowMs }),

    takePrepared: assign(({ context }, prepared: Prepared) => takePrepared(context, prepared)),
    noteStoreFailure: assign({ storeFailures: ({ context }) => context.storeFailures + 1 }),
    storeWorks: assign((_, { atMs }: { readonly atMs: number }) => ({ nowMs: atMs, storeFailures: 0 })),
    tell: assign({
      nowMs: ({ context }, { atMs }: { readonly atMs: number }) => Math.max(context.nowMs, atMs),
    }),

    beginAttempt: assign(({ context }) => beginAttempt(context)),
    addText: assign(({ context }, { delta }: { readonly delta: string }) => ({
      roundText: context.roundText + delta,
    })),
    addCall: assign(({ context }, call: ToolCall) => {
      const used = callIds(context.messages, context.roundCalls);
      return {
        roundCalls: [...context.roundCalls, { ...call, toolCallId: uniqueCallId(call.toolCallId, used) }],
      };
    }),
    noteFailure: assign(({ context }, failed: Failure) => noteFailure(context, failed)),
    dropAnswer: assign({ roundText: '', roundCalls: [] }),
    nextCandidate: assign(({ context }) => nextCandidate(context)),
    passStep: assign(({ context }) => passStep(context)),
    finish: assign(({ context }, last: { readonly ending: RunEnding; readonly atMs: number }) => ({
      ...closeAnswer(context, [], 0),
      ending: last.ending,
      nowMs: Math.max(context.nowMs, last.atMs),
    })),
    handOver: assign(({ context }) => handOver(context)),
    openRound: assign(({ context }) => {
      const budget = Math.max(0, LIMITS.toolCallsPerRun - context.toolCalls);
      const calls = planCalls(context.roundCalls, context.prepared.tools, budget);
      return closeAnswer(context, calls, Math.min(budget, calls.length));
    }),
    takeResult: assign(({ context }, { output, isError }: ToolResult) =>
      takeResult(context, { output, isError }),
    ),
    refuseCall: assign(({ context }) =>
      takeResult(context, { output: nextCall(context)?.refusal ?? '', isError: true }),
    ),
    beginRepeat: assign(({ context }) => beginRepeat(context)),
    closeRound: assign(({ context }) => closeRound(context)),
    breakLoop: assign(({ context }) => breakLoop(context)),
    end: assign({ ending: (_, ending: RunEnding) => ending }),

    reportAttempt: emit(({ context }) => ({
      type: 'run.attempt' as const,
      ...identity(context),
      attempt: context.attempts,
      ...candidateOf(context),
    })),
    reportFailure: emit(({ context }) => ({
      type: 'model.call_failed' as const,
      ...identity(context),
      ...candidateOf(context),
      class: context.asking.last?.class ?? 'unknown',
      error: { name: 'ModelFailure', message: context.asking.last?.message ?? '' },
      willRetry: context.asking.verdict.kind !== 'end',
    })),
    reportCalled: emit(({ context }) => ({ type: 'tool.called' as const, ...toolIdentity(context) })),
    reportCompleted: emit(({ context }, { isError, durationMs }: ToolAnswer) => ({
      type: 'tool.completed' as const,
      ...toolIdentity(context),
      isError,
      durationMs,
    })),
    reportLoop: emit(({ context }) => loopFact(context.loop.memory)),
    loopTold: assign({ loop: ({ context }) => quiet(context.loop) }),
  },
  guards: {
    stale: ({ context }, { attempt }: { readonly attempt: number }) => attempt !== context.attempts,
    early: ({ context }, { atMs }: { readonly atMs: number }) => atMs < context.asking.untilAt,
    progressDue: ({ context }, { atMs }: { readonly atMs: number }) => isProgressDue(context, atMs),
    overdue: ({ context }) => context.nowMs >= context.input.deadlineAt,
    storeMayRecover: ({ context }) => context.storeFailures + 1 < LIMITS.runStoreAttempts,
    resumed: (_, prepared: Prepared) => prepared.resume !== null,
    callsOpen: ({ context }) => context.calls.length > 0,
    repeatPlanned: ({ context }) => context.calls.some(({ plan }) => plan === 'repeat'),
    noCandidate: ({ context }) => context.prepared.candidates.length === 0,
    modelCallsSpent: ({ context }) => context.attempts >= LIMITS.modelCallsPerRun,
    handsOver: ({ context }) => context.prepared.handOver === true && context.roundCalls.length > 0,
    wantsTools: ({ context }) => context.roundCalls.length > 0 && !spentTools(context),
    /** Nothing said and nothing asked for. After a tool has run, here or with whoever asked, silence may be meant. */
    saidNothing: ({ context }) =>
      fullText(context) === '' && context.toolCalls === 0 && context.prepared.handOver !== true,
    budgetSpentSilently: ({ context }) => spentTools(context) && context.roundText === '',
    textStreamed: ({ context }) => context.roundText !== '',
    verdictRetry: ({ context }) => context.asking.verdict.kind === 'retry',
    verdictEnd: ({ context }) => context.asking.verdict.kind === 'end',
    moreBackoff: ({ context }) => context.asking.backoffLeftMs > LIMITS.backoffStepMs,
    loopNews: ({ context }) => context.loop.memory.verdict?.news === true,
    loopOpen: ({ context }) => context.loop.state === 'open',
    allAnswered: ({ context }) => nextCall(context) === undefined,
    nextAsks: ({ context }) => nextCall(context)?.plan === 'ask',
    nextSkipped: ({ context }) => nextCall(context)?.plan === 'skip',
    nextRefused: ({ context }) => nextCall(context)?.plan === 'refuse',
  },
  delays: {
    storePatience: LIMITS.runStoreMs,
    storePause: ({ context }) => LIMITS.runStorePauseMs * 2 ** Math.max(0, context.storeFailures - 1),
    backoffStep: ({ context }) => Math.min(context.asking.backoffLeftMs, LIMITS.backoffStepMs),
  },
});

export const run = base.extend({
  actions: {
    takeUsage: base.enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'model.finished' || event.usage === undefined) return;
      enqueue.assign({ usage: addUsage(context.usage, event.usage) });
      enqueue.emit(usageFact(context, event.usage, event.atMs));
    }),
  },
});

function usageFact(context: RunContext, usage: RunUsage, atMs: number): Fact<'model.usage'> {
  const { sessionKey, sessionId, message } = context.input;
  const session = { sessionKey, sessionId, channel: message.channel, trace: message.trace };
  const durationMs = atMs - context.asking.startedAt;
  return { type: 'model.usage', ...session, ...candidateOf(context), usage, durationMs };
}
