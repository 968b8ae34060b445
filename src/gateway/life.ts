/** How one life of a gateway is opened and ended: the store and the socket first, then the tree; and the other way round. */
import { mkdirSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { createActor, type AnyActorRef } from 'xstate';
import { PATHS } from '../actors/paths.ts';
import { createPort } from './port.ts';
import { composeTree } from './tree.ts';
import { census, createParts, type FirstStore, type GatewayParts, type PartsInit } from './parts.ts';
import { fresh, type LiveConfig } from './config.ts';
import { normalizeError, type NormalError } from '../errors.ts';
import type { Channel } from '../channels/index.ts';
import type { Provider } from '../models/index.ts';
import type { GatewayPorts } from './ports.ts';
import { createServer, type ListeningSource } from '../server/index.ts';
import { STORE_FILE } from '../store/index.ts';
import type { Clock, TimerHandle } from '../supervisor/index.ts';
import { startAggregate } from '../telemetry/aggregate.ts';
import { createLog, createRedactor, logFacts } from '../telemetry/log/index.ts';
import type { Tool } from '../tools/index.ts';

export interface LifeInit {
  /** The configuration in force. */
  readonly live: LiveConfig;
  readonly ports: GatewayPorts;
  readonly stateDir: string;
  readonly configPath: string | undefined;
  readonly version: string;
  readonly listenFd: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly log: boolean;
  readonly providers: readonly Provider[] | undefined;
  readonly tools: readonly Tool[] | undefined;
  readonly channels: readonly Channel[] | undefined;
}

/** How a gateway ended, as the exit code its process would have. */
export interface Ended {
  /** 0 stopped on purpose, 70 the root supervisor gave up, 75 planned restart. */
  readonly code: 0 | 70 | 75;
  readonly reason: string;
}

/** What ended it, or is about to. */
export interface Ending {
  readonly kind: 'stop' | 'restart';
  readonly reason: string;
}

const READY_MS = 30_000;
const TICK_MS = 1_000;
/** The store needs longest: it finishes what waits for the disk. */
export const STOP_MS = 20_000;
export const FAST_STOP_MS = 3_000;
/** What clients are told to expect of a planned restart. */
const RESTART_EXPECTED_MS = 1_500;

export interface Life {
  readonly parts: GatewayParts;
  readonly listener: ListeningSource;
  readonly root: AnyActorRef & { start(): unknown; stop(): unknown };
  readonly startedAt: number;
  tickedAt: number;
  tick: TimerHandle;
  clean: boolean;
}

export interface RequestOptions {
  readonly by?: string;
  readonly force?: boolean;
}

export interface Hooks {
  stopping(): Ending | undefined;
  request(kind: 'stop' | 'restart', reason: string, options?: RequestOptions): void;
  handOver(output: { kind: 'stop' | 'restart'; reason: string }): void;
  ended(error: NormalError | undefined): void;
}

/** Everything but the tree itself, which `beginLife` starts. Rejects with what the store or the socket says. */
export async function openLife(init: LifeInit, hooks: Hooks): Promise<Life> {
  const { live, ports, stateDir } = init;
  const { clock } = ports;
  const { settings } = live;
  const startedAt = clock.now();
  const storeFile = join(stateDir, STORE_FILE);
  const owner = `gateway:${process.pid}`;
  const first: FirstStore = {
    store: await init.ports.disk.openStore({
      file: storeFile,
      owner,
      onFailed: (error) => first.onFailed(error),
    }),
    onFailed: () => {},
  };
  let listener: ListeningSource;
  try {
    prepareWorkspaces(stateDir, settings.workspaces);
    listener = await init.ports.net.listen(
      init.listenFd === undefined ? settings.listen : { fd: init.listenFd },
      {
        clock,
      },
    );
  } catch (error) {
    await first.store.close();
    throw error;
  }
  const parts = createParts({ ...partsOf(init, hooks, () => life, storeFile, owner), firstStore: first });
  const root = createActor(composeTree(parts), {
    id: PATHS.root,
    clock,
    inspect: parts.tap,
    input: { path: PATHS.root, incarnation: 1 },
  });
  const life: Life = {
    parts,
    listener,
    root,
    startedAt,
    tickedAt: clock.now(),
    tick: undefined,
    clean: true,
  };
  root.subscribe({
    next: (snapshot) => {
      if (snapshot.status === 'done') hooks.ended(snapshot.output?.error);
    },
    error: (error) => hooks.ended(normalizeError(error)),
  });
  parts.bus.subscribe({
    name: 'clean',
    types: ['supervisor.shutdown_error'],
    deliver: () => void (life.clean = false),
  });
  parts.supervision.root(root, PATHS.root);
  return life;
}

/** The tree stands when this returns, or `hooks.ended` was called with the reason. */
export function beginLife(life: Life, clock: Clock): void {
  beat(life, clock);
  life.root.start();
}

/** Those inside the state directory are ours to make; a folder the operator named is the operator's. */
function prepareWorkspaces(stateDir: string, workspaces: readonly string[]): void {
  const ours = resolve(stateDir) + sep;
  for (const folder of workspaces)
    if (resolve(folder).startsWith(ours)) mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** The tick that liveness looks at: it comes late when the loop is held up, and not at all when it is frozen. */
function beat(life: Life, clock: Clock): void {
  life.tickedAt = clock.now();
  life.tick = clock.setTimeout(() => beat(life, clock), TICK_MS);
}

function partsOf(
  init: LifeInit,
  hooks: Hooks,
  life: () => Life,
  storeFile: string,
  owner: string,
): Omit<PartsInit, 'firstStore'> {
  const { live, ports, stateDir, providers, tools, channels } = init;
  const { clock } = ports;
  const { settings } = live;
  const restartedAt = lastRestart(ports, storeFile);
  return {
    live,
    ports,
    storeFile,
    owner,
    providers,
    tools,
    channels,
    coordinator: fresh(() => ({ ...live.settings.coordinator, restartedAt, handOver: hooks.handOver })),
    openLog(bus) {
      if (!init.log) return () => {};
      return keepLog(live, () => {
        const log = createLog({ ...live.settings.log, dir: join(stateDir, 'logs') });
        const unsubscribe = logFacts(bus, log);
        return () => {
          unsubscribe();
          log.close();
        };
      });
    },
    openServer(parts) {
      const server = createServer({
        port: portOf(init, parts, hooks, life),
        auth: settings.auth,
        allowedOrigins: () => live.settings.allowedOrigins,
        limits: settings.limits,
        clock,
        listener: life().listener,
        report: (fact) =>
          void parts.bus.publish(fact, {
            path: PATHS.server,
            incarnation: parts.deps.registry.incarnation(PATHS.server) ?? 0,
          }),
      });
      return () => {
        const stopping = hooks.stopping();
        const restartExpectedMs = stopping?.kind === 'stop' ? null : RESTART_EXPECTED_MS;
        return server.close(stopping?.reason ?? 'the server restarts', { restartExpectedMs });
      };
    },
    openAggregate: (parts) => startAggregate({ bus: parts.bus, clock, census: () => census(parts) }),
  };
}

/** The log as it is configured now: opened anew when that changes. Lines are written at once, so none is lost. */
function keepLog(live: LiveConfig, open: () => () => void): () => void {
  let configured = live.settings.log;
  let close = open();
  const forget = live.watch(() => {
    if (isDeepStrictEqual(configured, live.settings.log)) return;
    configured = live.settings.log;
    close();
    close = open();
  });
  return () => {
    forget();
    close();
  };
}

function portOf(init: LifeInit, parts: GatewayParts, hooks: Hooks, life: () => Life) {
  const { deps, supervision, bus, door, sessions, chat, store, webhooks } = parts;
  const { version, stateDir, configPath, live } = init;
  const startedAt = Math.round(life().startedAt);
  const { log } = live.settings;
  return createPort({
    ...deps,
    facts: fresh(() => ({ ...live.settings.facts, version, stateDir, configPath, startedAt })),
    supervision,
    bus,
    door,
    sessions,
    chat,
    webhooks,
    storeOpen: () => store.open,
    stopping: () => hooks.stopping() !== undefined,
    tickedAt: () => life().tickedAt,
    requestStop: (reason) => hooks.request('stop', reason),
    requestRestart: (reason, options) => hooks.request('restart', reason, options),
    redact: createRedactor({
      patterns: log.redactPatterns ?? [],
      secrets: log.secrets ?? [],
    }).value,
  });
}

/** Of an earlier life of the process: the cool-down between planned restarts outlives each of them. */
function lastRestart({ disk }: GatewayPorts, storeFile: string): number | null {
  const reader = disk.openReader(storeFile);
  try {
    const at = reader.checkpoint('restart', PATHS.root)?.facts['restartedAt'];
    return typeof at === 'number' ? at : null;
  } finally {
    reader.close();
  }
}

export function ready(life: Life, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clock.clearTimeout(timer);
      stop();
      resolve();
    };
    const timer = clock.setTimeout(done, READY_MS);
    const stop = life.parts.bus.subscribe({ name: 'ready', types: ['gate.opened'], deliver: done });
    // It may have opened while we were still on our way here.
    if (life.parts.bus.recent({ types: ['gate.opened'], limit: 1 }).length > 0) done();
  });
}

