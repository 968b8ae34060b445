import { describe, expect, it } from 'vitest';
import { explain, type Subject } from '../../src/health/index.ts';
import type { TreeNode } from '../../src/supervisor/index.ts';
import { treeNode } from '../fixtures/tree-node.ts';

const NOW = 1_000_000;
const SESSION = 'gateway/core/work/sessions/agent:main:main';
const codes = (subject: Partial<Subject> & { node: TreeNode | undefined }): string[] =>
  explain({ path: subject.node?.path ?? SESSION, context: {}, now: NOW, ...subject }).map((f) => f.code);
const words = (subject: Partial<Subject> & { node: TreeNode | undefined }): string =>
  explain({ path: subject.node?.path ?? SESSION, context: {}, now: NOW, ...subject })
    .map((f) => f.text)
    .join(' | ');

it('a suspended actor says so first, and how much waits', () => {
  const subject = { node: treeNode('gateway/core/gate', { held: 3 }) };
  expect(codes(subject)[0]).toBe('SUSPENDED');
  expect(words(subject)).toMatch(/suspended by an operator; 3 events wait/);
});

describe('a session', () => {
  it('that is not alive says what brings it to life', () => {
    expect(words({ node: undefined })).toMatch(/next message/);
  });

  it('that waits for a ticket names its lane, who is in front, and what queues behind', () => {
    const subject = {
      node: treeNode(SESSION, { state: 'processing.turn.requesting', queued: 3 }),
      context: { input: { lane: 'main' } },
      lane: { maxConcurrent: 8, holders: { a: {}, b: {} }, queue: [1] },
    };
    expect(codes(subject)).toEqual(['WAITS_FOR_TICKET', 'QUEUED']);
    expect(words(subject)).toMatch(/lane main; 2 of 8 tickets are out, 1 wait.*3 wait behind/);
  });

  it('that runs names the model, since when, and the deadline that ends it', () => {
    const subject = {
      node: treeNode(SESSION, { state: 'processing.turn.running' }),
      context: { turn: { startedAt: NOW - 5_000, deadlineAt: NOW + 60_000 } },
      run: {
        state: 'attempting',
        context: {
          prepared: { candidates: [{ provider: 'local', model: 'm' }] },
          asking: { candidate: 0 },
          progressAt: NOW - 2_000,
        },
      },
    };
    expect(codes(subject)).toEqual(['MODEL_CALL', 'RUN_ACTIVE', 'DEADLINE']);
    expect(words(subject)).toMatch(
      /local\/m; last sign of it 2\.0 s ago.*since 5\.0 s.*ends by itself in 1 min/,
    );
  });

  it('that asked a question says how it is answered', () => {
    const subject = {
      node: treeNode(SESSION, { state: 'waiting' }),
      context: { question: { askedAt: NOW - 1_000 } },
    };
    expect(words(subject)).toMatch(/retry or skip/);
  });
});

describe('anybody else', () => {
  it('parked: why, and what brings it back, before anything else', () => {
    const subject = {
      node: treeNode('gateway/core/edge/channels', { status: 'parked', restarts: 4 }),
      lastReport: 'error: no route',
    };
    expect(codes(subject)[0]).toBe('PARKED');
    expect(words(subject)).toMatch(/no route/);
  });

  it('parked by an operator: it says so, and does not promise a probe', () => {
    const text = words({ node: treeNode('gateway/x', { status: 'parked' }), lastReport: 'operator' });
    expect(text).toMatch(/by an operator; `coppice unpark gateway\/x`/);
    expect(text).not.toMatch(/by itself/);
  });

  it('a supervisor names its troubled children; a quiet one says it runs', () => {
    const bad = [
      treeNode('g/w/a', { status: 'parked' }),
      treeNode('g/w/b', { status: 'backing-off' }),
      treeNode('g/w/c'),
    ];
    expect(codes({ node: treeNode('g/w', { kind: 'supervisor', children: bad }) })).toEqual([
      'CHILD_PARKED',
      'CHILD_BACKING_OFF',
    ]);
    expect(codes({ node: treeNode('g/w', { kind: 'supervisor' }) })).toEqual(['RUNNING']);
  });

  it('a gate that is shut says why, a lane that is full says how full, a provider that cools says until when', () => {
    expect(
      words({ node: treeNode('g/gate', { state: 'draining' }), context: { reason: 'a restart' } }),
    ).toMatch(/a restart/);
    expect(
      words({
        node: treeNode('g/lanes/main'),
        context: { queue: [1], holders: { a: {} }, maxConcurrent: 1 },
      }),
    ).toMatch(/1 of 1/);
    expect(
      words({
        node: treeNode('g/models/x', { state: 'cooling' }),
        context: { untilAt: NOW + 30_000, class: 'rate_limit' },
      }),
    ).toMatch(/30\.0 s.*rate_limit/);
  });
});
