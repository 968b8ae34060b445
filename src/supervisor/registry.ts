import type { AnyActorRef, EventObject } from 'xstate';
import type { Scope } from './scope.ts';

/** What a node of the tree is. */
export type NodeKind = 'supervisor' | 'worker';
/** What a node of the tree is doing. */
export type NodeStatus = 'running' | 'starting' | 'backing-off' | 'stopping' | 'parked';

/** One row of the live tree; the wire shape of `tree.get`. Times are milliseconds. */
export interface TreeNode {
  readonly path: string;
  readonly id: string;
  readonly kind: NodeKind;
  readonly state: string;
  readonly incarnation: number;
  readonly restarts: number;
  readonly status: NodeStatus;
  readonly queued: number;
  readonly progressAgeMs: number;
  /** Present while it is suspended: the events that wait for it. */
  readonly held?: number;
  readonly children: readonly TreeNode[];
}

/** What became of an event: it was sent, nobody lives there, or it is kept for the next life. */
export type TellResult = 'sent' | 'noproc' | 'stashed';

/** How an event is sent to a path. */
export interface TellOptions {
  /**
   * Keep the event while the child waits for its restart, and send it when that has started (`stashed`). At most
   * `STASH_LIMIT` a path; what is over, and what waited for a child that will not come back, is a dead letter.
   */
  readonly stash?: boolean;
}

/** Events that may wait for one child's restart. */
export const STASH_LIMIT = 100;

/** Told of the lives of a path. */
export interface Watcher {
  /** The path has a live incarnation. Called at once when it already has. */
  up?(incarnation: number): void;
  /** The incarnation ended; `noproc` at once when there is none. */
  down?(incarnation: number, reason: string): void;
}

/**
 * Who lives where. Actors are reached by path through it, never by a kept ref: a ref is dead after a restart.
 * The public face; supervisors hold the writing one.
 */
export interface Registry {
  /**
   * Sends to the live incarnation. `noproc`: nobody is there; counted as a dead letter. Throws EVENT_INVALID for what
   * is no event: that is the sender's mistake, and not the receiver's end.
   */
  tell<E extends EventObject>(path: string, event: E): 'sent' | 'noproc';
  tell<E extends EventObject>(path: string, event: E, options?: TellOptions): TellResult;
  /** The scope of the live incarnation at `path`. */
  scope(path: string): Scope | undefined;
  /** Path and incarnation of a live actor. */
  whereis(ref: AnyActorRef): { readonly path: string; readonly incarnation: number } | undefined;
  /** The snapshot of the live incarnation, for looking at. */
  peek(path: string): unknown;
  incarnation(path: string): number | undefined;
  /** Calls back on every start and end at `path` until the returned function is called. A throwing watcher is reported, not propagated. */
  watch(path: string, watcher: Watcher): () => void;
  tree(): TreeNode;
  node(path: string): TreeNode | undefined;
}
