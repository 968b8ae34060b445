import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createActor, createMachine, type AnyEventObject } from 'xstate';
import { z } from 'zod';
import { newestWithin } from '../../src/actors/context.ts';
import type { Deps } from '../../src/actors/deps.ts';
import { profileChild, profileState } from '../../src/actors/models.ts';
import { PATHS } from '../../src/actors/paths.ts';
import { runLogic, type RunOptions } from '../../src/actors/run.ts';
import { createSignalSeq } from '../../src/actors/signal-seq.ts';
import type { RunSignal } from '../../src/channels/contract.ts';
import { CoppiceError } from '../../src/errors.ts';
import { createIds } from '../../src/host/index.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import type { RunInput, RunOutput } from '../../src/machines/turn.ts';
import {
  createLoopback,
  ModelFailure,
  type FailureClass,
  type ModelPart,
  type ModelRequest,
  type Provider,
} from '../../src/models/index.ts';
import { openAttachments, openStore, type OpenStore, type Store } from '../../src/store/index.ts';
import { createSupervision } from '../../src/supervisor/index.ts';
import { createSimulatedClock } from '../../src/testing/index.ts';
import { createTools, defineTool, type Tool } from '../../src/tools/index.ts';

let dir: string;
let store: OpenStore;
/** Commits that the store has not answered yet. */
const committing = { count: 0 };
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'coppice-run-'));
  store = await openStore({ dir, owner: 'test' });
  const { commit } = store;
  store.commit = (...writes) => {
    committing.count += 1;
    return commit(...writes).finally(() => (committing.count -= 1));
  };
});
afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true });
});

type Stream = (request: ModelRequest, signal: AbortSignal) => AsyncIterable<ModelPart>;
const provider = (name: string, stream: Stream): Provider => ({
  name,
  api: 'custom',
  stream,
  models: () => [],
});
const says = (text: string): Stream =>
  async function* () {
    yield { type: 'text', delta: text };
    yield { type: 'finish', reason: 'stop', usage: { input: 3, output: 1, total: 4 } };
  };
const fails = (failure: FailureClass, retryAfterMs?: number): Stream =>
  async function* () {
    throw new ModelFailure({ class: failure, message: `it was ${failure}`, where: 'test', retryAfterMs });
  };
/** Asks for the given tools first, then answers with what they said. */
const uses = (...calls: [name: string, input: unknown][]): Stream =>
  async function* ({ messages }) {
    const last = messages.at(-1);
    if (last?.role === 'tool')
      return yield* says(
        last.content.map((part) => (part.type === 'tool-result' ? String(part.output) : '')).join(' / '),
      )({} as ModelRequest, new AbortController().signal);
    for (const [at, [toolName, input]] of calls.entries())
      yield { type: 'tool-call', toolCallId: `call-${at}`, toolName, input };
    yield { type: 'finish', reason: 'tool-calls' };
  };

