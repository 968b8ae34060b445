import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createActor } from 'xstate';
import type { AnyStateMachine, SnapshotFrom } from 'xstate';
import type { Deps } from '../../src/actors/deps.ts';
import type { Fact, FactType } from '../../src/bus/events.ts';
import type { Channel, RunSignal } from '../../src/channels/index.ts';
import { createIds } from '../../src/host/index.ts';
import type { Offer } from '../../src/server/port.ts';
import { openAttachments, openStore } from '../../src/store/index.ts';
import type { Statement, StatementResult } from '../../src/store/index.ts';
import { createSupervision } from '../../src/supervisor/index.ts';
import type { ChildSpec, SupervisorSpec } from '../../src/supervisor/index.ts';
import { createSimulatedClock } from '../../src/testing/clock.ts';

type Commit = (statements: readonly Statement[]) => Promise<StatementResult[]>;

/** Patient on purpose: no machine of a test makes us wait this long, unless something hangs. */
const PATIENCE = 20_000;

/**
 * A part of the gateway's tree over a real store in a temporary directory, on a simulated clock. `house.commit`
 * may be replaced, to let the store fail under somebody.
 */
export async function openHouse(channels: readonly Channel[] = []) {
  const dir = await mkdtemp(join(tmpdir(), 'coppice-house-'));
  const opened = await openStore({ dir, owner: 'test' });
  const clock = createSimulatedClock();
  const [facts, signals, dead]: [Fact[], RunSignal[], string[]] = [[], [], []];
  const reports: string[] = [];
  const strays: unknown[] = [];
  const supervision = createSupervision({
    clock,
    random: () => 0.5,
    report: ({ childPath, body }) => reports.push(`${body.type} ${childPath}`),
    deadLetter: (to, event) => dead.push(`${to} ${event.type}`),
  });
  const commits: { real: Commit; now: Commit } = { real: opened.commit, now: opened.commit };
  const deps: Deps = {
    clock,
    random: () => 0.5,
    ids: createIds(),
    registry: supervision.registry,
    store: {
      statements: opened.statements,
      read: opened.read,
      commit: (statements) => commits.now(statements),
      close: opened.close,
    },
    attachments: openAttachments({ dir: join(dir, 'attachments'), onFault: (error) => strays.push(error) }),
    report: (fact) => void facts.push(fact),
    startChild: (path, spec) => (supervision.startChild(path, spec) === 'pending' ? 'already' : 'started'),
    nested: supervision.nested,
    signal: (signal) => void signals.push(signal),
    providers: new Map(),
    tools: new Map(),
    channels: new Map(channels.map((channel) => [channel.name, channel])),
  };
  let stop: (() => void) | undefined;

  const until = async (what: string, is: () => boolean): Promise<void> => {
    const end = performance.now() + PATIENCE;
    while (!is()) {
      if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
      await clock.settle();
    }
  };

  return {
    deps,
    clock,
    facts,
    reports,
    /** Files that could not be removed. */
    strays,
    dead,
    supervision,
    until,
    store: opened,
    /** Starts `core` with these children; a nested list is a supervisor of its own. */
    async start(
      children: Readonly<Record<string, readonly ChildSpec[] | ChildSpec>>,
      spec: Partial<SupervisorSpec> = {},
    ): Promise<void> {
      const limits = { strategy: 'one_for_one', intensity: 3, periodMs: 60_000, ...spec } as const;
      const core = Object.entries(children).map(([id, child]): ChildSpec =>
        'logic' in child
          ? child
          : {
              id,
              type: 'supervisor',
              logic: supervision.supervisor({ ...limits, children: child as readonly ChildSpec[] }),
            },
      );
      const root = supervision.supervisor({
        ...limits,
        children: [
          { id: 'core', type: 'supervisor', logic: supervision.supervisor({ ...limits, children: core }) },
        ],
      });
      const ref = createActor(root, {
        clock,
        input: { path: 'gateway', incarnation: 1 },
        inspect: (inspected) => {
          if (inspected.type !== '@xstate.action' || inspected.action.type !== 'xstate.emit') return;
          facts.push((inspected.action.params as { event: Fact }).event);
        },
      });
      supervision.root(ref, 'gateway');
      ref.subscribe({ error: () => undefined });
      ref.start();
      stop = () => ref.stop();
      await clock.settle();
    },
    /** The snapshot of the machine at `path`. */
    at: <M extends AnyStateMachine>(path: string, _machine?: M): SnapshotFrom<M> =>
      supervision.registry.peek(path) as SnapshotFrom<M>,
    crash: async (path: string): Promise<void> => {
      supervision.kill(path, { by: 'test', count: true });
      await clock.settle();
    },
    factsOf: (type: FactType): Fact[] => facts.filter((fact) => fact.type === type),
    /** The next commits go here; `undefined` gives the store back. */
    failCommits(
      commit: ((real: Commit, statements: readonly Statement[]) => Promise<StatementResult[]>) | undefined,
    ): void {
      commits.now = commit ? (statements) => commit(commits.real, statements) : commits.real;
    },
    async close(): Promise<void> {
      stop?.();
      await opened.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
export type House = Awaited<ReturnType<typeof openHouse>>;

export const offerOf = (platformId: string, more: Partial<Offer> = {}): Offer => ({
  runId: `run-${platformId}`,
  sessionKey: 'agent:main:main',
  agentId: 'main',
  channel: 'webchat',
  account: 'default',
  platformId,
  source: 'user',
  text: `message ${platformId}`,
  options: {},
  ...more,
});
