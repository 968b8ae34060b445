import { describe, expect, it } from 'vitest';
import { CoppiceError } from '../../src/errors.ts';
import { examples, heartbeatMachine } from '../../src/machines/heartbeat.ts';
import type { HeartbeatContext, HeartbeatEvent, HeartbeatInput } from '../../src/machines/heartbeat.ts';
import { LIMITS } from '../../src/machines/limits.ts';
import { explore } from '../../src/testing/index.ts';

const everyMs = 1_800_000;
const input: HeartbeatInput = {
  path: 'gateway/core/edge/heartbeat',
  agentId: 'main',
  everyMs,
  activeHours: { start: 480, end: 1_320 },
  ackMaxChars: 300,
  atMs: 0,
  checkpoint: null,
};
const far = 40 * everyMs;

const exploring = (from: HeartbeatInput) =>
  explore(heartbeatMachine, {
    input: from,
    events: (snapshot): HeartbeatEvent[] => {
      const { dueAt, firedAt, atMs } = snapshot.context as HeartbeatContext;
      const times = [
        atMs,
        dueAt,
        dueAt + LIMITS.heartbeatGraceMs,
        dueAt + 3 * everyMs,
        firedAt + LIMITS.heartbeatOutcomeMs,
      ];
      const ticks = times
        .filter((at) => at >= atMs && at < far)
        .map((at): HeartbeatEvent => ({ type: 'clock.tick', atMs: at }));
      const rest = examples
        .filter((event) => event.type !== 'clock.tick')
        .map((event) => ('atMs' in event ? { ...event, atMs } : event));
      return [...ticks, ...rest];
    },
    stopWhen: (snapshot) => (snapshot.context as HeartbeatContext).dueAt > 4 * everyMs,
    outputs: {
      look: [{ localMinutes: 600 }, { localMinutes: 100 }],
      dispatch: (snapshot) =>
        ['accepted', 'known'].map((kind) => ({
          kind,
          runId: 'r1',
          atMs: (snapshot.context as HeartbeatContext).atMs,
        })),
      outcome: [
        null,
        { status: 'ok', text: 'HEARTBEAT_OK' },
        { status: 'ok', text: 'The disk is nearly full.' },
        { status: 'error', text: '', reason: 'no model' },
      ],
    },
    errors: { dispatch: [new CoppiceError('OVERLOADED', { where: 'the inbox', limit: 1 })] },
    serialize: (snapshot) => {
      const { enabled, dueAt, slot, atMs, firedAt, runId, last } = snapshot.context as HeartbeatContext;
      return JSON.stringify([snapshot.value, enabled, dueAt, slot, atMs, firedAt, runId, last?.status]);
    },
    invariant: (snapshot, event, previous) => {
      const [now, before] = [snapshot.context as HeartbeatContext, previous.context as HeartbeatContext];
      if (snapshot.status === 'active' && !snapshot.matches('disabled')) {
        const cared = now.dueAt > 0 || Object.keys(snapshot.children).length > 0;
        if (!cared) return 'neither a due time nor a child';
      }
      if (snapshot.matches('armed') && !before.last && now.slot !== null) return 'armed with a slot in hand';
      const settledNow =
        now.counts.settled + now.counts.skipped - before.counts.settled - before.counts.skipped;
      if (settledNow > 1) return 'two outcomes at once';
      if (now.dueAt !== before.dueAt && !now.enabled === !before.enabled && event.type !== 'heartbeat.set') {
        const slots = (now.dueAt - before.dueAt) / everyMs;
        if (slots !== settledNow + now.counts.missed - before.counts.missed)
          return `${slots} slots passed, not all are accounted for`;
      }
      return undefined;
    },
  });

describe('the heartbeat, on every path', () => {
  const fresh = exploring(input);
  it('takes every transition and leaves no event unhandled', () => {
    const resumed = exploring({ ...input, checkpoint: { dueAt: 5_000, slot: 5_000 } });
    const off = exploring({ ...input, everyMs: 0 });
    const missed = fresh.transitions.missed.filter(
      (name) => resumed.transitions.missed.includes(name) && off.transitions.missed.includes(name),
    );
    expect(missed).toEqual([]);
    for (const found of [fresh, resumed, off]) expect([...found.unhandled, ...found.violations]).toEqual([]);
  });

  it('accounts for every slot: settled, skipped or missed', () => {
    expect(fresh.violations).toEqual([]);
    const ends = new Set(fresh.paths.map((path) => (path.state.context as HeartbeatContext).last?.status));
    expect(ends).toEqual(new Set([undefined, 'sent', 'ok-token', 'skipped', 'failed']));
  });
});
