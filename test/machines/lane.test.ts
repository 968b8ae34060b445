import { createActor, type AnyEventObject } from 'xstate';
import { describe, expect, it } from 'vitest';
import {
  examples,
  laneMachine,
  withEffects,
  type Grant,
  type LaneEvent,
  type LaneInput,
  type Refusal,
  type Revocation,
} from '../../src/machines/lane.ts';
import { createSimulatedClock } from '../../src/testing/index.ts';

const input: LaneInput = { name: 'main', maxConcurrent: 1, maxQueue: 2, incarnation: 1, atMs: 0 };
const ask = (
  ticketId: string,
  atMs = 0,
  more: Partial<{ ancestry: string[]; held: boolean; holdMs: number }> = {},
): LaneEvent => ({
  type: 'lane.request',
  ticketId,
  holder: `sessions/${ticketId}`,
  sessionKey: ticketId,
  ancestry: [],
  atMs,
  ...more,
});
const held = ({ holders }: { readonly holders: readonly Grant[] }): string[] =>
  holders.map(({ ticketId }) => ticketId);
const release = (ticketId: string, atMs = 0): LaneEvent => ({ type: 'lane.release', ticketId, atMs });

function start(over: Partial<LaneInput> = {}, nobodyAt: string[] = []) {
  const clock = createSimulatedClock();
  const told: string[] = [];
  const facts: AnyEventObject[] = [];
  const tell =
    (verb: string) =>
    (to: Grant | Refusal | Revocation): 'sent' | 'noproc' => {
      told.push(`${verb} ${to.ticketId}${'reason' in to ? ` ${to.reason}` : ''}`);
      return nobodyAt.includes(to.ticketId) ? 'noproc' : 'sent';
    };
  const lane = createActor(
    withEffects({ grant: tell('grant'), refuse: tell('refuse'), revoke: tell('revoke') }),
    { input: { ...input, ...over }, clock },
  );
  lane.on('*', (fact) => void facts.push(fact));
  lane.start();
  const context = () => lane.getSnapshot().context;
  return {
    lane,
    clock,
    told,
    facts,
    context,
    send: (...events: LaneEvent[]) => events.forEach((event) => lane.send(event)),
  };
}

