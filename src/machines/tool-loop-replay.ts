/** A breaker over a conversation: what is already written is replayed, so that nobody has to keep its state. Pure. */
import { beginLoop, callFingerprint, noticeOf, resultFingerprint, stepLoop } from './tool-loop.ts';
import type { LoopState, ToolLoopInput } from './tool-loop.ts';
import { actionOf } from './tool-loop-fingerprint.ts';
import { isRefusal } from './tool-loop-words.ts';

export interface SaidCall {
  readonly toolName: string;
  readonly input: unknown;
}
export interface SaidResult {
  readonly output: unknown;
  readonly isError: boolean;
}

/** One line of a conversation, as far as loops go. A result belongs to the last call of its id. */
export type Said =
  | { readonly kind: 'person' }
  | ({ readonly kind: 'call'; readonly id: string } & SaidCall)
  | ({ readonly kind: 'result'; readonly id: string } & SaidResult);

/** The breaker after one more call; `warning` is what the model is told in its result. */
export interface Weighed {
  readonly loop: LoopState;
  readonly warning: string | null;
}

const POLLS = ['poll', 'log'];
const isPoll = ({ toolName, input }: SaidCall, pollTools: readonly string[]): boolean =>
  toolName === 'command_status' ||
  (toolName === 'process' && POLLS.includes(actionOf(input))) ||
  pollTools.includes(toolName);

/** A call and what came of it. One that was refused because of a loop tells nothing. */
export function weigh(loop: LoopState, said: SaidCall, result: SaidResult, atMs = 0): Weighed {
  const { policy } = loop.memory;
  if (!policy.enabled || isRefusal(result.output)) return { loop: quiet(loop), warning: null };
  const call = callFingerprint(said.toolName, said.input);
  // Asking changes nothing while the breaker is closed, and replays are long.
  const idle = loop.state === 'closed' || loop.state === 'warning';
  const asked = idle ? loop : stepLoop(loop, { type: 'call.asked', call, atMs });
  if (asked.state === 'open') return { loop: asked, warning: null };
  const next = stepLoop(asked, {
    type: 'call.answered',
    toolName: said.toolName,
    call,
    result: resultFingerprint(said, result),
    poll: isPoll(said, policy.pollTools),
    atMs,
  });
  const { verdict } = next.memory;
  const warns = verdict !== null && verdict.news && verdict.level === 'warning';
  return { loop: next, warning: warns ? noticeOf(verdict, policy) : null };
}

/** Nothing new was found. */
export const quiet = ({ state, memory }: LoopState): LoopState => ({
  state,
  memory: { ...memory, verdict: null },
});

export interface Replayed {
  readonly loop: LoopState;
  /** By place of the result in what was said. */
  readonly warnings: ReadonlyMap<number, string>;
}

export function replayLoop(input: ToolLoopInput, said: readonly Said[]): Replayed {
  const calls = new Map<string, SaidCall>();
  const warnings = new Map<number, string>();
  let loop = beginLoop(input);
  for (const [at, line] of said.entries()) {
    if (line.kind === 'person') loop = stepLoop(loop, { type: 'loop.cooled', atMs: 0 });
    if (line.kind === 'call') calls.set(line.id, line);
    const call = line.kind === 'result' ? calls.get(line.id) : undefined;
    if (line.kind !== 'result' || !call) continue;
    const weighed = weigh(loop, call, line);
    loop = weighed.loop;
    if (weighed.warning !== null) warnings.set(at, weighed.warning);
  }
  return { loop, warnings };
}
