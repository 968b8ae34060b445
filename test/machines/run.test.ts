import { createActor, createMachine, type AnyEventObject, type NonReducibleUnknown } from 'xstate';
import { describe, expect, it } from 'vitest';
import { CoppiceError } from '../../src/errors.ts';
import { callAt, createAlarm } from '../../src/actors/alarm.ts';
import { callbackEffect, promiseEffect } from '../../src/host/index.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import { DEFAULT_RETRY } from '../../src/machines/retry.ts';
import { runMachine, withEffects } from '../../src/machines/run.ts';
import type { RunEffects, RunInput, RunOutput } from '../../src/machines/run.ts';
import type {
  JournalInput,
  ModelCallInput,
  ToolAnswer,
  ToolCallInput,
} from '../../src/machines/run-contract.ts';
import type { Prepared } from '../../src/machines/run-state.ts';
import { createSimulatedClock } from '../../src/testing/index.ts';

type Say = (event: { type: string; [field: string]: unknown }) => void;
type Script = (say: Say, call: ModelCallInput) => void;

const text =
  (...words: string[]): Script =>
  (say) => {
    for (const delta of words) say({ type: 'model.text', delta });
    say({ type: 'model.finished', reason: 'stop' });
  };
const tools =
  (...calls: [id: string, name: string][]): Script =>
  (say) => {
    for (const [toolCallId, toolName] of calls)
      say({ type: 'model.tool_call', toolCallId, toolName, input: { of: toolCallId } });
    say({ type: 'model.finished', reason: 'tool-calls' });
  };
const fails =
  (failure: string, more: object = {}): Script =>
  (say) =>
    say({ type: 'model.failed', class: failure, message: `it was ${failure}`, ...more });
const hangs: Script = () => undefined;

/** A run on a simulated clock whose model follows a script, one entry a call; the last one repeats. */
function start(
  scripts: Script[],
  over: {
    prepared?: Partial<Prepared>;
    effects?: Partial<RunEffects>;
    deadlineMs?: number;
    heardAgoMs?: number;
  } = {},
) {
  const clock = createSimulatedClock();
  const [facts, signals, progress]: [AnyEventObject[], AnyEventObject[], AnyEventObject[]] = [[], [], []];
  const [modelCalls, journal, toolCalls]: [ModelCallInput[], JournalInput[], ToolCallInput[]] = [[], [], []];
  const aborted: string[] = [];
  const input: RunInput = {
    path: 'gateway/s/run',
    incarnation: 1,
    sessionKey: 's',
    sessionId: 's1',
    agentId: 'main',
    decision: null,
    deadlineAt: clock.now() + (over.deadlineMs ?? 600_000),
    ...(over.heardAgoMs === undefined ? {} : { heardAt: clock.now() - over.heardAgoMs }),
    message: {
      messageId: 'm',
      runId: 'r',
      text: 'hello',
      source: 'user',
      channel: 'websocket',
      options: {},
      trace: { traceId: '1'.repeat(32), spanId: '2'.repeat(16) },
      receivedAt: clock.now(),
    },
  };
  const prepared: Prepared = {
    atMs: clock.now(),
    history: [{ role: 'user', content: [{ type: 'text', text: 'hello' }] }],
    candidates: [
      { provider: 'p', model: 'one' },
      { provider: 'q', model: 'two' },
    ],
    tools: [
      { name: 'look', idempotent: true },
      { name: 'send', idempotent: false },
    ],
    retry: DEFAULT_RETRY,
    resume: null,
    journal: [],
    ...over.prepared,
  };
  const machine = withEffects({
    prepare: promiseEffect(async () => prepared),
    callModel: callbackEffect<AnyEventObject, ModelCallInput>(({ input: call, send, signal }) => {
      modelCalls.push(call);
      signal.addEventListener('abort', () => aborted.push(`model ${call.attempt}`));
      const late = (atMs: number): void => send({ type: 'attempt.deadline', atMs });
      signal.addEventListener('abort', callAt(clock, call.untilAt, late));
      const script = scripts[Math.min(modelCalls.length, scripts.length) - 1] ?? hangs;
      clock.defer(() =>
        script((event) => send({ attempt: call.attempt, atMs: clock.now(), random: 0, ...event }), call),
      );
    }),
    journal: promiseEffect(async ({ input: entry }) => {
      journal.push(entry);
      return { atMs: clock.now() };
    }),
    callTool: promiseEffect<ToolAnswer, ToolCallInput>(async ({ input: call }) => {
      toolCalls.push(call);
      return { output: `did ${call.call.toolCallId}`, isError: false, atMs: clock.now(), durationMs: 0 };
    }),
    recordSkip: promiseEffect(async ({ input: call }) => ({
      ...call.result,
      atMs: clock.now(),
      durationMs: 0,
    })),
    alarm: createAlarm(clock),
    signalText: ({ text: whole, delta }) => void signals.push({ type: 'text', text: whole, delta }),
    restartText: ({ reason, text: whole }) => void signals.push({ type: 'restarted', reason, text: whole }),
    signalToolStarted: ({ toolCallId }) => void signals.push({ type: 'started', toolCallId }),
    signalToolEnded: ({ toolCallId, output, isError }) =>
      void signals.push({ type: 'ended', toolCallId, output, isError }),
    ...over.effects,
  });
  const parent = createMachine({
    invoke: { id: 'run', src: machine, input },
    on: { 'run.progress': { actions: ({ event }) => void progress.push(event) } },
  });
  const root = createActor(parent, { clock });
  root.subscribe({ error: () => undefined });
  root.start();
  const run = root.getSnapshot().children['run']!;
  run.on('*', (fact: AnyEventObject) => void facts.push(fact));
  const output = () => run.getSnapshot().output as RunOutput | undefined;
  const state = () => run.getSnapshot().value as string;
  return {
    clock,
    run,
    root,
    output,
    state,
    facts,
    signals,
    progress,
    modelCalls,
    journal,
    toolCalls,
    aborted,
    input,
  };
}
const kinds = (events: AnyEventObject[]): string[] => events.map((event) => event.type);
const codeOf = (output: RunOutput | undefined): string | undefined =>
  output?.status === 'error' ? output.error.code : output?.status;

