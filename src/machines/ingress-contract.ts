import type { CallbackActorLogic, PromiseActorLogic } from 'xstate';
import type { NormalError } from '../errors.ts';
import type { ClockTick, ShutdownEvent } from './ending.ts';
import type { JournalCommitted, JournalFailed, JournalWrite, MessageAdmitted, Write } from './inbox-write.ts';
import type { OfferedMessage, Refusal } from './offered.ts';

/** What the ingress is started with. */
export interface IngressInput {
  readonly path: string;
}

/** What the ingress hears. */
export type IngressEvent =
  | MessageAdmitted
  | JournalCommitted
  | JournalFailed
  /** The gate asks whether work can come. */
  | { readonly type: 'ingress.ask' }
  /** A committed message found no session; the next sweep hands it over. */
  | { readonly type: 'route.failed'; readonly sessionKey: string }
  | ClockTick
  | ShutdownEvent;

/** What a start, or a sweep, found in the inbox and handed to sessions. */
export interface TakenUp {
  readonly sessions: number;
  readonly messages: number;
  /** Sessions that could not be started now, and may be later. */
  readonly failed: number;
}

/** What the ingress knows. Plain JSON. */
export interface IngressContext {
  readonly path: string;
  /** Writes under way, oldest first. */
  readonly queue: readonly Write[];
  /** Committed work may be without a session. */
  readonly unrouted: boolean;
  readonly sweptAt: number;
  readonly accepted: number;
  readonly refused: number;
  readonly stopWithinMs: number;
  readonly error: NormalError | null;
}

/** To the sender: its message is on disk, or was before. */
export interface Answer {
  readonly requestId: string;
  readonly kind: 'accepted' | 'known';
  readonly runId: string;
  readonly atMs: number;
}

/** A committed message, to be handed to its session. */
export interface Route {
  readonly message: OfferedMessage;
  readonly receivedAt: number;
}

/** What the ingress needs from its host. */
export interface IngressEffects {
  /** Starts every session with pending rows. Rejects when the store cannot be read. */
  readonly takeUp: PromiseActorLogic<TakenUp, { readonly path: string }>;
  /** Takes `journal.write`, many at once; answers each with `journal.committed` or `journal.failed`. */
  readonly journal: CallbackActorLogic<JournalWrite, { readonly path: string }>;
  answer(answer: Answer): void;
  refuse(refusal: Refusal): void;
  /** Sends `route.failed` back when there is no session to be had. */
  route(route: Route): void;
  /** Tells the gate `ingress.ready`. */
  announce(): void;
}
