/**
 * The whole gateway in the hand of a walk: its real tree, its real store, a clock that moves when told to, a model, a
 * tool and a platform that answer when told to, and whatever a walk may do to them, faults included.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { PATHS, sessionPath } from '../../../src/actors/paths.ts';
import type { AnyEnvelope } from '../../../src/bus/index.ts';
import {
  defineChannel,
  type Channel,
  type ChannelMessage,
  type Delivery,
  type DeliveryOutcome,
} from '../../../src/channels/index.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { CoppiceError, type NormalError } from '../../../src/errors.ts';
import { createLiveConfig } from '../../../src/gateway/config.ts';
import { beginLife, endLife, openLife, ready, type Life, type LifeInit } from '../../../src/gateway/life.ts';
import { systemPorts } from '../../../src/gateway/ports.ts';
import { ModelFailure, type ModelPart, type ModelRequest, type Provider } from '../../../src/models/index.ts';
import type { TreeNode } from '../../../src/supervisor/index.ts';
import { createSimulatedClock } from '../../../src/testing/index.ts';
import { defineTool } from '../../../src/tools/index.ts';

export const SESSIONS = 3;
/** Fewer than sessions, so that tickets are waited for. */
export const LANE_PLACES = 2;

/** What the gateway waits for: a model, a tool, a platform. */
interface Pending<T> {
  readonly what: string;
  settle(outcome: T): void;
  fail(error: unknown): void;
}

type Answer = readonly ModelPart[];

interface Said {
  readonly sessionKey: string;
  readonly text: string;
}

export interface Attempt {
  readonly deliveryId: string;
  readonly text: string;
  outcome: DeliveryOutcome['kind'] | 'under way' | 'aborted';
}

type Fault = 'failed' | 'lied';

export class World {
  readonly clock = createSimulatedClock();
  readonly models: Pending<Answer>[] = [];
  readonly tools: Pending<string>[] = [];
  readonly platform: Pending<DeliveryOutcome>[] = [];
  /** By message id. */
  readonly said = new Map<string, Said>();
  /** Runs whose message was acknowledged. */
  readonly admitted = new Set<string>();
  readonly refused: string[] = [];
  readonly attempts: Attempt[] = [];
  readonly facts: AnyEnvelope[] = [];
  ended: NormalError | undefined | 'no' = 'no';
  life!: Life;
  #init!: LifeInit;
  #receive: ((message: ChannelMessage) => Promise<unknown>) | undefined;
  #working = 0;
  #faults: Fault[] = [];
  readonly #offers = new Set<Promise<unknown>>();
  readonly #dir = mkdtempSync(join(tmpdir(), 'coppice-walk-'));
  readonly #rootEnded = Promise.withResolvers<NormalError | undefined>();