describe('a run', () => {
  it('answers: text streams word by word, cumulative, and becomes one message', async () => {
    const { clock, output, signals, facts, progress } = start([text('Hello', ' you')]);
    await clock.settle();
    expect(output()).toEqual({
      status: 'ok',
      stopReason: 'stop',
      text: 'Hello you',
      attempts: 1,
      toolCalls: 0,
      usage: null,
      messages: [{ role: 'assistant', content: [{ type: 'text', text: 'Hello you' }] }],
    });
    expect(signals).toEqual([
      { type: 'text', delta: 'Hello', text: 'Hello' },
      { type: 'text', delta: ' you', text: 'Hello you' },
    ]);
    expect(facts[0]).toMatchObject({
      type: 'run.attempt',
      runId: 'r',
      attempt: 1,
      provider: 'p',
      model: 'one',
      trace: { traceId: '1'.repeat(32) },
    });
    expect(progress[0]).toEqual({ type: 'run.progress', runId: 'r', atMs: clock.now() });
  });

  it('tells no progress to a session that heard of it less than a second ago', async () => {
    const told = async (heardAgoMs: number): Promise<number> => {
      const { clock, progress } = start([text('Hello')], { heardAgoMs });
      await clock.settle();
      return progress.length;
    };
    expect([await told(0), await told(LIMITS.progressEveryMs)]).toEqual([0, 1]);
  });

  it('lives without a parent, and says which effect it misses', async () => {
    const { input } = start([]);
    const missing = async (): Promise<RunOutput | undefined> => {
      const alone = createActor(runMachine, { input });
      alone.subscribe({ error: () => undefined });
      alone.start();
      await createSimulatedClock().settle();
      return alone.getSnapshot().output;
    };
    const named = (effect: string) => ({
      error: { code: 'EFFECT_MISSING', message: expect.stringContaining(`"${effect}"`) },
    });
    expect(await missing()).toMatchObject(named('alarm'));
  });

  it('adds up what its model calls used', async () => {
    const usage =
      (n: number): Script =>
      (say, call) => {
        const used = { usage: { input: n, output: 1, total: n + 1 } };
        const end = (event: AnyEventObject) =>
          say(event.type === 'model.finished' ? { ...event, ...used } : event);
        (call.attempt === 1 ? tools(['a', 'look']) : text('done'))(end, call);
      };
    const { clock, output, facts } = start([usage(10), usage(20)]);
    await clock.settle();
    expect(output()).toMatchObject({ usage: { input: 30, output: 2, total: 32 }, attempts: 2 });
    expect(facts.filter(({ type }) => type === 'model.usage')).toHaveLength(2);
  });

  it('journals the intents of a round before the first tool runs, then runs them one by one in order', async () => {
    const { clock, output, journal, toolCalls, signals, facts, modelCalls } = start([
      tools(['a', 'look'], ['b', 'send']),
      text('done'),
    ]);
    await clock.settle();
    expect(journal).toHaveLength(1);
    expect(journal[0]?.calls.map(({ toolCallId, idempotent }) => [toolCallId, idempotent])).toEqual([
      ['a', true],
      ['b', false],
    ]);
    expect(journal[0]?.facts.messages.at(-1)?.content.map(({ type }) => type)).toEqual([
      'tool-call',
      'tool-call',
    ]);
    expect(toolCalls.map(({ call }) => call.toolCallId)).toEqual(['a', 'b']);
    expect(kinds(facts)).toEqual([
      'run.attempt',
      'tool.called',
      'tool.completed',
      'tool.called',
      'tool.completed',
      'run.attempt',
    ]);
    expect(kinds(signals)).toEqual(['started', 'ended', 'started', 'ended', 'text']);
    expect(modelCalls[1]?.messages.at(-1)).toEqual({
      role: 'tool',
      content: ['a', 'b'].map((id, at) => ({
        type: 'tool-result',
        toolCallId: id,
        toolName: ['look', 'send'][at],
        output: `did ${id}`,
        isError: false,
      })),
    });
    expect(output()).toMatchObject({ status: 'ok', text: 'done', toolCalls: 2, attempts: 2 });
  });

  it('keeps the words of every round in one text', async () => {
    const both: Script = (say, call) => {
      say({ type: 'model.text', delta: 'Let me look.' });
      tools(['a', 'look'])(say, call);
    };
    const { clock, output, signals } = start([both, text('It', ' rains.')]);
    await clock.settle();
    expect(output()?.text).toBe('Let me look.\n\nIt rains.');
    const said = signals.filter(({ type }) => type === 'text');
    expect(said.map(({ delta }) => delta).join('')).toBe('Let me look.\n\nIt rains.');
    expect(said.at(-1)?.['text']).toBe('Let me look.\n\nIt rains.');
  });

  it('tells the model of a tool that does not exist, and goes on', async () => {
    const { clock, output, modelCalls, journal, toolCalls } = start([tools(['a', 'fly']), text('sorry')]);
    await clock.settle();
    expect(toolCalls).toEqual([]);
    expect(journal[0]?.calls).toEqual([]);
    expect(modelCalls[1]?.messages.at(-1)?.content[0]).toMatchObject({
      isError: true,
      output: expect.stringContaining('There is no tool "fly". Available: look, send.'),
    });
    expect(output()).toMatchObject({ status: 'ok', text: 'sorry' });
  });

  it('gives two calls of one run two ids, though the server numbers every answer from zero', async () => {
    const { clock, journal } = start([
      tools(['0', 'look'], ['0', 'look']),
      tools(['0', 'look'], ['', 'look']),
      text('done'),
    ]);
    await clock.settle();
    expect(journal.flatMap(({ calls }) => calls.map(({ toolCallId }) => toolCallId))).toEqual([
      '0',
      '0~2',
      '0~3',
      'call',
    ]);
  });

  it('tells its session at most once a second that text still streams, and once a state', async () => {
    const slow: Script = (say) => {
      for (let n = 0; n < 100; n += 1)
        clockOf.setTimeout(() => say({ type: 'model.text', delta: 'x' }), n * 100);
    };
    const { clock, progress } = start([slow]);
    const clockOf = clock;
    await clock.advanceAsync(10_000);
    expect(progress.length).toBeGreaterThanOrEqual(9);
    expect(progress.length).toBeLessThanOrEqual(11);
  });

  it('streams words without copying what came before: ten times the words take about ten times the work', async () => {
    const cpuMs = async (words: number): Promise<number> => {
      const { clock, output } = start([text(...Array.from({ length: words }, (_, n) => `word${n} `))]);
      const before = process.threadCpuUsage();
      await clock.settle();
      expect(output()?.status).toBe('ok');
      const { user, system } = process.threadCpuUsage(before);
      return (user + system) / 1_000;
    };
    // A busy machine spoils single measurements, and copying makes a hundred times the work in each of them.
    const ratios: number[] = [];
    await cpuMs(1_000);
    for (let round = 0; round < 6 && !ratios.some((ratio) => ratio < 30); round += 1) {
      const few = await cpuMs(1_000);
      ratios.push((await cpuMs(10_000)) / few);
    }
    expect(Math.min(...ratios)).toBeLessThan(30);
  });

  it('keeps its context small enough to be copied cheaply: from 20 fields on, a copy costs a hundred times as much', () => {
    const { run } = start([]);
    expect(Object.keys(run.getSnapshot().context).length).toBeLessThan(20);
  });
});

