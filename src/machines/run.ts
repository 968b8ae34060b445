import { complete } from './effect-missing.ts';
import { LIMITS } from './limits.ts';
import { skippedResult } from './run-calls.ts';
import type { RunEffects } from './run-contract.ts';
import {
  aborted,
  addText,
  broken,
  crashed,
  due,
  failed,
  finished,
  handedOver,
  loopEnded,
  noModel,
  noModelCalls,
  noToolCalls,
  overdue,
  question,
  restartText,
  signalText,
  silence,
  stale,
  storeSilent,
  tell,
  toolDone,
  toolSignals,
  tooSlow,
  unanswered,
} from './run-moves.ts';
import { callSignal, noCall, run, spentTools } from './run-setup.ts';
import { candidateOf, initialRun, nextCall, runOutput } from './run-state.ts';
import type { Failure } from './run-state.ts';

export { examples } from './run-contract.ts';
export type { RunEffects, RunEvent } from './run-contract.ts';
export type { RunInput, RunOutput } from './turn.ts';

/**
 * One turn. It is prepared, asks candidate after candidate for an answer, runs the tools the answer asks for (intent
 * journalled before, outcome after), and asks again until an answer asks for none. It is invoked by its session and
 * killed by its wrapper; what it leaves behind is its checkpoint and journal, from which the next life goes on.
 */
