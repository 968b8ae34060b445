import { LIMITS } from './limits.ts';
import { doubtAbout } from './run-calls.ts';
import type { ModelEvent, RunEvent, ToolAnswer } from './run-contract.ts';
import { endOfLoop } from './run-loop.ts';
import { callSignal, signalled, spentTools } from './run-setup.ts';
import { brokenBy, doing, failure, fullText, modelsFailed, nextCall, separator } from './run-state.ts';
import type { Failure, RunContext, RunEnding } from './run-state.ts';

/** Actions, guards and transitions of the run machine that several of its states share, with their parameters. */
type At = { readonly context: RunContext };
type With<T extends RunEvent['type']> = { readonly event: Extract<RunEvent, { type: T }> };

export const ending = <E>(of: (context: RunContext, event: E) => RunEnding) =>
  ({ type: 'end', params: ({ context, event }: At & { readonly event: E }) => of(context, event) }) as const;

export const broken = ending((context, event: { readonly error: unknown }) => brokenBy(context, event.error));
export const overdue = ending((context) => failure('RUN_DEADLINE', { doing: doing(context) }));
export const storeSilent = ending((context) =>
  brokenBy(context, new Error(`the store did not answer within ${LIMITS.runStoreMs} ms`)),
);
export const noModel = ending((context) =>
  failure('MODEL_NOT_CONFIGURED', { agentId: context.input.agentId }),
);
export const noModelCalls = ending(() => failure('MODEL_BUDGET', { limit: LIMITS.modelCallsPerRun }));
export const noToolCalls = ending(() => failure('TOOL_BUDGET', { limit: LIMITS.toolCallsPerRun }));
export const unanswered = ending((context) => modelsFailed(context));
export const aborted = ending((_, event: Extract<RunEvent, { type: 'run.abort' }>) => ({
  status: 'aborted',
  stopReason: event.reason ?? 'aborted',
}));
/** The last answer. */
export const finished = {
  type: 'finish',
  params: ({ context, event }: At & With<'model.finished'>) => {
    const stopReason = spentTools(context) ? 'tool-budget' : event.reason;
    return { ending: { status: 'ok', stopReason }, atMs: event.atMs } as const;
  },
} as const;
export const handedOver = ending(() => ({ status: 'ok', stopReason: 'tool-calls' }));
/** What there is of an answer, and why there is no more. */
export const loopEnded = [
  ending(() => ({ status: 'ok', stopReason: 'tool-loop' })),
  {
    type: 'signalText',
    params: ({ context }: At) => {
      const delta = separator(context) + endOfLoop(context.loop);
      return { ...signalled(context), delta, text: context.baseText + delta };
    },
  },
  'breakLoop',
] as const;
export const question = ending((context) => {
  const { toolCallId = '', toolName = '', input } = nextCall(context) ?? {};
  return {
    status: 'undecided',
    question: doubtAbout({ toolCallId, toolName, input }, context.repeats),
    toolCallId,
    toolName,
  };
});

export const tell = {
  type: 'tell',
  params: ({ event }: { readonly event: { readonly atMs: number } }) => ({ atMs: event.atMs }),
} as const;
export const stale = {
  guard: {
    type: 'stale',
    params: ({ event }: { readonly event: ModelEvent }) => ({ attempt: event.attempt }),
  },
} as const;
export const due = {
  type: 'progressDue',
  params: ({ event }: { readonly event: { readonly atMs: number } }) => ({ atMs: event.atMs }),
} as const;

export const addText = {
  type: 'addText',
  params: ({ event }: With<'model.text'>) => ({ delta: event.delta }),
} as const;
export const signalText = {
  type: 'signalText',
  params: ({ context, event }: At & With<'model.text'>) => {
    const first = context.roundText.length === event.delta.length;
    return {
      ...signalled(context),
      delta: first ? separator(context) + event.delta : event.delta,
      text: fullText(context),
    };
  },
} as const;
export const restartText = (reason: (context: RunContext) => string) =>
  ({
    type: 'restartText',
    params: ({ context }: At) => ({ ...signalled(context), reason: reason(context), text: context.baseText }),
  }) as const;

export const failed = <E>(of: (event: E, context: RunContext) => Failure) =>
  [
    { type: 'noteFailure', params: ({ context, event }: At & { readonly event: E }) => of(event, context) },
    'reportFailure',
  ] as const;
export const silence = (event: { readonly random: number; readonly atMs: number }): Failure => ({
  class: 'interrupted',
  message: 'the model answered nothing',
  random: event.random,
  atMs: event.atMs,
});
export const tooSlow = (event: { readonly atMs: number }): Failure => ({
  class: 'timeout',
  message: 'no answer within its share of the turn',
  random: 0,
  atMs: event.atMs,
});
export const crashed = (event: { readonly error: unknown }, context: RunContext): Failure => ({
  class: 'unknown',
  message: event.error instanceof Error ? event.error.message : String(event.error),
  random: 0,
  atMs: context.nowMs,
});

export const toolDone = {
  target: 'dispatching',
  actions: [
    {
      type: 'reportCompleted',
      params: ({ event }: { readonly event: { readonly output: ToolAnswer } }) => event.output,
    },
    {
      type: 'signalToolEnded',
      params: ({ context, event }: At & { readonly event: { readonly output: ToolAnswer } }) => ({
        ...callSignal(context),
        output: event.output.output,
        isError: event.output.isError,
      }),
    },
    {
      type: 'takeResult',
      params: ({ event }: { readonly event: { readonly output: ToolAnswer } }) => event.output,
    },
    {
      type: 'tell',
      params: ({ event }: { readonly event: { readonly output: ToolAnswer } }) => event.output,
    },
  ],
} as const;
export const toolSignals = [
  { type: 'signalToolStarted', params: ({ context }: At) => callSignal(context) },
  {
    type: 'signalToolEnded',
    params: ({ context }: At) => ({
      ...callSignal(context),
      output: nextCall(context)?.refusal ?? '',
      isError: true,
    }),
  },
] as const;
