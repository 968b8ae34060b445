/** What a session is given, hears and says, and needs from its host. */
import type {
  ActorLogic,
  CallbackActorLogic,
  DoneActorEvent,
  ErrorActorEvent,
  PromiseActorLogic,
  Snapshot,
} from 'xstate';
import type { Details, ErrorCode } from '../errors.ts';
import type { ClockTick, ShutdownEvent } from './ending.ts';
import type { RunInput, RunOutput, TurnMessage } from './turn.ts';

/** What a session is started with. */
export interface SessionInput {
  readonly sessionKey: string;
  readonly path: string;
  readonly incarnation: number;
  /** Default `main`, as for `lane`. */
  readonly agentId?: string;
  /** The name of the lane its turns run in. */
  readonly lane?: string;
  /** Default LIMITS.queuePerSession. */
  readonly maxQueue?: number;
  /** Quiet for this long, it leaves memory. Default LIMITS.sessionIdleMs. */
  readonly idleMs?: number;
  /** Default LIMITS.turnMs. */
  readonly turnTimeoutMs?: number;
  /** Requests that may wait. Default LIMITS.asksPerSession. */
  readonly maxAsks?: number;
  readonly atMs: number;
}

/** What a session hears. */
export type SessionEvent =
  /** A message that is committed to the inbox. The same one may be announced twice. */
  | { readonly type: 'message.queued'; readonly message: TurnMessage; readonly atMs: number }
  /** The inbox may hold more for this session than it was told. */
  | { readonly type: 'inbox.changed'; readonly atMs: number }
  /** Without `runId`: what runs and everything that waits. */
  | { readonly type: 'run.abort'; readonly requestId: string; readonly runId?: string; readonly atMs: number }
  /** `sessionId` is the new one. */
  | {
      readonly type: 'session.reset';
      readonly requestId: string;
      readonly sessionId: string;
      readonly atMs: number;
    }
  | { readonly type: 'session.delete'; readonly requestId: string; readonly atMs: number }
  | { readonly type: 'run.progress'; readonly runId: string; readonly atMs: number }
  | LaneAnswer
  | TicketNews
  | ClockTick
  | ShutdownEvent;

/** What a lane tells the holder of a ticket; handed on to the ticket, which knows whether it is meant. */
export type LaneAnswer =
  | { readonly type: 'lane.granted'; readonly ticketId: string }
  | {
      readonly type: 'lane.refused';
      readonly ticketId: string;
      readonly reason: string;
      readonly limit: number;
    }
  | { readonly type: 'lane.revoked'; readonly ticketId: string; readonly reason: string };

/** What became of the ticket the session asked for. */
export type TicketNews =
  | { readonly type: 'ticket.granted'; readonly ticketId: string; readonly atMs: number }
  | {
      readonly type: 'ticket.refused';
      readonly ticketId: string;
      readonly reason: string;
      readonly limit: number;
      readonly atMs: number;
    }
  | {
      readonly type: 'ticket.revoked';
      readonly ticketId: string;
      readonly reason: string;
      readonly atMs: number;
    };

/** What the ticket effect is started with: which lane, and for whom. */
export interface TicketInput {
  readonly lane: string;
  /** The path the lane is to tell. */
  readonly holder: string;
  readonly sessionKey: string;
  /** Tickets this work descends from. */
  readonly ancestry: readonly string[];
  readonly holdMs: number;
}

export interface RunAbort {
  readonly type: 'run.abort';
  readonly reason: string;
}

/** What a session needs from its host. */
export interface SessionEffects {
  readonly load: PromiseActorLogic<Loaded, LoadInput>;
  /** One transaction; safe to repeat. */
  readonly settle: PromiseActorLogic<Settled, Settlement>;
  readonly change: PromiseActorLogic<Changed, Change>;
  /** Asks for a ticket, sends `TicketNews`, lets go of it on every exit. */
  readonly ticket: CallbackActorLogic<LaneAnswer, TicketInput>;
  readonly run: ActorLogic<Snapshot<RunOutput>, RunAbort, RunInput>;
  answer(answer: SessionAnswer): void;
  signal(signal: SessionSignal): void;
}

/** To whoever asked for an abort, a reset or a delete, by `requestId`. */
export interface SessionAnswer {
  readonly requestId: string;
  readonly result:
    | { readonly kind: 'aborted'; readonly aborted: boolean; readonly runIds: readonly string[] }
    | { readonly kind: 'reset'; readonly sessionId: string }
    | { readonly kind: 'deleted'; readonly deleted: boolean }
    | {
        readonly kind: 'failed';
        readonly code: ErrorCode;
        readonly details: Details;
        readonly cause?: unknown;
      };
}

/** A signal as the session knows it; its host adds number and time. Times: epoch milliseconds. */
export type SessionSignal = { readonly runId: string; readonly sessionKey: string } & (
  | { readonly kind: 'started'; readonly startedAt: number }
  | { readonly kind: 'restarted'; readonly reason: string }
  | { readonly kind: 'text'; readonly text: string; readonly delta: string }
  | {
      readonly kind: 'ended';
      readonly status: TurnOutcome['status'];
      readonly text: string;
      readonly endedAt: number;
      readonly usage?: object;
      readonly stopReason?: string;
      readonly error?: { readonly code: string; readonly message: string };
    }
);

type Child = 'load' | 'settle' | 'dismiss' | 'change' | 'ticket' | 'run';
/** With the endings of its children. */
export type Heard =
  | SessionEvent
  | DoneActorEvent<Loaded, 'load'>
  | DoneActorEvent<Settled, 'settle'>
  | DoneActorEvent<Settled, 'dismiss'>
  | DoneActorEvent<Changed, 'change'>
  | DoneActorEvent<RunOutput, 'run'>
  | { [C in Child]: ErrorActorEvent<unknown, C> }[Child];

/** How a turn ended; 'undecided' is no end. */
export type TurnOutcome = Exclude<RunOutput, { status: 'undecided' }>;

/** Which session to read. */
export interface LoadInput {
  readonly sessionKey: string;
  readonly agentId: string;
  readonly maxQueue: number;
}
/** What the store knows of a session when it begins. */
export interface Loaded {
  readonly sessionId: string;
  /** The first of the pending inbox rows, in order of acceptance. */
  readonly pending: readonly TurnMessage[];
  readonly more: boolean;
  readonly atMs: number;
}

interface Settling {
  readonly sessionKey: string;
  readonly sessionId: string;
  readonly agentId: string;
  readonly messages: readonly TurnMessage[];
}
/** One transaction, safe to repeat. */
export type Settlement =
  /** `silent`: a heartbeat that had nothing to say leaves no transcript. */
  | (Settling & { readonly kind: 'turn'; readonly outcome: TurnOutcome; readonly silent: boolean })
  | (Settling & { readonly kind: 'question'; readonly question: string })
  | (Settling & { readonly kind: 'dismissed' });
/** A commit that is on disk. */
export interface Settled {
  readonly atMs: number;
  readonly messageIds: readonly string[];
  /** Of a question: when it was asked first, maybe in an earlier life. */
  readonly askedAt?: number;
}

/** A reset or a delete, as one transaction. */
export type Change =
  | {
      readonly kind: 'reset';
      readonly sessionKey: string;
      readonly agentId: string;
      readonly sessionId: string;
    }
  | { readonly kind: 'delete'; readonly sessionKey: string };
/** What a reset or a delete did. */
export interface Changed {
  readonly atMs: number;
  /** Was there a session to delete? */
  readonly existed: boolean;
  /** What was pending in the inbox and is no more. */
  readonly dropped: readonly TurnMessage[];
}