/** One gateway's worth of dependencies: real store, real tree, real tools; the clock is simulated. */
function house(
  providers: Provider[],
  over: { tools?: Tool[]; store?: Store; options?: Partial<RunOptions> } = {},
) {
  const clock = createSimulatedClock();
  const signals: RunSignal[] = [];
  const supervision = createSupervision({ clock, random: () => 0, report: () => undefined });
  const tools = createTools({ extra: over.tools ?? [] });
  const deps: Deps = {
    clock,
    random: () => 0,
    ids: createIds(),
    registry: supervision.registry,
    store: over.store ?? store,
    attachments: openAttachments({ dir: join(dir, 'attachments'), onFault: () => undefined }),
    report: () => undefined,
    startChild: () => 'started',
    nested: supervision.nested,
    signal: (signal) => void signals.push(signal),
    providers: new Map(providers.map((each) => [each.name, each])),
    tools,
    channels: new Map(),
  };
  const seq = createSignalSeq();
  const logic = runLogic(deps, {
    candidates: () => providers.map(({ name }) => ({ provider: name, model: 'm' })),
    systemPrompt: () => 'Be kind.',
    workspace: () => dir,
    tools: () => tools,
    retry: {},
    idleMs: 1_000,
    firstByteMs: 1_000,
    seq,
    ...over.options,
  });
  const models = createActor(
    supervision.supervisor({
      strategy: 'one_for_one',
      intensity: 5,
      periodMs: 60_000,
      children: providers.map(({ name }) => profileChild(deps, name)),
    }),
    { clock, input: { path: PATHS.models, incarnation: 1 } },
  );
  supervision.root(models, PATHS.models);
  models.subscribe({ error: () => undefined });
  models.start();

  let lives = 0;
  /** What a session does: invokes the run, and learns how it ended. */
  const begin = (more: Partial<RunInput> & { runId?: string } = {}) => {
    lives += 1;
    const { runId = 'r1', ...rest } = more;
    const input: RunInput = {
      path: 'gateway/s/run',
      incarnation: lives,
      sessionKey: 's',
      sessionId: 's1',
      agentId: 'main',
      decision: null,
      deadlineAt: clock.now() + 600_000,
      message: {
        messageId: `m-${runId}`,
        runId,
        text: 'hello',
        source: 'user',
        channel: 'websocket',
        options: {},
        trace: { traceId: '1'.repeat(32), spanId: '2'.repeat(16) },
        receivedAt: clock.now(),
      },
      ...rest,
    };
    let ended: RunOutput | undefined;
    let crash: unknown;
    const session = createActor(
      createMachine({
        invoke: {
          id: 'run',
          src: logic,
          input,
          onDone: { actions: ({ event }) => void (ended = event.output as RunOutput) },
          onError: { actions: ({ event }) => void (crash = event.error) },
        },
        on: {
          abort: {
            actions: ({ self }) =>
              self.getSnapshot().children['run']?.send({ type: 'run.abort', reason: 'user' }),
          },
        },
      }),
      { clock },
    );
    session.subscribe({ error: () => undefined });
    session.start();
    return {
      session,
      abort: () => session.send({ type: 'abort' } as AnyEventObject as never),
      output: () => until(() => ended, clock),
      crashed: () => until(() => crash, clock),
      now: () => ended,
    };
  };
  return { clock, deps, supervision, signals, begin, logic, seq };
}

