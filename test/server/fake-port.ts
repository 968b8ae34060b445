/** A gateway made of maps: everything the server reads, and levers for what a real one would do by itself. */
import type { Envelope } from '../../src/bus/events.ts';
import type { RunSignal } from '../../src/channels/contract.ts';
import { CoppiceError } from '../../src/errors.ts';
import type { GatewayPort, HealthView, Offer } from '../../src/server/port.ts';
import type { Attachment, InboxRow, RunRow, StoredTranscriptRow } from '../../src/store/contract.ts';
import { treeNode as node } from '../fixtures/tree-node.ts';

type Unsealed<T> = T extends RunSignal ? Omit<T, 'runId' | 'sessionKey' | 'seq' | 'ts'> : never;

export function createFakePort(now: () => number = Date.now) {
  const runs = new Map<string, RunRow>();
  const waiting = new Map<string, Set<(run: RunRow | undefined) => void>>();
  const signals = new Set<(signal: RunSignal) => void>();
  const facts = new Set<(fact: Envelope) => void>();
  const factWatchers = new Set<(fact: Envelope) => void>();
  let seq = 0;
  const state = {
    offers: [] as Offer[],
    /** Of each offer, as they were sent. */
    attachments: [] as Attachment[][],
    hook: (async (name) => {
      throw new CoppiceError('HOOK_NOT_FOUND', { name });
    }) as GatewayPort['hook'],
    offerError: undefined as Error | undefined,
    /** While set, `offer` does not resolve: the commit is under way. */
    commit: undefined as Promise<void> | undefined,
    transcript: new Map<string, StoredTranscriptRow[]>(),
    pending: [] as InboxRow[],
    ready: true,
    live: true,
    grade: 'ok' as HealthView['grade'],
    healthAsked: 0,
    healthError: undefined as Error | undefined,
    resets: 0,
    kills: [] as { path: string; by: string; count?: boolean }[],
    held: [] as { path: string; order: string }[],
    facts: [] as Envelope[],
    filters: [] as object[],
    restarts: [] as { reason: string; by?: string; force?: boolean }[],
    /** The crash, one turn after the answer. */
    onKill: (): void => {},
    tree: node('gateway', {
      kind: 'supervisor',
      children: [node('gateway/watch'), node('gateway/core', { children: [node('gateway/core/gate')] })],
    }),
  };
  const port: GatewayPort = {
    version: '0.1.0-test',
    startedAt: now(),
    stateDir: '/state',
    configPath: undefined,
    now,
    newId: () => `id-${(seq += 1)}`,
    async offer(offer, attachments = []) {
      await state.commit;
      if (state.offerError) throw state.offerError;
      const known = runs.get(offer.runId);
      if (known) return { kind: 'known', runId: offer.runId, run: known };
      state.offers.push(offer);
      state.attachments.push([...attachments]);
      runs.set(offer.runId, {
        runId: offer.runId,
        sessionKey: offer.sessionKey,
        status: 'accepted',
        acceptedAt: now(),
      });
      return { kind: 'accepted', runId: offer.runId, at: now() };
    },
    hook: (name, request) => state.hook(name, request),
    async abort({ sessionKey, runId }) {
      const active = [...runs.values()].filter(
        (run) =>
          run.sessionKey === sessionKey && run.status === 'accepted' && (!runId || run.runId === runId),
      );
      for (const run of active) settle(run.runId, { status: 'aborted' });
      return { aborted: active.length > 0, runIds: active.map((run) => run.runId) };
    },
    waitRun(runId, timeoutMs) {
      const run = runs.get(runId);
      if (!run) return Promise.reject(new CoppiceError('RUN_NOT_FOUND', { runId }));
      if (run.status !== 'accepted') return Promise.resolve(run);
      return new Promise((resolve) => {
        const waiters = waiting.get(runId) ?? new Set();
        waiting.set(runId, waiters.add(resolve));
        setTimeout(() => resolve(undefined), timeoutMs).unref();
      });
    },
    run: (runId) => runs.get(runId),
    session: () => undefined,
    sessions: ({ limit = 100 } = {}) =>
      [
        {
          sessionKey: 'agent:main:main',
          sessionId: 's1',
          agentId: 'main',
          createdAt: 1,
          updatedAt: 2,
          messageCount: 3,
        },
      ].slice(0, limit),
    history: (sessionKey, limit) => ({
      sessionId: state.transcript.has(sessionKey) ? 's1' : null,
      rows: (state.transcript.get(sessionKey) ?? []).slice(-limit),
      pending: state.pending.filter((row) => row.sessionKey === sessionKey),
    }),
    resetSession: async () => ({ sessionId: `fresh-${(state.resets += 1)}` }),
    deleteSession: async (sessionKey) => ({ deleted: state.transcript.delete(sessionKey) }),
    models: () => [{ id: 'loopback', provider: 'loopback' }],
    modelNames: () => ({ listed: ['loopback/echo', 'local/small'], open: ['anything'] }),
    agents: () => [
      { id: 'main', default: true },
      { id: 'helper', default: false },
    ],
    tree: () => state.tree,
    explain: (path) => ({
      path,
      node: undefined,
      findings: [{ code: 'IDLE', text: 'it waits for work' }],
      detail: {},
    }),
    kill(path, { by, count }) {
      if (path === 'gateway')
        throw new CoppiceError('ACTOR_REFUSES', { path, operation: 'kill', reason: 'it is the root' });
      if (!path.startsWith('gateway/')) throw new CoppiceError('ACTOR_NOT_FOUND', { path });
      state.kills.push({ path, by, ...(count === undefined ? {} : { count }) });
      setImmediate(() => state.onKill());
      return { path, incarnation: 1 };
    },
    async park(path) {
      if (path === 'gateway')
        throw new CoppiceError('ACTOR_REFUSES', { path, operation: 'park', reason: 'it is the root' });
      state.held.push({ path, order: 'park' });
      return { path, incarnation: 1 };
    },
    async unpark(path) {
      state.held.push({ path, order: 'unpark' });
      return { path, incarnation: 2 };
    },
    facts: ({ limit = 1_000 }) => state.facts.slice(-limit),
    watchFacts(filter, listener) {
      state.filters.push(filter);
      factWatchers.add(listener);
      return () => void factWatchers.delete(listener);
    },
    machines: () => [{ name: 'gate', states: 4, events: 5, effects: 1 }],
    machine: (name) =>
      name === 'gate' ? { name, states: [], events: ['gate.open'], effects: [] } : undefined,
    restartStatus: () => ({
      state: state.restarts.length > 0 ? 'deferring' : 'idle',
      kind: state.restarts.length > 0 ? 'restart' : null,
      reason: state.restarts.at(-1)?.reason ?? '',
      requests: state.restarts.length,
      pending: 0,
      restartedAt: null,
    }),
    requestStop() {},
    requestRestart: (reason, options) => void state.restarts.push({ reason, ...options }),
    health() {
      state.healthAsked += 1;
      if (state.healthError) throw state.healthError;
      return {
        ok: state.grade !== 'failing',
        grade: state.grade,
        reasons: state.grade === 'ok' ? [] : ['the store is slow'],
        ts: Math.round(now()),
        durationMs: 1,
        channels: {},
        channelOrder: [],
        channelLabels: {},
        heartbeatSeconds: 1_800,
        defaultAgentId: 'main',
        agents: [{ agentId: 'main' }],
        sessions: { path: '/state', count: 1, recent: [] },
      };
    },
    readiness: () => ({ ready: state.ready, reasons: state.ready ? [] : ['gateway/core is starting'] }),
    live: () => state.live,
    onRunSignal: (listener) => (signals.add(listener), () => void signals.delete(listener)),
    onFact: (listener) => (facts.add(listener), () => void facts.delete(listener)),
  };
  const settle = (runId: string, outcome: Partial<RunRow> & Pick<RunRow, 'status'>): void => {
    const run = { ...runs.get(runId)!, endedAt: now(), ...outcome };
    runs.set(runId, run);
    for (const resolve of waiting.get(runId) ?? []) resolve(run);
  };
  let signalSeq = 0;
  const say = (runId: string, signal: Unsealed<RunSignal>, sessionKey = 'agent:main:main'): void => {
    signalSeq += 1;
    for (const listener of signals)
      listener({ runId, sessionKey, seq: signalSeq, ts: now(), ...signal } as RunSignal);
  };
  const fact = (severity: Envelope['severity'] = 'info'): void => {
    for (const listener of facts)
      listener({ seq: 1, ts: now(), type: 'gate.opened', severity, data: {} } as Envelope);
  };
  const watched = (fact: Envelope): void => {
    for (const listener of factWatchers) listener(fact);
  };
  return {
    port,
    watched,
    watchers: () => factWatchers.size,
    state,
    runs,
    settle,
    say,
    fact,
    listeners: () => signals.size + facts.size,
  };
}

export type FakePort = ReturnType<typeof createFakePort>;