export const runMachine = run.createMachine({
  id: 'run',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input }) => initialRun(input),
  output: ({ context }) => runOutput(context),
  invoke: {
    id: 'deadline',
    src: 'alarm',
    input: ({ context }) => ({ atMs: context.input.deadlineAt, event: 'run.deadline' }),
    onError: { target: '.failed', actions: broken },
  },
  on: {
    'run.abort': { target: '.aborted', actions: aborted },
    'run.deadline': { target: '.failed', actions: overdue },
    // From an attempt that was given up, already in the mailbox: nothing to do.
    'model.text': {},
    'model.progress': {},
    'model.tool_call': {},
    'model.finished': {},
    'model.failed': {},
    'attempt.deadline': {},
  },
  initial: 'preparing',
  states: {
    preparing: {
      invoke: {
        id: 'prepare',
        src: 'prepare',
        input: ({ context }) => context.input,
        onDone: [
          {
            guard: { type: 'resumed', params: ({ event }) => event.output },
            target: 'deciding',
            actions: [
              { type: 'takePrepared', params: ({ event }) => event.output },
              restartText(() => 'resumed'),
            ],
          },
          { target: 'deciding', actions: { type: 'takePrepared', params: ({ event }) => event.output } },
        ],
        onError: [
          { guard: 'storeMayRecover', target: 'preparePausing', actions: 'noteStoreFailure' },
          { target: 'failed', actions: broken },
        ],
      },
      after: {
        storePatience: [
          { guard: 'storeMayRecover', target: 'preparePausing', actions: 'noteStoreFailure' },
          { target: 'failed', actions: storeSilent },
        ],
      },
    },
    preparePausing: { after: { storePause: { target: 'preparing' } } },

    deciding: {
      always: [
        { guard: 'overdue', target: 'failed', actions: overdue },
        { guard: 'repeatPlanned', target: 'journalling', actions: 'beginRepeat' },
        { guard: 'callsOpen', target: 'dispatching' },
        { guard: 'noCandidate', target: 'failed', actions: noModel },
        { guard: 'modelCallsSpent', target: 'failed', actions: noModelCalls },
        { target: 'attempting' },
      ],
    },

    attempting: {
      entry: ['reportProgress', 'beginAttempt', 'reportAttempt'],
      invoke: {
        id: 'callModel',
        src: 'callModel',
        input: ({ context }) => ({
          run: context.input,
          attempt: context.attempts,
          candidate: candidateOf(context),
          untilAt: context.asking.untilAt,
          history: context.prepared.history,
          messages: context.messages,
          withTools: !spentTools(context),
        }),
        onError: { target: 'judging', actions: failed(crashed) },
      },
      on: {
        'model.text': [
          stale,
          { guard: due, actions: [addText, signalText, tell, 'reportProgress', 'noteProgress'] },
          { actions: [addText, signalText] },
        ],
        'model.progress': [stale, { guard: due, actions: [tell, 'reportProgress', 'noteProgress'] }, {}],
        'model.tool_call': [stale, { actions: { type: 'addCall', params: ({ event }) => event } }],
        'model.finished': [
          stale,
          { guard: 'handsOver', target: 'answered', actions: ['takeUsage', tell, handedOver, 'handOver'] },
          { guard: 'wantsTools', target: 'journalling', actions: ['takeUsage', tell, 'openRound'] },
          { guard: 'budgetSpentSilently', target: 'failed', actions: ['takeUsage', tell, noToolCalls] },
          { guard: 'saidNothing', target: 'judging', actions: ['takeUsage', ...failed(silence)] },
          { target: 'answered', actions: ['takeUsage', finished] },
        ],
        'model.failed': [stale, { target: 'judging', actions: failed((event: Failure) => event) }],
        'attempt.deadline': [
          { guard: { type: 'early', params: ({ event }) => ({ atMs: event.atMs }) } },
          { target: 'judging', actions: failed(tooSlow) },
        ],
      },
    },
    judging: {
      always: [
        { guard: 'verdictEnd', target: 'failed', actions: unanswered },
        {
          guard: 'textStreamed',
          target: 'judging',
          reenter: true,
          actions: [restartText((context) => context.asking.last?.class ?? 'retry'), 'dropAnswer'],
        },
        { guard: 'verdictRetry', target: 'backoff', actions: 'dropAnswer' },
        { target: 'deciding', actions: ['dropAnswer', 'nextCandidate'] },
      ],
    },
    backoff: {
      entry: 'reportProgress',
      after: {
        backoffStep: [
          { guard: 'moreBackoff', target: 'backoff', reenter: true, actions: 'passStep' },
          { target: 'deciding', actions: 'passStep' },
        ],
      },
    },

    journalling: {
      entry: 'reportProgress',
      invoke: {
        id: 'journal',
        src: 'journal',
        input: ({ context: { input, messages, attempts, toolCalls, usage, repeats, calls } }) => ({
          run: input,
          facts: { messages, attempts, toolCalls, usage, repeats },
          calls: calls.filter((call) => call.plan === 'call' && call.result === null),
        }),
        onDone: {
          target: 'dispatching',
          actions: { type: 'storeWorks', params: ({ event }) => event.output },
        },
        onError: [
          { guard: 'storeMayRecover', target: 'journalPausing', actions: 'noteStoreFailure' },
          { target: 'failed', actions: broken },
        ],
      },
      after: {
        storePatience: [
          { guard: 'storeMayRecover', target: 'journalPausing', actions: 'noteStoreFailure' },
          { target: 'failed', actions: storeSilent },
        ],
      },
    },
    journalPausing: { after: { storePause: { target: 'journalling' } } },

    dispatching: {
      always: [
        { guard: 'overdue', target: 'failed', actions: overdue },
        { guard: 'loopNews', target: 'dispatching', reenter: true, actions: ['reportLoop', 'loopTold'] },
        { guard: 'nextAsks', target: 'undecided', actions: question },
        { guard: 'nextSkipped', target: 'skipping' },
        { guard: 'loopOpen', target: 'answered', actions: [...loopEnded] },
        { guard: 'allAnswered', target: 'deciding', actions: 'closeRound' },
        {
          guard: 'nextRefused',
          target: 'dispatching',
          reenter: true,
          actions: [...toolSignals, 'refuseCall'],
        },
        { target: 'calling' },
      ],
    },
    calling: {
      entry: [
        'reportCalled',
        { type: 'signalToolStarted', params: ({ context }) => callSignal(context) },
        'reportProgress',
      ],
      invoke: {
        id: 'callTool',
        src: 'callTool',
        input: ({ context }) => ({ run: context.input, call: nextCall(context) ?? noCall }),
        onDone: toolDone,
        onError: { target: 'failed', actions: broken },
      },
    },
    skipping: {
      entry: [{ type: 'signalToolStarted', params: ({ context }) => callSignal(context) }, 'reportProgress'],
      invoke: {
        id: 'recordSkip',
        src: 'recordSkip',
        input: ({ context }) => ({
          run: context.input,
          call: nextCall(context) ?? noCall,
          result: skippedResult,
        }),
        onDone: toolDone,
        onError: { target: 'failed', actions: broken },
      },
    },

    answered: { type: 'final' },
    aborted: { type: 'final' },
    failed: { type: 'final' },
    undecided: { type: 'final' },
  },
});

/** The machine with its effects in place. Throws CoppiceError EFFECT_MISSING, with its name, for one that is not there. */
export function withEffects(effects: RunEffects): typeof runMachine {
  const { signalText, restartText, signalToolStarted, signalToolEnded, ...actors } = effects;
  return complete(runMachine, effects).provide({
    actors,
    actions: {
      signalText: (_, signal) => signalText(signal),
      restartText: (_, signal) => restartText(signal),
      signalToolStarted: (_, signal) => signalToolStarted(signal),
      signalToolEnded: (_, signal) => signalToolEnded(signal),
    },
  });
}
