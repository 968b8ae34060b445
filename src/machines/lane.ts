import { setup } from 'xstate';
import type { Fact } from '../bus/events.ts';
import { complete, missingAction } from './effect-missing.ts';
import type { ClockTick, Ending, ShutdownEvent } from './ending.ts';
import { LIMITS } from './limits.ts';

/** Who wants to work. `holder` is the path that is told; `ancestry` names the tickets it works on behalf of. */
export interface TicketRequest {
  readonly ticketId: string;
  readonly holder: string;
  readonly sessionKey: string;
  readonly ancestry: readonly string[];
  /** Epoch milliseconds. */
  readonly atMs: number;
  /** How long the ticket may be held once granted. Milliseconds; default LIMITS.ticketHoldMs. */
  readonly holdMs?: number;
}
/** Somebody without a ticket yet. */
export type Waiting = TicketRequest;
export interface Holding extends TicketRequest {
  readonly grantedAtMs: number;
  readonly deadlineMs: number;
}

/** What a lane is started with. */
export interface LaneInput {
  readonly name: string;
  readonly maxConcurrent: number;
  readonly maxQueue: number;
  readonly incarnation: number;
  readonly atMs: number;
}
interface LaneContext {
  readonly name: string;
  readonly maxConcurrent: number;
  readonly maxQueue: number;
  readonly incarnation: number;
  /** The latest time any event told us. */
  readonly atMs: number;
  readonly queue: readonly Waiting[];
  /** A list, not a table: it is short, and ids that are new every time make slow tables. */
  readonly holders: readonly Holding[];
}

/** What a lane hears. */
export type LaneEvent =
  /** `held`: the ticket was granted by an earlier incarnation; it counts at once, even above the limit. */
  | ({ readonly type: 'lane.request'; readonly held?: boolean } & TicketRequest)
  | { readonly type: 'lane.release'; readonly ticketId: string; readonly atMs: number }
  | { readonly type: 'lane.configure'; readonly maxConcurrent: number }
  /** Refuses everybody who waits. Holders keep their tickets. */
  | { readonly type: 'lane.clear' }
  | ClockTick
  | ShutdownEvent;

/** A ticket, and the path that is told of it. */
export interface Grant {
  readonly ticketId: string;
  readonly holder: string;
}
/** Why a ticket cannot be had. */
export interface Refusal extends Grant {
  readonly reason: 'full' | 'cleared';
  /** What was full: the bound of the queue. */
  readonly limit: number;
}
/** Why a ticket is taken back. */
export interface Revocation extends Grant {
  readonly reason: 'expired';
}
/** Each tells the holder. `noproc`: nobody lives there, so the ticket is taken back. */
export interface LaneEffects {
  grant(grant: Grant): 'sent' | 'noproc';
  refuse(refusal: Refusal): 'sent' | 'noproc';
  revoke(revocation: Revocation): 'sent' | 'noproc';
}

type LaneFact = Fact<
  'queue.lane.enqueue' | 'queue.lane.dequeue' | 'lane.ticket_expired' | 'lane.ticket_refused'
>;

const freeSlots = (context: LaneContext): number =>
  Math.max(0, context.maxConcurrent - context.holders.length);
const isOf =
  (ticketId: string) =>
  (request: TicketRequest): boolean =>
    request.ticketId === ticketId;
const isKnown = (context: LaneContext, ticketId: string): boolean =>
  context.holders.some(isOf(ticketId)) || context.queue.some(isOf(ticketId));
const noted = (context: LaneContext, { atMs }: { readonly atMs: number }): number =>
  Math.max(context.atMs, atMs);
const hold = (request: TicketRequest, atMs: number): Holding => ({
  ticketId: request.ticketId,
  holder: request.holder,
  sessionKey: request.sessionKey,
  ancestry: request.ancestry,
  atMs: request.atMs,
  grantedAtMs: atMs,
  deadlineMs: atMs + (request.holdMs ?? LIMITS.ticketHoldMs),
});
const atLeastOne = (count: number): number => (Number.isFinite(count) ? Math.max(1, Math.floor(count)) : 1);