/** The store is real, so its answers take real time; the simulated clock stands still meanwhile. */
async function until<T>(
  what: () => T | undefined,
  clock: ReturnType<typeof createSimulatedClock>,
): Promise<T> {
  const giveUp = Date.now() + 40_000;
  for (;;) {
    await clock.settle();
    const found = what();
    if (found !== undefined) return found;
    if (Date.now() > giveUp) throw new Error('it did not happen');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
/** Lets half a minute pass in small steps; each waits until the store has done all it was asked for, however long that takes. */
async function patiently(
  life: { now(): RunOutput | undefined },
  clock: ReturnType<typeof createSimulatedClock>,
): Promise<void> {
  for (let n = 0; n < 60 && !life.now(); n += 1) {
    do {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await clock.settle();
    } while (committing.count > 0);
    await clock.advanceAsync(500);
  }
}
const codeOf = (output: RunOutput): string => (output.status === 'error' ? output.error.code : output.status);

/** A tool that can be caught in the act: it hangs until it is let go. */
function catchable(name: string, idempotent: boolean) {
  const begun: string[] = [];
  let hang = true;
  const tool = defineTool({
    name,
    idempotent,
    description: 'for the test',
    input: z.object({ to: z.string() }),
    run: async ({ to }) => {
      begun.push(to);
      if (hang) await new Promise(() => undefined);
      return `did ${to}`;
    },
  }) as unknown as Tool;
  return { tool, begun, letGo: () => void (hang = false) };
}

describe('a run over the real store', () => {
  it('asks with the system prompt, the transcript, the message and the tools, and reports what it used', async () => {
    const requests: ModelRequest[] = [];
    const model = provider('p', (request, signal) => {
      requests.push(request);
      return says('fine')(request, signal);
    });
    const row = { sessionKey: 's', sessionId: 's1', runId: 'r0', at: 1 } as const;
    await store.commit([
      ...store.statements.touchSession({ sessionKey: 's', sessionId: 's1', agentId: 'main', at: 1 }),
      ...store.statements.appendTranscript([
        { ...row, ordinal: 0, role: 'user', content: [{ type: 'text', text: 'before' }] },
        { ...row, ordinal: 1, role: 'assistant', content: [{ type: 'text', text: 'yes' }] },
      ]),
    ]);
    const { begin, signals } = house([model]);
    expect(await begin().output()).toMatchObject({ status: 'ok', text: 'fine', usage: { total: 4 } });
    expect(requests[0]?.messages.map(({ role, content }) => [role, content[0]])).toEqual([
      ['system', { type: 'text', text: 'Be kind.' }],
      ['user', { type: 'text', text: 'before' }],
      ['assistant', { type: 'text', text: 'yes' }],
      ['user', { type: 'text', text: 'hello' }],
    ]);
    expect(requests[0]?.tools.map(({ name }) => name)).toEqual(['list', 'read']);
    expect(requests[0]?.traceparent).toBe(`00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`);
    expect(signals).toMatchObject([
      { kind: 'text', runId: 'r1', sessionKey: 's', seq: 1, text: 'fine', delta: 'fine' },
    ]);
  });

  it('reads a file of the workspace for the built-in model, and journals intent, outcome and checkpoint', async () => {
    await writeFile(join(dir, 'note.txt'), 'the note');
    const house_ = house([], {
      options: { candidates: () => [{ provider: 'loopback', model: 'loopback' }] },
    });
    (house_.deps.providers as Map<string, Provider>).set('loopback', createLoopback({ clock: house_.clock }));
    const message = {
      messageId: 'm',
      runId: 'r1',
      text: '/tool read {"path":"note.txt"}',
      source: 'user',
      channel: 'x',
      options: {},
      trace: { traceId: '1', spanId: '2' },
      receivedAt: 1,
    } as const;
    const output = await house_.begin({ message }).output();
    expect(output).toMatchObject({ status: 'ok', toolCalls: 1, attempts: 2 });
    expect(output.text).toContain('the note');
    const [row] = store.read.toolJournal('r1');
    expect(row).toMatchObject({
      toolName: 'read',
      input: { path: 'note.txt' },
      idempotent: true,
      isError: false,
    });
    expect(row?.outcomeAt).toBeGreaterThan(0);
    expect(store.read.checkpoint('run', 'r1')).toMatchObject({
      version: 1,
      facts: { toolCalls: 1, attempts: 1, messages: [{ role: 'assistant' }] },
    });
    expect(house_.signals.map(({ kind }) => kind).slice(0, 2)).toEqual(['tool-started', 'tool-ended']);
    expect(house_.signals.map(({ seq }) => seq)).toEqual(house_.signals.map((_, at) => at + 1));
  });

  it('tells the model what is wrong with its input, or that there is no such tool, and lives on', async () => {
    const { begin } = house([provider('p', uses(['read', { path: 7 }], ['fly', {}]))]);
    const output = await begin().output();
    expect(output.status).toBe('ok');
    expect(output.text).toContain('The input of the tool "read" is not valid');
    expect(output.text).toContain('There is no tool "fly"');
    expect(store.read.toolJournal('r1').map(({ toolName, isError }) => [toolName, isError])).toEqual([
      ['read', true],
    ]);
  });

  it('ends a tool loop where the operator says', async () => {
    const restless: Stream = async function* () {
      yield { type: 'tool-call', toolCallId: 'c', toolName: 'read', input: { path: 'absent.txt' } };
      yield { type: 'finish', reason: 'tool-calls' };
    };
    const loop = () => ({ warningThreshold: 1, criticalThreshold: 2, globalCircuitBreakerThreshold: 3 });
    const { begin } = house([provider('p', restless)], { options: { loop } });
    expect(await begin().output()).toMatchObject({ status: 'ok', stopReason: 'tool-loop', toolCalls: 2 });
  });

  it('turns a tool that throws, or says what is no JSON, into a result', async () => {
    const broken = defineTool({
      name: 'broken',
      description: 'x',
      idempotent: true,
      input: z.object({}),
      run: async () => {
        throw new Error('no luck');
      },
    }) as unknown as Tool;
    const odd = defineTool({
      name: 'odd',
      description: 'x',
      idempotent: true,
      input: z.object({}),
      run: async () => ({ big: 1n }),
    }) as unknown as Tool;
    const { begin } = house([provider('p', uses(['broken', {}], ['odd', {}]))], { tools: [broken, odd] });
    const output = await begin().output();
    expect(output).toMatchObject({ status: 'ok', toolCalls: 2 });
    expect(output.text).toContain('no luck');
  });

  it('aborts a hanging model call and leaves no timer behind', async () => {
    let aborted = false;
    const hanging: Stream = async function* (_request, signal) {
      yield { type: 'text', delta: 'So f' };
      await new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(new ModelFailure({ class: 'aborted', message: 'x', where: 'p' }));
        }),
      );
    };
    const { begin, signals, clock, deps } = house([provider('p', hanging)]);
    const life = begin();
    await until(() => signals[0], clock);
    life.abort();
    expect(await life.output()).toMatchObject({ status: 'aborted', stopReason: 'user', text: 'So f' });
    await clock.settle();
    expect(aborted).toBe(true);
    expect(clock.pending).toBe(0);
    expect(profileState(deps, 'p').state).toBe('ready');
  });

  it('ends a hanging tool at its abort, and answers its call in the transcript', async () => {
    const { tool, begun } = catchable('send', false);
    const { begin, clock } = house([provider('p', uses(['send', { to: 'a' }]))], { tools: [tool] });
    const life = begin();
    await until(() => begun[0], clock);
    life.abort();
    const output = await life.output();
    expect(output).toMatchObject({
      status: 'aborted',
      messages: [{ role: 'assistant' }, { role: 'tool', content: [{ isError: true }] }],
    });
    expect(clock.pending).toBe(0);
  });
});

