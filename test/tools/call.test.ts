import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { callTool, defineTool, type Tool, type ToolContext } from '../../src/tools/index.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';

const context = (signal = new AbortController().signal): ToolContext => ({
  agentId: 'main',
  sessionKey: 's',
  runId: 'r',
  toolCallId: 'c',
  workspace: '/nowhere',
  signal,
});
const tool = (run: Tool['run'], over: Partial<Tool> = {}): Tool =>
  defineTool({ name: 'probe', description: 'x', input: z.any(), idempotent: true, run, ...over });
const call = (run: Tool['run'], over: Partial<Tool> = {}, rawInput: unknown = {}) =>
  callTool(tool(run, over), rawInput, context(), { clock: createSimulatedClock() });

describe('input', () => {
  const strict = { input: z.object({ path: z.string(), depth: z.int().max(3).default(1) }) };

  test('valid input reaches the tool with its defaults', async () => {
    const { output } = await call(async (input) => input, strict, { path: 'a' });
    expect(output).toEqual({ path: 'a', depth: 1 });
  });

  test('invalid input tells the model which field is wrong, and the tool is not run', async () => {
    let ran = false;
    const result = await call(async () => (ran = true), strict, { path: 7, depth: 9 });
    expect(result.isError).toBe(true);
    expect(result.output).toMatch(/path/);
    expect(result.output).toMatch(/depth/);
    expect(ran).toBe(false);
  });

  test.each([null, undefined, 'text', 3, []])(
    '%o instead of an object is an error result too',
    async (rawInput) => {
      expect((await call(async () => 1, strict, rawInput)).isError).toBe(true);
    },
  );

  test('a schema that throws is the failure of the call, not of the run', async () => {
    const input = z.any().transform(() => {
      throw new Error('bad schema');
    });
    expect(await call(async () => 1, { input })).toMatchObject({
      isError: true,
      output: expect.stringContaining('bad schema'),
    });
  });
});

describe('output', () => {
  test.each([
    ['text', 'text'],
    [{ a: [1, null] }, { a: [1, null] }],
    [undefined, null],
    [null, null],
    [0, 0],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
  ])('%o goes to the model as %o', async (value, expected) =>
    expect(await call(async () => value)).toEqual({ output: expected, isError: false }),
  );

  test('64 KiB pass whole, one byte more is cut with a note', async () => {
    const fits = 'x'.repeat(65_536);
    expect((await call(async () => fits)).output).toBe(fits);
    const { output } = await call(async () => `${fits}y`);
    expect(output).toBe(`${fits}\n[cut: 65537 bytes in all, 65536 shown]`);
  });

  test('a cut never halves a character', async () => {
    const { output } = await call(async () => `a${'€'.repeat(40_000)}`);
    expect(output).not.toContain('\ufffd');
    expect(String(output)).toMatch(/^a€+\n\[cut: 120001 bytes in all/);
  });

  test('JSON that is too long becomes the beginning of its text', async () => {
    const { output } = await call(async () => Array.from({ length: 30_000 }, (_, index) => index));
    expect(String(output)).toMatch(/^\[0,1,2,/);
    expect(Buffer.byteLength(String(output))).toBeLessThan(66_000);
  });

  test('a tool may ask for more room', async () => {
    const long = 'x'.repeat(100_000);
    expect((await call(async () => long, { maxOutputBytes: 200_000 })).output).toBe(long);
  });

  test('what is no JSON is an error result', async () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    expect((await call(async () => loop)).isError).toBe(true);
    expect((await call(async () => 10n)).isError).toBe(true);
  });
});

describe('failures and time', () => {
  test.each<[string, Tool['run'], RegExp]>([
    ['a rejection', async () => Promise.reject(new Error('no luck')), /no luck/],
    [
      'a throw before the first await',
      () => {
        throw new Error('at once');
      },
      /at once/,
    ],
    [
      'a thrown string',
      async () => {
        throw 'just text';
      },
      /just text/,
    ], // oxlint-disable-line no-throw-literal
    [
      'a throw of nothing',
      async () => {
        throw undefined;
      },
      /undefined/,
    ], // oxlint-disable-line no-throw-literal
    [
      'an error without a message',
      async () => {
        throw new Error('');
      },
      /without a message/,
    ],
  ])('%s becomes an error result that names the tool', async (_name, run, expected) => {
    const { output, isError } = await call(run);
    expect(isError).toBe(true);
    expect(output).toMatch(expected);
    expect(output).toMatch(/"probe" failed/);
  });

  test('an endless error message is cut', async () => {
    const { output } = await call(async () => Promise.reject(new Error('x'.repeat(100_000))));
    expect(String(output).length).toBeLessThan(5_000);
  });

  test('a tool that ignores its signal still ends at its timeout, and its late throw harms nobody', async () => {
    const clock = createSimulatedClock();
    let fail: (error: Error) => void = () => {};
    let seen: AbortSignal | undefined;
    const run: Tool['run'] = (_input, { signal }) => {
      seen = signal;
      return new Promise((_resolve, reject) => (fail = reject));
    };
    const result = callTool(tool(run, { timeoutMs: 5_000 }), {}, context(), { clock });
    await clock.advanceAsync(4_999);
    expect(seen?.aborted).toBe(false);
    await clock.advanceAsync(1);
    expect(await result).toMatchObject({ isError: true, output: expect.stringContaining('within 5000 ms') });
    expect(seen?.aborted).toBe(true);
    fail(new Error('too late'));
    await clock.settle();
    expect(clock.pending).toBe(0);
  });

  test('the shorter of the two limits counts, and without any it is a minute', async () => {
    for (const [own, left, expected] of [
      [5_000, 2_000, 2_000],
      [1_000, 2_000, 1_000],
      [undefined, undefined, 60_000],
    ] as const) {
      const clock = createSimulatedClock();
      const over = own === undefined ? {} : { timeoutMs: own };
      const result = callTool(
        tool(() => new Promise(() => {}), over),
        {},
        context(),
        { clock, ...(left === undefined ? {} : { timeoutMs: left }) },
      );
      await clock.advanceAsync(expected);
      expect((await result).output).toContain(`within ${expected} ms`);
    }
  });

  test('an abort from outside rejects at once with its reason, even if the tool ignores it', async () => {
    const clock = createSimulatedClock();
    const controller = new AbortController();
    const reason = new Error('the user pressed stop');
    const result = callTool(
      tool(() => new Promise(() => {})),
      {},
      context(controller.signal),
      { clock },
    ).catch((error: unknown) => error);
    await clock.settle();
    controller.abort(reason);
    expect(await result).toBe(reason);
    expect(clock.pending).toBe(0);
  });

  test('an abort in front of the call rejects without running the tool', async () => {
    let ran = false;
    const result = callTool(
      tool(async () => (ran = true)),
      {},
      context(AbortSignal.abort('why not')),
      { clock: createSimulatedClock() },
    );
    await expect(result).rejects.toMatchObject({ name: 'AbortError' });
    expect(ran).toBe(false);
  });

  test('a good call leaves no timer and no listener', async () => {
    const clock = createSimulatedClock();
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = ((...args: Parameters<typeof add>) => (
      (listeners += 1),
      add(...args)
    )) as typeof add;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => (
      (listeners -= 1),
      remove(...args)
    )) as typeof remove;
    await callTool(
      tool(async () => 1),
      {},
      context(signal),
      { clock },
    );
    expect(clock.pending).toBe(0);
    expect(listeners).toBe(0);
  });
});
