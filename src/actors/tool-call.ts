import { CoppiceError } from '../errors.ts';
import { promiseEffect } from '../host/index.ts';
import type { PromiseArgs } from '../host/index.ts';
import { LIMITS } from '../machines/limits.ts';
import type { ToolResult } from '../machines/run-calls.ts';
import type { JournalInput, SkipInput, ToolAnswer, ToolCallInput } from '../machines/run-contract.ts';
import { RUN_CHECKPOINT_VERSION } from '../machines/run-state.ts';
import type { Statement } from '../store/contract.ts';
import { callTool } from '../tools/index.ts';
import type { Deps } from './deps.ts';
import type { RunOptions } from './run-options.ts';

/** One commit: what the run has so far, and the intent of every call that is about to happen. */
export const createJournal = (deps: Deps) =>
  promiseEffect<{ readonly atMs: number }, JournalInput>(async ({ input: { run, facts, calls } }) => {
    const { statements } = deps.store;
    const { runId } = run.message;
    const at = deps.clock.now();
    const checkpoint = {
      machine: 'run',
      key: runId,
      version: RUN_CHECKPOINT_VERSION,
      at,
      facts: { ...facts },
    };
    const intents = calls.flatMap(({ toolCallId, toolName, input, idempotent }) =>
      statements.toolIntent({ runId, toolCallId, toolName, input: input ?? null, idempotent, intentAt: at }),
    );
    await deps.store.commit([...statements.putCheckpoint(checkpoint), ...intents]);
    return { atMs: deps.clock.now() };
  });

/** The tool runs, its outcome is committed, and only then the run hears of it. */
export const createCallTool = (deps: Deps, options: RunOptions) =>
  promiseEffect<ToolAnswer, ToolCallInput>(async ({ input, signal }) => {
    const { run, call } = input;
    const { agentId, sessionKey, message } = run;
    const begunAt = deps.clock.now();
    const tool = options.tools(agentId).get(call.toolName);
    const result = tool
      ? await callTool(
          tool,
          call.input,
          {
            agentId,
            sessionKey,
            runId: message.runId,
            toolCallId: call.toolCallId,
            workspace: options.workspace(agentId),
            signal,
          },
          { clock: deps.clock, timeoutMs: Math.max(0, run.deadlineAt - begunAt) },
        )
      : { output: `There is no tool "${call.toolName}" any more.`, isError: true };
    return record(deps, { input, signal }, plain(result), begunAt);
  });

/** The outcome of a call that is not made: it stays unknown, by decision. */
export const createRecordSkip = (deps: Deps) =>
  promiseEffect<ToolAnswer, SkipInput>(async (args) =>
    record(deps, args, args.input.result, deps.clock.now()),
  );

async function record(
  deps: Deps,
  args: Pick<PromiseArgs<ToolCallInput>, 'input' | 'signal'>,
  result: ToolResult,
  begunAt: number,
): Promise<ToolAnswer> {
  const { run, call } = args.input;
  const at = deps.clock.now();
  const outcome = deps.store.statements.toolOutcome(run.message.runId, call.toolCallId, { at, ...result });
  await commitOutcome(deps, outcome, args.signal);
  return { ...result, atMs: deps.clock.now(), durationMs: at - begunAt };
}

/**
 * Losing an outcome turns a known thing into an unknown one, so this insists for a while, but not beyond the life of
 * its run. Safe to repeat.
 */
async function commitOutcome(
  deps: Deps,
  statements: readonly Statement[],
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await deps.store.commit(statements);
      return;
    } catch (error) {
      if (attempt >= LIMITS.runStoreAttempts || !(error instanceof CoppiceError)) throw error;
      await pause(deps, LIMITS.runStorePauseMs * 2 ** (attempt - 1));
      if (signal.aborted) throw error;
    }
  }
}

const pause = ({ clock }: Deps, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.setTimeout(resolve, ms));

/** As it will be read back from the journal, so that this life and the next see the same. */
function plain({ output, isError }: ToolResult): ToolResult {
  try {
    return { output: JSON.parse(JSON.stringify(output) ?? 'null'), isError };
  } catch {
    return { output: 'The tool answered with something that cannot be written as JSON.', isError: true };
  }
}