describe('a run that was killed', () => {
  async function killedInTool(idempotent: boolean) {
    const caught = catchable('send', idempotent);
    const house_ = house([provider('p', uses(['send', { to: 'a' }], ['send', { to: 'b' }]))], {
      tools: [caught.tool],
    });
    const killed = async (life: ReturnType<typeof house_.begin>, calls: number) => {
      await until(() => caught.begun[calls - 1], house_.clock);
      expect(house_.supervision.kill('gateway/s/run', { by: 'test' }).path).toBe('gateway/s/run');
      expect(await life.crashed()).toMatchObject({ code: 'KILLED' });
    };
    await killed(house_.begin(), 1);
    expect(store.read.toolJournal('r1').map(({ outcomeAt }) => outcomeAt)).toEqual([undefined, undefined]);
    return { ...house_, ...caught, killed };
  }

  it('in an idempotent tool: the next life calls it again, and each call has one outcome', async () => {
    const { begin, begun, letGo, signals } = await killedInTool(true);
    letGo();
    expect(await begin().output()).toMatchObject({
      status: 'ok',
      text: 'did a / did b',
      attempts: 2,
      toolCalls: 2,
    });
    expect(begun).toEqual(['a', 'a', 'b']);
    expect(signals.map(({ kind }) => kind)).toContain('restarted');
  });

  it('in a tool that is not: the next life asks, naming tool and input, and calls nothing', async () => {
    const { begin, begun, letGo } = await killedInTool(false);
    letGo();
    const output = await begin().output();
    expect(output).toMatchObject({
      status: 'undecided',
      toolCallId: 'call-0',
      toolName: 'send',
      question: expect.stringMatching(/"send" ran with \{"to":"a"\}.*"retry".*"skip"/),
    });
    expect(begun).toEqual(['a']);
  });

  it('and told to skip: the doubtful call is not repeated, the one after it runs, and the model knows', async () => {
    const { begin, begun, letGo } = await killedInTool(false);
    letGo();
    const output = await begin({ decision: 'skip' }).output();
    expect(begun).toEqual(['a', 'b']);
    expect(output).toMatchObject({
      status: 'ok',
      text: expect.stringMatching(/skipped by decision.* \/ did b/),
    });
    expect(store.read.toolJournal('r1').map(({ isError }) => isError)).toEqual([true, false]);
  });

  it('and told to repeat: it is repeated once; killed again, the next life asks another question', async () => {
    const { begin, begun, killed } = await killedInTool(false);
    await killed(begin({ decision: 'retry' }), 2);
    expect(begun).toEqual(['a', 'a']);
    const output = await begin().output();
    expect(output).toMatchObject({
      status: 'undecided',
      question: expect.stringContaining('run again once by decision'),
    });
    expect(begun).toEqual(['a', 'a']);
  });

  it('after the outcome was journalled: the tool is not called again', async () => {
    const { tool, begun, letGo } = catchable('send', false);
    letGo();
    let asked = 0;
    const model: Stream = (request, signal) => {
      asked += 1;
      return asked === 2 ? hangs(request, signal) : uses(['send', { to: 'a' }])(request, signal);
    };
    const hangs: Stream = async function* () {
      yield* [];
      await new Promise(() => undefined);
    };
    const { begin, supervision, clock } = house([provider('p', model)], { tools: [tool] });
    const life = begin();
    await until(() => asked === 2 || undefined, clock);
    supervision.kill('gateway/s/run', { by: 'test' });
    await life.crashed();
    expect(await begin().output()).toMatchObject({ status: 'ok', text: 'did a', toolCalls: 1 });
    expect(begun).toEqual(['a']);
  });

  it('in the middle of a tool loop: the next life counts on, from what is on record', async () => {
    let calls = 0;
    const hanging = defineTool({
      name: 'look',
      idempotent: true,
      description: 'for the test',
      input: z.object({}),
      run: async () => {
        calls += 1;
        if (calls === 15) await new Promise(() => undefined);
        return { found: [] };
      },
    }) as unknown as Tool;
    const restless: Stream = async function* () {
      yield { type: 'tool-call', toolCallId: 'c', toolName: 'look', input: {} };
      yield { type: 'finish', reason: 'tool-calls' };
    };
    const { begin, supervision, clock } = house([provider('p', restless)], { tools: [hanging] });
    const life = begin();
    await until(() => (calls === 15 ? true : undefined), clock);
    supervision.kill('gateway/s/run', { by: 'test' });
    await life.crashed();
    expect(await begin().output()).toMatchObject({ status: 'ok', stopReason: 'tool-loop', toolCalls: 20 });
    // The call it was killed in was made again.
    expect(calls).toBe(21);
    // On record is what the tool said, not what the model was told beside it.
    const outputs = store.read.toolJournal('r1').map(({ output }) => output);
    expect(outputs).toEqual(Array.from({ length: 20 }, () => ({ found: [] })));
  });

  it('refuses to go on from a checkpoint it cannot read, rather than repeat what may have happened', async () => {
    await store.commit(
      store.statements.putCheckpoint({ machine: 'run', key: 'r1', version: 9, at: 1, facts: {} }),
    );
    const { begin, clock } = house([provider('p', says('fine'))]);
    const life = begin();
    await patiently(life, clock);
    expect(codeOf(await life.output())).toBe('CHECKPOINT_UNREADABLE');
  });
});

