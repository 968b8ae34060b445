import { normalizeError } from '../errors.ts';
import { promiseEffect } from '../host/index.ts';
import type { ActiveHours } from '../machines/active-hours.ts';
import { withEffects } from '../machines/heartbeat.ts';
import type { Dispatched, HeartbeatFacts, HeartbeatInput, Outcome, Slot } from '../machines/heartbeat.ts';
import type { ChildSpec } from '../supervisor/index.ts';
import type { Deps } from './deps.ts';
import type { Door } from './door.ts';

/** What one agent is asked, how often and when. */
export interface HeartbeatOptions {
  /** The id of the child. Default `heartbeat`. */
  readonly id?: string;
  readonly agentId: string;
  /** Milliseconds; 0 disables. */
  readonly everyMs: number;
  readonly prompt: string;
  /** `timeZone`: an IANA name; default the machine's own. */
  readonly activeHours?: ActiveHours & { readonly timeZone?: string };
  /** Default 300. */
  readonly ackMaxChars?: number;
  /** Options of the turn: model, replyTo, ... */
  readonly turn?: Readonly<Record<string, unknown>>;
}

type HeartbeatDeps = Pick<Deps, 'clock' | 'ids' | 'registry' | 'store' | 'report'> & {
  readonly door: Pick<Door, 'offer'>;
};
const VERSION = 1;
const MACHINE = 'heartbeat';

/** The heartbeat of one agent. It needs `clock.tick` from the schedule. */
export function heartbeatChild(deps: HeartbeatDeps, options: HeartbeatOptions): ChildSpec {
  const { agentId } = options;
  const logic = withEffects({
    save: ({ facts }) => void save(deps, agentId, facts),
    look: promiseEffect<{ localMinutes: number }, Slot>(async () => ({
      localMinutes: localMinutes(deps.clock.now(), options.activeHours?.timeZone),
    })),
    dispatch: promiseEffect<Dispatched, Slot>(({ input }) => dispatch(deps, options, input.slot)),
    outcome: promiseEffect<Outcome, { path: string; runId: string }>(async ({ input }) =>
      outcome(deps, input.runId),
    ),
  });
  // Asked at every start: what is configured is what is in force then.
  const input = (path: string): HeartbeatInput => {
    const { everyMs, activeHours, ackMaxChars = 300 } = options;
    return {
      path,
      agentId,
      everyMs,
      activeHours: activeHours ? { start: activeHours.start, end: activeHours.end } : null,
      ackMaxChars,
      atMs: Math.round(deps.clock.now()),
      checkpoint: resumed(deps, agentId),
    };
  };
  return { id: options.id ?? 'heartbeat', logic, input: ({ path }) => input(path) };
}

/** A slot that cannot be saved is repeated after a restart at worst, and then it is known by its id. */
async function save(
  { clock, store, report }: HeartbeatDeps,
  agentId: string,
  facts: HeartbeatFacts,
): Promise<void> {
  try {
    await store.commit(
      store.statements.putCheckpoint({
        machine: MACHINE,
        key: agentId,
        version: VERSION,
        at: Math.round(clock.now()),
        facts: { ...facts },
      }),
    );
  } catch (error) {
    report({
      type: 'actor.fault',
      error: normalizeError(error),
      source: `saving the heartbeat of agent ${agentId}`,
    });
  }
}

function resumed({ store }: HeartbeatDeps, agentId: string): HeartbeatFacts | null {
  const row = store.read.checkpoint(MACHINE, agentId);
  if (row?.version !== VERSION) return null;
  const { dueAt, slot } = row.facts;
  return typeof dueAt === 'number' ? { dueAt, slot: typeof slot === 'number' ? slot : null } : null;
}

async function dispatch(
  { clock, ids, door }: HeartbeatDeps,
  { agentId, prompt, turn }: HeartbeatOptions,
  slot: number,
): Promise<Dispatched> {
  const accepted = await door.offer({
    runId: ids.id(),
    sessionKey: `agent:${agentId}:main`,
    agentId,
    channel: MACHINE,
    account: agentId,
    platformId: String(Math.round(slot)),
    source: 'heartbeat',
    text: prompt,
    options: turn ?? {},
  });
  return { kind: accepted.kind, runId: accepted.runId, atMs: Math.round(clock.now()) };
}

function outcome({ store }: HeartbeatDeps, runId: string): Outcome {
  const run = store.read.run(runId);
  if (run?.status === 'accepted') return null;
  const text = run?.result?.['text'];
  const reason = run ? run.error?.message : 'its run is not on record';
  return {
    status: run?.status ?? 'error',
    text: typeof text === 'string' ? text : '',
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Minutes since midnight in `timeZone`. Throws RangeError for a zone that does not exist. */
export function localMinutes(atMs: number, timeZone?: string): number {
  const format = new Intl.DateTimeFormat('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    ...(timeZone ? { timeZone } : {}),
  });
  const part = (type: 'hour' | 'minute'): number =>
    Number(format.formatToParts(atMs).find((p) => p.type === type)?.value ?? 0);
  return part('hour') * 60 + part('minute');
}
