/** How a run uses the breaker of tool loops. Its state is never stored: it follows from what was said. Pure. */
import { wasAnswered } from './run-calls.ts';
import type { PlannedCall, ToolResult } from './run-calls.ts';
import { noticeOf } from './tool-loop.ts';
import type { LoopPolicyOptions, LoopState } from './tool-loop.ts';
import { quiet, replayLoop, weigh } from './tool-loop-replay.ts';
import type { Said } from './tool-loop-replay.ts';
import { refusalText, withWarning } from './tool-loop-words.ts';
import type { RunContent, RunInput } from './turn.ts';

interface SaidMessage {
  readonly role: string;
  readonly content: readonly RunContent[];
}

interface Watched {
  readonly handOver?: boolean;
  readonly loop?: LoopPolicyOptions;
}

/**
 * The breaker after a conversation. Earlier turns count only as far as they left it open: what was tried there for
 * too long is tried once more, not twenty times. Where others make the calls nobody asks the breaker: nothing is
 * replayed for it.
 */
export function loopOf(
  { sessionKey, sessionId, message }: RunInput,
  { handOver = false, loop = {} }: Watched,
  messages: readonly SaidMessage[],
): LoopState {
  const about = { sessionKey, sessionId, trace: message.trace };
  const policy = handOver ? { ...loop, enabled: false } : loop;
  return quiet(replayLoop({ policy, about }, messages.flatMap(saidIn)).loop);
}

function saidIn({ role, content }: SaidMessage): Said[] {
  if (role === 'user') return [{ kind: 'person' }];
  return content.flatMap((part): Said[] => {
    const { type, toolCallId: id = '', toolName = '', input, output, isError = false } = part;
    if (type === 'tool-call') return [{ kind: 'call', id, toolName, input }];
    return type === 'tool-result' && wasAnswered({ output, isError })
      ? [{ kind: 'result', id, output, isError }]
      : [];
  });
}

/** The calls that have a result pass the breaker, in order. */
export function answeredIn(
  before: LoopState,
  planned: readonly PlannedCall[],
  atMs = 0,
): { readonly loop: LoopState; readonly calls: readonly PlannedCall[] } {
  let loop = quiet(before);
  const calls = planned.map((call) => {
    const { result } = call;
    if (!result || !wasAnswered(result)) return call;
    const weighed = weigh(loop, call, result, atMs);
    loop = weighed.loop;
    return weighed.warning === null ? call : { ...call, result: warned(result, weighed.warning) };
  });
  return { loop, calls };
}

const warned = ({ output, isError }: ToolResult, warning: string): ToolResult => ({
  output: withWarning(typeof output === 'string' ? output : (JSON.stringify(output) ?? ''), warning),
  isError,
});

export const refusedBy = ({ memory: { tripped } }: LoopState): ToolResult => ({
  output: tripped ? refusalText(tripped) : '',
  isError: true,
});

export const endOfLoop = ({ memory: { tripped, policy } }: LoopState): string =>
  tripped ? noticeOf(tripped, policy) : '';
