/** A breaker over a conversation: what is already written is replayed, so that nobody has to keep its state. Pure. */
import {
  beginLoop,
  callFingerprint,
  noticeOf,
  resultFingerprint,
  stepLoop,
  stepQuietly,
} from './tool-loop.ts';
import type { LoopFinding, LoopState, ToolLoopInput } from './tool-loop.ts';
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

/** The breaker after one more call; `news` is what was found in it, `warning` what the model is told in its result. */
export interface Weighed {
  readonly loop: LoopState;
  readonly news: LoopFinding | null;
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
  if (!policy.enabled || isRefusal(result.output)) return { loop: quiet(loop), ...NOTHING };
  const call = callFingerprint(said.toolName, said.input);
  // Asking changes nothing while the breaker is closed, and replays are long.
  const idle = loop.state === 'closed' || loop.state === 'warning';
  const asked = idle ? loop : stepLoop(loop, { type: 'call.asked', call, atMs });
  if (asked.state === 'open') return { loop: asked, ...NOTHING };
  const answered = {
    type: 'call.answered',
    toolName: said.toolName,
    call,
    result: resultFingerprint(said, result),
    poll: isPoll(said, policy.pollTools),
    atMs,
  } as const;
  const next = stepQuietly(asked, answered) ?? stepLoop(asked, answered);
  const { verdict } = next.memory;
  const news = verdict?.news ? verdict : null;
  return { loop: next, news, warning: news?.level === 'warning' ? noticeOf(news, policy) : null };
}
const NOTHING = { news: null, warning: null };

/** Nothing new was found. */
export const quiet = ({ state, memory }: LoopState): LoopState => ({
  state,
  memory: { ...memory, verdict: null },
});

export interface Replayed {
  readonly loop: LoopState;
  /** By place of the result in what was said, in order. */
  readonly warnings: ReadonlyMap<number, string>;
  readonly news: ReadonlyMap<number, LoopFinding>;
}

export function replayLoop(input: ToolLoopInput, said: readonly Said[]): Replayed {
  const calls = new Map<string, SaidCall>();
  const warnings = new Map<number, string>();
  const news = new Map<number, LoopFinding>();
  let loop = beginLoop(input);
  // Who speaks when nothing was weighed since somebody spoke changes nothing, and most of what is said is that.
  let heard = true;
  for (const [at, line] of said.entries()) {
    if (line.kind === 'person' && !heard) {
      loop = stepLoop(loop, { type: 'loop.cooled', atMs: 0 });
      heard = true;
    }
    if (line.kind === 'call') calls.set(line.id, line);
    const call = line.kind === 'result' ? calls.get(line.id) : undefined;
    if (line.kind !== 'result' || !call) continue;
    const weighed = weigh(loop, call, line);
    loop = weighed.loop;
    heard = false;
    if (weighed.warning !== null) warnings.set(at, weighed.warning);
    if (weighed.news) news.set(at, weighed.news);
  }
  return { loop, warnings, news };
}