describe('a run with what came beside the text of its message', () => {
  const message = (options: Record<string, unknown>): RunInput['message'] => ({
    messageId: 'm-r1',
    runId: 'r1',
    text: 'hello',
    source: 'user',
    channel: 'openai',
    options,
    trace: { traceId: '1'.repeat(32), spanId: '2'.repeat(16) },
    receivedAt: 0,
  });
  const words = (role: string, text: string) => ({ role, content: [{ type: 'text', text }] });
  const listening = () => {
    const requests: ModelRequest[] = [];
    const model = provider('p', (request, signal) => {
      requests.push(request);
      return says('fine')(request, signal);
    });
    return { requests, model };
  };

  it('asks with the conversation it brought, the system prompts as one, and its settings', async () => {
    const { requests, model } = listening();
    const { begin } = house([model]);
    const settings = { temperature: 0.5, stop: ['END'] };
    const said = [
      words('system', 'Be brief.'),
      words('user', 'one'),
      words('assistant', 'two'),
      words('user', 'three'),
    ];
    const { output } = begin({
      message: message({ said, settings, maxOutputTokens: 9, extraSystemPrompt: 'And calm.' }),
    });
    expect(await output()).toMatchObject({ status: 'ok', text: 'fine' });
    expect(requests[0]).toMatchObject({ settings, maxOutputTokens: 9 });
    expect(requests[0]!.messages).toEqual([
      words('system', 'Be kind.\n\nAnd calm.\n\nBe brief.'),
      ...said.slice(1),
    ]);
  });

  it('offers the tools it brought and no other, and ends with their calls, which nobody here makes', async () => {
    let offered: readonly string[] = [];
    const model = provider('p', async function* ({ tools }) {
      offered = tools.map(({ name }) => name);
      yield { type: 'text', delta: 'Let me look.' };
      yield { type: 'tool-call', toolCallId: 'x1', toolName: 'read', input: { path: 'a.txt' } };
      yield { type: 'finish', reason: 'tool-calls' };
    });
    const { begin, signals } = house([model]);
    const tools = [{ name: 'mine', description: '', inputSchema: { type: 'object' } }];
    const { output } = begin({ message: message({ tools }) });
    expect(await output()).toMatchObject({
      status: 'ok',
      stopReason: 'tool-calls',
      toolCalls: 0,
      text: 'Let me look.',
      messages: [
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'Let me look.' },
            { type: 'tool-call', toolCallId: 'x1', toolName: 'read', input: { path: 'a.txt' } },
          ],
        },
      ],
    });
    expect(offered).toEqual(['mine']);
    expect(store.read.toolJournal('r1')).toEqual([]);
    expect(signals.filter(({ kind }) => kind === 'tool-started')).toEqual([]);
  });

  it('asks only the model that was named, and fails with it', async () => {
    const { requests, model } = listening();
    const { begin } = house([provider('first', fails('auth')), { ...model, name: 'second' }]);
    expect(await begin({ message: message({ exactModel: true }) }).output()).toMatchObject({
      status: 'error',
      error: { code: 'MODEL_FAILED' },
    });
    expect(requests).toEqual([]);
    expect(await begin({ message: message({}) }).output()).toMatchObject({ status: 'ok' });
  });

  it('keeps the results of tools with the calls in its transcript', async () => {
    const { requests, model } = listening();
    const { begin } = house([model]);
    const call = { type: 'tool-call', toolCallId: 'c1', toolName: 'mine', input: {} } as const;
    const result = {
      type: 'tool-result',
      toolCallId: 'c1',
      toolName: 'mine',
      output: 'seen',
      isError: false,
    } as const;
    const row = { sessionKey: 's', sessionId: 's1', runId: 'r0', at: 0 };
    await store.commit([
      ...store.statements.touchSession({ sessionKey: 's', sessionId: 's1', agentId: 'main', at: 0 }),
      ...store.statements.appendTranscript([
        { ...row, ordinal: 0, role: 'user', content: [{ type: 'text', text: 'look' }] },
        { ...row, ordinal: 1, role: 'assistant', content: [call] },
      ]),
    ]);
    await begin({ message: message({ said: [{ role: 'tool', content: [result] }] }) }).output();
    expect(requests[0]!.messages.slice(1)).toEqual([
      words('user', 'look'),
      { role: 'assistant', content: [call] },
      { role: 'tool', content: [result] },
    ]);
  });

  it('and nobody to ask does not repeat what may have happened: the model is told and the turn ends', async () => {
    let calls = 0;
    const hanging = defineTool({
      name: 'send',
      description: 'Sends it.',
      input: z.object({}),
      idempotent: false,
      run: () => {
        calls += 1;
        return new Promise(() => undefined);
      },
    });
    const { begin, supervision, clock } = house([provider('p', uses(['send', {}]))], { tools: [hanging] });
    const first = begin({ message: message({ unattended: true }) });
    await until(() => (calls === 1 ? true : undefined), clock);
    supervision.kill('gateway/s/run', { by: 'test' });
    await first.crashed();
    const ended = await begin({ message: message({ unattended: true }) }).output();
    expect(ended).toMatchObject({ status: 'ok', text: expect.stringContaining('skipped') });
    expect(calls).toBe(1);
  });
});

