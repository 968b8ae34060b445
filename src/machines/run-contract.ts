import type { AnyEventObject, CallbackActorLogic, PromiseActorLogic } from 'xstate';
import type { PlannedCall, ToolCall, ToolResult } from './run-calls.ts';
import type { Failure, Prepared, PromptMessage, RunFacts, RunUsage } from './run-state.ts';
import type { Candidate, RunInput, RunMessage } from './turn.ts';

/** What a run hears, and what it needs from its host. */
export type RunEvent =
  | ModelEvent
  /** Somebody wants it to stop. `reason` becomes the stop reason; default `aborted`. */
  | { readonly type: 'run.abort'; readonly reason?: string }
  | { readonly type: 'run.deadline'; readonly atMs: number }
  /** The time of the attempt is over. From the model call. */
  | { readonly type: 'attempt.deadline'; readonly atMs: number };

/** From the model call; `attempt` says which, so that a late word of an old attempt is not charged to the next. */
export type ModelEvent =
  | { readonly type: 'model.text'; readonly attempt: number; readonly delta: string; readonly atMs: number }
  /** It works without saying anything yet. At most about one a second. */
  | { readonly type: 'model.progress'; readonly attempt: number; readonly atMs: number }
  | ({ readonly type: 'model.tool_call'; readonly attempt: number } & ToolCall)
  | {
      readonly type: 'model.finished';
      readonly attempt: number;
      readonly reason: string;
      /** If the provider tells. */
      readonly usage?: RunUsage;
      readonly random: number;
      readonly atMs: number;
    }
  | ({ readonly type: 'model.failed'; readonly attempt: number } & Failure);

export interface ModelCallInput {
  readonly run: RunInput;
  readonly attempt: number;
  readonly candidate: Candidate;
  /** When it is given up. Epoch milliseconds. */
  readonly untilAt: number;
  /** The transcript, then what the run added. */
  readonly history: readonly PromptMessage[];
  readonly messages: readonly RunMessage[];
  /** False in the final round of a run that spent its tool budget. */
  readonly withTools: boolean;
}

export interface JournalInput {
  readonly run: RunInput;
  readonly facts: RunFacts;
  /** Those that will run, in order. */
  readonly calls: readonly PlannedCall[];
}

export interface ToolCallInput {
  readonly run: RunInput;
  readonly call: PlannedCall;
}

export interface SkipInput extends ToolCallInput {
  readonly result: ToolResult;
}

export interface ToolAnswer extends ToolResult {
  readonly atMs: number;
  readonly durationMs: number;
}

/** Sends `{ type: event, atMs }` at the absolute time `atMs`; long waits are its affair. */
export interface AlarmInput {
  readonly atMs: number;
  readonly event: string;
}

/** What a run needs from its host. */
export interface RunEffects {
  readonly prepare: PromiseActorLogic<Prepared, RunInput>;
  /** Sends `ModelEvent`s, and `attempt.deadline` at `untilAt`; ends its call when it is stopped. */
  readonly callModel: CallbackActorLogic<AnyEventObject, ModelCallInput>;
  /** One commit: checkpoint and intents. Safe to repeat. */
  readonly journal: PromiseActorLogic<{ readonly atMs: number }, JournalInput>;
  /** Calls the tool, commits the outcome, then answers. A failing tool is an answer; only a failing store rejects. */
  readonly callTool: PromiseActorLogic<ToolAnswer, ToolCallInput>;
  /** Commits `result` as the outcome without calling. */
  readonly recordSkip: PromiseActorLogic<ToolAnswer, SkipInput>;
  readonly alarm: CallbackActorLogic<AnyEventObject, AlarmInput>;
  /** `text` is cumulative over the run. */
  signalText(signal: RunTextSignal): void;
  /** The text so far is void; `text` stands again. */
  restartText(signal: RunRestartSignal): void;
  signalToolStarted(signal: RunToolSignal): void;
  signalToolEnded(signal: RunToolSignal & ToolResult): void;
}

export interface Signalled {
  readonly runId: string;
  readonly sessionKey: string;
}
export type RunTextSignal = Signalled & { readonly delta: string; readonly text: string };
export type RunRestartSignal = Signalled & { readonly reason: string; readonly text: string };
export type RunToolSignal = Signalled & ToolCall;

/** One of each plain event, for generated tests. */
export const examples = {
  'model.text': { type: 'model.text', attempt: 1, delta: 'Hello', atMs: 1_000 },
  'model.progress': { type: 'model.progress', attempt: 1, atMs: 1_000 },
  'model.tool_call': {
    type: 'model.tool_call',
    attempt: 1,
    toolCallId: 'call-1',
    toolName: 'read_file',
    input: { path: 'a.txt' },
  },
  'model.finished': {
    type: 'model.finished',
    attempt: 1,
    reason: 'stop',
    usage: { input: 10, output: 5, total: 15 },
    random: 0,
    atMs: 2_000,
  },
  'model.failed': {
    type: 'model.failed',
    attempt: 1,
    class: 'server',
    message: 'it broke',
    random: 0,
    atMs: 2_000,
  },
  'run.abort': { type: 'run.abort', reason: 'user' },
  'run.deadline': { type: 'run.deadline', atMs: 600_000 },
  'attempt.deadline': { type: 'attempt.deadline', atMs: 300_000 },
} satisfies Record<string, RunEvent>;