describe('the lane', () => {
  it('grants in the order of asking, and lets the next in when one leaves', () => {
    const { send, told, context } = start();
    send(ask('a'), ask('b'), ask('c'), release('a'), release('b'));
    expect(told).toEqual(['grant a', 'grant b', 'grant c']);
    expect(held(context())).toEqual(['c']);
  });

  it('says how many wait and work when asked, and how many still wait and how long it took when it grants', () => {
    const { send, facts } = start();
    send(ask('a', 10), ask('b', 20), ask('c', 30), release('a', 100));
    expect(facts).toEqual([
      { type: 'queue.lane.enqueue', lane: 'main', queueSize: 1 },
      { type: 'queue.lane.dequeue', lane: 'main', queueSize: 0, waitMs: 0 },
      { type: 'queue.lane.enqueue', lane: 'main', queueSize: 2 },
      { type: 'queue.lane.enqueue', lane: 'main', queueSize: 3 },
      { type: 'queue.lane.dequeue', lane: 'main', queueSize: 1, waitMs: 80 },
    ]);
  });

  it('lets a descendant of a holder in at once, above the limit: no ticket waits for its own ancestor', () => {
    const { send, told, context } = start();
    send(
      ask('a'),
      ask('other'),
      ask('child', 0, { ancestry: ['root', 'a'] }),
      ask('grandchild', 0, { ancestry: ['a', 'child'] }),
    );
    expect(told).toEqual(['grant a', 'grant child', 'grant grandchild']);
    send(release('a'), release('child'));
    expect(told).not.toContain('grant other');
    send(release('grandchild'));
    expect(told.at(-1)).toBe('grant other');
    expect(context().queue).toEqual([]);
  });

  it('refuses what does not fit into its queue, and tells who asked', () => {
    const { send, told, facts } = start();
    send(ask('a'), ask('b'), ask('c'), ask('d'));
    expect(told.at(-1)).toBe('refuse d full');
    expect(facts.at(-1)).toEqual({
      type: 'lane.ticket_refused',
      lane: 'main',
      ticketId: 'd',
      reason: 'full',
    });
  });

  it('forgets a ticket that is released while it waits', () => {
    const { send, told, context } = start();
    send(ask('a'), ask('b'), ask('c'), release('b'), release('a'));
    expect(told).toEqual(['grant a', 'grant c']);
    expect(context().queue).toEqual([]);
  });

  it('asks twice, holds once: a known ticket changes nothing', () => {
    const { send, told, context } = start();
    send(ask('a'), ask('a'), ask('b'), ask('b'), ask('a', 0, { held: true }));
    expect(told).toEqual(['grant a']);
    expect(context().queue).toHaveLength(1);
  });

  it('takes back an expired ticket, says so, and the queue moves on', () => {
    const { send, told, facts } = start();
    send(ask('a', 100, { holdMs: 50 }), ask('b', 100), { type: 'clock.tick', atMs: 149 });
    expect(told).toEqual(['grant a']);
    send({ type: 'clock.tick', atMs: 150 });
    expect(told).toEqual(['grant a', 'revoke a expired', 'grant b']);
    expect(facts).toContainEqual({
      type: 'lane.ticket_expired',
      lane: 'main',
      ticketId: 'a',
      reason: 'deadline',
      heldMs: 50,
    });
  });

  it('gives the slot to the next when nobody lives where a grant goes', () => {
    const { send, told, context } = start({}, ['b']);
    send(ask('a'), ask('b'), ask('c'), release('a'));
    expect(told).toEqual(['grant a', 'grant b', 'grant c']);
    expect(held(context())).toEqual(['c']);
  });

  it('uses new slots at once, and takes none away when it shrinks', () => {
    const { send, told, context } = start({ maxQueue: 5 });
    send(ask('a'), ask('b'), ask('c'), ask('d'), { type: 'lane.configure', maxConcurrent: 3 });
    expect(told).toEqual(['grant a', 'grant b', 'grant c']);
    send({ type: 'lane.configure', maxConcurrent: 0 }, release('a'), release('b'));
    expect(context()).toMatchObject({ maxConcurrent: 1, queue: [{ ticketId: 'd' }] });
    send(release('c'));
    expect(told.at(-1)).toBe('grant d');
  });

  it('clears who waits and leaves who works', () => {
    const { send, told, context } = start();
    send(ask('a'), ask('b'), { type: 'lane.clear' });
    expect(told).toEqual(['grant a', 'refuse b cleared']);
    expect(held(context())).toEqual(['a']);
  });

  it('after a restart hears the holders of its earlier life before it grants anything', () => {
    const { send, clock, told, context } = start({ incarnation: 2 });
    send(ask('waited'), ask('held', 0, { held: true }), ask('held2', 0, { held: true }));
    clock.advance(1_000);
    expect(told).toEqual([]);
    expect(held(context())).toEqual(['held', 'held2']);
    send(release('held'));
    expect(told).toEqual([]);
    send(release('held2'));
    expect(told).toEqual(['grant waited']);
  });

  it('after a restart with nobody holding, grants as soon as it has listened', () => {
    const { send, clock, told } = start({ incarnation: 2, maxConcurrent: 2 });
    send(
      ask('x'),
      ask('y'),
      ask('z'),
      release('y'),
      { type: 'lane.configure', maxConcurrent: 1 },
      { type: 'clock.tick', atMs: 5 },
    );
    clock.advance(1_000);
    expect(told).toEqual(['grant x']);
  });

  it('ends when told to stop', () => {
    const { lane, send } = start();
    send(ask('a'), examples['supervisor.shutdown']);
    expect(lane.getSnapshot()).toMatchObject({ status: 'done', output: { exit: 'shutdown' } });
  });

  it('fails by name when an effect was not provided', () => {
    const lane = createActor(laneMachine, { input });
    let failed: unknown;
    lane.subscribe({
      error: (error) => {
        failed = error;
      },
    });
    lane.start();
    lane.send(ask('a'));
    expect(failed).toMatchObject({ code: 'EFFECT_MISSING', details: { effect: 'grant' } });
  });
});
