import { z } from 'zod';
import type { Clock } from '../supervisor/clock.ts';
import type { Tool, ToolContext } from './contract.ts';
import { errorResult, toResult, type ToolResult } from './output.ts';

export interface CallOptions {
  readonly clock: Clock;
  /** What is left for this call, at most. The tool's own limit holds too; the shorter one counts. Milliseconds. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 60_000;

class TimedOut extends Error {}

function messageOf(thrown: unknown): string {
  const said = thrown instanceof Error ? thrown.message : String(thrown);
  return said === '' ? 'it failed without a message' : said;
}

function abortError(signal: AbortSignal): Error {
  if (signal.reason instanceof Error) return signal.reason;
  return Object.assign(new Error('the tool call was aborted', { cause: signal.reason }), {
    name: 'AbortError',
  });
}

type Checked = { readonly input: unknown } | { readonly refusal: ToolResult };

async function check(tool: Tool, rawInput: unknown): Promise<Checked> {
  const parsed = await tool.input.safeParseAsync(rawInput);
  if (parsed.success) return { input: parsed.data };
  const wrong = z.prettifyError(parsed.error);
  return {
    refusal: errorResult(
      `The input of the tool "${tool.name}" is not valid; it was not run.\n${wrong}\nCall it again with corrected input.`,
    ),
  };
}

async function perform(tool: Tool, rawInput: unknown, context: ToolContext): Promise<ToolResult> {
  const checked = await check(tool, rawInput);
  if ('refusal' in checked) return checked.refusal;
  context.signal.throwIfAborted();
  return toResult(await tool.run(checked.input, context), tool.maxOutputBytes);
}

/**
 * Rejects as soon as `signal` aborts, whatever `work` does then: a tool that ignores its signal keeps no turn
 * waiting. Its late answer or error has no reader any more; the caller has been told the outcome.
 */
function abandonable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
  });
}

/**
 * Runs one tool call. Invalid input, a throw, a timeout and an answer that is not JSON become error results that the
 * model reads. The tool's signal aborts at the timeout and with `context.signal`.
 *
 * @throws the reason of `context.signal` (as an Error) when that aborts; nothing else.
 */
export async function callTool(
  tool: Tool,
  rawInput: unknown,
  context: ToolContext,
  options: CallOptions,
): Promise<ToolResult> {
  const { clock } = options;
  const outer = context.signal;
  if (outer.aborted) throw abortError(outer);
  const limitMs = Math.min(
    tool.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    options.timeoutMs ?? Number.POSITIVE_INFINITY,
  );
  const controller = new AbortController();
  const onOuter = (): void => controller.abort(outer.reason);
  outer.addEventListener('abort', onOuter, { once: true });
  const timer = clock.setTimeout(
    () => controller.abort(new TimedOut(`it did not finish within ${limitMs} ms`)),
    limitMs,
  );
  try {
    const work = perform(tool, rawInput, { ...context, signal: controller.signal });
    return await abandonable(work, controller.signal);
  } catch (error) {
    if (outer.aborted) throw abortError(outer);
    return errorResult(`The tool "${tool.name}" failed: ${messageOf(error)}`);
  } finally {
    clock.clearTimeout(timer);
    outer.removeEventListener('abort', onOuter);
  }
}
