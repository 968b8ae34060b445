/**
 * The configuration in force: one versioned value that everybody reads at each use. What can change while the
 * gateway runs is taken over at once; the actor `gateway/core/foundation/config` brings it to those who keep a copy.
 */
import { isDeepStrictEqual } from 'node:util';
import { lanePath, PATHS } from '../actors/paths.ts';
import type { OpenContext } from '../actors/resource.ts';
import { diff, type Change, type Config } from '../config/index.ts';
import { normalizeError } from '../errors.ts';
import { settingsOf, type GatewaySettings } from './settings.ts';
import { encodeSegment, type Disposer, type Registry, type Supervision } from '../supervisor/index.ts';

/** What came of a new configuration. */
export interface Reconfigured {
  readonly changed: readonly string[];
  /** In force from now on. */
  readonly live: readonly string[];
  /** A planned restart brings them. While there are any, nothing is taken live: the parts may depend on each other. */
  readonly restart: readonly string[];
  /** Only a full stop and start brings them: the launcher owns the socket. */
  readonly stop: readonly string[];
  readonly version: number;
}

export interface LiveConfig {
  /** Counts from 1; one more for every configuration taken over. */
  readonly version: number;
  readonly config: Config;
  readonly settings: GatewaySettings;
  /** Decides what `next` takes, and takes over what can be taken over now. */
  offer(next: Config): Reconfigured;
  /** Told after each take-over, in this turn. Returns a remover. */
  watch(listener: () => void): () => void;
}

export function createLiveConfig(first: Config): LiveConfig {
  let [config, settings, version] = [first, settingsOf(first), 1];
  const watchers = new Set<() => void>();
  return {
    get version() {
      return version;
    },
    get config() {
      return config;
    },
    get settings() {
      return settings;
    },
    offer(next) {
      const changes = diff(config, next);
      const paths = (effect: Change['effect']): string[] =>
        changes.filter((change) => change.effect === effect).map(({ path }) => path);
      const [restart, stop] = [paths('restart'), paths('stop')];
      const live = restart.length > 0 ? [] : paths('live');
      if (live.length > 0) {
        // The socket stays what it is, so the next look at the file finds it different again.
        const { port, bind } = config.gateway;
        config = { ...next, gateway: { ...next.gateway, port, bind } };
        settings = settingsOf(config);
        version += 1;
        for (const watcher of watchers) watcher();
      }
      return { changed: changes.map(({ path }) => path), live, restart, stop, version };
    },
    watch(listener) {
      watchers.add(listener);
      return () => void watchers.delete(listener);
    },
  };
}

/** An object whose every property is read anew, so that whoever keeps it never keeps an old value. */
export function fresh<T extends object>(read: () => T): T {
  return new Proxy({} as T, {
    get: (_target, key) => Reflect.get(read(), key) as unknown,
    has: (_target, key) => Reflect.has(read(), key),
    ownKeys: () => Reflect.ownKeys(read()),
    getOwnPropertyDescriptor(_target, key) {
      const found = Reflect.getOwnPropertyDescriptor(read(), key);
      return found && { ...found, configurable: true };
    },
  });
}

interface ConfigDeps {
  readonly live: LiveConfig;
  readonly registry: Registry;
  readonly supervision: Pick<Supervision, 'admin'>;
}

/** The config actor: brings what changed to the actors that hold numbers of their own. Fails when it cannot. */
export function openConfig({ live, registry, supervision }: ConfigDeps): (context: OpenContext) => Disposer {
  /** What they were told or started with last; outlives this actor, so that its next life catches up. */
  let told = live.settings;
  const tell = (path: string, event: { readonly type: string }): void => {
    // Who does not live now reads what is in force when it starts.
    if (registry.incarnation(path) !== undefined) registry.tell(path, event);
  };
  /** A new life with what is in force now. One that is held down or on its way back is left to that. */
  const renew = async (id: string): Promise<void> => {
    if (registry.node(`${PATHS.edge}/${encodeSegment(id)}`)?.status !== 'running') return;
    const stopped = await supervision.admin(PATHS.edge, { type: 'terminate_child', id });
    if (stopped.ok) await supervision.admin(PATHS.edge, { type: 'restart_child', id });
  };
  const bring = async (): Promise<void> => {
    const [before, now] = [told, live.settings];
    told = now;
    for (const { name, maxConcurrent } of now.lanes) {
      const same = before.lanes.some((lane) => lane.name === name && lane.maxConcurrent === maxConcurrent);
      if (!same) tell(lanePath(name), { type: 'lane.configure', maxConcurrent } as { type: string });
    }
    if (!isDeepStrictEqual(before.coordinator, now.coordinator))
      tell(PATHS.coordinator, { type: 'restart.configure', ...now.coordinator });
    for (const [index, heartbeat] of now.heartbeats.entries()) {
      if (!isDeepStrictEqual(before.heartbeats[index], heartbeat)) await renew(heartbeat.id ?? 'heartbeat');
    }
  };
  return ({ fail }) => {
    const run = (): void => void bring().catch((error: unknown) => fail(normalizeError(error)));
    const stop = live.watch(run);
    run();
    return stop;
  };
}
