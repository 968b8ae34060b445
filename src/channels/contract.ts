import type { Trace } from '../bus/trace.ts';

/**
 * A channel is one or more legs (inbound, outbound), each a supervised actor. What a leg does in the world stands
 * behind this contract; when it lives, is probed, is restarted is the machine's affair.
 */
export interface Delivery {
  /** Also the idempotency key towards the platform, where it takes one. */
  readonly deliveryId: string;
  readonly account: string;
  readonly target: string;
  readonly payload: unknown;
}

/** What became of a delivery. */
export type DeliveryOutcome =
  | { readonly kind: 'sent'; readonly platformId?: string }
  /** It may have arrived. Repeated only if the channel takes idempotency keys. */
  | { readonly kind: 'unknown'; readonly reason: string }
  | {
      readonly kind: 'failed';
      readonly permanent: boolean;
      readonly reason: string;
      readonly retryAfterMs?: number;
    };

/** A message as a channel brings it. */
export interface ChannelMessage {
  readonly account: string;
  readonly platformId: string;
  readonly target: string;
  readonly text: string;
  /** Default: `agent:main:CHANNEL:TARGET`. */
  readonly sessionKey?: string;
  /** Whose session it is, where the key names no agent. Default `main`. */
  readonly agentId?: string;
  /** The trace the sender began, if it said so. */
  readonly trace?: Trace;
}

/** The message is on disk. `known`: it came before; what became of it then stands. */
export type Receipt =
  | { readonly kind: 'accepted'; readonly runId: string }
  | {
      readonly kind: 'known';
      readonly runId: string;
      readonly status: 'in_flight' | 'ok' | 'error' | 'aborted';
      readonly text?: string;
      readonly error?: { readonly code: string; readonly message: string };
    };

/** One direction of a channel, which lives and fails by itself. */
export interface ChannelLeg {
  readonly name: 'inbound' | 'outbound';
  /** Resolves when the leg works. `lost` reports that it stopped working; it may be called once, at any later time. */
  start(context: {
    readonly signal: AbortSignal;
    lost(reason: string): void;
    /** Resolves when the message is committed to the inbox: only then may the platform be told that we have it. */
    receive(message: ChannelMessage): Promise<Receipt>;
  }): Promise<void>;
  /** Evidence from this very leg that it works. */
  probe?(signal: AbortSignal): Promise<void>;
}

/** A way in and out: what a platform must offer to be a channel. */
export interface Channel {
  readonly name: string;
  /** Without an outbound leg nothing is ever delivered to it: the transcript is all there is of a reply. */
  readonly legs: readonly ChannelLeg[];
  /** Does `deliveryId` make a repeated delivery harmless? */
  readonly idempotentDelivery: boolean;
  deliver(delivery: Delivery, signal: AbortSignal): Promise<DeliveryOutcome>;
}

/** A request to `POST /hooks/NAME`, as the server hands it on. */
export interface HookRequest {
  header(name: string): string | undefined;
  /** The bytes as they came. Rejects HOOK_TOO_LARGE beyond `maxBytes`, without reading on. */
  body(maxBytes: number): Promise<Uint8Array>;
}

/** Whom the message was for, and what became of it. */
export interface HookAnswer {
  readonly target: string;
  readonly receipt: Receipt;
}

/** Checks the shape of a channel while you write it. */
export function defineChannel(channel: Channel): Channel {
  return channel;
}

/** What a run says while it lives. `seq` rises by one per run. Deltas may be dropped for a slow reader; the end never is. */
export type RunSignal = {
  readonly runId: string;
  readonly sessionKey: string;
  readonly seq: number;
  readonly ts: number;
} & (
  | { readonly kind: 'started'; readonly startedAt: number }
  | { readonly kind: 'text'; readonly text: string; readonly delta: string }
  | {
      readonly kind: 'tool-started';
      readonly toolCallId: string;
      readonly toolName: string;
      readonly input: unknown;
    }
  | {
      readonly kind: 'tool-ended';
      readonly toolCallId: string;
      readonly toolName: string;
      readonly output: unknown;
      readonly isError: boolean;
    }
  /** The turn is thrown away and begun anew (a crash, a retry): text so far is void. */
  | { readonly kind: 'restarted'; readonly reason: string }
  | {
      readonly kind: 'ended';
      readonly status: 'ok' | 'error' | 'aborted';
      readonly text: string;
      readonly endedAt: number;
      readonly usage?: object;
      readonly stopReason?: string;
      readonly error?: { readonly code: string; readonly message: string };
    }
);
