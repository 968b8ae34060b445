import { CoppiceError } from '../errors.ts';
import { callbackEffect } from '../host/index.ts';
import type { LaneEvent } from '../machines/lane.ts';
import { LIMITS } from '../machines/limits.ts';
import type { LaneAnswer, TicketInput, TicketNews } from '../machines/session.ts';
import type { Deps } from './deps.ts';
import { lanePath } from './paths.ts';

/**
 * A ticket of a lane, held for as long as this effect lives. The lane answers to the holder's path, and the holder
 * hands the answer on to here. When the lane starts anew, the ticket is asked for again, or reported as held. It is
 * given back on every exit. Fails with UNAVAILABLE when the lane is absent for long before it granted anything.
 */
export const createTicket = ({ clock, ids, registry }: Pick<Deps, 'clock' | 'ids' | 'registry'>) =>
  callbackEffect<LaneAnswer, TicketInput>(({ input, send, onEvent, fail, guard }) => {
    const { lane, ...asker } = input;
    const path = lanePath(lane);
    const tell = (event: LaneEvent): unknown => registry.tell(path, event);
    const ticketId = ids.id();
    let state: 'asked' | 'held' | 'over' = 'asked';
    let absence: unknown;

    const ask = (): void => {
      clock.clearTimeout(absence);
      if (state === 'over') return;
      tell({ type: 'lane.request', ...asker, ticketId, atMs: clock.now(), held: state === 'held' });
    };
    const wait = (): void => {
      clock.clearTimeout(absence);
      if (state !== 'asked') return;
      const absent = (): void =>
        fail(new CoppiceError('UNAVAILABLE', { what: `the lane ${lane}`, reason: 'it is not running' }));
      absence = clock.setTimeout(guard(absent), LIMITS.laneAbsentMs);
    };
    const news = (event: LaneAnswer): TicketNews => {
      const atMs = clock.now();
      if (event.type === 'lane.granted') return { type: 'ticket.granted', ticketId, atMs };
      if (event.type === 'lane.refused')
        return { type: 'ticket.refused', ticketId, reason: event.reason, limit: event.limit, atMs };
      return { type: 'ticket.revoked', ticketId, reason: event.reason, atMs };
    };
    onEvent((event) => {
      // An answer to another ticket of this holder, which is no more; or a grant said twice.
      if (
        event.ticketId !== ticketId ||
        state === 'over' ||
        (event.type === 'lane.granted' && state === 'held')
      )
        return;
      state = event.type === 'lane.granted' ? 'held' : 'over';
      send(news(event));
    });
    const unwatch = registry.watch(path, { up: guard(ask), down: guard(wait) });
    return () => {
      unwatch();
      clock.clearTimeout(absence);
      // A lane that is down forgets it anyway: nobody reports it as held to the next incarnation.
      if (state !== 'over' && registry.incarnation(path) !== undefined)
        tell({ type: 'lane.release', ticketId, atMs: clock.now() });
    };
  });
