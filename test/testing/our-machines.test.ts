import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { AnyMachineSnapshot } from 'xstate';
import * as lane from '../../src/machines/lane.ts';
import type { SessionContext } from '../../src/machines/session-state.ts';
import * as session from '../../src/machines/session.ts';
import {
  coverageText,
  generate,
  isComplete,
  mergeCoverage,
  prove,
  STRATEGIES,
} from '../../src/testing/index.ts';

const laneInput = (incarnation: number): lane.LaneInput => ({
  name: 'main',
  maxConcurrent: 1,
  maxQueue: 1,
  incarnation,
  atMs: 1_000,
});
const child = { ...lane.examples['lane.request'], ticketId: 't9', ancestry: ['t3'] } as lane.LaneEvent;

const contextOf = (snapshot: AnyMachineSnapshot): SessionContext => snapshot.context as SessionContext;
const said = { messages: [], text: 'done', usage: null, attempts: 1, toolCalls: 0 };
const sessionOptions = {
  input: {
    sessionKey: 'k',
    path: 'sessions/k',
    incarnation: 1,
    agentId: 'main',
    lane: 'main',
    maxQueue: 1,
    idleMs: 60_000,
    turnTimeoutMs: 600_000,
    maxAsks: 1,
    atMs: 0,
  },
  examples: session.examples,
  outputs: {
    load: [{ sessionId: 's1', pending: [], more: false, atMs: 0 }],
    settle: (snapshot: AnyMachineSnapshot) => [
      {
        atMs: 1_500,
        messageIds: contextOf(snapshot).turn?.messages.map((one) => one.messageId) ?? [],
        askedAt: 1_500,
      },
    ],
    dismiss: (snapshot: AnyMachineSnapshot) => [
      { atMs: 1_500, messageIds: contextOf(snapshot).dismissed.map((one) => one.message.messageId) },
    ],
    change: [{ atMs: 1_500, existed: true, dropped: [] }],
    run: [
      { ...said, status: 'ok', stopReason: 'stop' },
      { ...said, status: 'undecided', question: 'again?', toolCallId: 'c', toolName: 't' },
    ],
  },
};

describe('our own machines, by their examples', () => {
  it('the lane: complete over its first and a later incarnation, every path walked live', () => {
    const [first, later] = [1, 2].map((incarnation) =>
      prove(lane.laneMachine, {
        input: laneInput(incarnation),
        examples: lane.examples,
        events: [...Object.values(lane.examples), child],
      }),
    );
    expect(first!.ok, String(first)).toBe(true);
    expect(later!.ok, String(later)).toBe(true);
    const both = mergeCoverage(first!.coverage, later!.coverage);
    expect(isComplete(both), coverageText([both])).toBe(true);
    expect(first!.generated.unhandled).toEqual([]);
  });

  it.each(STRATEGIES)('the lane: a live one follows what %s chooses', (strategy) => {
    const proof = prove(lane.laneMachine, {
      input: laneInput(2),
      examples: lane.examples,
      strategy,
      budget: { paths: 60 },
      expect: { context: 'full', actions: 'params' },
    });
    expect(proof.ok, String(proof)).toBe(true);
  });

  it('the session: its real size, with overlapping timers and failing stores, within seconds', () => {
    const proof = prove(session.sessionMachine, { ...sessionOptions, budget: { states: 1_000 } });
    expect(proof.ok, String(proof)).toBe(true);
    expect(proof.generated.paths.length).toBeLessThan(40);
    const hit = Object.values(proof.coverage.transitions).filter((hits) => hits > 0).length;
    expect(hit).toBeGreaterThan(75);
    expect(proof.generated.cut.map(({ what }) => what)).toEqual(['states']);
  });

  it('the session: long random walks hold, and the same seed walks the same way', () => {
    const walk = () =>
      prove(session.sessionMachine, {
        ...sessionOptions,
        strategy: 'random',
        walks: 30,
        seed: 5,
        budget: { pathSteps: 100 },
      });
    const proof = walk();
    expect(proof.ok, String(proof)).toBe(true);
    expect(JSON.stringify(walk().generated)).toBe(JSON.stringify(proof.generated));
  });
});

describe('the kit itself', () => {
  it('needs neither the gateway nor Node: it runs where a machine runs', () => {
    const folder = new URL('../../src/testing/', import.meta.url);
    const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
    const imported = files.flatMap((name) =>
      [
        ...readFileSync(new URL(name, folder), 'utf8').matchAll(
          /^(?:import|export) (?!type).*?from '([^']+)';/gms,
        ),
      ].map(([, from]) => from!),
    );
    const outside = new Set(imported.filter((from) => !from.startsWith('./')));
    expect(
      [...outside].filter(
        (from) => !['xstate', 'xstate/guards', '@xstate/graph', '../errors.ts', 'vitest'].includes(from),
      ),
    ).toEqual([]);
  });

  it('gives the same paths for a machine before and after another was generated', () => {
    const make = () =>
      JSON.stringify(generate(lane.laneMachine, { input: laneInput(1), examples: lane.examples }));
    const first = make();
    generate(session.sessionMachine, { ...sessionOptions, strategy: 'random', walks: 2 });
    expect(make()).toBe(first);
  });
});
