import type { RunSignal } from '../channels/contract.ts';
import type { Webhook } from '../channels/index.ts';
import { CoppiceError } from '../errors.ts';
import { createFactPort } from './facts.ts';
import { createHookPort } from './hooks.ts';
import { describeMachine, listMachines } from './machines.ts';
import { modelRows } from './models.ts';
import { explain, grade, whyNotReady, type Evidence } from '../health/index.ts';
import { WEBSOCKET_CHANNEL } from '../server/index.ts';
import type { Accepted, GatewayPort, HealthView, Offer, RestartView, TurnOptions } from '../server/port.ts';
import type { Attachment, FileContent } from '../store/contract.ts';
import type { Supervision, TimerHandle, TreeNode } from '../supervisor/index.ts';
import type { Bus } from '../bus/index.ts';
import type { Deps } from '../actors/deps.ts';
import type { Door } from '../actors/door.ts';
import { profileState } from '../actors/models.ts';
import type { RestartContext } from '../machines/restart.ts';
import type { Candidate } from '../machines/turn.ts';
import { lanePath, PATHS, sessionPath } from '../actors/paths.ts';
import type { SessionsDoor } from '../actors/sessions.ts';

/** What the port needs to know beyond the actors. */
export interface PortFacts {
  readonly version: string;
  readonly startedAt: number;
  readonly stateDir: string;
  readonly configPath: string | undefined;
  readonly agents: readonly { readonly id: string; readonly name?: string; readonly default: boolean }[];
  readonly heartbeatSeconds: number;
  /** Providers the default agent may use. */
  readonly providers: readonly string[];
  /** What the default agent asks, in that order. */
  readonly candidates: readonly Candidate[];
  /** Every agent's own models, "provider/model". */
  readonly models: readonly string[];
}

export interface PortDeps extends Pick<
  Deps,
  'clock' | 'ids' | 'registry' | 'store' | 'attachments' | 'providers' | 'channels' | 'report'
> {
  readonly webhooks: readonly Webhook[];
  readonly facts: PortFacts;
  readonly supervision: Supervision;
  readonly bus: Bus;
  readonly door: Door;
  readonly sessions: SessionsDoor;
  readonly chat: { readonly accepting: boolean; attach(listener: (signal: RunSignal) => void): () => void };
  storeOpen(): boolean;
  stopping(): boolean;
  /** When the supervisor's tick last came. */
  tickedAt(): number;
  requestStop(reason: string): void;
  requestRestart: GatewayPort['requestRestart'];
  /** A copy in plain JSON without secrets. */
  redact(value: unknown): unknown;
}

/** The tick may be this late before liveness says so: a busy machine is no dead one. */
const TICK_BUDGET_MS = 10_000;
const RECENT_SESSIONS = 5;
/** The message of an open question lies within this many rows of the end: nothing is settled while it is open. */
const ASKED_ROWS = 50;

/** The gateway as its surfaces see it: reads from store and tree, commands through the doors. */
export function createPort(deps: PortDeps): GatewayPort {
  const { clock, facts, registry, store, supervision } = deps;
  const now = (): number => Math.round(clock.now());
  const evidence = (): Evidence => evidenceOf(deps);
  return {
    version: facts.version,
    startedAt: facts.startedAt,
    stateDir: facts.stateDir,
    configPath: facts.configPath,
    now,
    newId: deps.ids.id,
    offer: async (offer, attachments = []) => {
      // Its leg is gone as well when the gateway stops: then the gate says why.
      if (offer.channel === WEBSOCKET_CHANNEL && !deps.chat.accepting && !deps.stopping()) {
        throw new CoppiceError('UNAVAILABLE', {
          what: 'the chat channel',
          reason: 'its inbound leg restarts',
          retryAfterMs: 500,
        });
      }
      return attachments.length === 0 ? deps.door.offer(offer) : offerFiles(deps, offer, attachments);
    },
    abort: ({ sessionKey, runId }) => deps.sessions.abort(sessionKey, runId),
    waitRun: (runId, timeoutMs) => waitRun(deps, runId, timeoutMs),
    run: (runId) => store.read.run(runId),
    session: (sessionKey) => store.read.session(sessionKey),
    sessions: (query) => store.read.sessions(query),
    history: (sessionKey, limit) => history(deps, sessionKey, limit),
    resetSession: (sessionKey) => deps.sessions.reset(sessionKey),
    deleteSession: (sessionKey) => deps.sessions.delete(sessionKey),
    models: () => modelRows(deps),
    modelNames: () => modelNames(deps),
    agents: () => [...facts.agents],
    tree: () => registry.tree(),
    explain: (subject) => explainPath(deps, subject),
    kill: (path, options) => supervision.kill(path, options),
    park: async (path) => supervision.hold(notTheWayIn(path), 'park'),
    unpark: (path) => supervision.hold(path, 'unpark'),
    ...createHookPort(deps),
    ...createFactPort(deps.bus, deps.redact),
    machines: listMachines,
    machine: describeMachine,
    restartStatus: () => restartStatus(deps),
    requestStop: deps.requestStop,
    requestRestart: deps.requestRestart,
    health: () => health(deps, evidence()),
    readiness: () => {
      const reasons = whyNotReady(evidence());
      return { ready: reasons.length === 0, reasons };
    },
    live: () => clock.now() - deps.tickedAt() < TICK_BUDGET_MS,
    onRunSignal: (listener) => deps.chat.attach(listener),
    onFact: (listener) =>
      deps.bus.subscribe({
        name: 'port',
        deliver: (fact) => listener(fact as Parameters<typeof listener>[0]),
      }),
  };
}

