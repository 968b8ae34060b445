import { describe, expect, test } from 'vitest';
import { createClock } from '../../src/host/index.ts';
import {
  createLoopback,
  ModelFailure,
  type ModelMessage,
  type ModelPart,
  type ModelRequest,
} from '../../src/models/index.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';

const user = (text: string): ModelMessage => ({ role: 'user', content: [{ type: 'text', text }] });
const assistant = (text: string): ModelMessage => ({ role: 'assistant', content: [{ type: 'text', text }] });
const request = (messages: readonly ModelMessage[], over: Partial<ModelRequest> = {}): ModelRequest => ({
  model: 'loopback',
  messages,
  tools: [],
  idleMs: 60_000,
  firstByteMs: 60_000,
  ...over,
});
const never = (): AbortSignal => new AbortController().signal;

async function collect(stream: AsyncIterable<ModelPart>): Promise<ModelPart[]> {
  const parts: ModelPart[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}
const ask = (messages: readonly ModelMessage[], over: Partial<ModelRequest> = {}): Promise<ModelPart[]> =>
  collect(createLoopback({ clock: createClock() }).stream(request(messages, over), never()));
const textOf = (parts: readonly ModelPart[]): string =>
  parts.map((part) => (part.type === 'text' ? part.delta : '')).join('');
const failing = (text: string): Promise<unknown> => ask([user(text)]).catch((error: unknown) => error);

/** Plays tool rounds as a run does, until the model only talks. */
async function converse(
  text: string,
  output: unknown,
  isError = false,
): Promise<{ rounds: number; ids: Set<string>; text: string }> {
  const messages: ModelMessage[] = [user(text)];
  const ids = new Set<string>();
  for (let rounds = 0; ; rounds += 1) {
    const parts = await ask(messages);
    const call = parts.find((part) => part.type === 'tool-call');
    if (!call) return { rounds, ids, text: textOf(parts) };
    ids.add(call.toolCallId);
    const { toolCallId, toolName } = call;
    messages.push({ role: 'assistant', content: [call] });
    messages.push({
      role: 'tool',
      content: [{ type: 'tool-result', toolCallId, toolName, output, isError }],
    });
  }
}

describe('answers', () => {
  test('names the files it got, and does not choke on big ones', async () => {
    const file = { type: 'file' as const, mediaType: 'image/png', data: new Uint8Array(20_000_000) };
    const parts = await ask([{ role: 'user', content: [{ type: 'text', text: 'Look' }, file] }]);
    expect(textOf(parts)).toContain('You said: "Look". You sent a file (image/png, 20000000 bytes).');
    expect(parts.at(-1)).toMatchObject({ type: 'finish', usage: { input: expect.any(Number) } });
  });

  test('the first reply says that it is no real model and mentions what the user wrote; later ones only the latter', async () => {
    const first = textOf(await ask([user('good morning')]));
    expect(first).toContain('no real model');
    expect(first).toContain('good morning');
    const second = textOf(await ask([user('good morning'), assistant(first), user('and good night')]));
    expect(second).not.toContain('no real model');
    expect(second).toContain('good night');
  });

  test('the same request gets the same parts, word by word, with usage in the one finish part', async () => {
    const parts = await ask([user('hello')]);
    expect(await ask([user('hello')])).toEqual(parts);
    expect(parts.length).toBeGreaterThan(5);
    const spoken = parts.length - 1;
    expect(parts.at(-1)).toMatchObject({ type: 'finish', reason: 'stop', usage: { output: spoken } });
  });

  test.each(['HEARTBEAT: anything to do?', 'Read the list. If nothing needs attention, reply HEARTBEAT_OK.'])(
    'the heartbeat prompt "%s" is answered with the token alone',
    async (prompt) => expect(textOf(await ask([user(prompt)]))).toBe('HEARTBEAT_OK'),
  );

  test('maxOutputTokens cuts the answer and says so', async () => {
    const parts = await ask([user('hello')], { maxOutputTokens: 2 });
    expect(parts.length).toBe(3);
    expect(parts.at(-1)).toMatchObject({ reason: 'length' });
  });

  test('an empty conversation is answered too', async () => {
    expect(textOf(await ask([]))).toContain('no text');
  });

  test('words wait for the clock', async () => {
    const clock = createSimulatedClock();
    const parts = createLoopback({ clock, wordMs: 100 }).stream(request([user('hi')]), never());
    const stream = parts[Symbol.asyncIterator]();
    let arrived = false;
    const first = stream.next().then((next) => {
      arrived = true;
      return next;
    });
    await clock.advanceAsync(99);
    expect(arrived).toBe(false);
    await clock.advanceAsync(1);
    expect((await first).value).toMatchObject({ type: 'text' });
  });
});

describe('tools', () => {
  test('/tool calls the tool with the input and then sums its result up', async () => {
    const parts = await ask([user('/tool read {"path":"a.md"}')]);
    expect(parts).toMatchObject([
      { type: 'tool-call', toolName: 'read', input: { path: 'a.md' } },
      { type: 'finish', reason: 'tool-calls' },
    ]);
    const done = await converse('/tool read {"path":"a.md"}', { text: 'contents of a' });
    expect(done.rounds).toBe(1);
    expect(done.text).toContain('contents of a');
  });

  test('a failed tool is reported as failed', async () => {
    expect((await converse('/tool read', 'no such file', true)).text).toContain('failed: no such file');
  });

  test('/tool with broken JSON tells the user and calls nothing', async () => {
    const parts = await ask([user('/tool read {oops')]);
    expect(parts.some((part) => part.type === 'tool-call')).toBe(false);
    expect(textOf(parts)).toContain('not valid JSON');
  });

  test('/steps 3 makes three rounds, each with an id of its own', async () => {
    const done = await converse('/steps 3', { entries: [] });
    expect(done.rounds).toBe(3);
    expect(done.ids.size).toBe(3);
  });

  test('a new question after a tool turn is answered for itself', async () => {
    const call = { type: 'tool-call', toolCallId: 'c', toolName: 'list', input: {} } as const;
    const result = { type: 'tool-result', toolCallId: 'c', toolName: 'list', output: 'x' } as const;
    const parts = await ask([
      user('/tool list'),
      { role: 'assistant', content: [call] },
      { role: 'tool', content: [result] },
      assistant('done'),
      user('thanks'),
    ]);
    expect(textOf(parts)).toContain('thanks');
  });
});

describe('failures on request', () => {
  test('/fail 429 retry-after=3 is a rate limit with its wait', async () => {
    expect(await failing('/fail 429 retry-after=3')).toMatchObject({
      class: 'rate_limit',
      status: 429,
      retryAfterMs: 3_000,
    });
  });

  test.each([
    [401, 'auth'],
    [402, 'billing'],
    [404, 'not_found'],
    [500, 'server'],
    [529, 'overloaded'],
  ])('/fail %i is %s', async (status, expected) => {
    const failure = await failing(`/fail ${status}`);
    expect(failure).toBeInstanceOf(ModelFailure);
    expect(failure).toMatchObject({ class: expected, status });
  });

  test.each(['/fail', '/fail often', '/fail 99'])(
    '%s without a status is answered with help',
    async (text) => {
      expect(textOf(await ask([user(text)]))).toContain('/fail STATUS');
    },
  );

  test('/garbage breaks after some text as interrupted', async () => {
    const parts: ModelPart[] = [];
    const failure = await (async () => {
      for await (const part of createLoopback({ clock: createClock() }).stream(
        request([user('/garbage')]),
        never(),
      ))
        parts.push(part);
    })().catch((error: unknown) => error);
    expect(parts).toMatchObject([{ type: 'text' }]);
    expect(failure).toMatchObject({ class: 'interrupted' });
  });

  test('/hang ends when aborted, at once and as aborted, and leaves no timer', async () => {
    const clock = createSimulatedClock();
    const controller = new AbortController();
    const waiting = collect(
      createLoopback({ clock }).stream(request([user('/hang')]), controller.signal),
    ).catch((error: unknown) => error);
    await clock.advanceAsync(59_000);
    controller.abort();
    expect(await waiting).toMatchObject({ class: 'aborted' });
    expect(clock.pending).toBe(0);
  });

  test('/hang is a timeout when nobody aborts it', async () => {
    const clock = createSimulatedClock();
    const waiting = collect(createLoopback({ clock }).stream(request([user('/hang')]), never())).catch(
      (error: unknown) => error,
    );
    await clock.advanceAsync(60_000);
    expect(await waiting).toMatchObject({ class: 'timeout' });
  });

  test('/drip takes its time between words and can be aborted between two of them', async () => {
    const clock = createSimulatedClock();
    const controller = new AbortController();
    const parts: ModelPart[] = [];
    const done = (async () => {
      for await (const part of createLoopback({ clock }).stream(
        request([user('/drip one two')]),
        controller.signal,
      ))
        parts.push(part);
    })().catch((error: unknown) => error);
    await clock.advanceAsync(4_000);
    expect(parts.length).toBe(2);
    controller.abort();
    expect(await done).toMatchObject({ class: 'aborted' });
    expect(clock.pending).toBe(0);
  });

  test('a drip slower than idleMs is a timeout', async () => {
    const clock = createSimulatedClock();
    const done = collect(
      createLoopback({ clock, dripMs: 5_000 }).stream(
        request([user('/drip a b')], { idleMs: 1_000 }),
        never(),
      ),
    ).catch((error: unknown) => error);
    await clock.advanceAsync(10_000);
    expect(await done).toMatchObject({ class: 'timeout' });
  });
});