export async function endLife(
  init: LifeInit,
  life: Life,
  rootEnded: Promise<NormalError | undefined>,
  { kind, reason }: Ending,
  limitMs: number,
  resolve: (ended: Ended) => void,
): Promise<{ clean: boolean }> {
  const { clock } = init.ports;
  const { parts, listener, root } = life;
  const startedAt = clock.now();
  parts.bus.publish({ type: 'gateway.stopping', reason });
  if (kind === 'restart') await noteRestart(parts, Math.round(startedAt));
  const inTime = Promise.withResolvers<boolean>();
  const timer = clock.setTimeout(() => inTime.resolve(false), limitMs);
  void rootEnded.then(() => inTime.resolve(true));
  root.send({ type: 'supervisor.shutdown', reason, deadlineMs: limitMs } as never);
  if (!(await inTime.promise)) {
    life.clean = false;
    root.stop();
  }
  clock.clearTimeout(timer);
  clock.clearTimeout(life.tick);
  parts.door.close();
  await Promise.all([listener.close(), parts.store.close()]);
  parts.reader.close();
  parts.bus.publish({ type: 'gateway.stopped', reason, durationMs: Math.round(clock.now() - startedAt) });
  parts.bus.close();
  resolve({ code: kind === 'restart' ? 75 : 0, reason });
  return { clean: life.clean };
}

async function noteRestart({ deps }: GatewayParts, at: number): Promise<void> {
  try {
    await deps.store.commit(
      deps.store.statements.putCheckpoint({
        machine: 'restart',
        key: PATHS.root,
        version: 1,
        at,
        facts: { restartedAt: at },
      }),
    );
  } catch (error) {
    // The restart goes on: without the note the next one may come sooner than its cool-down.
    deps.report({ type: 'actor.fault', error: normalizeError(error), source: 'noting the restart' });
  }
}