/** Nobody could ask for it back. */
function notTheWayIn(path: string): string {
  if (path !== PATHS.server && path !== PATHS.control) return path;
  const reason = 'it is the way in: nobody could unpark it';
  throw new CoppiceError('ACTOR_REFUSES', { path, operation: 'park', reason });
}

function restartStatus(deps: PortDeps): RestartView {
  const snapshot = deps.registry.peek(PATHS.coordinator) as
    | { value?: unknown; context?: Partial<RestartContext> }
    | undefined;
  const {
    count = 0,
    kind = 'restart',
    reason = '',
    pending = 0,
    restartedAt = null,
  } = snapshot?.context ?? {};
  const state = deps.stopping() ? 'handed_over' : stateName(snapshot?.value);
  return { state, kind: count > 0 ? kind : null, reason, requests: count, pending, restartedAt };
}

/** The outermost state: where a restart is; what it is doing there is its own affair. */
function stateName(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Object.keys(value)[0] ?? 'starting';
  return typeof value === 'string' ? value : 'starting';
}

function modelNames({ facts, providers }: PortDeps): ReturnType<GatewayPort['modelNames']> {
  const each = [...providers.values()].map((one) => ({
    name: one.name,
    ids: one.models().map(({ id }) => id),
  }));
  const listed = each.flatMap(({ name, ids }) => ids.map((id) => `${name}/${id}`));
  return {
    listed: [...new Set([...facts.models, ...listed])],
    open: each.filter(({ ids }) => ids.length === 0).map(({ name }) => name),
  };
}

/** The files first: what is acknowledged is whole. They are held until the message that needs them is on record, or is not. */
async function offerFiles(
  { attachments, door }: PortDeps,
  offer: Offer,
  sent: readonly Attachment[],
): Promise<Accepted> {
  const { files, release } = await attachments.take(sent);
  try {
    return await door.offer({ ...offer, options: withFiles(offer.options, files) });
  } finally {
    release();
  }
}

/** The files take the places that the conversation, if there is one, keeps for them. */
function withFiles(options: Offer['options'], files: readonly FileContent[]): Offer['options'] {
  const { said } = options as TurnOptions;
  const left = [...files];
  const filled = said?.map(({ role, content }) => ({
    role,
    content: content.map((part) =>
      part.type === 'file' && part.sha256 === '' ? (left.shift() ?? part) : part,
    ),
  }));
  return { ...options, attachments: files, ...(filled ? { said: filled } : {}) };
}

function evidenceOf(deps: PortDeps): Evidence {
  const { registry, facts } = deps;
  const gate = registry.peek(PATHS.gate) as { value?: unknown } | undefined;
  return {
    tree: registry.tree(),
    gate: typeof gate?.value === 'string' ? gate.value : '',
    storeOpen: deps.storeOpen(),
    providers: facts.providers.map((name) => ({ name, state: profileState(deps, name).state })),
    stopping: deps.stopping(),
  };
}

/** Waits for the commit, not for the signal: a signal only says when to look again. */
function waitRun(
  { store, chat, clock }: PortDeps,
  runId: string,
  timeoutMs: number,
): ReturnType<GatewayPort['waitRun']> {
  const first = store.read.run(runId);
  if (!first) return Promise.reject(new CoppiceError('RUN_NOT_FOUND', { runId }));
  if (first.status !== 'accepted') return Promise.resolve(first);
  return new Promise((resolve, reject) => {
    let timer: TimerHandle;
    const settle = (look: () => Awaited<ReturnType<GatewayPort['waitRun']>>): void => {
      detach();
      clock.clearTimeout(timer);
      try {
        resolve(look());
      } catch (error) {
        reject(error);
      }
    };
    const detach = chat.attach((signal) => {
      if (signal.kind === 'ended' && signal.runId === runId) settle(() => store.read.run(runId));
    });
    timer = clock.setTimeout(() => settle(() => settled(store.read.run(runId))), timeoutMs);
  });
}

