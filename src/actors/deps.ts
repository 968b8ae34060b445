import type { AnyActorLogic } from 'xstate';
import type { Fact } from '../bus/events.ts';
import type { Trace } from '../bus/trace.ts';
import type { Provider } from '../models/contract.ts';
import type { Attachments, Store } from '../store/contract.ts';
import type { ChildSpec } from '../supervisor/child-spec.ts';
import type { Clock } from '../supervisor/clock.ts';
import type { Registry } from '../supervisor/registry.ts';
import type { Tool } from '../tools/contract.ts';
import type { Channel, RunSignal } from '../channels/contract.ts';

/** Makes ids that nobody made before. */
export interface Ids {
  /** A fresh id: 21 URL-safe characters. */
  id(): string;
  trace(): Trace;
  child(trace: Trace): Trace;
}

/** Everything an actor may touch, handed in by the gateway. Nothing here is process-global. */
export interface Deps {
  readonly clock: Clock;
  random(): number;
  readonly ids: Ids;
  readonly registry: Registry;
  /** The store of the live store actor. `commit` waits a bounded time for a restarting one, then rejects STORE_FAILED. */
  readonly store: Store;
  /** Files that came with messages. */
  readonly attachments: Attachments;
  /** Publishes a fact on behalf of an actor; machines use `emit()` instead. */
  report(fact: Fact, source?: { readonly path: string; readonly incarnation: number }): void;
  /** Starts a child under a dynamic supervisor. `already` when it lives. Throws CoppiceError when refused. */
  startChild(supervisorPath: string, spec: ChildSpec): 'started' | 'already';
  /**
   * Makes a logic that a machine invokes a node of the tree: contained (a throw reaps its children), killable,
   * visible. `where` reads path and incarnation from the input the machine passes.
   */
  nested<L extends AnyActorLogic>(
    logic: L,
    where: (input: never) => { readonly path: string; readonly incarnation: number },
  ): L;
  /** What a run says, to whoever listens. Never throws. */
  signal(signal: RunSignal): void;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly tools: ReadonlyMap<string, Tool>;
  readonly channels: ReadonlyMap<string, Channel>;
}
