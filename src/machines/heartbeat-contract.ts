import type { PromiseActorLogic } from 'xstate';
import type { ActiveHours } from './active-hours.ts';
import type { ClockTick, ShutdownEvent } from './ending.ts';

/** What a heartbeat is started with. */
export interface HeartbeatInput {
  readonly path: string;
  readonly agentId: string;
  /** Milliseconds; 0 disables. */
  readonly everyMs: number;
  readonly activeHours: ActiveHours | null;
  readonly ackMaxChars: number;
  readonly atMs: number;
  /** The facts of the last checkpoint. */
  readonly checkpoint: HeartbeatFacts | null;
}

/** What a checkpoint holds: when the next slot is due, and the slot that was dispatched and not settled. */
export interface HeartbeatFacts {
  readonly dueAt: number;
  readonly slot: number | null;
}

/** What a heartbeat hears. */
export type HeartbeatEvent =
  | ClockTick
  /** Switches heartbeats off and on at run time. */
  | { readonly type: 'heartbeat.set'; readonly enabled: boolean; readonly atMs: number }
  | ShutdownEvent;

/** What a heartbeat knows. Plain JSON. */
export interface HeartbeatContext extends Omit<HeartbeatInput, 'atMs' | 'checkpoint'> {
  readonly enabled: boolean;
  readonly dueAt: number;
  /** The slot in hand, from the moment it is due until it is settled. */
  readonly slot: number | null;
  readonly atMs: number;
  readonly runId: string;
  readonly firedAt: number;
  readonly counts: { readonly settled: number; readonly skipped: number; readonly missed: number };
  readonly last: Settled | null;
}

/** How a slot ended. */
export interface Settled {
  readonly slot: number;
  readonly status: 'sent' | 'ok-token' | 'ok-empty' | 'skipped' | 'failed';
  readonly reason?: string;
  readonly atMs: number;
}

/** One slot of one agent. `slot` is its time in epoch milliseconds, which names it. */
export interface Slot {
  readonly path: string;
  readonly agentId: string;
  readonly slot: number;
}
/** What came of offering a slot: a new run, or one known from an earlier life. */
export interface Dispatched {
  readonly kind: 'accepted' | 'known';
  readonly runId: string;
  readonly atMs: number;
}
/** The run of a slot; null while it is not settled. */
export type Outcome = {
  readonly status: 'ok' | 'error' | 'aborted';
  readonly text: string;
  readonly reason?: string;
} | null;

/** What a heartbeat needs from its host. */
export interface HeartbeatEffects {
  /** Writes the checkpoint; a failure is its own to report. */
  save(params: { readonly agentId: string; readonly facts: HeartbeatFacts }): void;
  /** The local time of day in minutes, where the operator's active hours count. */
  readonly look: PromiseActorLogic<{ readonly localMinutes: number }, Slot>;
  /** Offers the prompt under the slot's own id, so that a repeat of the same slot is known. */
  readonly dispatch: PromiseActorLogic<Dispatched, Slot>;
  readonly outcome: PromiseActorLogic<Outcome, { readonly path: string; readonly runId: string }>;
}