type Run = Awaited<ReturnType<GatewayPort['waitRun']>>;
const settled = (run: Run): Run => (run?.status === 'accepted' ? undefined : run);

function history({ store }: PortDeps, sessionKey: string, limit: number): ReturnType<GatewayPort['history']> {
  const session = store.read.session(sessionKey);
  const rows = session ? store.read.history(sessionKey, session.sessionId, Math.max(limit, ASKED_ROWS)) : [];
  // A question is committed together with the message it is about, which stays in the inbox until it is settled.
  const said = new Set(rows.filter(({ role }) => role === 'user').map(({ runId }) => runId));
  const pending = store.read.pendingMessages(sessionKey, limit).filter(({ runId }) => !said.has(runId));
  return { sessionId: session?.sessionId ?? null, rows: rows.slice(-limit), pending };
}

function health(deps: PortDeps, evidence: Evidence): HealthView {
  const { clock, facts, store } = deps;
  const startedAt = clock.now();
  const graded = grade(evidence);
  const names = [...deps.channels.keys()];
  const recent = store.read.sessions({ limit: RECENT_SESSIONS }).map(({ sessionKey, updatedAt }) => ({
    key: sessionKey,
    updatedAt,
    age: Math.max(0, Math.round(startedAt - updatedAt)),
  }));
  return {
    ok: graded.grade !== 'failing',
    grade: graded.grade,
    reasons: graded.reasons,
    ts: Math.round(startedAt),
    durationMs: Math.max(0, Math.round(clock.now() - startedAt)),
    channels: Object.fromEntries(names.map((name) => [name, channelHealth(deps, name)])),
    channelOrder: names,
    channelLabels: Object.fromEntries(names.map((name) => [name, name])),
    heartbeatSeconds: facts.heartbeatSeconds,
    defaultAgentId: facts.agents.find((agent) => agent.default)?.id ?? 'main',
    agents: facts.agents.map(({ id, name, default: isDefault }) => ({
      agentId: id,
      name: name ?? id,
      isDefault,
    })),
    sessions: { path: facts.stateDir, count: store.read.countSessions(), recent },
  };
}

function channelHealth({ registry }: PortDeps, name: string): object {
  const node = registry.node(`${PATHS.channels}/${name}`);
  const legs = (node?.children ?? []).map(({ id, state, status, incarnation, restarts }) => ({
    leg: id,
    state,
    status,
    incarnation,
    restarts,
  }));
  const linked =
    legs.length > 0 && legs.every((leg) => leg.status === 'running' && leg.state.endsWith('connected'));
  return { accountId: 'default', configured: true, linked, status: node?.status ?? 'stopping', legs };
}

/** Paths as they stand in the tree; anything else is taken for a session key. */
function explainPath(deps: PortDeps, subject: string): ReturnType<GatewayPort['explain']> {
  const { registry, store, clock } = deps;
  const isPath = subject === PATHS.root || subject.startsWith(`${PATHS.root}/`);
  const path = isPath ? subject : sessionPath(subject);
  const node = registry.node(path);
  const known =
    node ?? (isPath ? undefined : store.read.session(subject)) ?? pendingOf(deps, isPath ? '' : subject);
  if (!known) throw new CoppiceError('ACTOR_NOT_FOUND', { path });
  const context = contextAt(deps, path);
  const runNode = registry.node(`${path}/run`);
  const { lane: name } = (context['input'] ?? {}) as { lane?: unknown };
  const lane = typeof name === 'string' ? contextAt(deps, lanePath(name)) : undefined;
  const findings = explain({
    path,
    node,
    context,
    run: runNode && { state: runNode.state, context: contextAt(deps, runNode.path) },
    lane,
    lastReport: lastReport(deps, path),
    now: clock.now(),
  });
  return {
    path,
    node,
    findings,
    detail: { path, state: node?.state ?? null, children: (node?.children ?? []).map(brief) },
  };
}

const brief = ({ id, state, status, incarnation }: TreeNode) => ({ id, state, status, incarnation });

function pendingOf({ store }: PortDeps, sessionKey: string): unknown {
  return sessionKey === '' ? undefined : store.read.pendingMessages(sessionKey, 1)[0];
}

function contextAt({ registry }: PortDeps, path: string): Readonly<Record<string, unknown>> {
  const snapshot = registry.peek(path) as { context?: Record<string, unknown> } | undefined;
  return snapshot?.context ?? {};
}

function lastReport({ bus }: PortDeps, path: string): string | undefined {
  const about = bus.recent({
    types: ['supervisor.child_terminated', 'supervisor.start_error', 'supervisor.parked'],
  });
  const last = about.findLast((fact) => (fact.data as { childPath?: string }).childPath === path);
  if (!last) return undefined;
  const data = last.data as { reason?: string; error?: { message?: string } };
  return [data.reason, data.error?.message].filter(Boolean).join(': ') || undefined;
}