describe('a run whose model fails', () => {
  it('asks the same candidate again after a pause that grows', async () => {
    const { clock, output, modelCalls, facts, state } = start([
      fails('server'),
      fails('server'),
      text('back'),
    ]);
    await clock.settle();
    expect(state()).toBe('backoff');
    await clock.advanceAsync(299);
    expect(modelCalls).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(modelCalls).toHaveLength(2);
    await clock.advanceAsync(600);
    expect(output()).toMatchObject({ status: 'ok', text: 'back', attempts: 3 });
    expect(modelCalls.map(({ candidate }) => candidate.provider)).toEqual(['p', 'p', 'p']);
    expect(facts.filter(({ type }) => type === 'model.call_failed')).toHaveLength(2);
    expect(facts[1]).toMatchObject({
      type: 'model.call_failed',
      class: 'server',
      willRetry: true,
      provider: 'p',
      model: 'one',
    });
  });

  it('asks the second candidate when the first is used up', async () => {
    const { clock, output, modelCalls } = start([
      fails('server'),
      fails('server'),
      fails('server'),
      text('two'),
    ]);
    await clock.advanceAsync(2_000);
    expect(modelCalls.map(({ candidate }) => candidate.provider)).toEqual(['p', 'p', 'p', 'q']);
    expect(output()).toMatchObject({ status: 'ok', text: 'two' });
  });

  it.each(['unknown', 'format', 'auth', 'billing', 'not_found', 'context_overflow'])(
    'goes to the second candidate at once after %s',
    async (failure) => {
      const { clock, modelCalls, output } = start([fails(failure), text('two')]);
      await clock.settle();
      expect(modelCalls.map(({ candidate }) => candidate.provider)).toEqual(['p', 'q']);
      expect(output()?.text).toBe('two');
    },
  );

  it.each(['aborted', 'content_policy'])('surfaces %s at once, with a candidate left', async (failure) => {
    const { clock, modelCalls, output } = start([fails(failure)]);
    await clock.settle();
    expect(modelCalls).toHaveLength(1);
    expect(codeOf(output())).toBe('MODEL_FAILED');
  });

  it('waits as long as a 429 asks, when that is short', async () => {
    const { clock, modelCalls } = start([fails('rate_limit', { retryAfterMs: 3_000 }), text('ok')]);
    await clock.advanceAsync(2_999);
    expect(modelCalls).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(modelCalls.map(({ candidate }) => candidate.provider)).toEqual(['p', 'p']);
  });

  it('does not wait for a 429 of two minutes while another candidate is at hand', async () => {
    const { clock, modelCalls } = start([fails('rate_limit', { retryAfterMs: 120_000 }), text('ok')]);
    await clock.settle();
    expect(modelCalls.map(({ candidate }) => candidate.provider)).toEqual(['p', 'q']);
  });

  it('waits two minutes, in steps, for the only candidate there is', async () => {
    const only = { prepared: { candidates: [{ provider: 'p', model: 'one' }] } };
    const { clock, modelCalls, output } = start(
      [fails('rate_limit', { retryAfterMs: 120_000 }), text('ok')],
      only,
    );
    await clock.advanceAsync(119_999);
    expect(modelCalls).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(modelCalls).toHaveLength(2);
    expect(output()?.status).toBe('ok');
  });

  it('says who was tried and what to do when nobody answers', async () => {
    const { clock, output } = start([fails('billing'), fails('auth')]);
    await clock.settle();
    expect(output()).toMatchObject({
      status: 'error',
      attempts: 2,
      error: {
        code: 'MODEL_FAILED',
        message:
          'no model answered: q/two failed with auth (it was auth); tried p/one: billing, q/two: auth. Check the apiKey of the provider.',
      },
    });
  });

  it('voids the words of a failed attempt, and keeps those of the round before', async () => {
    const first: Script = (say, call) => {
      say({ type: 'model.text', delta: 'Looking.' });
      tools(['a', 'look'])(say, call);
    };
    const broken: Script = (say, call) => {
      say({ type: 'model.text', delta: 'It is ra' });
      fails('interrupted')(say, call);
    };
    const { clock, output, signals } = start([first, broken, text('It is dry.')]);
    await clock.advanceAsync(300);
    expect(signals.slice(-3)).toEqual([
      { type: 'text', delta: '\n\nIt is ra', text: 'Looking.\n\nIt is ra' },
      { type: 'restarted', reason: 'interrupted', text: 'Looking.' },
      { type: 'text', delta: '\n\nIt is dry.', text: 'Looking.\n\nIt is dry.' },
    ]);
    expect(output()?.text).toBe('Looking.\n\nIt is dry.');
  });

  it('keeps half an answer when nobody is left to give a whole one', async () => {
    const broken: Script = (say, call) => {
      say({ type: 'model.text', delta: 'Half' });
      fails('content_policy')(say, call);
    };
    const { clock, output } = start([broken]);
    await clock.settle();
    expect(output()).toMatchObject({
      status: 'error',
      text: 'Half',
      messages: [{ role: 'assistant', content: [{ text: 'Half' }] }],
    });
  });

  it('does not take silence for an answer', async () => {
    const { clock, output, modelCalls } = start([text(), text(), text(), text('at last')]);
    await clock.advanceAsync(2_000);
    expect(modelCalls.map(({ candidate }) => candidate.provider)).toEqual(['p', 'p', 'p', 'q']);
    expect(output()?.text).toBe('at last');
  });

  it('survives a model call that breaks instead of failing', async () => {
    let calls = 0;
    const callModel = callbackEffect<AnyEventObject, ModelCallInput>(({ input, send, fail }) => {
      calls += 1;
      if (calls === 1) queueMicrotask(() => fail(new Error('a bug')));
      else
        queueMicrotask(() =>
          text('fine')((event) => send({ attempt: input.attempt, atMs: 0, random: 0, ...event }), input),
        );
    });
    const { clock, output } = start([], { effects: { callModel } });
    await clock.settle();
    expect(output()).toMatchObject({ status: 'ok', text: 'fine', attempts: 2 });
  });

  it('leaves the second candidate its share of the turn when the first hangs, and ends the hanging call', async () => {
    const { clock, output, modelCalls, aborted } = start([hangs, text('two')]);
    await clock.advanceAsync(299_999);
    expect(modelCalls).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(aborted[0]).toBe('model 1');
    expect(output()).toMatchObject({ status: 'ok', text: 'two', attempts: 2 });
  });

  it('never charges a late word of an old attempt to the next one', async () => {
    let late: (() => void) | undefined;
    const { clock, run, output } = start([
      fails('auth'),
      (say) => (late = () => text('two')(say, {} as ModelCallInput)),
    ]);
    await clock.settle();
    run.send({ type: 'model.text', attempt: 1, delta: 'ghost', atMs: clock.now() });
    run.send({ type: 'model.finished', attempt: 1, reason: 'stop', random: 0, atMs: clock.now() });
    expect(output()).toBeUndefined();
    late?.();
    expect(output()?.text).toBe('two');
  });
});

