import type { AnyActorLogic } from 'xstate';
import { withEffects } from '../machines/run.ts';
import type { RunEffects } from '../machines/run-contract.ts';
import type { RunInput } from '../machines/turn.ts';
import type { RunSignal } from '../channels/contract.ts';
import { createAlarm } from './alarm.ts';
import { createPrepare } from './context.ts';
import type { Deps } from './deps.ts';
import { createCallModel } from './model-call.ts';
import type { RunOptions } from './run-options.ts';
import type { SignalSeq } from './signal-seq.ts';
import { createCallTool, createJournal, createRecordSkip } from './tool-call.ts';

export type { RunOptions } from './run-options.ts';

/** The run as a session invokes it, with `RunInput`: a node of the tree, contained and killable. */
export function runLogic(deps: Deps, options: RunOptions): AnyActorLogic {
  const machine: AnyActorLogic = withEffects(runEffects(deps, options));
  return deps.nested(machine, ({ path, incarnation }: RunInput) => ({ path, incarnation }));
}

function runEffects(deps: Deps, options: RunOptions): RunEffects {
  const say = createVoice(deps, options.seq);
  return {
    prepare: createPrepare(deps, options),
    callModel: createCallModel(deps, options),
    journal: createJournal(deps),
    callTool: createCallTool(deps, options),
    recordSkip: createRecordSkip(deps),
    alarm: createAlarm(deps.clock),
    signalText: ({ runId, sessionKey, text, delta }) => say(runId, sessionKey, { kind: 'text', text, delta }),
    restartText({ runId, sessionKey, reason, text }) {
      say(runId, sessionKey, { kind: 'restarted', reason });
      // What stands is said again, so that those who add up deltas have it too.
      if (text !== '') say(runId, sessionKey, { kind: 'text', text, delta: text });
    },
    signalToolStarted: ({ runId, sessionKey, toolCallId, toolName, input }) =>
      say(runId, sessionKey, { kind: 'tool-started', toolCallId, toolName, input }),
    signalToolEnded: ({ runId, sessionKey, toolCallId, toolName, output, isError }) =>
      say(runId, sessionKey, { kind: 'tool-ended', toolCallId, toolName, output, isError }),
  };
}

type Word = RunSignal extends infer S
  ? S extends RunSignal
    ? Omit<S, 'runId' | 'sessionKey' | 'seq' | 'ts'>
    : never
  : never;

const createVoice =
  (deps: Deps, seq: SignalSeq) =>
  (runId: string, sessionKey: string, word: Word): void =>
    deps.signal({ runId, sessionKey, seq: seq.next(runId), ts: deps.clock.now(), ...word });
