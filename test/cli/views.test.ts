import { describe, expect, test } from 'vitest';
import { ratiosOf, quantile, summary } from '../../src/cli/bench/measure.ts';
import { clockMs, usageOf } from '../../src/cli/process-usage.ts';
import { renderBench } from '../../src/cli/render/bench.ts';
import { renderFact } from '../../src/cli/render/fact.ts';
import { renderMachine } from '../../src/cli/render/machine.ts';
import { renderHistory, renderSessions } from '../../src/cli/render/sessions.ts';
import { plain } from '../../src/cli/render/style.ts';
import { table } from '../../src/cli/render/table.ts';
import { treePath } from '../../src/cli/tree-path.ts';

describe('a table', () => {
  test('sets numbers to the right and words to the left, and ends no line with blanks', () => {
    expect(
      table(
        ['name', 'count'],
        [
          ['a', '10'],
          ['long name', '7'],
        ],
        plain,
      ),
    ).toEqual(['name       count', 'a             10', 'long name      7']);
  });

  test('counts cells, not characters', () => {
    const [, wide, narrow] = table(
      ['x', 'y'],
      [
        ['日本', 'b'],
        ['abcd', 'b'],
      ],
      plain,
    );
    expect(wide).toBe('日本  b');
    expect(narrow).toBe('abcd  b');
  });
});

describe('a path as people type it', () => {
  test.each([
    ['gateway', 'gateway'],
    ['gateway/core', 'gateway/core'],
    ['core/gate/', 'gateway/core/gate'],
    ['gateway2', 'gateway/gateway2'],
  ])('%s is %s', (given, path) => expect(treePath(given)).toBe(path));
});

describe('sessions', () => {
  const row = { key: 'a\u001b[2J', agentId: 'main', updatedAt: 1_000, messageCount: 3 };

  test('are listed with their age, and cannot write to the terminal', () => {
    expect(renderSessions([row], 61_000, plain).join('\n')).toMatch(/a\ufffd\[2J +main +3 +1m ago/);
  });

  test('when there is none, say what begins one', () => {
    expect(renderSessions([], 0, plain)).toEqual(['no session yet; `coppice chat` begins one']);
  });

  test('show words, tool calls, what waits, and what was left out', () => {
    const text = (role: string, words: string, more = {}) => ({
      role,
      content: [{ type: 'text', text: words }],
      timestamp: 0,
      ...more,
    });
    const call = [{ type: 'tool-call', toolName: 'list', input: { path: '.' } }];
    const result = [{ type: 'tool-result', toolName: 'list', isError: true }];
    const lines = renderHistory(
      {
        sessionKey: 's',
        sessionId: '1',
        omitted: 4,
        messages: [
          text('user', 'one\ntwo\u0007'),
          { role: 'assistant', content: call, timestamp: 0 },
          { role: 'tool', content: result, timestamp: 0 },
          text('user', 'later', { pending: true }),
        ],
      },
      plain,
    );
    expect(lines).toEqual([
      's',
      '… 4 older messages',
      'user  1970-01-01 00:00:00',
      '  one',
      '  two\ufffd',
      'assistant  1970-01-01 00:00:00',
      '  · list {"path":"."}',
      'tool  1970-01-01 00:00:00',
      '  · list failed',
      'user  1970-01-01 00:00:00  not answered yet',
      '  later',
    ]);
  });
});

test('a fact is one line, whatever its fields hold', () => {
  const data = { reason: 'two\nlines', path: 'gateway/core', count: 3, error: { message: 'x' } };
  const fact = {
    seq: 1,
    ts: 0,
    type: 'actor.fault',
    severity: 'error',
    path: 'gateway',
    incarnation: 2,
    data,
  } as const;
  expect(renderFact(fact, plain)).toBe(
    String.raw`00:00:00.000 actor.fault  gateway#2  reason="two\nlines" path=gateway/core count=3 error={"message":"x"}`,
  );
});

test('a machine is an outline of its states with their ways out', () => {
  const lines = renderMachine(
    {
      name: 'door',
      states: [
        { path: '', type: 'compound', initial: 'shut', transitions: [], invokes: ['watch'] },
        {
          path: 'shut',
          type: 'atomic',
          transitions: [
            { on: 'knock', targets: ['open'], guarded: true },
            { on: 'ring', targets: [], guarded: false },
          ],
          invokes: [],
        },
        { path: 'open', type: 'final', transitions: [], invokes: [] },
      ],
      events: ['knock', 'ring'],
      effects: [{ name: 'watch', kind: 'actor' }],
    },
    plain,
  );
  expect(lines).toEqual([
    'door',
    '(any state of door)  begins in shut  runs watch',
    '  shut',
    '      knock [if] > open',
    '      stays on ring',
    '  open [final]',
    '',
    'hears   knock, ring',
    'needs   watch (actor)',
  ]);
});

describe('a measurement', () => {
  test.each([
    [[1], 0.99, 1],
    [[1, 2], 0.5, 1],
    [[1, 2, 3, 4], 0.99, 4],
    [Array.from({ length: 100 }, (_, at) => at + 1), 0.99, 99],
  ])('of %j: the share %d does not exceed %d', (sorted, share, value) => {
    expect(quantile(sorted, share)).toBe(value);
  });

  const usage = (cpuMs: number) => ({ cpuMs, rssBytes: 104_857_600 });
  const turn = summary([30, 10, 20, 40], 100, usage(10), usage(50));

  test('counts what was used for each, and per second', () => {
    expect(turn).toEqual({ count: 4, perSecond: 40, p50Ms: 20, p99Ms: 40, cpuMsEach: 10, rssMb: 100 });
  });

  test('is set beside its floor, and what is not known stays unknown', () => {
    const floor = summary([1, 1], 10, undefined, undefined);
    expect(floor).toMatchObject({ perSecond: 200, cpuMsEach: null, rssMb: null });
    const ratios = ratiosOf(turn, floor);
    expect(ratios).toEqual({ throughput: 5, p50: 20, p99: 40, cpu: null, rss: null });
    const lines = renderBench({ connections: 2, turn, floor, ratios }, plain).join('\n');
    expect(lines).toMatch(/p50 ms +20 +1 +x 20/);
    expect(lines).toMatch(/CPU ms each +10 +unknown +unknown/);
  });

  test('of this very process sees it work, and of none at all is unknown', async () => {
    const before = await usageOf(process.pid);
    // More than a tick of the clock that is read, in its own time: on a busy machine much more passes on the wall.
    const begun = process.cpuUsage();
    while (process.cpuUsage(begun).user < 60_000);
    const after = await usageOf(process.pid);
    expect(after!.cpuMs).toBeGreaterThan(before!.cpuMs);
    expect(after!.rssBytes).toBeGreaterThan(1_048_576);
    expect(await usageOf(2 ** 30)).toBeUndefined();
  });

  test.each([
    ['00:00:01', 1_000],
    ['0:01.50', 1_500],
    ['1:00:00', 3_600_000],
  ])('reads the time %s', (time, ms) => expect(clockMs(time)).toBe(ms));
});
