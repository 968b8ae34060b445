import type { CallbackActorLogic } from 'xstate';
import type { NormalError } from '../errors.ts';
import type { DeliveryAnswer, DeliveryChange, DeliveryItem } from './delivery.ts';
import type { ClockTick, ShutdownEvent } from './ending.ts';

/** What the outbox is started with. */
export interface OutboxInput {
  readonly path: string;
}

/** What the outbox hears. */
export type OutboxEvent =
  | { readonly type: 'outbox.added' }
  | ClockTick
  | {
      readonly type: 'take.done';
      readonly items: readonly DeliveryItem[];
      readonly nextAt: number | null;
      readonly atMs: number;
    }
  | { readonly type: 'take.failed'; readonly error: NormalError; readonly atMs: number }
  | { readonly type: 'record.done'; readonly deliveryId: string }
  | { readonly type: 'record.failed'; readonly deliveryId: string; readonly error: NormalError }
  | {
      readonly type: 'deliver.settled';
      readonly deliveryId: string;
      readonly answer: DeliveryAnswer;
      readonly atMs: number;
      readonly roll: number;
    }
  | ShutdownEvent;

/** Asks the store for rows that are due. */
export interface TakeRun {
  readonly type: 'take.run';
  readonly limit: number;
  /** What has no place now: full channels, and targets that are being sent to. */
  readonly except: {
    readonly channels: readonly string[];
    readonly targets: readonly Pick<DeliveryItem, 'channel' | 'account' | 'target'>[];
  };
}
/** Asks the store to write down what happened to a delivery. */
export interface RecordWrite {
  readonly type: 'record.write';
  readonly deliveryId: string;
  readonly change: DeliveryChange;
}
/** Gives a delivery to its channel. */
export interface DeliverBegin {
  readonly type: 'deliver.begin';
  readonly item: DeliveryItem;
}

/** A delivery in hand: `marking` it as sending, `sending` it, or `recording` how it went. */
export interface InHand {
  readonly item: DeliveryItem;
  readonly phase: 'marking' | 'sending' | 'recording';
  /** What is, or was last, written to its row. */
  readonly change: DeliveryChange;
  /** The store did not take `change`; the next tick writes it again. */
  readonly stalled: boolean;
}

/** What the outbox knows. Plain JSON. */
export interface OutboxContext {
  readonly path: string;
  readonly queue: readonly InHand[];
  readonly looking: 'no' | 'yes' | 'and-again';
  /** Due rows were left in the store for want of a place. */
  readonly more: boolean;
  readonly wakeAt: number | null;
  /** The latest time an event told. */
  readonly atMs: number;
  readonly counts: Readonly<Record<'sent' | 'retried' | 'unknown' | 'failed_permanent' | 'expired', number>>;
  readonly stopWithinMs: number;
  readonly error: NormalError | null;
}

/** Who asks, for facts and logs. */
export type Place = { readonly path: string };

/** What the outbox needs from its host. */
export interface OutboxEffects {
  /** Takes `take.run`; answers `take.done` with the rows due now, or `take.failed`. */
  readonly take: CallbackActorLogic<TakeRun, Place>;
  /** Takes `record.write`, many at once; answers each with `record.done` or `record.failed`. */
  readonly record: CallbackActorLogic<RecordWrite, Place>;
  /** Takes `deliver.begin`, many at once; answers each with `deliver.settled` within its deadline, whatever the channel does. */
  readonly deliver: CallbackActorLogic<DeliverBegin, Place>;
}