const base = setup({
  types: {
    context: {} as LaneContext,
    events: {} as LaneEvent,
    input: {} as LaneInput,
    emitted: {} as LaneFact,
    output: {} as Ending,
  },
  actions: {
    grant: missingAction('grant') as (_: unknown, params: Grant) => void,
    refuse: missingAction('refuse') as (_: unknown, params: Refusal) => void,
    revoke: missingAction('revoke') as (_: unknown, params: Revocation) => void,
  },
  guards: {
    isHeld: ({ event }) => event.type === 'lane.request' && event.held === true,
    isKnown: ({ context, event }) => event.type === 'lane.request' && isKnown(context, event.ticketId),
    isNested: ({ context, event }) =>
      event.type === 'lane.request' &&
      context.holders.some(({ ticketId }) => event.ancestry.includes(ticketId)),
    /** While a restarted lane gathers, those its free slots will take stand in the queue too. */
    isFull: ({ context }) => context.queue.length >= context.maxQueue + freeSlots(context),
    isLater: ({ context }) => context.incarnation > 1,
  },
  delays: { gather: LIMITS.laneGatherMs },
});

const lane = base.extend({
  actions: {
    note: base.assign({
      atMs: ({ context, event }) => ('atMs' in event ? noted(context, event) : context.atMs),
    }),
    register: base.assign({
      holders: ({ context, event }) =>
        event.type === 'lane.request' ? [...context.holders, hold(event, context.atMs)] : context.holders,
    }),
    enter: base.enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'lane.request') return;
      const waiting = context.queue.length;
      enqueue.emit({
        type: 'queue.lane.enqueue',
        lane: context.name,
        queueSize: waiting + 1 + context.holders.length,
      });
      enqueue.assign({ holders: [...context.holders, hold(event, context.atMs)] });
      enqueue.emit({ type: 'queue.lane.dequeue', lane: context.name, queueSize: waiting, waitMs: 0 });
      enqueue({ type: 'grant', params: { ticketId: event.ticketId, holder: event.holder } });
    }),
    wait: base.enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'lane.request') return;
      const { type: _type, held: _held, ...request } = event;
      enqueue.assign({ queue: [...context.queue, request], atMs: noted(context, event) });
      enqueue.emit({
        type: 'queue.lane.enqueue',
        lane: context.name,
        queueSize: context.queue.length + 1 + context.holders.length,
      });
    }),
    turnAway: base.enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'lane.request') return;
      enqueue.emit({
        type: 'lane.ticket_refused',
        lane: context.name,
        ticketId: event.ticketId,
        reason: 'full',
      });
      enqueue({
        type: 'refuse',
        params: { ticketId: event.ticketId, holder: event.holder, reason: 'full', limit: context.maxQueue },
      });
    }),
    /** Gives every free slot to whoever waits longest. */
    fill: base.enqueueActions(({ context, enqueue }) => {
      const granted = context.queue.slice(0, freeSlots(context));
      if (granted.length === 0) return;
      enqueue.assign({
        queue: context.queue.slice(granted.length),
        holders: [...context.holders, ...granted.map((waiting) => hold(waiting, context.atMs))],
      });
      granted.forEach((waiting, index) => {
        const queueSize = context.queue.length - index - 1;
        enqueue.emit({
          type: 'queue.lane.dequeue',
          lane: context.name,
          queueSize,
          waitMs: Math.max(0, context.atMs - waiting.atMs),
        });
        enqueue({ type: 'grant', params: { ticketId: waiting.ticketId, holder: waiting.holder } });
      });
    }),
    release: base.assign(({ context, event }) => {
      if (event.type !== 'lane.release') return {};
      const others = ({ ticketId }: TicketRequest): boolean => ticketId !== event.ticketId;
      return {
        holders: context.holders.filter(others),
        queue: context.queue.filter(others),
        atMs: noted(context, event),
      };
    }),
    configure: base.assign({
      maxConcurrent: ({ context, event }) =>
        event.type === 'lane.configure' ? atLeastOne(event.maxConcurrent) : context.maxConcurrent,
    }),
    clear: base.enqueueActions(({ context, enqueue }) => {
      enqueue.assign({ queue: [] });
      for (const { ticketId, holder } of context.queue) {
        enqueue.emit({ type: 'lane.ticket_refused', lane: context.name, ticketId, reason: 'cleared' });
        enqueue({ type: 'refuse', params: { ticketId, holder, reason: 'cleared', limit: context.maxQueue } });
      }
    }),
    expire: base.enqueueActions(({ context, enqueue }) => {
      const expired = context.holders.filter((holding) => holding.deadlineMs <= context.atMs);
      if (expired.length === 0) return;
      enqueue.assign({ holders: context.holders.filter((holding) => holding.deadlineMs > context.atMs) });
      for (const { ticketId, holder, grantedAtMs } of expired) {
        enqueue.emit({
          type: 'lane.ticket_expired',
          lane: context.name,
          ticketId,
          reason: 'deadline',
          heldMs: context.atMs - grantedAtMs,
        });
        enqueue({ type: 'revoke', params: { ticketId, holder, reason: 'expired' } });
      }
    }),
  },
});