describe('a run whose model goes round in circles', () => {
  const same: Partial<RunEffects> = {
    callTool: promiseEffect<ToolAnswer, ToolCallInput>(async () => ({
      output: { found: [] },
      isError: false,
      atMs: 1,
      durationMs: 0,
    })),
  };
  /** Says what it does, and asks for `look`, always with the same input. */
  const looks: Script = (say, { attempt }) => {
    if (attempt === 1) say({ type: 'model.text', delta: 'Let me see.' });
    say({ type: 'model.tool_call', toolCallId: `c${attempt}`, toolName: 'look', input: { of: 'x' } });
    say({ type: 'model.finished', reason: 'tool-calls' });
  };
  const reason =
    'I stopped here: the tool "look" was called 20 times with the same input and gave the same result each time (generic_repeat).';
  const resultsOf = (messages: RunOutput['messages']) =>
    messages.filter(({ role }) => role === 'tool').flatMap(({ content }) => content);

  it('warns it in the tenth result, and ends at the twentieth with what there is and the reason', async () => {
    const { clock, output, modelCalls, facts, signals } = start([looks], { effects: same });
    await clock.settle();
    expect(output()).toMatchObject({
      status: 'ok',
      stopReason: 'tool-loop',
      text: `Let me see.\n\n${reason}`,
      toolCalls: 20,
    });
    expect(modelCalls).toHaveLength(20);
    const results = resultsOf(output()?.messages ?? []);
    expect(results.map((part) => part.output).slice(8, 11)).toEqual([
      { found: [] },
      expect.stringMatching(/^{"found":\[\]}\n\n\[tool loop\] .*10 times.*at 20 this turn is ended\.$/),
      { found: [] },
    ]);
    // The model has read it.
    expect(JSON.stringify(modelCalls[10]?.messages.at(-1))).toContain('[tool loop]');
    expect(output()?.messages.at(-1)).toEqual({
      role: 'assistant',
      content: [{ type: 'text', text: reason }],
    });
    expect(facts.filter(({ type }) => type === 'tool.loop')).toMatchObject([
      { level: 'warning', action: 'warn', count: 10, toolName: 'look', sessionKey: 's' },
      { level: 'critical', action: 'block', count: 20, detector: 'generic_repeat', message: reason },
    ]);
    expect(signals.at(-1)).toEqual({
      type: 'text',
      delta: `\n\n${reason}`,
      text: `Let me see.\n\n${reason}`,
    });
  });

  it('leaves the rest of a round alone once the breaker is open, and every call has its answer', async () => {
    const many: Script = (say) => {
      for (let n = 0; n < 30; n += 1)
        say({ type: 'model.tool_call', toolCallId: `c${n}`, toolName: 'look', input: {} });
      say({ type: 'model.finished', reason: 'tool-calls' });
    };
    const { clock, output, signals } = start([many], { effects: same });
    await clock.settle();
    expect(output()).toMatchObject({ status: 'ok', stopReason: 'tool-loop' });
    expect(signals.filter(({ type }) => type === 'started')).toHaveLength(20);
    const results = resultsOf(output()?.messages ?? []);
    expect(results).toHaveLength(30);
    expect(results[20]).toMatchObject({
      isError: true,
      output: expect.stringContaining('Not run, because of a tool loop'),
    });
  });

  it('stops two calls that take turns, and calls to a tool that does not exist', async () => {
    const turns: Script = (say, call) => {
      const toolName = call.attempt % 2 === 0 ? 'look' : 'send';
      say({ type: 'model.tool_call', toolCallId: 'c', toolName, input: {} });
      say({ type: 'model.finished', reason: 'tool-calls' });
    };
    const two = start([turns], { effects: same });
    await two.clock.settle();
    expect(two.output()).toMatchObject({ stopReason: 'tool-loop', toolCalls: 20 });
    expect(two.output()?.text).toMatch(/between the tools "look" and "send".*\(ping_pong\)/);
    const absent: Script = (say) => {
      say({ type: 'model.tool_call', toolCallId: 'c', toolName: 'fly', input: {} });
      say({ type: 'model.finished', reason: 'tool-calls' });
    };
    const none = start([absent], { effects: same });
    await none.clock.settle();
    expect(none.output()).toMatchObject({ stopReason: 'tool-loop', toolCalls: 20 });
  });

  it('lets it poll for as long as its budget lasts while the answer changes', async () => {
    let n = 0;
    const polled = promiseEffect<ToolAnswer, ToolCallInput>(async () => {
      n += 1;
      return { output: `${n} done`, isError: false, atMs: 1, durationMs: 0 };
    });
    const polls: Script = (say, call) => (call.withTools ? looks(say, call) : text('enough')(say, call));
    const { clock, output } = start([polls], { effects: { callTool: polled } });
    await clock.settle();
    expect(output()).toMatchObject({ stopReason: 'tool-budget', toolCalls: LIMITS.toolCallsPerRun });
  });

  it('is left alone when it is told to, and stopped where the operator says', async () => {
    const off = start([looks], { effects: same, prepared: { loop: { enabled: false } } });
    await off.clock.settle();
    expect(codeOf(off.output())).toBe('TOOL_BUDGET');
    const loop = { warningThreshold: 2, criticalThreshold: 3, globalCircuitBreakerThreshold: 4 };
    const early = start([looks], { effects: same, prepared: { loop } });
    await early.clock.settle();
    expect(early.output()).toMatchObject({ stopReason: 'tool-loop', toolCalls: 3 });
  });

  /** A run that was killed at its nineteenth call, as its checkpoint and journal tell it. */
  const killed = async (): Promise<Partial<Prepared>> => {
    const first = start([looks], {
      effects: {
        callTool: promiseEffect<ToolAnswer, ToolCallInput>(async ({ input: { call } }) =>
          call.toolCallId === 'c19'
            ? new Promise(() => undefined)
            : { output: { found: [] }, isError: false, atMs: 1, durationMs: 0 },
        ),
      },
    });
    await first.clock.settle();
    const { facts } = first.journal.at(-1)!;
    return {
      resume: JSON.parse(JSON.stringify(facts)),
      journal: [{ toolCallId: 'c19', idempotent: true, outcome: null }],
    };
  };

  it('counts on where an earlier life of it was killed', async () => {
    const { clock, output, toolCalls } = start([looks], { prepared: await killed(), effects: same });
    await clock.settle();
    expect(toolCalls).toEqual([]);
    expect(output()).toMatchObject({ stopReason: 'tool-loop', toolCalls: 20 });
  });

  it('ends at once when the call that opened the breaker was already answered in the life before', async () => {
    const { resume, journal } = await killed();
    const [call] = journal ?? [];
    const answered = { ...call!, outcome: { output: { found: [] }, isError: false } };
    const loop = { warningThreshold: 10, criticalThreshold: 19 };
    const { clock, output, modelCalls, facts } = start([looks], {
      prepared: { resume: resume!, journal: [answered], loop },
      effects: same,
    });
    await clock.settle();
    expect(output()).toMatchObject({ stopReason: 'tool-loop', toolCalls: 19 });
    expect(modelCalls).toEqual([]);
    expect(facts.filter(({ type }) => type === 'tool.loop')).toMatchObject([
      { level: 'critical', count: 19 },
    ]);
  });

  it('tries the same once more when the user speaks again, and is free when it does something else', async () => {
    const first = start([looks], { effects: same });
    await first.clock.settle();
    const said = (content: string) => ({
      role: 'user' as const,
      content: [{ type: 'text' as const, text: content }],
    });
    const history = [said('hello'), ...(first.output()?.messages ?? []), said('and now?')];
    const again = start([looks], { prepared: { history }, effects: same });
    await again.clock.settle();
    expect(again.output()).toMatchObject({ stopReason: 'tool-loop', toolCalls: 1 });
    expect(again.output()?.text).toContain('21 times');
    const other = start([tools(['s', 'send']), looks], { prepared: { history }, effects: same });
    await other.clock.settle();
    expect(other.output()).toMatchObject({ stopReason: 'tool-loop', toolCalls: 21 });
  });
});

