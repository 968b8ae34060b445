import type { Clock, TimerHandle } from '../supervisor/clock.ts';
import { createCallWatch, type CallWatch } from './call-watch.ts';
import { classify } from './classify.ts';
import {
  ModelFailure,
  type ModelInfo,
  type ModelPart,
  type ModelRequest,
  type Provider,
  type Usage,
} from './contract.ts';
import { legible, planLoopback, type LoopbackPlan } from './loopback-plan.ts';

export interface LoopbackInit {
  /** Default `loopback`. */
  readonly name?: string;
  readonly clock: Clock;
  /** Pause before each word. Default 0: the next macrotask. */
  readonly wordMs?: number;
  /** Pause before each word of `/drip`. Default 2,000. */
  readonly dripMs?: number;
}

const CONTEXT_WINDOW = 32_768;

const wordsIn = (text: string): readonly string[] => text.match(/\S+\s*/g) ?? [];

function untilStop(text: string, stop: readonly string[] = []): string {
  const ends = stop.map((sequence) => text.indexOf(sequence)).filter((at) => at >= 0);
  return text.slice(0, Math.min(text.length, ...ends));
}

/** One word is one token here. */
function inputTokens(request: ModelRequest): number {
  return wordsIn(legible(request.messages)).length;
}

function usage(request: ModelRequest, output: number): Usage {
  const input = inputTokens(request);
  return { input, output, total: input + output };
}

async function pause(clock: Clock, ms: number, watch: CallWatch): Promise<void> {
  if (ms <= 0) return watch.wait(new Promise((resolve) => clock.defer(resolve)));
  let timer: TimerHandle | undefined;
  const gap = new Promise<void>((resolve) => {
    timer = clock.setTimeout(resolve, ms);
  });
  try {
    await watch.wait(gap);
  } finally {
    clock.clearTimeout(timer);
  }
}

function failure(plan: Extract<LoopbackPlan, { kind: 'fail' }>, where: string, nowMs: number): ModelFailure {
  const { status, retryAfter } = plan;
  const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
  const found = classify({ status, headers }, nowMs);
  return new ModelFailure({
    where,
    ...found,
    message: `${where}: answered ${status}: failed as asked by /fail`,
  });
}

interface Play {
  readonly clock: Clock;
  readonly where: string;
  readonly wordMs: number;
  readonly dripMs: number;
}

async function* say(
  text: string,
  gapMs: number,
  play: Play,
  request: ModelRequest,
  watch: CallWatch,
): AsyncGenerator<ModelPart> {
  const words = wordsIn(untilStop(text, request.settings?.stop));
  const spoken = words.slice(0, request.maxOutputTokens ?? words.length);
  for (const delta of spoken) {
    await pause(play.clock, gapMs, watch);
    watch.heard();
    yield { type: 'text', delta };
  }
  const reason = spoken.length < words.length ? 'length' : 'stop';
  yield { type: 'finish', reason, usage: usage(request, spoken.length) };
}

async function* garbage(play: Play, watch: CallWatch): AsyncGenerator<ModelPart> {
  await pause(play.clock, play.wordMs, watch);
  watch.heard();
  yield { type: 'text', delta: 'This answer ' };
  const message = `${play.where}: the stream is malformed, as asked by /garbage`;
  throw new ModelFailure({ class: 'interrupted', message, where: play.where });
}

async function* perform(
  plan: LoopbackPlan,
  play: Play,
  request: ModelRequest,
  watch: CallWatch,
): AsyncGenerator<ModelPart> {
  switch (plan.kind) {
    case 'say':
      return yield* say(plan.text, play.wordMs, play, request, watch);
    case 'drip':
      return yield* say(plan.text, play.dripMs, play, request, watch);
    case 'garbage':
      return yield* garbage(play, watch);
    case 'hang':
      return await watch.wait(new Promise<never>(() => {})); // only the watch ends it
  }
  await pause(play.clock, play.wordMs, watch);
  watch.heard();
  if (plan.kind === 'fail') throw failure(plan, play.where, play.clock.now());
  const { toolCallId, toolName, input } = plan;
  yield { type: 'tool-call', toolCallId, toolName, input };
  yield { type: 'finish', reason: 'tool-calls', usage: usage(request, 1) };
}

/**
 * The built-in model for a gateway without a key: deterministic, stateless, word by word. It obeys the commands of
 * its own help text, so that every way a model can behave can be shown without one. The call's own limits
 * (`firstByteMs`, `idleMs`) hold here as for any provider.
 */
export function createLoopback({
  name = 'loopback',
  clock,
  wordMs = 0,
  dripMs = 2_000,
}: LoopbackInit): Provider {
  const where = `${name} (built in)`;
  const input = ['text', 'image', 'file'] as const;
  const models: ModelInfo[] = [{ id: 'echo', provider: name, contextWindow: CONTEXT_WINDOW, input }];
  return {
    name,
    api: 'loopback',
    models: () => models,
    async *stream(request, signal) {
      const { firstByteMs, idleMs } = request;
      const watch = createCallWatch({ clock, signal, firstByteMs, idleMs, where });
      try {
        if (watch.verdict) throw watch.verdict;
        yield* perform(planLoopback(request), { clock, where, wordMs, dripMs }, request, watch);
      } finally {
        watch.close();
      }
    },
  };
}