  static async open(random: () => number): Promise<World> {
    const world = new World();
    const { config } = loadConfig({
      env: {},
      flags: { stateDir: world.#dir, port: 0, token: 'a-token-of-the-walk' },
    });
    config.lanes['main'] = { maxConcurrent: LANE_PLACES };
    world.#init = {
      live: createLiveConfig(config),
      ports: world.#ports(random),
      stateDir: world.#dir,
      configPath: undefined,
      version: '0.0.0',
      listenFd: undefined,
      signal: undefined,
      log: false,
      providers: [world.#provider()],
      tools: [world.#tool()],
      channels: [world.#channel()],
    };
    world.life = await openLife(world.#init, {
      stopping: () => undefined,
      request: () => undefined,
      handOver: () => undefined,
      ended: (error) => {
        world.ended = error;
        world.#rootEnded.resolve(error);
      },
    });
    world.life.parts.bus.subscribe({ name: 'walk', deliver: (fact) => void world.facts.push(fact) });
    beginLife(world.life, world.clock);
    await world.drive(ready(world.life, world.clock));
    await world.until('the platform is connected', () => world.#receive !== undefined);
    return world;
  }

  /** Says something in a session; the same number again is the platform repeating itself. */
  say(session: number, n: number): void {
    const text = `s${session} m${n}`;
    const sessionKey = `agent:main:chat:room${session}`;
    const message = { account: 'a', platformId: `${session}-${n}`, target: `room${session}`, text };
    this.said.set(`chat/a/${message.platformId}`, { sessionKey, text });
    const receiving = this.#receive?.(message) ?? Promise.reject(new Error('the leg is down'));
    const offer: Promise<unknown> = receiving
      .then((receipt) => void this.admitted.add((receipt as { runId: string }).runId))
      .catch((error: unknown) => void this.refused.push(`${text}: ${String(error)}`))
      .finally(() => void this.#offers.delete(offer));
    this.#offers.add(offer);
  }

  abort(session: number): void {
    const aborting = this.life.parts.sessions.abort(`agent:main:chat:room${session}`);
    const offer: Promise<unknown> = aborting
      .catch((error: unknown) => void this.refused.push(`abort: ${String(error)}`))
      .finally(() => void this.#offers.delete(offer));
    this.#offers.add(offer);
  }

  /** A worker of the core, or a run, dies. Those of sessions count as failures, the rest as an operator's doing. */
  crash(nth: number): string | undefined {
    const paths = workers(this.life.parts.deps.registry.tree()).filter((path) => path.startsWith(PATHS.core));
    const path = paths[nth % Math.max(1, paths.length)];
    if (path === undefined) return undefined;
    try {
      this.life.parts.supervision.kill(path, { by: 'walk', count: path.startsWith(PATHS.sessions) });
    } catch (error) {
      // It has ended, and its resources are still closing.
      if (!(error instanceof CoppiceError && error.code === 'ACTOR_REFUSES')) throw error;
    }
    return path;
  }

  /** The next commits fail, or are written without anybody being told. */
  failCommits(faults: readonly Fault[]): void {
    this.#faults.push(...faults);
  }
  heal(): void {
    this.#faults = [];
  }

  async settle(): Promise<void> {
    do await this.clock.settle();
    while (this.#working > 0);
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
    await this.settle();
  }

  async drive<T>(promise: Promise<T>): Promise<T> {
    const state = { over: false };
    const end = (): void => void (state.over = true);
    void promise.then(end, end);
    while (!state.over) await this.advance(10);
    return promise;
  }

  async until(what: string, is: () => boolean): Promise<void> {
    for (let waited = 0; !is(); waited += 1) {
      if (waited > 10_000) throw new Error(`waited in vain: ${what}`);
      await this.advance(10);
    }
  }

  get offersWaiting(): number {
    return this.#offers.size;
  }
  /** Every message that is on disk, acknowledged or not: a sender who got an error may have been heard all the same. */
  heard(): (Said & { readonly runId: string })[] {
    return [...this.said].flatMap(([messageId, said]) => {
      const runId = this.store.read.message(messageId)?.runId;
      return runId === undefined ? [] : [{ ...said, runId }];
    });
  }
  get store() {
    return this.life.parts.deps.store;
  }
  session(n: number): { value: unknown } | undefined {
    return this.life.parts.deps.registry.peek(sessionPath(`agent:main:chat:room${n}`)) as
      | { value: unknown }
      | undefined;
  }
  lane(): { holders: object; queue: readonly unknown[] } | undefined {
    const snapshot = this.life.parts.deps.registry.peek(`${PATHS.lanes}/main`);
    return (snapshot as { context: { holders: object; queue: readonly unknown[] } } | undefined)?.context;
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    void endLife(
      this.#init,
      this.life,
      this.#rootEnded.promise,
      { kind: 'stop', reason: 'the walk is over' },
      3_000,
      resolve,
    );
    await this.drive(promise);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** The disk works in real time: until it has answered, no time passes. */
  async #onDisk<T>(work: () => Promise<T>): Promise<T> {
    this.#working += 1;
    try {
      return await work();
    } finally {
      this.#working -= 1;
    }
  }

  #ports(random: () => number): LifeInit['ports'] {
    const real = systemPorts();
    return {
      ...real,
      clock: this.clock,
      random,
      disk: {
        ...real.disk,
        openStore: async (options) => {
          const store = await this.#onDisk(() => real.disk.openStore(options));
          const commit: typeof store.commit = async (statements) => {
            const fault = this.#faults.shift();
            const path = store.file;
            if (fault === 'failed') throw new CoppiceError('STORE_FAILED', { path, reason: 'the walk' });
            const results = await this.#onDisk(() => store.commit(statements));
            if (fault === 'lied') throw new CoppiceError('STORE_UNKNOWN', { path });
            return results;
          };
          return { ...store, commit, close: () => this.#onDisk(store.close) };
        },
      },
    };
  }

  #provider(): Provider {
    const { models } = this;
    return {
      name: 'loopback',
      api: 'custom',
      models: () => [],
      async *stream(request, signal) {
        const parts = await pending(models, lastWords(request), signal, () => {
          throw new ModelFailure({ class: 'aborted', message: 'aborted', where: 'walk' });
        });
        yield* parts;
      },
    };
  }

  #tool() {
    return defineTool({
      name: 'look',
      description: 'Looks.',
      input: z.object({ at: z.string() }),
      idempotent: true,
      run: ({ at }, { signal }) => pending(this.tools, at, signal, () => 'aborted'),
    });
  }

  #channel(): Channel {
    const up = { name: 'outbound', start: async () => undefined } as const;
    return defineChannel({
      name: 'chat',
      idempotentDelivery: false,
      legs: [
        {
          name: 'inbound',
          start: async ({ receive, signal }) => {
            this.#receive = receive;
            signal.addEventListener('abort', () => {
              if (this.#receive === receive) this.#receive = undefined;
            });
          },
        },
        up,
      ],
      deliver: (delivery, signal) => this.#deliver(delivery, signal),
    });
  }

  async #deliver({ deliveryId, payload }: Delivery, signal: AbortSignal): Promise<DeliveryOutcome> {
    const { text } = payload as { text: string };
    const attempt: Attempt = { deliveryId, text, outcome: 'under way' };
    this.attempts.push(attempt);
    const outcome = await pending<DeliveryOutcome>(this.platform, deliveryId, signal, () => ({
      kind: 'unknown',
      reason: 'aborted',
    }));
    attempt.outcome = signal.aborted ? 'aborted' : outcome.kind;
    return outcome;
  }
}

/** Waits in `list` until a walk settles it, or until its signal aborts it. */
function pending<T>(list: Pending<T>[], what: string, signal: AbortSignal, aborted: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      const at = list.indexOf(one);
      if (at >= 0) list.splice(at, 1);
    };
    const one: Pending<T> = {
      what,
      settle: (outcome) => (leave(), resolve(outcome)),
      fail: (error) => (leave(), reject(error as Error)),
    };
    list.push(one);
    signal.addEventListener('abort', () => {
      leave();
      try {
        resolve(aborted());
      } catch (error) {
        reject(error as Error);
      }
    });
  });
}

function lastWords({ messages }: ModelRequest): string {
  const said = messages.findLast(({ role }) => role === 'user')?.content[0];
  return said?.type === 'text' ? said.text : '';
}

const workers = ({ path, kind, status, children }: TreeNode): string[] => [
  ...(kind === 'worker' && status === 'running' ? [path] : []),
  ...children.flatMap(workers),
];
