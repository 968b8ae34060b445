import type {
  LanguageModelV4FinishReason,
  LanguageModelV4Middleware,
  LanguageModelV4Prompt,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
} from '@ai-sdk/provider';
import { noticeOf } from '../machines/tool-loop.ts';
import type { LoopFinding, LoopPolicyOptions, LoopState } from '../machines/tool-loop.ts';
import { replayLoop } from '../machines/tool-loop-replay.ts';
import { readPrompt, withWarnings } from './conversation.ts';

/** What was found, and what was said about it: to the model (`warning`), or as the last text (`critical`). */
export interface ToolLoopNotice extends Pick<
  LoopFinding,
  'level' | 'detector' | 'count' | 'toolName' | 'pairedToolName'
> {
  readonly message: string;
}

/** Thresholds and detectors as in the gateway's `tools.loopDetection`; everything may be left out. */
export interface ToolLoopBreakerOptions extends LoopPolicyOptions {
  /** Told once for each warning and each end. What it throws fails the call. */
  readonly onLoop?: (notice: ToolLoopNotice) => void;
}

/**
 * For `wrapLanguageModel({ model, middleware: toolLoopBreaker() })`, with `generateText` and `streamText`. It keeps
 * nothing between calls: the prompt tells what was called and what came of it. A model that repeats itself finds a
 * warning in the result of its tool; one that goes on is not asked any more: the step ends with a text that says
 * why, and the reason `stop`, so the agent ends with what it has. The user's next message allows one more try.
 */
export function toolLoopBreaker(options: ToolLoopBreakerOptions = {}): LanguageModelV4Middleware {
  const { onLoop, ...policy } = options;
  /** From the look at a prompt to the call with it; other middleware may come between and hand on another one. */
  const seen = new WeakMap<LanguageModelV4Prompt, string | null>();
  /** A call that failed is made again with the same prompt. */
  const told = new WeakSet<LanguageModelV4Prompt>();
  const endingOf = (prompt: LanguageModelV4Prompt): string | null => {
    const known = seen.get(prompt);
    return known === undefined ? watched(prompt, policy).ending : known;
  };
  return {
    specificationVersion: 'v4',
    async transformParams({ params }) {
      const { prompt, notices, ending } = watched(params.prompt, policy);
      seen.set(prompt, ending);
      if (!told.has(params.prompt)) for (const notice of notices) onLoop?.(notice);
      told.add(params.prompt);
      return { ...params, prompt };
    },
    async wrapGenerate({ doGenerate, params }) {
      const ending = endingOf(params.prompt);
      if (ending === null) return doGenerate();
      return {
        content: [{ type: 'text', text: ending }],
        finishReason: STOPPED,
        usage: NOTHING_USED,
        warnings: [],
      };
    },
    async wrapStream({ doStream, params }) {
      const ending = endingOf(params.prompt);
      return ending === null ? doStream() : { stream: streamOf(endingParts(ending)) };
    },
  };
}

interface Watched {
  readonly prompt: LanguageModelV4Prompt;
  /** What the results of the newest step led to. */
  readonly notices: readonly ToolLoopNotice[];
  /** What is said instead of asking the model; null while it may be asked. */
  readonly ending: string | null;
}

function watched(prompt: LanguageModelV4Prompt, policy: LoopPolicyOptions): Watched {
  const { said, parts, step } = readPrompt(prompt);
  const { loop, warnings, news } = replayLoop({ policy }, said);
  const inParts = [...warnings].flatMap(([at, warning]) => {
    const part = parts.get(at);
    return part ? [[part, warning] as const] : [];
  });
  return {
    prompt: withWarnings(prompt, new Map(inParts)),
    notices: [...news].filter(([at]) => at >= step).map(([, finding]) => noticeIn(finding, loop)),
    ending: loop.state === 'open' ? endingIn(loop) : null,
  };
}

const endingIn = ({ memory: { tripped, policy } }: LoopState): string =>
  tripped ? noticeOf(tripped, policy) : '';

function noticeIn(finding: LoopFinding, { memory: { policy } }: LoopState): ToolLoopNotice {
  const { level, detector, count, toolName, pairedToolName } = finding;
  return { level, detector, count, toolName, pairedToolName, message: noticeOf(finding, policy) };
}

/** What it is called in the gateway too. */
const STOPPED: LanguageModelV4FinishReason = { unified: 'stop', raw: 'tool-loop' };
const NOTHING_USED: LanguageModelV4Usage = {
  inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 0, text: 0, reasoning: 0 },
};

const endingParts = (text: string): LanguageModelV4StreamPart[] => [
  { type: 'stream-start', warnings: [] },
  { type: 'text-start', id: 'tool-loop' },
  { type: 'text-delta', id: 'tool-loop', delta: text },
  { type: 'text-end', id: 'tool-loop' },
  { type: 'finish', finishReason: STOPPED, usage: NOTHING_USED },
];

const streamOf = (parts: readonly LanguageModelV4StreamPart[]): ReadableStream<LanguageModelV4StreamPart> =>
  new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