describe('a run and the health of providers', () => {
  it('fails over, and the next run asks the cooling provider last', async () => {
    const asked: string[] = [];
    const noted = (name: string, stream: Stream): Provider =>
      provider(name, (request, signal) => {
        asked.push(name);
        return stream(request, signal);
      });
    const { begin, deps, clock } = house([
      noted('p', fails('rate_limit', 90_000)),
      noted('q', says('from q')),
    ]);
    expect((await begin().output()).text).toBe('from q');
    expect(asked).toEqual(['p', 'q']);
    expect(profileState(deps, 'p')).toEqual({ state: 'cooling', untilAt: clock.now() + 90_000 });
    expect((await begin({ runId: 'r2' }).output()).text).toBe('from q');
    expect(asked).toEqual(['p', 'q', 'q']);
    await clock.advanceAsync(90_000);
    expect(profileState(deps, 'p').state).toBe('half_open');
    await begin({ runId: 'r3' }).output();
    expect(asked).toEqual(['p', 'q', 'q', 'p', 'q']);
  });

  it('recovers the provider with the first answer', async () => {
    let broken = true;
    const { begin, deps, clock } = house([
      provider('p', (request, signal) => (broken ? fails('auth') : says('back'))(request, signal)),
    ]);
    await begin().output();
    expect(profileState(deps, 'p').state).toBe('cooling');
    broken = false;
    await clock.advanceAsync(LIMITS.coolAuthMs);
    expect((await begin({ runId: 'r2' }).output()).text).toBe('back');
    expect(profileState(deps, 'p')).toEqual({ state: 'ready', untilAt: null });
  });

  it.each<[string, Stream]>([
    [
      'ends without a finish',
      async function* () {
        yield { type: 'text', delta: 'half' };
      },
    ],
    [
      'throws what is no ModelFailure',
      async function* () {
        yield* [];
        throw new TypeError('a bug');
      },
    ],
    [
      'says nothing at all',
      async function* () {
        yield { type: 'finish', reason: 'stop' };
      },
    ],
    [
      'throws before it streams',
      () => {
        throw new Error('at once');
      },
    ],
    [
      'floods it with tool calls',
      async function* () {
        for (let n = 0; n < 1_000; n += 1)
          yield { type: 'tool-call', toolCallId: `${n}`, toolName: 'read', input: {} };
      },
    ],
    [
      'floods it with text',
      async function* () {
        for (;;) yield { type: 'text', delta: 'x'.repeat(1_000_000) };
      },
    ],
  ])('goes to the second candidate when the first %s', async (_title, stream) => {
    const { begin, clock } = house([provider('p', stream), provider('q', says('from q'))]);
    const life = begin();
    await patiently(life, clock);
    expect(await life.output()).toMatchObject({ status: 'ok', text: 'from q' });
  });

  it('does not take a withheld answer for silence: it surfaces at once', async () => {
    const withheld: Stream = async function* () {
      yield { type: 'finish', reason: 'content-filter' };
    };
    const { begin } = house([provider('p', withheld), provider('q', says('from q'))]);
    const output = await begin().output();
    expect(output).toMatchObject({
      status: 'error',
      error: { code: 'MODEL_FAILED', message: expect.stringContaining('content_policy') },
    });
  });

  it('names a provider that does not exist', async () => {
    const { begin } = house([], { options: { candidates: () => [{ provider: 'nobody', model: 'm' }] } });
    expect(await begin().output()).toMatchObject({
      status: 'error',
      error: { message: expect.stringContaining('there is no provider "nobody"') },
    });
  });
});

