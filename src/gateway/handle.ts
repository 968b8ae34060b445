/** One gateway, from the outside: start, run until somebody ends it, stop in order, say how it ended. */
import { PATHS } from '../actors/paths.ts';
import type { AnyEnvelope } from '../bus/index.ts';
import type { Config } from '../config/index.ts';
import { CoppiceError, normalizeError, type NormalError } from '../errors.ts';
import type { LiveConfig, Reconfigured } from './config.ts';
import {
  beginLife,
  endLife,
  FAST_STOP_MS,
  openLife,
  ready,
  STOP_MS,
  type Ended,
  type Ending,
  type Hooks,
  type Life,
  type LifeInit,
} from './life.ts';
import type { TreeNode } from '../supervisor/index.ts';

/** A gateway in the hands of its host. */
export interface GatewayHandle {
  /** Resolves when work is admitted; after 30 s also when it is not yet: `/readyz` says why. Rejects when it cannot stand at all. */
  start(): Promise<void>;
  /** Drains and stops; `fast` skips the drain. Resolves when nothing of it runs any more. `clean`: nobody had to be killed. */
  stop(reason: string, options?: { readonly fast?: boolean }): Promise<{ readonly clean: boolean }>;
  requestStop(reason: string): void;
  requestRestart(reason: string): void;
  /** Never rejects. */
  readonly ended: Promise<Ended>;
  /**
   * Takes a new configuration: what can change while it runs is in force when this returns, for the rest a planned
   * restart is asked for. Throws what `read` throws, and then nothing has changed.
   */
  reconfigure(read: () => Config): Reconfigured;
  tree(): TreeNode;
  /** Every fact, through a bounded queue of its own. Returns a remover. */
  on(listener: (fact: AnyEnvelope) => void): () => void;
  /** The real port, also when 0 was asked for. 0 before `start`. */
  readonly port: number;
}

export function createHandle(init: LifeInit): GatewayHandle {
  const { clock } = init.ports;
  let life: Life | undefined;
  let stopping: Ending | undefined;
  let stopped: Promise<{ clean: boolean }> | undefined;
  const ended = Promise.withResolvers<Ended>();
  const rootEnded = Promise.withResolvers<NormalError | undefined>();

  const request: Hooks['request'] = (kind, reason, options) => {
    if (!life) return;
    const event = { type: 'restart.request', kind, reason, ...options, atMs: Math.round(clock.now()) };
    if (life.parts.deps.registry.tell(PATHS.coordinator, event) === 'noproc')
      void stopNow(kind, reason, STOP_MS);
  };

  const stopNow = (
    kind: 'stop' | 'restart',
    reason: string,
    limitMs: number,
  ): Promise<{ clean: boolean }> => {
    stopping ??= { kind, reason };
    return (stopped ??= life
      ? endLife(init, life, rootEnded.promise, stopping, limitMs, ended.resolve)
      : Promise.resolve({ clean: true }));
  };

  return {
    async start() {
      if (life)
        throw new CoppiceError('ACTOR_REFUSES', {
          path: PATHS.root,
          operation: 'start',
          reason: 'it was started before',
        });
      life = await openLife(init, {
        stopping: () => stopping,
        request,
        handOver: ({ kind, reason }) => void stopNow(kind, reason, STOP_MS),
        ended: (error) => {
          rootEnded.resolve(error);
          if (stopping) return;
          stopping = { kind: 'stop', reason: 'the root supervisor gave up' };
          stopped = endLife(init, life!, rootEnded.promise, stopping, FAST_STOP_MS, () =>
            ended.resolve({ code: 70, reason: error?.message ?? stopping!.reason }),
          );
        },
      });
      init.signal?.addEventListener('abort', () => request('stop', 'the host aborted it'), { once: true });
      beginLife(life, clock);
      const gaveUp = rootEnded.promise.then((error) => {
        throw new CoppiceError('START_FAILED', { path: PATHS.root, reason: error?.message ?? 'it ended' });
      });
      await Promise.race([ready(life, clock), gaveUp]);
      life.parts.bus.publish({
        type: 'gateway.started',
        port: life.listener.address().port,
        durationMs: Math.round(clock.now() - life.startedAt),
        version: init.version,
      });
    },
    stop(reason, { fast = false } = {}) {
      if (fast || !life) return stopNow('stop', reason, FAST_STOP_MS);
      request('stop', reason);
      return ended.promise.then(() => stopped ?? { clean: true });
    },
    requestStop: (reason) => request('stop', reason),
    requestRestart: (reason) => request('restart', reason),
    ended: ended.promise,
    reconfigure: (read) =>
      reconfigure(init.live, running(life), read, (reason) => request('restart', reason)),
    tree: () => running(life).parts.deps.registry.tree(),
    on: (listener) => running(life).parts.bus.subscribe({ name: 'host', deliver: listener }),
    get port() {
      return life?.listener.address().port ?? 0;
    },
  };
}

/** One fact either way. */
function reconfigure(
  live: LiveConfig,
  { parts: { bus, deps } }: Life,
  read: () => Config,
  restart: (reason: string) => void,
): Reconfigured {
  const from = { path: PATHS.config, incarnation: deps.registry.incarnation(PATHS.config) ?? 0 };
  let next: Config;
  try {
    next = read();
  } catch (error) {
    bus.publish({ type: 'config.rejected', error: normalizeError(error) }, from);
    throw error;
  }
  const taken = live.offer(next);
  if (taken.changed.length === 0) return taken;
  bus.publish({ type: 'config.applied', ...taken }, from);
  if (taken.restart.length > 0) restart(`the configuration changed: ${taken.restart.join(', ')}`);
  return taken;
}

function running(life: Life | undefined): Life {
  if (life) return life;
  throw new CoppiceError('UNAVAILABLE', { what: 'the gateway', reason: 'it was not started' });
}
