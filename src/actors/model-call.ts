import type { AnyEventObject } from 'xstate';
import { callbackEffect } from '../host/index.ts';
import { LIMITS } from '../machines/limits.ts';
import type { ModelCallInput, ModelEvent } from '../machines/run-contract.ts';
import type { PromptMessage } from '../machines/run-state.ts';
import type { RunContent } from '../machines/turn.ts';
import { ModelFailure } from '../models/contract.ts';
import type { ModelContent, ModelMessage, ModelPart, ModelRequest, Provider } from '../models/contract.ts';
import { toModelTools } from '../tools/index.ts';
import type { Clock, TimerHandle } from '../supervisor/index.ts';
import { callAt } from './alarm.ts';
import type { Deps } from './deps.ts';
import { filesFor } from './model-files.ts';
import { tellProfile } from './models.ts';
import { askedOf } from './run-asked.ts';
import type { RunOptions } from './run-options.ts';

/**
 * One model call: its parts, then its end, as events to the run, and the time it is to be given up. Its provider's
 * health hears of the outcome.
 */
export const createCallModel = (deps: Deps, options: RunOptions) =>
  callbackEffect<AnyEventObject, ModelCallInput>(({ input, send, signal, guard, fail }) => {
    const late = guard((atMs: number) => send({ type: 'attempt.deadline', atMs }));
    const forget = callAt(deps.clock, input.untilAt, late);
    const voice = gathered(deps.clock, (event) => send({ ...event, attempt: input.attempt }));
    const call: Call = { deps, options, input, signal, send: voice.send };
    converse(call)
      .catch((error: unknown) => (signal.aborted ? undefined : reportFailure(call, error)))
      .catch(fail);
    return () => {
      forget();
      voice.stop();
    };
  });

/**
 * Gathers the words of a stream: a model says dozens of pieces a second, and each would be an event for the run and a
 * frame for every client. The first goes out at once, then at most one every `textEveryMs`; whatever else is sent
 * takes what was gathered in front of it, so the order stands.
 */
function gathered(clock: Clock, send: (event: Word) => void): { send(event: Word): void; stop(): void } {
  let text = '';
  let sentAt = Number.NEGATIVE_INFINITY;
  let timer: TimerHandle;
  const flush = (): void => {
    clock.clearTimeout(timer);
    timer = undefined;
    if (text === '') return;
    const delta = text;
    text = '';
    sentAt = clock.now();
    send({ type: 'model.text', delta, atMs: sentAt });
  };
  return {
    send(event) {
      if (event.type !== 'model.text') {
        flush();
        return send(event);
      }
      text += event.delta;
      const waitMs = sentAt + LIMITS.textEveryMs - event.atMs;
      if (waitMs <= 0) flush();
      else timer ??= clock.setTimeout(flush, waitMs);
    },
    stop: () => clock.clearTimeout(timer),
  };
}

/** Without the attempt, which every event gets on its way out. */
type Word = ModelEvent extends infer E ? (E extends ModelEvent ? Omit<E, 'attempt'> : never) : never;

interface Call {
  readonly deps: Deps;
  readonly options: RunOptions;
  readonly input: ModelCallInput;
  readonly signal: AbortSignal;
  send(event: Word): void;
}

async function converse(call: Call): Promise<void> {
  const { deps, input, signal } = call;
  const { provider: name } = input.candidate;
  const provider = deps.providers.get(name) ?? unknownProvider(name);
  const request = await requestOf(call);
  const answer: Answer = { chars: 0, calls: 0, progressAt: 0, finish: undefined };
  for await (const part of provider.stream(request, signal)) {
    if (signal.aborted) return;
    take(call, answer, part);
  }
  if (signal.aborted) return;
  const { finish } = answer;
  if (!finish)
    throw new ModelFailure({
      class: 'interrupted',
      message: 'the stream ended before the answer did',
      where: name,
    });
  if (finish.reason === 'content-filter' && answer.chars === 0) {
    throw new ModelFailure({
      class: 'content_policy',
      message: 'the provider withheld the answer',
      where: name,
    });
  }
  const atMs = deps.clock.now();
  tellProfile(deps, name, { type: 'profile.succeeded', atMs });
  const { reason, usage } = finish;
  call.send({ type: 'model.finished', reason, random: deps.random(), atMs, ...(usage ? { usage } : {}) });
}

