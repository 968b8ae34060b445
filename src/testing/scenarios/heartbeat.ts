import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { CoppiceError } from '../../errors.ts';
import { examples, heartbeatMachine } from '../../machines/heartbeat.ts';
import type { HeartbeatContext, HeartbeatEvent, HeartbeatInput } from '../../machines/heartbeat.ts';
import { LIMITS } from '../../machines/limits.ts';
import { contextOf, scenario } from '../scenario.ts';
import type { Scenario } from '../scenario.ts';

const everyMs = 1_800_000;
const FAR = 40 * everyMs;
const input: HeartbeatInput = {
  path: 'gateway/core/edge/heartbeat',
  agentId: 'main',
  everyMs,
  activeHours: { start: 480, end: 1_320 },
  ackMaxChars: 300,
  atMs: 0,
  checkpoint: null,
};

/** Ticks at the times that make a difference from here, and everything else at the present. */
function events(snapshot: AnyMachineSnapshot): HeartbeatEvent[] {
  const { dueAt, firedAt, atMs } = contextOf<HeartbeatContext>(snapshot);
  const ends = [dueAt + LIMITS.heartbeatGraceMs, dueAt + 3 * everyMs, firedAt + LIMITS.heartbeatOutcomeMs];
  const ticks = [atMs, dueAt, ...ends]
    .filter((at) => at >= atMs && at < FAR)
    .map((at): HeartbeatEvent => ({ type: 'clock.tick', atMs: at }));
  const rest = examples
    .filter((event) => event.type !== 'clock.tick')
    .map((event) => ('atMs' in event ? { ...event, atMs } : event));
  return [...ticks, ...rest];
}

const beating = (changes: Partial<HeartbeatInput> = {}) =>
  ({
    input: { ...input, ...changes },
    events,
    stopWhen: (snapshot: AnyMachineSnapshot) => contextOf<HeartbeatContext>(snapshot).dueAt > 2 * everyMs,
    outputs: {
      look: [{ localMinutes: 600 }, { localMinutes: 100 }],
      dispatch: (snapshot: AnyMachineSnapshot) =>
        ['accepted', 'known'].map((kind) => ({
          kind,
          runId: 'r1',
          atMs: contextOf<HeartbeatContext>(snapshot).atMs,
        })),
      outcome: [
        null,
        { status: 'ok', text: 'HEARTBEAT_OK' },
        { status: 'ok', text: 'The disk is nearly full.' },
        { status: 'error', text: '', reason: 'no model' },
      ],
    },
    timers: 'first',
    errors: { dispatch: [new CoppiceError('OVERLOADED', { where: 'the inbox', limit: 1 })] },
    serialize: (snapshot: AnyMachineSnapshot) => {
      const { enabled, dueAt, slot, atMs, firedAt, runId, last } = contextOf<HeartbeatContext>(snapshot);
      return JSON.stringify([snapshot.value, enabled, dueAt, slot, atMs, firedAt, runId, last?.status]);
    },
  }) as const;

export const machine: AnyStateMachine = heartbeatMachine;
export const scenarios: readonly Scenario[] = [
  scenario(heartbeatMachine, 'a new heartbeat', beating()),
  scenario(
    heartbeatMachine,
    'a heartbeat resumed in a slot',
    beating({ checkpoint: { dueAt: 5_000, slot: 5_000 } }),
  ),
  scenario(heartbeatMachine, 'a heartbeat that is off', beating({ everyMs: 0 })),
];
