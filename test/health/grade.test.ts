import { describe, expect, it } from 'vitest';
import { grade, whyNotReady, type Evidence } from '../../src/health/grade.ts';
import type { NodeStatus, TreeNode } from '../../src/supervisor/index.ts';
import { treeNode } from '../fixtures/tree-node.ts';

const node = (path: string, status: NodeStatus = 'running', children: TreeNode[] = []): TreeNode =>
  treeNode(path, { status, children });
const work = (overrides: Record<string, NodeStatus> = {}): TreeNode =>
  node(
    'gateway',
    'running',
    ['sessions', 'lanes', 'lanes/main', 'ingress', 'outbox'].map((id) =>
      node(`gateway/core/work/${id}`, overrides[id] ?? 'running'),
    ),
  );
const healthy: Evidence = {
  tree: work(),
  gate: 'open',
  storeOpen: true,
  providers: [{ name: 'loopback', state: 'ready' }],
  stopping: false,
};

describe('readiness is green only if a turn can complete', () => {
  it('all well: ready and ok', () => {
    expect([whyNotReady(healthy), grade(healthy)]).toEqual([[], { grade: 'ok', reasons: [] }]);
  });

  for (const [what, change, reason] of [
    ['the store restarts', { storeOpen: false }, /^store:/],
    ['the gate is closed', { gate: 'closed' }, /^gate: closed/],
    ['the gate is dead', { gate: '' }, /^gate: not running/],
    [
      'the lane of ordinary turns is held down',
      { tree: work({ 'lanes/main': 'parked' }) },
      /^lane main: parked/,
    ],
    [
      'the way in of WebSocket clients is held down',
      {
        tree: node('gateway', 'running', [
          work(),
          node('gateway/core/edge', 'running', [
            node('gateway/core/edge/channels/webchat/inbound', 'parked'),
          ]),
        ]),
      },
      /^chat: gateway\/core\/edge\/channels\/webchat\/inbound is parked/,
    ],
    ['sessions back off', { tree: work({ sessions: 'backing-off' }) }, /^sessions: backing-off/],
    ['it stops', { stopping: true }, /^stopping:/],
    [
      'every provider cools',
      {
        providers: [
          { name: 'a', state: 'cooling' },
          { name: 'b', state: 'cooling' },
        ],
      },
      /^models: .*a, b/,
    ],
  ] as const) {
    it(`not while ${what}, and the reason says so`, () => {
      const graded = grade({ ...healthy, ...change });
      expect(graded.grade).toBe('failing');
      expect(graded.reasons[0]).toMatch(reason);
    });
  }

  it('degraded while something is parked or one of two providers cools, with the reasons', () => {
    const graded = grade({
      ...healthy,
      tree: work({ outbox: 'parked' }),
      providers: [
        { name: 'a', state: 'cooling' },
        { name: 'b', state: 'ready' },
      ],
    });
    expect(graded).toEqual({
      grade: 'degraded',
      reasons: ['parked: gateway/core/work/outbox is held down', 'cooling: provider a'],
    });
  });
});