/** The first matching answer to a request; only the last one depends on whether slots are being given out. */
const answers = [
  { guard: 'isKnown' },
  { guard: 'isHeld', actions: ['note', 'register'] },
  { guard: 'isNested', actions: ['note', 'enter'] },
  { guard: 'isFull', actions: ['note', 'turnAway'] },
] as const;

/**
 * A lane grants tickets (leases on the right to work), first come first served, at most `maxConcurrent` at a time.
 * A ticket that descends from one held here is granted at once, above the limit if need be: queued, it would wait
 * for its own ancestor for ever.
 */
export const laneMachine = lane.createMachine({
  id: 'lane',
  options: { maxIterations: LIMITS.maxIterations },
  context: ({ input }) => ({
    name: input.name,
    maxConcurrent: atLeastOne(input.maxConcurrent),
    maxQueue: atLeastOne(input.maxQueue),
    incarnation: input.incarnation,
    atMs: input.atMs,
    queue: [],
    holders: [],
  }),
  initial: 'starting',
  on: { 'supervisor.shutdown': { target: '.closed' } },
  states: {
    starting: { always: [{ guard: 'isLater', target: 'gathering' }, { target: 'open' }] },
    /** After a restart: holders of the earlier life report first, so that nobody is let in above the limit. */
    gathering: {
      after: { gather: { target: 'open' } },
      on: {
        'lane.request': [...answers, { actions: 'wait' }],
        'lane.release': { actions: 'release' },
        'lane.configure': { actions: 'configure' },
        'lane.clear': { actions: 'clear' },
        'clock.tick': { actions: ['note', 'expire'] },
      },
    },
    open: {
      entry: 'fill',
      on: {
        'lane.request': [...answers, { actions: ['wait', 'fill'] }],
        'lane.release': { actions: ['release', 'fill'] },
        'lane.configure': { actions: ['configure', 'fill'] },
        'lane.clear': { actions: 'clear' },
        'clock.tick': { actions: ['note', 'expire', 'fill'] },
      },
    },
    closed: { type: 'final' },
  },
  output: { exit: 'shutdown' },
});

/** The machine with its effects: what a host starts. Nobody at home at a grant means the ticket is free again. */
export function withEffects(effects: LaneEffects) {
  return complete(laneMachine, effects).provide({
    actions: {
      grant: ({ self, context }, grant) => {
        if (effects.grant(grant) === 'noproc')
          self.send({ type: 'lane.release', ticketId: grant.ticketId, atMs: context.atMs });
      },
      refuse: (_, refusal) => void effects.refuse(refusal),
      revoke: (_, revocation) => void effects.revoke(revocation),
    },
  });
}

const request = (ticketId: string, ancestry: readonly string[] = []): LaneEvent => ({
  type: 'lane.request',
  ticketId,
  holder: `sessions/${ticketId}`,
  sessionKey: ticketId,
  ancestry,
  atMs: 1_000,
});
/** One plain event of every type. */
export const examples = {
  'lane.request': request('t1'),
  'lane.request nested': request('t2', ['t1']),
  'lane.request held': { ...request('t3'), held: true } as LaneEvent,
  'lane.release': { type: 'lane.release', ticketId: 't1', atMs: 2_000 },
  'lane.configure': { type: 'lane.configure', maxConcurrent: 2 },
  'lane.clear': { type: 'lane.clear' },
  'clock.tick': { type: 'clock.tick', atMs: 3_000 },
  'supervisor.shutdown': { type: 'supervisor.shutdown', reason: 'stop', deadlineMs: 5_000 },
} satisfies Record<string, LaneEvent>;