describe('a run whose store fails', () => {
  it('insists on the outcome of a call, so that a thing done does not become a thing unknown', async () => {
    const { tool, begun, letGo } = catchable('send', false);
    letGo();
    let refused = 0;
    const flaky: Store = {
      ...store,
      commit: async (statements) => {
        if (statements.some(({ name }) => name === 'tool.outcome') && refused < 2) {
          refused += 1;
          throw new CoppiceError('STORE_FAILED', { reason: 'testing' });
        }
        return store.commit(statements);
      },
    };
    const { begin, clock } = house([provider('p', uses(['send', { to: 'a' }]))], {
      tools: [tool],
      store: flaky,
    });
    const life = begin();
    for (const n of [1, 2]) {
      await until(() => refused === n || undefined, clock);
      await clock.advanceAsync(LIMITS.runStorePauseMs * n);
    }
    expect(await life.output()).toMatchObject({ status: 'ok', text: 'did a' });
    expect(begun).toEqual(['a']);
    expect(store.read.toolJournal('r1')[0]).toMatchObject({ output: 'did a' });
  });

  it('ends with the error of the store, which names the culprit, and calls no tool', async () => {
    const { tool, begun } = catchable('send', false);
    const down: Store = {
      ...store,
      commit: () => Promise.reject(new CoppiceError('STORE_FAILED', { reason: 'testing' })),
    };
    const { begin, clock } = house([provider('p', uses(['send', { to: 'a' }]))], {
      tools: [tool],
      store: down,
    });
    const life = begin();
    await patiently(life, clock);
    expect(codeOf(await life.output())).toBe('STORE_FAILED');
    expect(begun).toEqual([]);
  });
});

