import { describe, expect, test } from 'vitest';
import { enterScreen } from '../../src/cli/render/screen.ts';
import { renderStatus } from '../../src/cli/render/status.ts';
import { paintFor, plain } from '../../src/cli/render/style.ts';
import { cells, cut, safe, span } from '../../src/cli/render/text.ts';
import { renderTree } from '../../src/cli/render/tree.ts';
import { treeNode } from '../fixtures/tree-node.ts';

const tree = treeNode('gateway', {
  kind: 'supervisor',
  children: [
    treeNode('gateway/control', {
      children: [treeNode('gateway/control/server', { state: 'listening', progressAgeMs: 1_200 })],
    }),
    treeNode('gateway/core', {
      progressAgeMs: 65_000,
      children: [
        treeNode('gateway/core/telegram', {
          status: 'backing-off',
          incarnation: 7,
          restarts: 6,
          progressAgeMs: 90_000,
        }),
        treeNode('gateway/core/slack', {
          status: 'parked',
          incarnation: 12,
          restarts: 11,
          queued: 3,
          progressAgeMs: 7_200_000,
        }),
      ],
    }),
  ],
});

describe('the tree', () => {
  test('stands in columns, and marks who is backing off or parked', () => {
    expect(renderTree(tree, { paint: plain, width: 200 })).toEqual([
      'actor             state        life  restarts  queued  progress',
      'gateway         ● running        #1         0       0       0ms',
      '├─ control      ● running        #1         0       0       0ms',
      '│  └─ server    ● listening      #1         0       0        1s',
      '└─ core         ● running        #1         0       0        1m',
      '   ├─ telegram  ↻ backing-off    #7         6       0        1m',
      '   └─ slack     ■ parked        #12        11       3        2h',
    ]);
  });

  test('fits the terminal: the state gives way first, then the name, and what is cut says so', () => {
    const lines = renderTree(tree, { paint: plain, width: 58 });
    expect(lines.every((line) => cells(line) <= 58)).toBe(true);
    expect(lines[5]).toBe('   ├─ teleg…  ↻ backing…    #7         6       0        1m');
  });

  test('is never wider than the terminal, however narrow', () => {
    for (let width = 1; width < 80; width += 1) {
      expect(renderTree(tree, { paint: plain, width }).filter((line) => cells(line) > width)).toEqual([]);
    }
  });

  test('colours the mark of who is well, and the whole line of who is not', () => {
    const lines = renderTree(tree, { paint: (colour, text) => `<${colour}>${text}</>`, width: 200 });
    expect(lines[1]).toMatch(/^gateway +<green>●<\/> running/);
    expect(lines[6]).toMatch(/^<red> {3}└─ slack.*2h<\/>$/);
  });

  test('shows a control character of a stranger as a box, and lets it do nothing', () => {
    const hostile = treeNode('gateway', {
      children: [treeNode('gateway/x', { id: 'evil\u001b[2J\u009b2Jname' })],
    });
    expect(renderTree(hostile, { paint: plain, width: 200 }).join('')).not.toMatch(/\p{Cc}/u);
  });
});

describe('text in cells', () => {
  test('counts wide characters twice and cuts between whole characters', () => {
    expect(cells('日本')).toBe(4);
    expect(cells('e\u0301')).toBe(1);
    expect(cut('日本語', 5)).toBe('日本…');
    expect(cut('日本語', 6)).toBe('日本語');
    expect(cut('abc', 0)).toBe('');
  });

  test('turns no direction of writing', () => {
    expect(safe('a\u202eb')).toBe('a\ufffdb');
  });

  test.each([
    [0, '0ms'],
    [999, '999ms'],
    [1_000, '1s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [3_600_000, '1h'],
    [172_800_000, '2d'],
    [-5, '0ms'],
  ])('%d ms is %s', (ms, text) => {
    expect(span(ms)).toBe(text);
  });
});

test('the status shows its grade with the reasons first', () => {
  const health = {
    grade: 'degraded' as const,
    reasons: ['channels/slack is parked'],
    channels: { slack: { state: 'parked' }, console: null },
    channelOrder: ['slack', 'console'],
    channelLabels: { slack: 'Slack' },
    sessions: { path: '', count: 3, recent: [] },
  };
  const view = { pid: 42, startedAt: 0, uptimeMs: 61_000, version: '0.1.0', protocol: 4, health };
  expect(renderStatus(view, 'http://127.0.0.1:1', plain)).toEqual([
    'degraded  coppice 0.1.0 at http://127.0.0.1:1',
    '  - channels/slack is parked',
    'process   42, up 1m',
    'sessions  3',
    'channel   Slack: parked',
    'channel   console: unknown',
  ]);
});

describe('colour', () => {
  test.each<[string, boolean, NodeJS.ProcessEnv, boolean]>([
    ['on a terminal', true, {}, true],
    ['not in a pipe', false, {}, false],
    ['not where NO_COLOR is set', true, { NO_COLOR: '1' }, false],
    ['not on a dumb terminal', true, { TERM: 'dumb' }, false],
  ])('%s', (_title, isTTY, env, coloured) => {
    expect(paintFor({ isTTY }, env)('red', 'x') !== 'x').toBe(coloured);
  });
});

describe('the alternate screen', () => {
  test('is left once, with the cursor back, whoever asks', () => {
    let written = '';
    const screen = enterScreen({ rows: 3, write: (text) => (written += text) });
    screen.leave();
    screen.leave();
    screen.draw(['late']);
    expect(written).toBe('\u001b[?1049h\u001b[?25l\u001b[?25h\u001b[?1049l');
  });

  test('draws what fits and says how much does not', () => {
    let written = '';
    const screen = enterScreen({ rows: 3, write: (text) => (written += text) });
    screen.draw(['a', 'b', 'c', 'd']);
    screen.leave();
    expect(written).toContain('a\u001b[K\nb\u001b[K\n… 2 more\u001b[K\u001b[J');
  });

  test('is left when the process exits in the middle', () => {
    const before = process.listenerCount('exit');
    const screen = enterScreen({ write: () => true });
    expect(process.listenerCount('exit')).toBe(before + 1);
    screen.leave();
    expect(process.listenerCount('exit')).toBe(before);
  });
});
