/** What a gateway is made of, built once per gateway: ports, doors, and how its resources open. Composition only. */
import { dirname, join } from 'node:path';
import type { CoordinatorOptions } from '../actors/coordinator.ts';
import type { Deps } from '../actors/deps.ts';
import { createDoor, type Door } from '../actors/door.ts';
import type { HeartbeatOptions } from '../actors/heartbeat.ts';
import type { LaneOptions } from '../actors/lanes.ts';
import { PATHS } from '../actors/paths.ts';
import type { OpenContext } from '../actors/resource.ts';
import { deliveriesOf } from '../actors/reply.ts';
import { runLogic } from '../actors/run.ts';
import { sessionsDoor, type SessionsDoor } from '../actors/sessions.ts';
import { createSignalSeq } from '../actors/signal-seq.ts';
import { createStoreHolder, type StoreHolder } from '../actors/store-holder.ts';
import { createBus, createDeadLetterOffice, createTap, type Bus, type Tap } from '../bus/index.ts';
import { createWebchat, createWebhook, type Channel, type Webchat, type Webhook } from '../channels/index.ts';
import { fresh, openConfig, type LiveConfig } from './config.ts';
import type { GatewaySettings } from './settings.ts';
import { CoppiceError, normalizeError } from '../errors.ts';
import { runOwned } from '../host/index.ts';
import type { GatewayPorts } from './ports.ts';
import { LIMITS } from '../machines/limits.ts';
import { createProviders, type Provider } from '../models/index.ts';
import { WEBSOCKET_CHANNEL } from '../server/index.ts';
import { statements, type OpenReader, type OpenStore } from '../store/index.ts';
import { createSupervision, TURN_BUDGET, type Disposer, type Supervision } from '../supervisor/index.ts';
import type { Census } from '../telemetry/aggregate.ts';
import { factOf } from '../telemetry/reports.ts';
import { createTools, narrowTools, type Tool } from '../tools/index.ts';

export interface PartsInit {
  /** The configuration in force. */
  readonly live: LiveConfig;
  readonly ports: GatewayPorts;
  readonly storeFile: string;
  /** Already open, for the first life of the store actor: what is wrong with the store is found before the tree stands. */
  readonly firstStore: FirstStore;
  readonly owner: string;
  readonly providers?: readonly Provider[] | undefined;
  readonly tools?: readonly Tool[] | undefined;
  readonly channels?: readonly Channel[] | undefined;
  openLog(bus: Bus): Disposer;
  openServer(parts: GatewayParts): Disposer;
  openAggregate(parts: GatewayParts): Disposer;
  readonly coordinator: Omit<CoordinatorOptions, 'pendingWork'>;
}

export interface FirstStore {
  readonly store: OpenStore;
  /** Who is told when it can write no more. */
  onFailed: (error: CoppiceError) => void;
}

export interface GatewayParts {
  readonly deps: Deps;
  readonly supervision: Supervision;
  readonly bus: Bus;
  readonly tap: Tap;
  readonly chat: Webchat;
  readonly webhooks: readonly Webhook[];
  readonly door: Door;
  readonly sessions: SessionsDoor;
  readonly store: StoreHolder;
  readonly reader: OpenReader;
  readonly options: {
    readonly lanes: readonly LaneOptions[];
    readonly heartbeats: readonly HeartbeatOptions[];
    readonly coordinator: CoordinatorOptions;
    readonly supervision: GatewaySettings['supervision'];
  };
  /** What the gate holds new work against. */
  readonly gate: Deps & { readonly maxQueue: number };
  readonly live: LiveConfig;
  readonly openStore: (context: OpenContext) => Promise<Disposer>;
  readonly openConfig: (context: OpenContext) => Disposer;
  readonly openLog: () => Disposer;
  readonly openServer: () => Disposer;
  readonly openAggregate: () => Disposer;
  /** Everything alive that keeps due times. */
  receivers(): string[];
}