describe('the part of a transcript that is sent along', () => {
  const text = (role: 'user' | 'assistant', length: number) => ({
    role,
    content: [{ type: 'text' as const, text: 'x'.repeat(length) }],
  });
  const call = {
    role: 'assistant' as const,
    content: [{ type: 'tool-call' as const, toolCallId: 'a', toolName: 't', input: {} }],
  };
  const result = {
    role: 'tool' as const,
    content: [{ type: 'tool-result' as const, toolCallId: 'a', toolName: 't', output: 'x'.repeat(100) }],
  };

  it('is the newest part within the budget, and begins with a user', () => {
    const rows = [text('user', 10), text('assistant', 10), text('user', 20), text('assistant', 20)];
    expect(newestWithin(rows, 10_000)).toEqual(rows);
    expect(newestWithin(rows, 250)).toEqual(rows.slice(2));
    expect(newestWithin(rows, 100)).toEqual([]);
  });

  it('never parts a call from its result: both come along or neither does', () => {
    const rows = [text('user', 10), call, result, text('assistant', 10)];
    for (let budget = 0; budget < 800; budget += 10) {
      const roles = newestWithin(rows, budget).map(({ role }) => role);
      expect([[], ['user', 'assistant', 'tool', 'assistant']]).toContainEqual(roles);
    }
  });

  it('leaves out a result whose call was cut off, and a call that never got one', () => {
    expect(newestWithin([result, text('user', 1)], 10_000)).toEqual([text('user', 1)]);
    expect(newestWithin([text('user', 1), call, text('user', 2)], 10_000)).toEqual([
      text('user', 1),
      text('user', 2),
    ]);
  });
});

describe('the numbers of signals', () => {
  it('rise by one per run, and the run that has been silent longest is forgotten first', () => {
    const seq = createSignalSeq(2);
    expect([seq.next('a'), seq.next('a'), seq.next('b'), seq.next('a'), seq.next('c')]).toEqual([
      1, 2, 1, 3, 1,
    ]);
    expect([seq.next('a'), seq.next('b')]).toEqual([4, 1]);
    seq.forget('a');
    expect(seq.next('a')).toBe(1);
  });
});