function unknownProvider(name: string): Provider {
  throw new ModelFailure({ class: 'not_found', message: `there is no provider "${name}"`, where: name });
}

interface Answer {
  chars: number;
  calls: number;
  progressAt: number;
  finish: Extract<ModelPart, { type: 'finish' }> | undefined;
}

function take(call: Call, answer: Answer, part: ModelPart): void {
  const atMs = call.deps.clock.now();
  switch (part.type) {
    case 'text':
      answer.chars += part.delta.length;
      if (answer.chars > LIMITS.responseChars) throw tooLong(call, `${LIMITS.responseChars} characters`);
      if (part.delta !== '') call.send({ type: 'model.text', delta: part.delta, atMs });
      break;
    case 'reasoning':
      if (atMs - answer.progressAt < LIMITS.progressEveryMs) break;
      answer.progressAt = atMs;
      call.send({ type: 'model.progress', atMs });
      break;
    case 'tool-call': {
      answer.calls += 1;
      if (answer.calls > LIMITS.toolCallsPerResponse)
        throw tooLong(call, `${LIMITS.toolCallsPerResponse} tool calls`);
      const { toolCallId, toolName, input } = part;
      call.send({ type: 'model.tool_call', toolCallId, toolName, input });
      break;
    }
    case 'finish':
      answer.finish = part;
  }
}

const tooLong = ({ input }: Call, limit: string): ModelFailure =>
  new ModelFailure({
    class: 'format',
    message: `the answer has more than ${limit}`,
    where: input.candidate.provider,
  });

function reportFailure({ deps, input, send }: Call, error: unknown): void {
  const known = error instanceof ModelFailure ? error : undefined;
  const atMs = deps.clock.now();
  const { class: failed, retryAfterMs } = known ?? { class: 'unknown' as const, retryAfterMs: undefined };
  const message = error instanceof Error ? error.message : String(error);
  tellProfile(deps, input.candidate.provider, { type: 'profile.failed', class: failed, retryAfterMs, atMs });
  send({ type: 'model.failed', class: failed, retryAfterMs, message, random: deps.random(), atMs });
}

async function requestOf({ deps, input, options }: Call): Promise<ModelRequest> {
  const { run, candidate, history, messages, withTools } = input;
  const { traceId, spanId } = run.message.trace;
  const said: readonly PromptMessage[] = [...history, ...messages];
  const files = await filesFor(deps, candidate, said);
  const {
    tools = toModelTools(options.tools(run.agentId)),
    settings,
    maxOutputTokens,
  } = askedOf(run.message);
  return {
    model: candidate.model,
    messages: said.map(({ role, content }): ModelMessage => ({
      role,
      content: content.map((part) => files.get(part) ?? toModelContent(part)),
    })),
    tools: withTools ? tools : [],
    ...(settings === undefined ? {} : { settings }),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    idleMs: options.idleMs,
    firstByteMs: options.firstByteMs,
    traceparent: `00-${traceId}-${spanId}-01`,
  };
}

function toModelContent({
  type,
  text = '',
  toolCallId = '',
  toolName = '',
  input,
  output,
  isError,
}: RunContent): ModelContent {
  // A file that is none of the prompt's: there is no other.
  if (type === 'text' || type === 'file') return { type: 'text', text };
  if (type === 'tool-call') return { type, toolCallId, toolName, input };
  return { type, toolCallId, toolName, output, ...(isError === undefined ? {} : { isError }) };
}