/** How long a commit waits for a restarting writer before it fails. */
const STORE_WAIT_MS = 10_000;

export function createParts(init: PartsInit): GatewayParts {
  const { ports, live } = init;
  const { clock, ids } = ports;
  const { settings } = live;
  const bus = createBus({ now: () => Math.round(clock.now()), defer: clock.defer });
  const deadLetters = createDeadLetterOffice({ now: () => Math.round(clock.now()), bus });
  const supervision = createSupervision({
    clock,
    random: ports.random,
    turnBudget: TURN_BUDGET,
    within: runOwned,
    report: (report) =>
      void bus.publish(factOf(report), { path: report.path, incarnation: report.incarnation }),
    deadLetter: (to, event) => deadLetters.record({ to, eventType: event.type, reason: 'noproc' }),
    watcherFailed: (path, error) =>
      void bus.publish({ type: 'actor.fault', error, source: `a watcher of ${path}` }),
  });
  const { registry } = supervision;
  const tap = createTap({ bus, deadLetters, whereis: (ref) => registry.whereis(ref) });
  const reader = ports.disk.openReader(init.storeFile);
  const store = createStoreHolder({ clock, statements, read: reader, waitMs: STORE_WAIT_MS });
  const chat = createWebchat({ name: WEBSOCKET_CHANNEL });
  const webhooks = settings.webhooks.map((one) => createWebhook({ ...one, clock }));
  const channels = [chat.channel, ...webhooks.map(({ channel }) => channel), ...(init.channels ?? [])];
  const configured = createProviders(settings.models, { clock });
  const attachments = ports.disk.openAttachments({
    dir: join(dirname(init.storeFile), 'attachments'),
    carriedBytes: carriedBytes(settings.limits.frameBytes),
    onFault: (error) =>
      void bus.publish({ type: 'actor.fault', error: normalizeError(error), source: 'removing a file' }),
  });
  const deps: Deps = {
    clock,
    random: ports.random,
    ids,
    registry,
    store,
    attachments,
    report: (fact, source) => void bus.publish(fact, source),
    startChild: (path, spec) => startedOr(supervision.startChild(path, spec), path, spec.id),
    nested: supervision.nested,
    signal: (signal) => chat.publish(signal),
    providers: new Map([...configured, ...(init.providers ?? []).map((p) => [p.name, p] as const)]),
    tools: createTools({ extra: init.tools ?? [] }),
    channels: new Map(channels.map((channel) => [channel.name, channel])),
  };
  const door = createDoor(deps);
  const seq = createSignalSeq();
  const tools = toolsByAgent(live, deps.tools);
  const run = runLogic(
    deps,
    fresh(() => ({ ...live.settings.runs, tools, seq })),
  );
  const deliveries = deliveriesOf(deps);
  const sessions = sessionsDoor(
    deps,
    fresh(() => ({ ...live.settings.sessions, run, seq, ...deliveries })),
  );
  let first: FirstStore | undefined = init.firstStore;
  const parts: GatewayParts = {
    deps,
    supervision,
    bus,
    tap,
    chat,
    webhooks,
    door,
    sessions,
    store,
    reader,
    options: {
      lanes: settings.lanes.map((lane) =>
        fresh(() => live.settings.lanes.find(({ name }) => name === lane.name) ?? lane),
      ),
      heartbeats: settings.heartbeats.map((one, index) =>
        fresh(() => live.settings.heartbeats[index] ?? one),
      ),
      supervision: settings.supervision,
      coordinator: fresh(() => ({ ...init.coordinator, pendingWork: () => pendingWork(parts) })),
    },
    gate: fresh(() => ({ ...deps, maxQueue: live.settings.sessions.maxQueue ?? LIMITS.queuePerSession })),
    live,
    openConfig: openConfig({ live, registry, supervision }),
    async openStore(context) {
      const given = first;
      first = undefined;
      const onFailed = (error: CoppiceError): void => {
        bus.publish({ type: 'store.failed', error: normalizeError(error) });
        context.fail(error);
      };
      if (given) given.onFailed = onFailed;
      const held = holdStore(
        parts,
        given?.store ?? (await ports.disk.openStore({ file: init.storeFile, owner: init.owner, onFailed })),
      );
      // What an earlier life left behind; nothing waits for it, and it reports its own failures.
      if (given) void attachments.sweep(() => reader.referencedFiles());
      return held;
    },
    openLog: () => init.openLog(bus),
    openServer: () => init.openServer(parts),
    openAggregate: () => init.openAggregate(parts),
    receivers: () => receivers(parts),
  };
  return parts;
}