describe('the bounds of a run', () => {
  it('stops a model that always wants the same tool: after its budget it gets one answer without tools', async () => {
    const greedy: Script = (say, call) =>
      call.withTools ? tools(['x', 'look'])(say, call) : text('that is all I found')(say, call);
    const { clock, output, toolCalls, modelCalls } = start([greedy]);
    await clock.settle();
    expect(toolCalls).toHaveLength(LIMITS.toolCallsPerRun);
    expect(modelCalls).toHaveLength(LIMITS.toolCallsPerRun + 1);
    expect(output()).toMatchObject({
      status: 'ok',
      stopReason: 'tool-budget',
      text: 'that is all I found',
      toolCalls: LIMITS.toolCallsPerRun,
    });
  });

  it('ends with TOOL_BUDGET when even then the model asks for a tool, and calls nobody after that', async () => {
    const { clock, output, toolCalls, modelCalls } = start([tools(['x', 'look'])]);
    await clock.settle();
    expect(codeOf(output())).toBe('TOOL_BUDGET');
    expect([toolCalls.length, modelCalls.length]).toEqual([
      LIMITS.toolCallsPerRun,
      LIMITS.toolCallsPerRun + 1,
    ]);
  });

  it('refuses by name the calls of a round that do not fit the budget any more', async () => {
    const many = Array.from({ length: 60 }, (_, n): [string, string] => [`c${n}`, 'look']);
    const { clock, modelCalls, toolCalls } = start([tools(...many), text('done')]);
    await clock.settle();
    expect(toolCalls).toHaveLength(LIMITS.toolCallsPerRun);
    const results = modelCalls[1]?.messages.at(-1)?.content ?? [];
    expect(results).toHaveLength(60);
    expect(results[50]).toMatchObject({
      isError: true,
      output: expect.stringContaining('has used all its 50 tool calls'),
    });
    expect(modelCalls[1]?.withTools).toBe(false);
  });

  it('makes no more model calls than its budget, though every answer fails', async () => {
    const resume = {
      messages: [],
      attempts: LIMITS.modelCallsPerRun - 1,
      toolCalls: 0,
      usage: null,
      repeats: 0,
    };
    const { clock, output, modelCalls } = start([fails('auth')], { prepared: { resume } });
    await clock.settle();
    expect(modelCalls).toHaveLength(1);
    expect(codeOf(output())).toBe('MODEL_BUDGET');
  });

  it('says so when no model is configured', async () => {
    const { clock, output } = start([], { prepared: { candidates: [] } });
    await clock.settle();
    expect(codeOf(output())).toBe('MODEL_NOT_CONFIGURED');
  });

  const forever = <O, I extends NonReducibleUnknown>() =>
    promiseEffect<O, I>(() => new Promise(() => undefined));
  const failing = <O, I extends NonReducibleUnknown>() =>
    promiseEffect<O, I>(async () => {
      throw new CoppiceError('UNAVAILABLE', { what: 'the store', reason: 'testing' });
    });
  const partly: Script = (say) => say({ type: 'model.text', delta: 'So far' });
  const toTools = [tools(['a', 'look'], ['b', 'send'])];
  const stages: [state: string, scripts: Script[], effects: Partial<RunEffects>, doing: string][] = [
    ['preparing', [], { prepare: forever() }, 'preparing'],
    ['preparePausing', [], { prepare: failing() }, 'preparing'],
    ['attempting', [partly], {}, 'waiting for p/one'],
    ['backoff', [fails('server')], {}, 'waiting to ask p/one again'],
    ['journalling', toTools, { journal: forever() }, 'running the tool "look"'],
    ['journalPausing', toTools, { journal: failing() }, 'running the tool "look"'],
    ['calling', toTools, { callTool: forever() }, 'running the tool "look"'],
  ];
  it.each(stages)(
    'in %s it ends when somebody aborts it, with what text there is',
    async (stage, scripts, effects) => {
      const { clock, run, state, output } = start(scripts, { effects });
      await clock.settle();
      expect(state()).toBe(stage);
      run.send({ type: 'run.abort', reason: 'user' });
      expect(output()).toMatchObject({
        status: 'aborted',
        stopReason: 'user',
        text: stage === 'attempting' ? 'So far' : '',
      });
      await clock.settle();
      expect(clock.pending).toBe(0);
    },
  );

  it.each(stages)(
    'in %s it ends at its deadline, says what it was at, and leaves no timer',
    async (stage, scripts, effects, doing) => {
      const { clock, run, state, output } = start(scripts, {
        effects,
        deadlineMs: 10_000,
        prepared: { candidates: [{ provider: 'p', model: 'one' }] },
      });
      await clock.settle();
      expect(state()).toBe(stage);
      if (stage.endsWith('Pausing') || stage === 'backoff')
        run.send({ type: 'run.deadline', atMs: clock.now() }); // these are left before it
      await clock.advanceAsync(10_000);
      expect(output()).toMatchObject({
        status: 'error',
        error: { code: 'RUN_DEADLINE', message: expect.stringContaining(doing) },
      });
      expect(clock.pending).toBe(0);
    },
  );

  it('answers every tool call of a round it could not finish, so that the transcript can be sent again', async () => {
    const { clock, run, output } = start([tools(['a', 'look'], ['b', 'send'])], {
      effects: { callTool: forever() },
    });
    await clock.settle();
    run.send({ type: 'run.abort' });
    expect(
      output()?.messages.map(({ role, content }) => [role, content.map(({ toolCallId }) => toolCallId)]),
    ).toEqual([
      ['assistant', ['a', 'b']],
      ['tool', ['a', 'b']],
    ]);
    expect(output()?.messages[1]?.content[0]).toMatchObject({
      isError: true,
      output: expect.stringContaining('unknown'),
    });
    expect(output()?.messages[1]?.content[1]).toMatchObject({
      isError: true,
      output: 'Not run: the turn ended before.',
    });
  });

  it('aborts the model call it waits for', async () => {
    const { clock, run, aborted } = start([hangs]);
    await clock.settle();
    run.send({ type: 'run.abort' });
    expect(aborted).toEqual(['model 1']);
  });

  it('does not begin a tool after its deadline, though its timer came late', async () => {
    const begun: string[] = [];
    const slowTool = promiseEffect<ToolAnswer, ToolCallInput>(async ({ input: { call } }) => {
      begun.push(call.toolCallId);
      return { output: 1, isError: false, atMs: Number.MAX_SAFE_INTEGER, durationMs: 1 };
    });
    const { clock, output } = start([tools(['a', 'look'], ['b', 'send'])], {
      effects: { callTool: slowTool },
    });
    await clock.settle();
    expect(codeOf(output())).toBe('RUN_DEADLINE');
    expect(begun).toEqual(['a']);
  });
});