/** The tools of an agent, found once for each configuration. */
function toolsByAgent(
  live: LiveConfig,
  all: ReadonlyMap<string, Tool>,
): (agentId: string) => ReadonlyMap<string, Tool> {
  const known = new Map<string, ReadonlyMap<string, Tool>>();
  live.watch(() => known.clear());
  const find = (agentId: string): ReadonlyMap<string, Tool> => {
    const { allow, deny } = live.settings.toolPolicy(agentId);
    return allow.reduce((tools, names) => narrowTools(tools, { allow: names }), narrowTools(all, { deny }));
  };
  return (agentId) => {
    const tools = known.get(agentId) ?? find(agentId);
    // Bounded by the configuration: agents nobody configured share the default one's policy.
    if (known.size < 1_000) known.set(agentId, tools);
    return tools;
  };
}

/** Bytes of files that fit into one frame: base64 makes four characters of three, and the rest of the frame is small. */
const carriedBytes = (frameBytes: number | undefined): number | undefined =>
  frameBytes === undefined ? undefined : Math.floor(((frameBytes - 4_096) * 3) / 4);

function holdStore({ bus, store }: GatewayParts, opened: OpenStore): Disposer {
  const { file, schema, epoch } = opened;
  bus.publish({ type: 'store.opened', file, schema, epoch });
  const drop = store.put(opened);
  return () => {
    drop();
    return opened.close();
  };
}

function startedOr(
  reply: ReturnType<Supervision['startChild']>,
  supervisorPath: string,
  id: string,
): 'started' | 'already' {
  if (reply === 'pending' || reply.ok) return 'started';
  if (reply.reason === 'already_started' || reply.reason === 'already_present') return 'already';
  throw new CoppiceError('UNAVAILABLE', {
    what: `${supervisorPath}/${id}`,
    reason: reply.error?.message ?? reply.reason,
  });
}

const sessionNodes = ({ deps }: GatewayParts) => deps.registry.node(PATHS.sessions)?.children ?? [];

/** Admitted work that has not ended. Who waits for an answer, or is held down, keeps nobody waiting. */
function pendingWork(parts: GatewayParts): number {
  const quiet = (state: string): boolean => state.startsWith('idle') || state.startsWith('waiting');
  const busy = sessionNodes(parts).filter(({ status, state }) => status === 'running' && !quiet(state));
  return busy.reduce((sum, node) => sum + node.queued + 1, parts.door.waiting);
}

export function census(parts: GatewayParts): Census {
  const nodes = sessionNodes(parts);
  const inState = (state: string): number => nodes.filter((node) => node.state.startsWith(state)).length;
  return {
    active: inState('processing'),
    waiting: inState('waiting'),
    queued: nodes.reduce((sum, node) => sum + node.queued, 0),
  };
}

function receivers(parts: GatewayParts): string[] {
  const { registry } = parts.deps;
  const below = (path: string): string[] => (registry.node(path)?.children ?? []).map((node) => node.path);
  const legs = below(PATHS.channels).flatMap(below);
  const all = [
    ...below(PATHS.lanes),
    ...below(PATHS.models),
    ...below(PATHS.sessions),
    PATHS.outbox,
    PATHS.ingress,
    ...below(PATHS.edge).filter((path) => path !== PATHS.channels),
    ...legs,
  ];
  return all.filter((path) => registry.incarnation(path) !== undefined);
}