describe('a run whose store fails', () => {
  const flaky = (times: number) => {
    const seen = { calls: 0 };
    const effect = promiseEffect<{ readonly atMs: number }, JournalInput>(async () => {
      seen.calls += 1;
      if (seen.calls <= times)
        throw new CoppiceError('UNAVAILABLE', { what: 'the store', reason: 'restarting' });
      return { atMs: 0 };
    });
    return { seen, effect };
  };

  it('journals again after a pause, and runs the tool once', async () => {
    const { seen, effect } = flaky(2);
    const { clock, output, toolCalls } = start([tools(['a', 'look']), text('done')], {
      effects: { journal: effect },
    });
    await clock.advanceAsync(LIMITS.runStorePauseMs * 3);
    expect(seen.calls).toBe(3);
    expect(toolCalls).toHaveLength(1);
    expect(output()?.status).toBe('ok');
  });

  it('ends with the error of the store when it does not come back, and runs no tool without an intent', async () => {
    const { seen, effect } = flaky(99);
    const { clock, output, toolCalls } = start([tools(['a', 'look'])], { effects: { journal: effect } });
    await clock.advanceAsync(60_000);
    expect(seen.calls).toBe(LIMITS.runStoreAttempts);
    expect(toolCalls).toEqual([]);
    expect(codeOf(output())).toBe('UNAVAILABLE');
  });

  it('ends when the store is silent, too', async () => {
    const silent = promiseEffect<Prepared, RunInput>(() => new Promise(() => undefined));
    const { clock, output } = start([], { effects: { prepare: silent } });
    await clock.advanceAsync(LIMITS.runStoreMs * 6);
    expect(output()).toMatchObject({
      status: 'error',
      error: { code: 'RUN_BROKEN', message: expect.stringContaining('the store did not answer') },
    });
  });
});
